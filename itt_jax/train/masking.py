"""The tokens that a language model predicts, and what it sees in their place: numpy, determined by a generator.

Choices are made on the concatenated examples of a step, before packing, so they do not depend on row shapes or devices.
"""

import math

import numpy as np

from itt_jax.batch import Batch
from itt_jax.data.examples import Examples
from itt_jax.data.tokenizing import Tokenizer

PADDING = -1


def words(examples: Examples, starts: np.ndarray) -> np.ndarray:
    """Number of each token's word, int64 [N]. Words begin where `starts` is True, and with each field and example."""
    begins = starts.copy()
    begins[examples.offsets[:-1][examples.lengths > 0]] = True
    begins[1:] |= examples.fields[1:] != examples.fields[:-1]
    return np.cumsum(begins) - 1


def choose(examples: Examples, units: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """The tokens to predict, bool [N]: about `share` of each example's tokens, in whole units, without special tokens.

    In an example with m tokens (special ones not counted), share * m are chosen, rounded up or down at random so that
    short examples contribute their share. Units (words, or single tokens) are taken in random order while at least half
    of the next one fits.

    Args:
        units: number of each token's unit, ascending, int [N].
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


def replaced(
    ids: np.ndarray, chosen: np.ndarray, tokenizer: Tokenizer, generator: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """For masked LM: 80 % of the chosen tokens masked, 10 % replaced by random ones, 10 % kept (Devlin et al. 2019)."""
    places = np.flatnonzero(chosen)
    fate = generator.random(len(places))
    changed = ids.copy()
    changed[places[fate < 0.8]] = tokenizer.mask_id
    other = places[(fate >= 0.8) & (fate < 0.9)]
    changed[other] = generator.integers(0, tokenizer.vocabulary_size, len(other))
    return changed, {}


def permuted(
    ids: np.ndarray, chosen: np.ndarray, tokenizer: Tokenizer, generator: np.random.Generator
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """For permuted LM: the ids themselves, and "ranks", the place of each token in the factorisation order.

    Context, which comes first, has rank -1. Only the order within an example matters. Tokens are predicted singly, not
    in spans.
    """
    ranks = np.full(len(chosen), PADDING, np.int32)
    ranks[chosen] = generator.permutation(int(chosen.sum()))
    return ids, {"ranks": ranks}


HIDE = {"masked_lm": replaced, "permuted_lm": permuted}
"""For each kind of language model, a function from (ids int32 [N], chosen bool [N], tokenizer, generator) to the ids
that the encoder reads and to further int32 arrays [N] of the batch, which are -1 at padding."""


# --- Rows


def token_places(batch: Batch) -> np.ndarray:
    """Index into the flattened rows of a batch of each token of its examples, example after example: int64 [N]."""
    examples = batch.by_row["example_ids"].ravel()
    filled = np.flatnonzero(examples < batch.slots)
    return filled[np.argsort(examples[filled], kind="stable")]


def in_rows(values: np.ndarray, places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Values [N] of tokens at their places in rows of this shape, and -1 at padding: int32 [B, T]."""
    found = np.full(shape, PADDING, np.int32)
    found.ravel()[places] = values
    return found


def most_predicted(places: np.ndarray, shape: tuple[int, ...]) -> int:
    """The largest number of predictions in a row; arguments as `predictions`."""
    return int(np.bincount(places // shape[1], minlength=1).max())


def slots(share: float, length: int, needed: int) -> int:
    """Room for predictions per row of a batch: at least `needed`, in few sizes, since each needs its own program.

    Rows of `length` tokens have share * length predictions on average. Rows of many short examples, each of which
    rounds its share up or down, and rows of long words may have more.
    """
    usual, further = math.ceil(share * length) + 2, max(1, length // 16)
    return min(length, usual + -(-max(0, needed - usual) // further) * further)


def predictions(targets: np.ndarray, places: np.ndarray, shape: tuple[int, ...], most: int) -> dict[str, np.ndarray]:
    """The predicted tokens of each row, so that only they are scored over the vocabulary.

    Args:
        targets: ids of the tokens to predict, int [n]. places: their places, as in `token_places`, int [n].
        shape: (B, T). most: P, room for predictions per row, at least `most_predicted`.

    Returns:
        positions, targets int32 [B, P] and weights float32 [B, P], 0 for unused predictions.
    """
    rows, length = shape
    order = np.argsort(places)
    row, position = np.divmod(places[order], length)
    at = row, np.arange(len(row)) - np.searchsorted(row, row)
    found = {
        "positions": np.zeros((rows, most), np.int32),
        "targets": np.zeros((rows, most), np.int32),
        "weights": np.zeros((rows, most), np.float32),
    }
    found["positions"][at], found["targets"][at], found["weights"][at] = position, targets[order], 1
    return found
