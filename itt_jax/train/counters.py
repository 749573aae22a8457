"""Random choices on the host, as functions of (seed, stream, step): a resumed run has nothing to restore or replay."""

import numpy as np

# One stream per purpose, so that no two choices of a step share random bits.
MIXTURE, MASKS, PAIRS = range(3)


def generator(seed: int, stream: int, step: int) -> np.random.Generator:
    """A generator for one purpose in one step (Philox, counter-based: Salmon et al. 2011)."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, 0, step]))


def derived_seed(seed: int, index: int) -> int:
    """The seed of part `index` of a stage, unrelated to seeds of other parts and stages; part 0 has `seed` itself."""
    return seed if index == 0 else int(np.random.SeedSequence([seed, index]).generate_state(1, np.uint32)[0])


def mixture(sizes: list[int], temperature: float, seed: int, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The task of each step, and the number of earlier steps of that task: int64 [steps] each.

    Task i is drawn in proportion to sizes[i] ** (1 / temperature). A draw depends only on (seed, step), so a longer
    stage begins like a shorter one.
    """
    shares = np.asarray(sizes, np.float64) ** (1.0 / temperature)
    edges = np.cumsum(shares / shares.sum())
    if len(sizes) == 1:
        draws = np.zeros(steps, np.int64)
    else:
        points = np.array([generator(seed, MIXTURE, step).random() for step in range(steps)])
        draws = np.minimum(np.searchsorted(edges, points, side="right"), len(sizes) - 1)
    before = np.zeros(steps, np.int64)
    for task in range(len(sizes)):
        mine = draws == task
        before[mine] = np.arange(mine.sum())
    return draws, before
