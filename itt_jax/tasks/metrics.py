"""Metrics of the tasks: the well-kept implementation of each, with its chance level."""

from collections.abc import Callable

import numpy as np

VERSION = 1
"""Raised when a metric's value would change on the same predictions."""


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Share of equal entries."""
    return float(np.mean(predictions == labels))


def macro_f1(predictions: np.ndarray, labels: np.ndarray) -> float:
    """F1 averaged over the classes that occur (scikit-learn)."""
    from sklearn.metrics import f1_score

    return float(f1_score(labels, predictions, average="macro", zero_division=0))


def pearson(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Pearson correlation (scipy); 0 where one side is constant, since it then says nothing about the other."""
    from scipy import stats

    return 0.0 if constant(predictions, labels) else float(stats.pearsonr(predictions, labels).statistic)


def spearman(predictions: np.ndarray, labels: np.ndarray) -> float:
    """Spearman rank correlation (scipy); 0 where one side is constant."""
    from scipy import stats

    return 0.0 if constant(predictions, labels) else float(stats.spearmanr(predictions, labels).statistic)


def constant(predictions: np.ndarray, labels: np.ndarray) -> bool:
    """Whether one side is constant, alone or not finite (a degenerate run), so that no correlation is defined."""
    if len(predictions) < 2 or not np.isfinite(predictions).all():
        return True
    return bool(np.ptp(predictions) < 1e-9 or np.ptp(labels) < 1e-9)


METRICS: dict[str, Callable[[np.ndarray, np.ndarray], float]] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "pearson": pearson,
    "spearman": spearman,
}
"""Metric name -> function of (predictions [n], labels [n]): class indices, or scores for correlations."""


def predictions_of(kind: str, scores: np.ndarray) -> np.ndarray:
    """What the outputs [n, K] of a head say: the class index of the largest, or the score itself."""
    return np.argmax(scores, axis=1).astype(np.int32) if kind == "classification" else scores[:, 0]


def chance(metric: str, labels: np.ndarray, n_classes: int) -> float:
    """The value that says nothing: the majority share, the F1 of a uniform guess, or no correlation."""
    if metric == "accuracy":
        return float(np.bincount(labels).max() / len(labels))
    if metric == "macro_f1":
        shares = np.bincount(labels, minlength=n_classes) / len(labels)
        shares = shares[shares > 0]
        return float(np.mean(2 * shares / n_classes / (shares + 1 / n_classes)))
    return 0.0
