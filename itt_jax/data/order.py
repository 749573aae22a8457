"""The order of training examples: a function of the seed and the number of the step, and of nothing else."""

import functools

import numpy as np


@functools.lru_cache(maxsize=64)  # the runs of a stack ask in turn, each for its own
def _permutation(n: int, seed: int, epoch: int) -> np.ndarray:
    # Raw bits of a counter-based generator are fixed by numpy's promise; Generator.permutation is not.
    bits = np.random.Philox(key=np.array([seed % 2**64, epoch], np.uint64)).random_raw(n)
    return np.argsort(bits, kind="stable").astype(np.int32 if n < 2**31 else np.int64)  # half as much to keep


def step_indices(n: int, batch_size: int, seed: int, step: int) -> np.ndarray:
    """The examples of step number `step` (from 0): int64 [batch_size].

    The steps walk through one permutation of the n examples after another; a step may end one epoch and begin the
    next, so that nothing is dropped.
    """
    if n < 1:
        raise ValueError(f"no examples to order: n={n}")
    places = np.arange(step * batch_size, (step + 1) * batch_size, dtype=np.int64)
    epochs, places = np.divmod(places, n)
    indices = np.empty(batch_size, np.int64)
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
        mine = epochs == epoch
        indices[mine] = _permutation(n, seed, epoch)[places[mine]]
    return indices
