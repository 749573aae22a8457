"""SplitMix64: its constants and its output function (Steele, Lea and Flood, OOPSLA 2014)."""

import numpy as np

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # the increment between successive states
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


def mix(values: np.ndarray) -> np.ndarray:
    """Mixes uint64 values in place and returns them."""
    shifted = values >> np.uint64(30)
    np.bitwise_xor(values, shifted, out=values)
    np.multiply(values, FIRST, out=values)
    np.right_shift(values, np.uint64(27), out=shifted)
    np.bitwise_xor(values, shifted, out=values)
    np.multiply(values, SECOND, out=values)
    np.right_shift(values, np.uint64(31), out=shifted)
    return np.bitwise_xor(values, shifted, out=values)
