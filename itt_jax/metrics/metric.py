"""The base of every metric: its statistic of each item, its value, and each item's influence on the value.

The influence of an item is the rate at which the metric changes with the item's weight (the infinitesimal jackknife).
For a mean it is the item's deviation divided by n, which gives accuracy its usual variance; it is also defined for
correlations, which are not sums over items. Contrasts of cells are sums of influences for every metric, so the analysis
needs no other interface.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError

ITEM_VALUE = "item_value"
"""Column of a cell with the contribution of each item."""
COUNTS = ("correct", "predicted", "actual")
"""Columns of a cell with the numbers of correctly predicted, predicted and actual things in each item."""
Z_95 = 1.959963984540054
"""Quantile of the normal distribution for a two-sided 95 % interval."""


class Metric:
    """One metric; a subclass sets the attributes and defines at least `statistic` and `value`.

    Attributes:
        name: as tasks and results name it. summary: one line.
        outcomes: forms of predictions that it measures: "class", "score", "tags", "label_set", "answer", "candidate",
            "ranking" or "pairs". A task may use it if its kind predicts one of them (`Kind.outcomes`).
        columns: columns of a stored cell from which the statistic is read.
        lowest, highest: range of values, within -1 to 1. Reports and verdicts use percentage points, so a metric in
            other units is divided by its range. higher_is_better: whether larger values are better.
        is_mean: whether the value is the mean of the statistic, so that tests on single items apply.
        right_or_wrong: whether the statistic is 1 (right) or 0 (wrong).
        version: raised when the value of the same predictions, or chance, would change; part of the ids of stages and
            cells.
    """

    name: str
    summary: str
    outcomes: tuple[str, ...]
    columns: tuple[str, ...] = (ITEM_VALUE,)
    lowest: float = 0.0
    highest: float = 1.0
    higher_is_better: bool = True
    is_mean: bool = False
    right_or_wrong: bool = False
    version: int = 1

    def __repr__(self) -> str:
        return f"<metric {self.name}>"

    def check(self, names: Sequence[str]) -> None:
        """Raises InputError if a task with these labels cannot use the metric, or its range is not within -1 to 1."""
        if not -1 <= self.lowest < self.highest <= 1:
            raise InputError(
                f"metric {self.name!r}: expected a range within -1 to 1, found {self.lowest:g} to {self.highest:g}; "
                "divide its values by their range"
            )

    # --- Predictions to statistic

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """The contribution of each item to the value: [n, ...].

        Args:
            predictions, labels: n each; their form depends on `outcomes`.
            names: label names. language: ISO 639-1 code of the rows.
        """
        raise NotImplementedError

    def record(
        self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = ""
    ) -> dict[str, np.ndarray]:
        """Columns that a cell stores for the metric besides predictions and labels: name -> [n] or [n, k]."""
        return {ITEM_VALUE: self.statistic(predictions, labels, names, language)}

    def read(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The statistic [n, ...] from the stored `columns`."""
        return columns[ITEM_VALUE]

    def applicable(self, labels: Any) -> np.ndarray:
        """bool [n]: the items that count; the statistic of others is meaningless."""
        return np.ones(len(labels), bool)

    # --- Statistic to value

    def value(self, items: np.ndarray) -> float:
        """The metric of the statistic [n, ...] of n >= 1 items."""
        raise NotImplementedError

    def score(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> float:
        """The metric of predictions over the items that count; arguments as `statistic`.

        Raises:
            InputError: no item counts.
        """
        items = self.statistic(predictions, labels, names, language)[self.applicable(labels)]
        if not len(items):
            raise InputError(f"{self.name}: nothing to score")
        return self.value(items)

    def defined(self, items: np.ndarray) -> bool:
        """Whether the value is defined; an undefined one selects no checkpoint."""
        return True

    def influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        """The value and each item's influence on it.

        Returns:
            value: NaN for fewer than two items.
            influence: float64 [n]; its sum of squares is the variance of the value over samples of items, with Bessel's
                correction.
        """
        n = len(items)
        if n < 2:
            return float("nan"), np.zeros(n)
        value, influence = self._influence(items)
        return float(value), influence * np.sqrt(n / (n - 1))

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and influence [n] without Bessel's correction, here by leaving out one item after the other."""
        value = self.value(items)
        without = np.array([self.value(np.delete(items, i, axis=0)) for i in range(len(items))])
        return value, left_out(value, without)

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The value of a prediction that ignores the text: the best constant one, or the best guess."""
        return 0.0

    # --- Scales and intervals

    @property
    def sign(self) -> int:
        """1, or -1 if lower values are better."""
        return 1 if self.higher_is_better else -1

    def open_scale(self, value: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Values on an unbounded scale, same shape: here log-odds, with half an item added to each side."""
        share = (value * n + 0.5) / (n + 1)
        return np.log(share / (1 - share))

    def interval(self, value: np.ndarray, error: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The 95 % interval over samples of items, for a given model: here the normal one, clipped to the range.

        Args:
            value, error, n: [cells]; `error` is the standard error over items, `n` the number of items.
        """
        return np.maximum(value - Z_95 * error, self.lowest), np.minimum(value + Z_95 * error, self.highest)


class FromPredictions(Metric):
    """A metric of predictions and labels [n], which every cell stores."""

    columns = ("prediction", "label")

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """[n, 2]: prediction and label."""
        return np.stack([predictions, labels], axis=1)

    def record(
        self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = ""
    ) -> dict[str, np.ndarray]:
        """No further columns."""
        return {}

    def read(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """The statistic from the columns "prediction" and "label"."""
        return self.statistic(columns["prediction"], columns["label"])


class Mean(Metric):
    """A metric that is the mean of its statistic [n]."""

    is_mean = True

    def value(self, items: np.ndarray) -> float:
        """The mean."""
        return float(items.mean())

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        value = items.mean()
        return value, (items - value) / len(items)


class OfSums(Metric):
    """A metric that is a function of its statistic [n, ...] summed over items."""

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """The metric of sums [..., *statistic]: float64 [...]."""
        raise NotImplementedError

    def value(self, items: np.ndarray) -> float:
        """The metric of the sum over all items."""
        return float(self.of_sums(items.sum(0)))

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        total = items.sum(0)
        value = float(self.of_sums(total))
        return value, left_out(value, self.of_sums(total - items))


class CountsF1(OfSums):
    """F1 of summed counts; the statistic is int64 [n, 3], as COUNTS."""

    columns = COUNTS

    def record(
        self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = ""
    ) -> dict[str, np.ndarray]:
        """A column for each of COUNTS."""
        return dict(zip(COUNTS, self.statistic(predictions, labels, names, language).T, strict=True))

    def read(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """[n, 3], as COUNTS."""
        return np.stack([columns[name] for name in COUNTS], axis=1)

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """F1 of counts [..., 3]."""
        return f1_of_counts(sums)


class FisherScale(Metric):
    """A correlation, from -1 to 1, with intervals on Fisher's z."""

    lowest = -1.0

    def open_scale(self, value: np.ndarray, n: np.ndarray) -> np.ndarray:
        """Fisher's z; values are kept half an item away from -1 and 1."""
        return np.arctanh(np.clip(value, -1 + 0.5 / (n + 1), 1 - 0.5 / (n + 1)))

    def interval(self, value: np.ndarray, error: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The normal interval on Fisher's z."""
        inside = np.clip(value, -1 + 1e-9, 1 - 1e-9)
        half = Z_95 * error / (1 - inside**2)
        return np.tanh(np.arctanh(inside) - half), np.tanh(np.arctanh(inside) + half)


def left_out(value: float, without: np.ndarray) -> np.ndarray:
    """Influence [n] from the value of all items and the values [n] without each of them."""
    n = len(without)
    influence = (value - without) * (n - 1) / n
    return influence - influence.mean()


def f1_of_counts(counts: np.ndarray) -> np.ndarray:
    """F1 from counts [..., 3] of correctly predicted, predicted and actual things; 0 if there are none."""
    return 2 * counts[..., 0] / np.maximum(counts[..., 1] + counts[..., 2], 1)
