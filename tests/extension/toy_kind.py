"""A kind of task: one of several ordered classes, such as the stars of a review."""

import numpy as np

from itt_jax.kinds import Kind


class Ordinal(Kind):
    """Labels and predictions are ranks int32 [n]; the task's labels go from the lowest rank to the highest."""

    name = "ordinal"
    summary = "one of several ordered classes"
    head = "cumulative"
    dev_metric = "rank_error"

    def outcomes(self, task) -> tuple[str, ...]:
        """Ranks."""
        return ("rank",)

    def outputs(self, task) -> int:
        """A yes or no for each rank but the lowest: is the label at least that?"""
        return len(task.labels) - 1

    def decode(self, scores) -> np.ndarray:
        """The number of outputs that say yes."""
        return np.sum(scores > 0, axis=1).astype(np.int32)
