"""Metrics of one class an item: accuracy, F1, Matthews correlation. Predictions and labels are class indices [n]."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError
from itt_jax.metrics.metric import Z_95, FisherScale, FromPredictions, Mean, left_out


class Accuracy(FromPredictions, Mean):
    """The share of items whose class is right."""

    name = "accuracy"
    summary = "share of right items"
    outcomes = ("class", "candidate")
    right_or_wrong = True

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """float64 [n]: 1 where prediction and label are equal."""
        return np.equal(predictions, labels).astype(np.float64)

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The share of the most frequent class."""
        return float(np.bincount(labels).max() / len(labels))

    def interval(self, value: np.ndarray, error: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Wilson's interval; if clusters of items share a text, for the number of independent items that the error
        implies."""
        independent = (
            np.divide(value * (1 - value), error**2, out=np.full(np.shape(value), np.inf), where=error > 0) + 1
        )
        n = np.where(error > 0, np.clip(independent, 1, n), n)
        middle = (value + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
        half = Z_95 / (1 + Z_95**2 / n) * np.sqrt(value * (1 - value) / n + Z_95**2 / (4 * n**2))
        return middle - half, middle + half


class OfConfusion(FromPredictions):
    """A metric of the confusion matrix."""

    outcomes = ("class",)

    def of_confusion(self, confusion: np.ndarray, classes: np.ndarray) -> float:
        """The metric of counts [C, C], labels by predictions; `classes` [C] are those that occur, ascending."""
        raise NotImplementedError

    def value(self, items: np.ndarray) -> float:
        """The metric of all items' confusion matrix."""
        _, classes, counts = _pairs(items)
        return self.of_confusion(counts.reshape(len(classes), -1), classes)

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        """Leaves out one item, once for each distinct pair of label and prediction."""
        pairs, classes, counts = _pairs(items)
        matrix = counts.reshape(len(classes), -1)
        value = self.of_confusion(matrix, classes)
        without = np.zeros(len(counts))
        for pair in np.flatnonzero(counts):
            counts[pair] -= 1
            without[pair] = self.of_confusion(matrix, classes)
            counts[pair] += 1
        return value, left_out(value, without[pairs])


def _pairs(items: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each item's position in the flat confusion matrix [n], the classes that occur [C], the matrix float64 [C * C]."""
    n = len(items)
    classes, codes = np.unique(np.concatenate([items[:, 1], items[:, 0]]), return_inverse=True)
    pairs = codes[:n] * len(classes) + codes[n:]
    return pairs, classes, np.bincount(pairs, minlength=len(classes) ** 2).astype(np.float64)


class MacroF1(OfConfusion):
    """F1 averaged over the classes that occur, as scikit-learn computes it."""

    name = "macro_f1"
    summary = "F1 averaged over the classes that occur"
    version = 2  # of its chance; version 1 was that of a uniform guess

    def of_confusion(self, confusion: np.ndarray, classes: np.ndarray) -> float:
        """The metric of counts [C, C]."""
        seen = confusion.sum(0) + confusion.sum(1)
        return float((2 * np.diag(confusion) / np.maximum(seen, 1e-12)).sum() / max((seen > 0).sum(), 1))

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The value of guesses as frequent as the labels: one over the number of classes that occur.

        No guess does better: the expected sum of 2 p q / (p + q), shares p of labels and q of guesses, is concave in q,
        and its gradient is the same for every class where q = p. A constant guess has 2 p / (1 + p) in one class only.
        """
        return 1 / len(np.unique(labels))


class BinaryF1(OfConfusion):
    """F1 of the second of two classes, as scikit-learn computes it (GLUE's MRPC and QQP)."""

    name = "f1"
    summary = "F1 of the second of two labels"

    def check(self, names: Sequence[str]) -> None:
        """Raises InputError unless there are two labels."""
        super().check(names)
        if len(names) != 2:
            raise InputError(f"metric 'f1' needs two labels, of which the second is the positive one; found {names}")

    def of_confusion(self, confusion: np.ndarray, classes: np.ndarray) -> float:
        """The metric of counts [C, C]; 0 where the positive class neither occurs nor is predicted."""
        positive = classes == 1
        seen = confusion[positive].sum() + confusion[:, positive].sum()
        return float(2 * confusion[positive][:, positive].sum() / max(seen, 1e-12))

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The value of predicting the positive class throughout."""
        share = float(np.mean(np.equal(labels, 1)))
        return 2 * share / (share + 1)


class Matthews(FisherScale, OfConfusion):
    """Matthews correlation of any number of classes (Gorodkin 2004), as scikit-learn computes it (GLUE's CoLA)."""

    name = "mcc"
    summary = "Matthews correlation"

    def of_confusion(self, confusion: np.ndarray, classes: np.ndarray) -> float:
        """The metric of counts [C, C]; 0 where predictions or labels are constant."""
        predicted, actual, n = confusion.sum(0), confusion.sum(1), confusion.sum()
        below = (n**2 - predicted @ predicted) * (n**2 - actual @ actual)
        return float((n * np.trace(confusion) - predicted @ actual) / np.sqrt(below)) if below > 0 else 0.0
