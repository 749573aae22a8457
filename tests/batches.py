"""Batches made by hand."""

import numpy as np

from itt_jax.batch import Batch

BY_EXAMPLE = ("summary_rows", "summary_positions", "labels", "weights")


def as_batch(arrays: dict[str, np.ndarray]) -> Batch:
    """A batch of these arrays, with one label per example."""
    by_row = {name: array for name, array in arrays.items() if name not in BY_EXAMPLE}
    return Batch(by_row, {name: arrays[name] for name in BY_EXAMPLE if name in arrays})
