"""Scores of a whole set of examples, gathered from a head's outputs on packed batches."""

from typing import Protocol

import numpy as np

from itt_jax.batch import Batch
from itt_jax.data.examples import Examples
from itt_jax.data.span_decoding import SCORE, decoded
from itt_jax.models import Head
from itt_jax.ragged import Ragged, offsets_of, ragged_positions


class Gathered(Protocol):
    """The scores of S models for a set of examples, filled batch by batch."""

    scores: np.ndarray
    """float32 [S, n, outputs] in the order of the examples (or of their words or items)."""

    @property
    def spoiled(self) -> np.ndarray:
        """bool [S, examples]: whether some output is not finite."""

    def add(self, indices: np.ndarray, batch: Batch, outputs: np.ndarray) -> None:
        """Add a head's outputs, [S, E, outputs] or [S, B, T, outputs], on the batch of examples `indices`."""


def gather(head: Head, examples: Examples, models: int) -> Gathered:
    """Scores to fill, in the form that fits the head and the examples: by example or item, by word, or by window."""
    if head.by_example:
        return ByExample(head, examples, models)
    return ByWord(head, examples, models) if examples.windows is None else ByWindow(examples, models)


class ByExample(Gathered):
    """Scores of examples [S, n, outputs]; for multiple choice, scores of items [S, items, choices]."""

    def __init__(self, head: Head, examples: Examples, models: int):
        self._by_example = np.zeros((models, len(examples), head.outputs), np.float32)
        by_item = (models, -1, examples.choices)
        self.scores = self._by_example.reshape(by_item) if head.kind.by_item else self._by_example  # one array

    def add(self, indices: np.ndarray, batch: Batch, outputs: np.ndarray) -> None:
        self._by_example[:, indices] = outputs[:, : len(indices)]

    @property
    def spoiled(self) -> np.ndarray:
        return np.logical_not(np.isfinite(self._by_example).all(axis=-1))


class ByWord(Gathered):
    """Scores of words [S, words, outputs], in the order of `Examples.anchors`, each read at its first token."""

    def __init__(self, head: Head, examples: Examples, models: int):
        assert examples.anchors is not None
        self.scores = np.zeros((models, len(examples.anchors), head.outputs), np.float32)
        self._examples, self._anchors = examples, examples.anchors
        owner = np.searchsorted(examples.offsets, examples.anchors, side="right") - 1
        counts, self._owner = np.bincount(owner, minlength=len(examples)), owner
        self._words = Ragged(np.argsort(owner, kind="stable"), offsets_of(counts))  # words of each example

    def add(self, indices: np.ndarray, batch: Batch, outputs: np.ndarray) -> None:
        counts = self._words.lengths[indices]
        words = self._words.values[ragged_positions(self._words.offsets[indices], counts)]
        slots = np.repeat(np.arange(len(indices)), counts)
        within = self._anchors[words] - self._examples.offsets[indices][slots]
        rows, starts = _places(self._examples, indices, batch)
        self.scores[:, words] = outputs[:, rows[slots], starts[slots] + within]

    @property
    def spoiled(self) -> np.ndarray:
        found = np.zeros((len(self.scores), len(self._examples)), bool)
        models, words = np.nonzero(~np.isfinite(self.scores).all(axis=-1))
        found[models, self._owner[words]] = True
        return found


class ByWindow(Gathered):
    """The best span of each example [S, n, 4], as `data.span_decoding.decoded`; logits of tokens are not kept.

    Both scores of an example with a logit that is not finite are NaN.
    """

    def __init__(self, examples: Examples, models: int):
        assert examples.windows is not None
        self.scores = np.zeros((models, len(examples), 4), np.float32)
        self._examples, self._windows = examples, examples.windows

    def add(self, indices: np.ndarray, batch: Batch, outputs: np.ndarray) -> None:
        lengths = self._examples.lengths[indices]
        rows, starts = _places(self._examples, indices, batch)
        tokens = ragged_positions(rows.astype(np.int64) * batch.row_shape[1] + starts, lengths)
        for own, logits in zip(self.scores, outputs, strict=True):
            values = logits.reshape(-1, logits.shape[-1])[tokens]
            finite = np.isfinite(values).all(axis=-1)
            ragged = Ragged(np.where(finite[:, None], values, 0), offsets_of(lengths))
            own[indices] = decoded(ragged, indices, self._windows, self._examples.summaries[indices])
            spoiled = indices[np.unique(np.repeat(np.arange(len(indices)), lengths)[~finite])]
            own[spoiled] = np.array([np.nan, -1, -1, np.nan])

    @property
    def spoiled(self) -> np.ndarray:
        return np.isnan(self.scores[..., SCORE])


def _places(examples: Examples, indices: np.ndarray, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """The row of each example of a batch and the position of its first token: int [m] each."""
    rows, summaries = (batch.by_example[name][: len(indices)] for name in ("summary_rows", "summary_positions"))
    return rows, summaries - examples.summaries[indices]
