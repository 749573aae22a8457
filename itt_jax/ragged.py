"""Arrays of different lengths, such as the token ids of many texts, as one array of values and one of offsets."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import overload

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class Ragged:
    """n arrays; array i is values[offsets[i]:offsets[i + 1]].

    Attributes:
        values: [N, ...], any dtype.
        offsets: int64 [n + 1].
    """

    values: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, arrays: Iterable[Sequence | np.ndarray], dtype: type) -> "Ragged":
        """Concatenate arrays."""
        arrays = [np.asarray(array, dtype) for array in arrays]
        return cls(np.concatenate([np.zeros(0, dtype), *arrays]), offsets_of([len(array) for array in arrays]))

    @classmethod
    def joined(cls, parts: Sequence["Ragged"]) -> "Ragged":
        """The arrays of all parts, in order."""
        lengths = np.concatenate([part.lengths for part in parts])
        return cls(np.concatenate([part.values for part in parts]), offsets_of(lengths))

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @overload
    def __getitem__(self, index: int | np.integer) -> np.ndarray: ...

    @overload
    def __getitem__(self, index: np.ndarray) -> "Ragged": ...

    def __getitem__(self, index: int | np.integer | np.ndarray) -> "np.ndarray | Ragged":
        """One array, or the arrays at some indices (integers or a boolean mask), in that order."""
        if isinstance(index, int | np.integer):
            return self.values[self.offsets[index] : self.offsets[index + 1]]
        index = np.arange(len(self))[index]
        lengths = self.lengths[index]
        return Ragged(self.values[ragged_positions(self.offsets[index], lengths)], offsets_of(lengths))

    @property
    def lengths(self) -> np.ndarray:
        """Length of each array, int64 [n]."""
        return np.diff(self.offsets)

    def arrays(self) -> list[np.ndarray]:
        """The n arrays."""
        return np.split(self.values, self.offsets[1:-1]) if len(self) else []

    def with_values(self, values: np.ndarray) -> "Ragged":
        """Other values [N, ...] with the same offsets."""
        return Ragged(values, self.offsets)


def offsets_of(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Start of each of n arrays, then the end of the last: int64 [n + 1]."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(np.asarray(lengths, np.int64), out=offsets[1:])
    return offsets


def ragged_positions(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The integers start, start + 1, ... of every range, concatenated: int64 [sum of lengths].

    >>> ragged_positions(np.array([7, 0]), np.array([2, 3])).tolist()
    [7, 8, 0, 1, 2]
    """
    lengths = np.asarray(lengths, np.int64)
    ends = np.cumsum(lengths)
    shift = np.asarray(starts, np.int64) - (ends - lengths)
    return np.repeat(shift, lengths) + np.arange(ends[-1] if len(ends) else 0)
