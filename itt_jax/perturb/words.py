"""Operators on whole words. Severity is the share of words edited; units.py defines words."""

import numpy as np

from itt_jax.perturb.codepoints import SPACE, SPACED, word_groups
from itt_jax.perturb.edits import Edits, changing, deleted, pieces
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import EDA, Operator
from itt_jax.perturb.units import Document

WINDOW = 3  # words that word_shuffle permutes


def spaces_around(document: Document, first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64, int64: the ranges first ... stop - 1 (non-empty, within one text) widened by editable white space."""
    if document.kernels is None:
        return plain_spaces_around(document, first, stop)
    return document.kernels.spaces_around(document.flags, document.allowed, document.text_clusters, first, stop)


def plain_spaces_around(document: Document, first: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """`spaces_around` in NumPy; the reference for the kernel."""
    blank = np.append((document.flags & SPACE) > 0, False)
    blank[:-1] &= document.allowed
    begins, ends = ~blank, ~blank
    begins[1:] = ~blank[:-1]  # the previous cluster is not white space
    begins[document.text_clusters] = ends[document.text_clusters] = True
    begin_places, end_places = np.flatnonzero(begins), np.flatnonzero(ends)
    return (
        begin_places[np.searchsorted(begin_places, first, "right") - 1],
        end_places[np.searchsorted(end_places, stop)],
    )


def word_drop(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes words, each with the white space after it, or before it if none follows."""
    edited = np.flatnonzero(under(noise.words, severity) & document.word_allowed)
    first, stop = (ends[edited] for ends in document.words)
    before, after = spaces_around(document, first, stop)
    begin = np.where(after > stop, first, before)
    begin[1:] = np.maximum(begin[1:], after[:-1])
    return deleted(document.starts[begin], document.starts[after], after - begin)


def word_duplicate(document: Document, noise: Noise, severity: float) -> Edits:
    """Repeats words, with a space in between if the script uses spaces."""
    edited = np.flatnonzero(under(noise.words, severity) & document.word_allowed)
    first, stop = (ends[edited] for ends in document.words)
    start, end = document.starts[first], document.starts[stop]
    spaced = word_groups()[document.bases[first]] == SPACED
    parts = np.stack([start, end, start, end], axis=1).reshape(-1, 2, 2)
    space = np.where(spaced, ord(" "), 0).astype(np.uint32)
    return pieces(document.text, start, end, parts, stop - first + spaced, space, end - start)


def windows(document: Document, noise: Noise) -> tuple[np.ndarray, np.ndarray]:
    """int64 [K], int64 [K]: first word and size of the windows of at most WINDOW words that partition each text.

    A random draw sets the size of a text's first window.
    """
    first, _ = document.words
    bounds = np.searchsorted(first, document.text_clusters)
    ordinals = np.arange(len(first)) - np.repeat(bounds[:-1], np.diff(bounds))
    shifts = below(noise.texts, WINDOW)
    places = ordinals + np.repeat(shifts, np.diff(bounds))
    begin = np.flatnonzero((ordinals == 0) | (places % WINDOW == 0))
    return begin, np.diff(np.append(begin, len(first)))


def word_shuffle(document: Document, noise: Noise, severity: float) -> Edits:
    """Rotates the words of a window of three, so that each changes place; the gaps between them stay."""
    begin, count = windows(document, noise)
    allowed = np.append(0, np.cumsum(document.word_allowed))
    movable = (count > 1) & (allowed[begin + count] - allowed[begin] == count)
    mixed = movable & under(noise.words[begin], severity)
    begin, count = begin[mixed], count[mixed]
    first, stop = document.words
    words = begin[:, None] + np.minimum(np.arange(WINDOW), count[:, None] - 1)  # [K, 3]; a pair repeats its last
    gaps = np.stack([stop[words[:, :-1]], first[words[:, 1:]]], axis=2)  # [K, 2, 2]; the second gap of a pair is empty
    gaps[:, 1, 0] = np.minimum(gaps[:, 1, 0], gaps[:, 1, 1])
    to_left = (later_draws(noise.words[begin], 1) >> np.uint64(63) > 0) | (count == 2)
    turned = np.where(to_left[:, None], [1, 2, 0], [2, 0, 1])
    order = np.take_along_axis(words, turned, axis=1)
    spans = np.stack([first[order], stop[order]], axis=2)  # [K, 3, 2] clusters
    spans[count == 2, 1] = spans[count == 2, 0, :1]  # a pair has only two words
    parts = np.stack([spans[:, 0], gaps[:, 0], spans[:, 1], gaps[:, 1], spans[:, 2]], axis=1)
    start, end = first[words[:, 0]], stop[words[:, -1]]
    moved = np.where(to_left, words[:, 0], words[:, -1])
    cost = turning_cost(document, stop[moved] - first[moved], gaps, end - start)
    starts = document.starts
    return changing(document.text, pieces(document.text, starts[start], starts[end], starts[parts], cost))


def turning_cost(document: Document, moved: np.ndarray, gaps: np.ndarray, total: np.ndarray) -> np.ndarray:
    """int64 [K]: grapheme edits that rotate a window: delete a word and a gap, insert both at the other end.

    Unequal gaps are also swapped. Substituting every cluster of the window is an upper bound.
    """
    sizes = gaps[:, :, 1] - gaps[:, :, 0]
    bases = np.append(document.bases, 0)[gaps[:, :, 0]]
    alike = (sizes[:, 0] == 1) & (sizes[:, 1] == 1) & (bases[:, 0] == bases[:, 1])
    pair = sizes[:, 1] == 0
    exchange = np.where(alike, 0, sizes.max(axis=1))
    return np.minimum(2 * moved + np.where(pair, 2 * sizes[:, 0], sizes.sum(axis=1) + exchange), total)


OPERATORS = (
    Operator("word_drop", word_drop, "word", "share of words deleted", EDA),
    Operator(
        "word_duplicate",
        word_duplicate,
        "word",
        "share of words repeated",
        "NL-Augmenter (arXiv 2112.02721), word repetition",
    ),
    Operator(
        "word_shuffle",
        word_shuffle,
        "word",
        "share of words moved; eligible: words in windows of two or three",
        "Wei and Zou 2019, EDA (arXiv 1901.11196), random swap; here within windows of three words",
        readable=False,
    ),
)
