"""The order of training examples: determined by the seed and the number of the step."""

import functools

import numpy as np


@functools.lru_cache(maxsize=64)  # the runs of a stack have one each
def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    # numpy guarantees the raw bits of a bit generator across versions, but not Generator.permutation.
    bits = np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64)).random_raw(n)
    return np.argsort(bits, kind="stable").astype(np.int32 if n < 2**31 else np.int64)


def step_indices(n: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """The examples of step number `step` (from 0): int64 [batch_size].

    Each epoch is another permutation of the n examples. A step may include the end of one epoch and the start of the
    next, so no example is dropped.
    """
    if n < 1:
        raise ValueError(f"no examples to order: n={n}")
    epochs, places = np.divmod(_places(batch_size, step), n)
    indices = np.empty(batch_size, np.int64)
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
        mine = epochs == epoch
        indices[mine] = _permutation(n, seed, epoch)[places[mine]]
    return indices


def step_epochs(n: int, batch_size: int, step: int) -> np.ndarray:
    """The epoch in which each example of `step_indices` is read, from 0: int64 [batch_size]."""
    return _places(batch_size, step) // n


def _places(batch_size: int, step: int) -> np.ndarray:
    return np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
