"""Edits made with strings: replacing clusters, in particular keys of a lexicon, and inserting text beside clusters."""

import dataclasses
import functools
import itertools
from collections.abc import Sequence

import numpy as np

from itt_jax.perturb.codepoints import SPACED, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import HashSet, Lexicon, RangeHashes, lowered
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.text import decoded, from_strings
from itt_jax.perturb.units import Document, cluster_breaks
from itt_jax.ragged import Ragged, ragged_positions

FREE = 0xE000  # first codepoint after the surrogates


@dataclasses.dataclass(frozen=True)
class Matches:
    """K disjoint occurrences of lexicon keys, ascending.

    Attributes:
        first, stop: int64 [K] first cluster, and the cluster after the last.
        row: int64 [K] index of the key.
    """

    first: np.ndarray
    stop: np.ndarray
    row: np.ndarray

    def select(self, which: np.ndarray) -> "Matches":
        """The matches at the indices, or where the mask is true."""
        return Matches(self.first[which], self.stop[which], self.row[which])


def find(document: Document, lexicon: Lexicon, anywhere: bool = False) -> Matches:
    """Finds editable keys from left to right, preferring the longest.

    A match consists of whole words, or of clusters in scripts written without spaces.

    Args:
        anywhere: whether to include matches that may not be edited.
    """
    hashes = RangeHashes(lowered(document.codepoints))
    first, stop = units(document)
    bounds = np.searchsorted(first, document.text_clusters)
    following = np.repeat(bounds[1:], np.diff(bounds)) - np.arange(len(first))  # units up to the end of the text
    index, found = np.arange(len(first)), [np.zeros((0, 3), np.int64)]
    for size, beginnings in enumerate(_beginnings(lexicon), start=1):
        begin, end = first[index], stop[index + size - 1]
        own = hashes.hashes(document.starts[begin], document.starts[end])
        row = lexicon.rows(own, document.starts[end] - document.starts[begin])
        found.append(np.stack([begin, end, row], axis=1)[row >= 0])
        index = index[(following[index] > size) & beginnings.holds(own)]
    hits = np.concatenate(found)
    hits = hits[np.lexsort((-hits[:, 1], hits[:, 0]))]
    matches = Matches(*hits[_disjoint(hits)].T)
    if anywhere:
        return matches
    fixed = np.append(0, np.cumsum(~document.allowed))
    return matches.select(fixed[matches.first] == fixed[matches.stop])


def units(document: Document) -> tuple[np.ndarray, np.ndarray]:
    """int64, int64: first cluster, and the cluster after the last, of the units that keys consist of.

    These are words, or clusters in scripts written without spaces, which do not mark words.
    """
    first, stop = document.words
    unspaced = word_groups()[document.bases[first]] != SPACED
    if not unspaced.any():
        return first, stop
    lengths = np.where(unspaced, stop - first, 1)
    begin = ragged_positions(first, lengths)
    return begin, np.where(np.repeat(unspaced, lengths), begin + 1, np.repeat(stop, lengths))


@functools.lru_cache(maxsize=64)
def _beginnings(lexicon: Lexicon) -> tuple[HashSet, ...]:
    """For k = 1, 2, ... up to the longest key: the first k units of all keys longer than k units."""
    document = Document(lexicon.keys, None, "en")
    hashes = RangeHashes(lexicon.keys.values)
    first, stop = units(document)
    bounds = np.searchsorted(first, document.text_clusters)
    counts = np.diff(bounds)
    found = []
    for size in range(1, int(counts.max(initial=0)) + 1):
        longer = np.flatnonzero(counts > size)
        ends = document.starts[stop[bounds[longer] + size - 1]]
        found.append(HashSet(hashes.hashes(lexicon.keys.offsets[longer], ends)))
    return tuple(found)


def _disjoint(hits: np.ndarray) -> np.ndarray:
    """Indices of the sorted hits (first, stop, row) that do not overlap a hit selected before them."""
    begins = np.ones(len(hits) + 1, bool)  # does it begin after the end of all previous hits?
    begins[1:-1] = hits[1:, 0] >= np.maximum.accumulate(hits[:, 1])[:-1]
    taken = begins[:-1].copy()
    end = 0
    crowded = np.flatnonzero(~(begins[:-1] & begins[1:]))
    for index, (first, stop) in zip(crowded.tolist(), hits[crowded, :2].tolist(), strict=True):
        if first >= end:
            taken[index], end = True, stop
    return np.flatnonzero(taken)


