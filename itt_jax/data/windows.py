"""Which part of a context each example of question answering holds."""

import dataclasses

import numpy as np

from itt_jax.data.located import LocatedTokens
from itt_jax.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Windows:
    """The part of its row's context that each of F examples holds.

    Attributes:
        parts: int64 [n + 1], the first example of each row; every row has at least one.
        first: int64 [F], the example's first context token, numbered over all distinct contexts.
        counts: int64 [F], number of its context tokens. positions: int64 [F], position of the first of them in it.
        located: tokens of the distinct contexts with their codepoints. context: int64 [n], each row's context.
        best: for each example bool [counts]: whether this context token has more context here than in any other
            example (the smaller number of tokens before and after it, plus a hundredth of the window). An answer may
            start at a token only in its best example.
    """

    parts: np.ndarray
    first: np.ndarray
    counts: np.ndarray
    positions: np.ndarray
    located: LocatedTokens
    context: np.ndarray
    best: Ragged

    @property
    def rows(self) -> np.ndarray:
        """Row of each example: int64 [F]."""
        return np.repeat(np.arange(len(self.parts) - 1), np.diff(self.parts))

    def text(self, context: str, start: int, stop: int) -> str:
        """The text of tokens start ... stop, numbered as `first`, in their context."""
        return context[self.located.starts[start] : self.located.stops[stop]]
