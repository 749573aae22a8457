"""Metrics of label sets: predictions are log-odds float [n, L], labels bool [n, L]."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError
from itt_jax.metrics.metric import Mean, OfSums, f1_of_counts

LABEL_COUNTS = "label_counts"
"""Column of a cell with the counts of every label, [L * 3]: right, predicted, actual."""


def r_precisions(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The share of right labels among the R best, where R is the number of labels of the item: float64 [n].

    NaN for an item without labels. MultiEURLEX's metric (arXiv 2109.00904) is the mean over items with labels. Equal
    scores rank by position.

    Raises:
        InputError: shapes differ.
    """
    if np.shape(scores) != np.shape(labels) or np.ndim(scores) != 2:
        raise InputError(f"scores have shape {np.shape(scores)}, labels {np.shape(labels)}; expected the same [n, L]")
    counts = labels.sum(axis=1)
    ranks = np.argsort(np.argsort(-scores, axis=1, kind="stable"), axis=1)
    hits = (labels & (ranks < counts[:, None])).sum(axis=1)
    return np.where(counts > 0, hits / np.maximum(counts, 1), np.nan)


class RPrecision(Mean):
    """Mean R-precision over items with labels."""

    name = "r_precision"
    summary = "share of right labels among the R best, where R is the number of labels of the item"
    outcomes = ("label_set",)

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """float64 [n] in [0, 1]; 0 for an item without labels."""
        return np.nan_to_num(r_precisions(predictions, labels))

    def applicable(self, labels: Any) -> np.ndarray:
        """bool [n]: items with labels."""
        return labels.any(axis=1)

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The value of ranking labels by frequency; 0 if no item has labels."""
        counted = labels[self.applicable(labels)]
        shares = np.tile(labels.mean(0), (len(counted), 1))
        return self.value(self.statistic(shares, counted)) if len(counted) else 0.0


class LabelF1(OfSums):
    """F1 of binary decisions, one for each item and label; a positive score predicts the label."""

    outcomes = ("label_set",)
    columns = (LABEL_COUNTS,)

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """int64 [n, L, 3]: right, predicted, actual."""
        predicted = predictions > 0
        return np.stack([predicted & labels, predicted, labels], axis=-1).astype(np.int64)

    def record(
        self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = ""
    ) -> dict[str, np.ndarray]:
        """LABEL_COUNTS: int64 [n, L * 3]."""
        return {LABEL_COUNTS: self.statistic(predictions, labels).reshape(len(labels), -1)}

    def read(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """[n, L, 3] from LABEL_COUNTS."""
        return columns[LABEL_COUNTS].reshape(len(columns[LABEL_COUNTS]), -1, 3)

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The best value of one set for all items: the labels above some frequency."""
        shares = labels.mean(0)
        sets = (np.tile(np.where(shares >= lowest, 1.0, -1.0), (len(labels), 1)) for lowest in np.unique(shares))
        return max(self.value(self.statistic(chosen, labels)) for chosen in sets)


class LabelMicroF1(LabelF1):
    """F1 of all decisions together."""

    name = "label_micro_f1"
    summary = "F1 over all pairs of item and label"

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """F1 of counts [..., L, 3]."""
        return f1_of_counts(sums.sum(-2))


class LabelMacroF1(LabelF1):
    """F1 averaged over all labels, as in LEXTREME's code with scikit-learn: a label that never occurs counts 0."""

    name = "label_macro_f1"
    summary = "F1 averaged over labels"

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """F1 of counts [..., L, 3]."""
        return f1_of_counts(sums).mean(-1)
