"""Slices of splits, held-out sentences and subsets, by stable hashes: a row and its translations are treated alike."""

import dataclasses
import functools
import re

import numpy as np

from itt_jax.data.contamination import words_of
from itt_jax.data.hashing import stable_order
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Slice:
    """A split, or the part of it from share `start` to share `stop`."""

    split: str
    start: float = 0.0
    stop: float = 1.0


def parse(expression: str) -> Slice:
    """The meaning of "dev" or "dev[0%:70%]" (either end may be left out).

    >>> parse("train[90%:]")
    Slice(split='train', start=0.9, stop=1.0)
    """
    match = re.fullmatch(r"(\w+)(?:\[(?:(\d+(?:\.\d+)?)%)?:(?:(\d+(?:\.\d+)?)%)?\])?", expression)
    if match:
        start, stop = float(match[2] or 0) / 100, float(match[3] or 100) / 100
        if 0 <= start < stop <= 1:
            return Slice(match[1], start, stop)
    raise InputError(f"split {expression!r}: expected a split, or a part of one such as 'dev[0%:70%]'")


def published(item_id: str) -> str:
    """An item id without its task, so that tasks made from the same files have the same slices."""
    return item_id.partition("/")[2]


def part(groups: np.ndarray, rows: Slice) -> np.ndarray:
    """bool [n]: the rows in a slice. Rows of one group, named in `groups` [n], stay together."""
    if (rows.start, rows.stop) == (0.0, 1.0):
        return np.ones(len(groups), bool)
    distinct, inverse = np.unique(groups, return_inverse=True)
    ranks = stable_order([str(group) for group in distinct], "slice/")
    first, last = round(rows.start * len(distinct)), round(rows.stop * len(distinct))
    return ((ranks >= first) & (ranks < last))[inverse]


def limit(rows: Rows, n: int | None, seed: int = 0) -> Rows:
    """At most n rows in their order, chosen by a hash of seed and item id: the same items in every language."""
    if n is None or n >= len(rows):
        return rows
    return rows.select(stable_order([published(i) for i in rows.item_ids], f"limit/{seed}/") < n)


@functools.lru_cache(maxsize=2)  # one pass over all rows makes both splits
def hold_out_sentences(
    texts: tuple[str, ...], share: float, minimum: int = 10, phrase: int = 4
) -> tuple[np.ndarray, ...]:
    """Row numbers of the train and the dev split of rows that are phrases of sentences: int64 arrays.

    Rows that share a run of `minimum` words come from one sentence. A share of the sentences, chosen by a hash of their
    text, is held out: dev gets the longest row of each, and train loses all of their rows, including shorter ones that
    occur in a dev row as a run of `phrase` words or more. Shorter runs ("very funny") are ignored.
    """
    words = [words_of(text) for text in texts]
    runs = [[" ".join(w[i : i + minimum]) for i in range(len(w) - minimum + 1)] for w in words]
    owner: dict[str, int] = {}
    parent = list(range(len(texts)))

    def root(i: int) -> int:
        """The row that represents all rows of the sentence of row `i`, as far as runs have joined them."""
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for i, row_runs in enumerate(runs):
        for run in row_runs:
            parent[root(i)] = root(owner.setdefault(run, i))
    longest: dict[int, int] = {}
    for i in (i for i, row_runs in enumerate(runs) if row_runs):
        best = longest.get(root(i))
        if best is None or (len(words[i]), " ".join(words[i])) > (len(words[best]), " ".join(words[best])):
            longest[root(i)] = i
    sentences = sorted(longest.values())
    ranks = stable_order([" ".join(words[i]) for i in sentences])
    dev = [i for i, rank in zip(sentences, ranks, strict=True) if rank < round(share * len(sentences))]
    held = {root(i) for i in dev}
    phrases = {
        " ".join(words[i][a:b])
        for i in dev
        for a in range(len(words[i]))
        for b in range(a + phrase, min(a + minimum, len(words[i])) + 1)
    }
    train = [i for i in range(len(texts)) if root(i) not in held and " ".join(words[i]) not in phrases]
    return np.array(train, np.int64), np.array(dev, np.int64)
