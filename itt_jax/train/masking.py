"""Which tokens a language model predicts, and what it sees instead: numpy, a function of the given generator alone.

Choices are made on the examples of a step laid end to end, before they are packed, so that neither row shapes nor
device counts touch them.
"""

import numpy as np

from itt_jax.batch import Batch
from itt_jax.data.examples import Examples

KEPT_AS_CONTEXT = -1


def words(examples: Examples, starts: np.ndarray) -> np.ndarray:
    """The word of each token, numbered through: int64 [N]; a new field or example begins a word, as `starts` does."""
    begins = starts.copy()
    begins[examples.offsets[:-1][examples.lengths > 0]] = True
    begins[1:] |= examples.fields[1:] != examples.fields[:-1]
    return np.cumsum(begins) - 1


def choose(examples: Examples, units: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """Which tokens are predicted: bool [N], about `share` of each example's tokens in whole units; never special ones.

    An example of m tokens (special ones not counted) gives share * m of them, rounded up or down at random so that
    short examples give their share too. Units (words, or single tokens) are taken in random order while at least half
    of the next one still fits.

    Args:
        units: the unit of each token, ascending: int [N].
    """
    free = np.flatnonzero(examples.fields > 0)
    if not len(free):
        return np.zeros(len(examples.ids), bool)
    example_of = np.repeat(np.arange(len(examples)), examples.lengths)[free]
    wanted = np.floor(share * np.bincount(example_of, minlength=len(examples)) + generator.random(len(examples)))
    _, first, unit_of, sizes = np.unique(units[free], return_index=True, return_inverse=True, return_counts=True)
    owner = example_of[first]
    order = np.lexsort((generator.random(len(sizes)), owner))
    before = np.cumsum(sizes[order]) - sizes[order]
    starts = np.searchsorted(owner[order], np.arange(len(examples)))
    before = before - before[np.minimum(starts, len(order) - 1)][owner[order]]
    taken = np.zeros(len(sizes), bool)
    taken[order] = before + sizes[order] / 2 <= wanted[owner[order]]
    chosen = np.zeros(len(examples.ids), bool)
    chosen[free] = taken[unit_of]
    return chosen


def corrupt(
    ids: np.ndarray, chosen: np.ndarray, mask_id: int, vocabulary_size: int, generator: np.random.Generator
) -> np.ndarray:
    """`ids` with 80 % of the chosen tokens masked, 10 % replaced by any token, 10 % left (Devlin et al. 2019)."""
    places = np.flatnonzero(chosen)
    fate = generator.random(len(places))
    changed = ids.copy()
    changed[places[fate < 0.8]] = mask_id
    other = places[(fate >= 0.8) & (fate < 0.9)]
    changed[other] = generator.integers(0, vocabulary_size, len(other))
    return changed


def factorisation(chosen: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """The place of each predicted token in the factorisation order: int32 [N], -1 for the context that comes first.

    Only the order within an example matters. The tokens of an example are predicted singly, not in spans.
    """
    ranks = np.full(len(chosen), KEPT_AS_CONTEXT, np.int32)
    ranks[chosen] = generator.permutation(int(chosen.sum()))
    return ranks


def cells(batch: Batch) -> np.ndarray:
    """Where in the flattened rows of a batch each token of its examples went, example after example: int64 [N]."""
    examples = batch.by_row["example_ids"].ravel()
    filled = np.flatnonzero(examples < batch.slots)
    return filled[np.argsort(examples[filled], kind="stable")]


def predictions(targets: np.ndarray, places: np.ndarray, rows: int, length: int, most: int) -> dict[str, np.ndarray]:
    """The predicted tokens by row, so that scores over the vocabulary are made for them alone.

    Args:
        targets: their ids, int [n]; places: their cells, int [n]. most: predictions a row has room for; what a row has
            beyond that stays hidden and is not predicted.

    Returns:
        positions, targets int32 [B, P] and weights float32 [B, P], 0 for an empty place.
    """
    order = np.argsort(places)
    row, position = np.divmod(places[order], length)
    rank = np.arange(len(row)) - np.searchsorted(row, row)
    kept = rank < most
    found = {
        "positions": np.zeros((rows, most), np.int32),
        "targets": np.zeros((rows, most), np.int32),
        "weights": np.zeros((rows, most), np.float32),
    }
    at = row[kept], rank[kept]
    found["positions"][at], found["targets"][at], found["weights"][at] = position[kept], targets[order][kept], 1
    return found
