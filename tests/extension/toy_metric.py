"""A metric of ordered classes for which lower is better."""

import numpy as np

from itt_jax.metrics.metric import Mean


class RankError(Mean):
    """The mean distance between the predicted and the right rank, as a share of the largest possible one."""

    name = "rank_error"
    summary = "mean distance between ranks, as a share of the largest"
    outcomes = ("rank",)
    higher_is_better = False

    def statistic(self, predictions, labels, names=(), language="") -> np.ndarray:
        """float64 [n]."""
        return np.abs(predictions - labels) / (len(names) - 1)

    def chance(self, labels, names=()) -> float:
        """The value of the best constant rank."""
        return min(self.score(np.full(len(labels), rank), labels, names) for rank in range(len(names)))
