"""Correlations of scores with gold scores: predictions and labels float [n]."""

import numpy as np

from itt_jax.metrics.metric import FisherScale, FromPredictions


class Correlation(FisherScale, FromPredictions):
    """A correlation; 0 for predictions that are constant or not finite."""

    outcomes = ("score",)

    def defined(self, items: np.ndarray) -> bool:
        """False if predictions or labels are constant, single or not finite (a diverged run)."""
        predictions, labels = items.T
        if len(predictions) < 2 or not np.isfinite(predictions).all():
            return False
        return not bool(np.ptp(predictions) < 1e-9 or np.ptp(labels) < 1e-9)

    def value(self, items: np.ndarray) -> float:
        """scipy's value."""
        return self._value(*np.ascontiguousarray(items.T)) if self.defined(items) else 0.0

    def _value(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        raise NotImplementedError


class Pearson(Correlation):
    """Pearson's r."""

    name = "pearson"
    summary = "Pearson correlation"

    def _value(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        from scipy import stats

        return float(stats.pearsonr(predictions, labels).statistic)

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        n, (prediction, label) = len(items), np.ascontiguousarray(items.T)
        if not np.isfinite(prediction).all():
            return 0.0, np.zeros(n)
        x, y = prediction - prediction.mean(), label - label.mean()
        scale_x, scale_y = np.sqrt((x**2).mean()), np.sqrt((y**2).mean())
        if scale_x < 1e-12 or scale_y < 1e-12:
            return 0.0, np.zeros(n)
        x, y = x / scale_x, y / scale_y
        value = (x * y).mean()
        return value, (x * y - value * (x**2 + y**2) / 2) / n


class Spearman(Correlation):
    """Spearman's rho, with midranks."""

    name = "spearman"
    summary = "Spearman rank correlation"

    def _value(self, predictions: np.ndarray, labels: np.ndarray) -> float:
        from scipy import stats

        return float(stats.spearmanr(predictions, labels).statistic)

    def _influence(self, items: np.ndarray) -> tuple[float, np.ndarray]:
        """An item also moves the ranks of the others, which adds the terms of `_weight_above`."""
        from scipy import stats

        n, (prediction, label) = len(items), np.ascontiguousarray(items.T)
        if not np.isfinite(prediction).all():
            return 0.0, np.zeros(n)
        u, v = (stats.rankdata(values) / n - (n + 1) / (2 * n) for values in (prediction, label))
        uv, uu, vv = (u * v).mean(), (u * u).mean(), (v * v).mean()
        if uu < 1e-12 or vv < 1e-12:
            return 0.0, np.zeros(n)
        above_x, above_y = _weight_above(prediction, np.stack([u, v])), _weight_above(label, np.stack([u, v]))
        d_uv = u * v + above_x[1] + above_y[0] - 3 * uv
        d_uu = u * u + 2 * above_x[0] - 3 * uu
        d_vv = v * v + 2 * above_y[1] - 3 * vv
        value = uv / np.sqrt(uu * vv)
        influence = d_uv / np.sqrt(uu * vv) - value / 2 * (d_uu / uu + d_vv / vv)
        return value, (influence - influence.mean()) / n


def _weight_above(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """For each item, the mean over all items of `weights` [2, n] where their value is larger (a tie counts half)."""
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    sums = np.concatenate([np.zeros((2, 1)), np.cumsum(weights[:, order], axis=1)], axis=1)
    upto = sums[:, np.searchsorted(ordered, values, side="right")]
    below = sums[:, np.searchsorted(ordered, values, side="left")]
    return (sums[:, -1:] - (upto + below) / 2) / len(values)
