"""Random numbers as a function of a name and an index, independent of order and count."""

import hashlib

import numpy as np

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ODD = np.uint64(0xD1B54A32D192ED03)


def _mix(x: np.ndarray) -> np.ndarray:
    """SplitMix64's finaliser (Steele, Lea and Flood 2014): uint64 to well mixed uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def draws(name: str, indices: np.ndarray, columns: int) -> np.ndarray:
    """Uniform numbers in [0, 1): float64 [n, columns]; row i depends only on `name` and `indices[i]`."""
    start = np.uint64(int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little"))
    rows = _mix(start + np.asarray(indices, dtype=np.uint64)[:, None] * _GOLDEN)
    bits = _mix(rows + np.arange(1, columns + 1, dtype=np.uint64) * _ODD)
    return (bits >> np.uint64(11)) * 2.0**-53


class Dice:
    """One row of draws; each choice consumes one."""

    def __init__(self, values: np.ndarray):
        self._values = iter(values.tolist())

    def pick(self, options):
        """One of `options` (a sequence), each equally likely."""
        return options[int(next(self._values) * len(options))]

    def chance(self, probability: float) -> bool:
        """True with `probability`."""
        return next(self._values) < probability

    def weighted(self, shares: dict):
        """A key of `shares`, drawn with its value as the probability; the values sum to 1."""
        left = next(self._values)
        for key, share in shares.items():
            left -= share
            if left < 0:
                return key
        return key