def replace_by_lexicon(document: Document, noise: Noise, severity: float, lexicon: Lexicon) -> Edits:
    """Replaces each key with probability `severity` by one of its options, in the case of the original."""
    matches = find(document, lexicon)
    matches = matches.select(under(noise.clusters[matches.first], severity))
    new = drawn_options(document, lexicon, matches, later_draws(noise.clusters[matches.first], 1))
    return rewritten(document, matches.first, matches.stop, new)


def drawn_options(document: Document, lexicon: Lexicon, matches: Matches, draws: np.ndarray) -> list[str]:
    """One option for each of K matches, chosen by the draws (uint64 [K]), in the case of the original."""
    option = below(draws, lexicon.counts[matches.row])
    new = [lexicon.options[row][k] for row, k in zip(matches.row.tolist(), option.tolist(), strict=True)]
    old = strings(document, matches.first, matches.stop)
    return [in_case_of(before, after) for before, after in zip(old, new, strict=True)]


def in_case_of(old: str, new: str) -> str:
    """The new string in upper case, or capitalized, if the old one is."""
    if len(old) > 1 and old.isupper():
        return new.upper()
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def strings(document: Document, first: np.ndarray, stop: np.ndarray) -> list[str]:
    """The text of the clusters first[i] ... stop[i] - 1 for each i."""
    bounds = zip(document.starts[first].tolist(), document.starts[stop].tolist(), strict=True)
    whole = document.string
    return [whole[start:end] for start, end in bounds]


def rewritten(document: Document, first: np.ndarray, stop: np.ndarray, new: Sequence[str]) -> Edits:
    """Edits that replace ranges of clusters by strings, without those that change nothing.

    Args:
        first, stop: int64 [K] ranges of clusters, non-empty, disjoint and ascending.
        new: K strings, which may be empty. The alignment spreads their codepoints evenly over the clusters.
    """
    old = strings(document, first, stop)
    kept = [k for k, (before, after) in enumerate(zip(old, new, strict=True)) if before != after]
    first, stop = first[kept], stop[kept]
    text = from_strings([new[k] for k in kept])
    lengths = np.diff(text.offsets)
    index = ragged_positions(np.zeros_like(lengths), lengths)
    size = np.repeat(stop - first, lengths)
    sources = document.starts[np.repeat(first, lengths) + index * size // np.repeat(lengths, lengths)]
    cost = distances([old[k] for k in kept], [new[k] for k in kept])
    starts = document.starts
    return Edits(starts[first], starts[stop], lengths, sources, text.values, cost)


def distances(old: Sequence[str], new: Sequence[str]) -> np.ndarray:
    """int64 [K]: the Levenshtein distance of each pair in grapheme clusters."""
    from rapidfuzz.distance import Levenshtein

    sequences = [*old, *new]
    text, starts, bounds = _clusters(sequences)
    if len(starts) <= len(text.values):  # encode each distinct cluster as one codepoint
        contents = RangeHashes(text.values).hashes(starts[:-1], starts[1:])
        codes = FREE + np.unique(contents, return_inverse=True)[1]
        whole = decoded(codes.astype(np.uint32))
        sequences = [whole[start:stop] for start, stop in itertools.pairwise(bounds.tolist())]
    pairs = zip(sequences[: len(old)], sequences[len(old) :], strict=True)
    return np.array([Levenshtein.distance(before, after) for before, after in pairs], np.int64)


def _clusters(texts: Sequence[str]) -> tuple[Ragged, np.ndarray, np.ndarray]:
    """The texts, and `starts` (int64 [G + 1]) and `text_clusters` (int64 [n + 1]) as in `Document`."""
    text = from_strings(texts)
    starts = np.append(np.flatnonzero(cluster_breaks(text)), len(text.values))
    return text, starts, np.searchsorted(starts, text.offsets)


def added(document: Document, clusters: np.ndarray, new: Sequence[str], after: bool | np.ndarray) -> Edits:
    """Edits that insert strings beside clusters.

    Args:
        clusters: int64 [K], ascending.
        new: K strings.
        after: bool or bool [K], whether to insert after the cluster rather than before it.
    """
    text = from_strings(new)
    start, stop = document.starts[clusters], document.starts[clusters + 1]
    lengths = np.diff(text.offsets)
    own = stop - start
    total = lengths + own
    begin = np.cumsum(total) - total
    behind = np.broadcast_to(after, lengths.shape)
    sources = np.full(int(total.sum()), -1, np.int64)
    codepoints = np.empty(len(sources), np.uint32)
    kept = ragged_positions(begin + np.where(behind, 0, lengths), own)
    sources[kept] = ragged_positions(start, own)
    codepoints[kept] = document.codepoints[sources[kept]]
    codepoints[ragged_positions(begin + np.where(behind, own, 0), lengths)] = text.values
    cost = np.diff(_clusters(new)[2])
    return Edits(start, stop, total, sources, codepoints, cost)
