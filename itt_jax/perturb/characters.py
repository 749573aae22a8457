"""Operators on the characters of words. Severity is the probability of editing an eligible grapheme cluster."""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import LETTER
from itt_jax.perturb.edits import Edits, changing, deleted, inserted, pieces, replaced
from itt_jax.perturb.noise import Noise, below, later_draws, threshold, under
from itt_jax.perturb.operator import DEEPWORDBUG, IN_WORDS, LETTER_SCRIPTS, PRUTHI, ZEROE, Operator
from itt_jax.perturb.units import Document
from itt_jax.ragged import ragged_positions


def chosen(document: Document, noise: Noise, severity: float, eligible: np.ndarray) -> np.ndarray:
    """int64: the clusters to edit among the eligible ones (bool [G])."""
    if document.kernels is None:
        return np.flatnonzero(under(noise.clusters, severity) & eligible)
    return document.kernels.chosen(noise.clusters, *threshold(severity), eligible)


def swap(document: Document, noise: Noise, severity: float) -> Edits:
    """Swaps adjacent characters within words."""
    return exchanged(document, pairs(document, noise, severity, document.in_word))


def pairs(document: Document, noise: Noise, severity: float, eligible: np.ndarray) -> np.ndarray:
    """int64: the first clusters of the adjacent pairs to edit; both clusters must be eligible (bool [G]).

    Each run of letters is divided into pairs, starting at its first or second cluster depending on a draw, so that
    pairs never overlap, at any severity.
    """
    if document.kernels is None:
        return plain_pairs(document, noise, severity, eligible)
    draws, flags, bounds = noise.clusters, document.flags, document.text_clusters
    return document.kernels.pairs(draws, *threshold(severity), eligible, flags, bounds)


def plain_pairs(document: Document, noise: Noise, severity: float, eligible: np.ndarray) -> np.ndarray:
    """`pairs` in NumPy; the reference for the kernel."""
    pair = np.flatnonzero(under(noise.clusters, severity) & eligible & document.joined)
    begin = document.run_starts[np.searchsorted(document.run_starts, pair, "right") - 1]
    late = later_draws(noise.clusters[begin], 1) >> np.uint64(63)
    return pair[((pair - begin) % 2 == late.astype(np.int64)) & eligible[pair + 1]]


def exchanged(document: Document, pair: np.ndarray) -> Edits:
    """Edits that swap the clusters of each pair, without pairs of equal clusters."""
    if document.kernels is None:
        return plain_exchanged(document, pair)
    return Edits(*document.kernels.exchanged(document.codepoints, document.starts, pair))


def plain_exchanged(document: Document, pair: np.ndarray) -> Edits:
    """`exchanged` in NumPy; the reference for the kernel."""
    start, middle, stop = (document.starts[pair + i] for i in range(3))
    parts = np.stack([middle, stop, start, middle], axis=1).reshape(-1, 2, 2)
    return changing(document.text, pieces(document.text, start, stop, parts, np.full_like(pair, 2)))


def delete(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes characters of words."""
    gone = chosen(document, noise, severity, document.in_word)
    return deleted(document.starts[gone], document.starts[gone + 1], np.ones_like(gone))


def repeat(document: Document, noise: Noise, severity: float) -> Edits:
    """Doubles characters of words."""
    twice = chosen(document, noise, severity, document.in_word)
    start, stop = document.starts[twice], document.starts[twice + 1]
    parts = np.stack([start, stop, start, stop], axis=1).reshape(-1, 2, 2)
    return pieces(document.text, start, stop, parts, np.ones_like(twice))


@functools.cache
def alphabets(japanese: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """uint32 letters of all scripts; int64 index of the first letter and letter count per script; script 0 is 0-9."""
    letters = tables.unicode_table()["letters"]
    names = [f"{name} ja" if japanese and name == "Han" else name for name in tables.unicode_table()["script_names"]]
    rows = ["0123456789", *(letters[name] for name in names)]
    counts = np.array([len(row) for row in rows])
    return tables.codepoints_of("".join(rows)), np.cumsum(counts) - counts, counts


@functools.cache
def alphabetic() -> np.ndarray:
    """bool [0x110000]: the letters of the scripts in the Unicode table, and the digits 0-9."""
    letter = (tables.property_of("flags") & LETTER) > 0
    found = letter & (tables.property_of("scripts") > 0)
    found[ord("0") : ord("9") + 1] = True
    return found


def chosen_letters(document: Document, noise: Noise, severity: float) -> np.ndarray:
    """int64: the clusters of words to edit among those that begin with an `alphabetic` codepoint."""
    clusters = chosen(document, noise, severity, document.in_word)
    return clusters[alphabetic()[document.bases[clusters]]]  # looked up last, when few clusters are left


def draw_letters(document: Document, noise: Noise, clusters: np.ndarray) -> np.ndarray:
    """uint32: for each cluster a different letter of the same script and case."""
    bases, draws = document.bases[clusters], noise.clusters[clusters]
    if document.kernels is None:
        return plain_letters(bases, draws, document.language == "ja")
    scripts, upper = tables.property_of("scripts"), tables.mapping("lower_upper")
    lower = tables.mapping("lower_upper", inverse=True)
    return document.kernels.letters(bases, draws, scripts, lower, upper, *alphabets(document.language == "ja"))


def plain_letters(bases: np.ndarray, draws: np.ndarray, japanese: bool) -> np.ndarray:
    """`draw_letters` in NumPy; the reference for the kernel."""
    codepoints, first, count = alphabets(japanese)
    scripts = tables.property_of("scripts")[bases]
    lower = tables.mapping("lower_upper", inverse=True)[bases]
    plain = np.where(lower > 0, lower, bases)
    index = below(later_draws(draws, 1), count[scripts])
    same = codepoints[first[scripts] + index] == plain
    letters = codepoints[first[scripts] + (index + same) % count[scripts]]
    upper = tables.mapping("lower_upper")[letters]
    return np.where((lower > 0) & (upper > 0), upper, letters)


def insert(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts a letter of the same script before or after characters."""
    beside = chosen_letters(document, noise, severity)
    letters = draw_letters(document, noise, beside)
    after = later_draws(noise.clusters[beside], 2) >> np.uint64(63) > 0
    return inserted(document.text, document.starts[beside], document.starts[beside + 1], letters, after)


def substitute(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces letters by others of the same script; combining marks stay."""
    clusters = chosen_letters(document, noise, severity)
    return replaced(document.starts[clusters], draw_letters(document, noise, clusters))


@functools.cache
def keyboard_layouts() -> dict[str, dict]:
    """Language -> {"layout": name, "beside": letter -> letters on adjacent keys}."""
    return tables.read("keyboards")["layouts"]


@functools.cache
def choices(table: str, language: str = "") -> tables.Choices:
    """Adjacent keys on a language's keyboard ("keyboards"), or look-alikes ("homoglyphs", "ocr")."""
    if table == "keyboards":
        return tables.Choices(keyboard_layouts()[language]["beside"])
    return tables.Choices(tables.read(table)["alike"])


def replace_by_table(document: Document, noise: Noise, severity: float, table: tables.Choices) -> Edits:
    """Replaces the first codepoint of clusters by one of its options; combining marks stay."""
    clusters = chosen(document, noise, severity, document.in_word)
    row = table.entry.take(document.bases[clusters], mode="clip")
    clusters, row = clusters[row >= 0], row[row >= 0]
    option = table.first[row] + below(later_draws(noise.clusters[clusters], 1), table.count[row])
    first, stop = table.option_offsets[option], table.option_offsets[option + 1]
    start, lengths = document.starts[clusters], stop - first
    codepoints = table.codepoints[ragged_positions(first, lengths)]
    return Edits(start, start + 1, lengths, np.repeat(start, lengths), codepoints, lengths)


def keyboard(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces letters and digits by those on adjacent keys."""
    return replace_by_table(document, noise, severity, choices("keyboards", document.language))


OPERATORS = (
    Operator(
        "swap",
        swap,
        "character",
        "grapheme edits (two per swap) per eligible cluster; words are divided into pairs at random, and pairs of "
        "different clusters are eligible",
        PRUTHI,
    ),
    Operator("delete", delete, "character", f"edits per eligible cluster; eligible: {IN_WORDS}", PRUTHI),
    Operator(
        "insert",
        insert,
        "character",
        "edits per eligible cluster; eligible: letters of the scripts listed, and digits 0-9",
        DEEPWORDBUG,
        scripts=LETTER_SCRIPTS,
    ),
    Operator(
        "substitute",
        substitute,
        "character",
        "edits per eligible cluster; eligible: letters of the scripts listed, and digits 0-9",
        DEEPWORDBUG,
        scripts=LETTER_SCRIPTS,
    ),
    Operator("repeat", repeat, "character", f"edits per eligible cluster; eligible: {IN_WORDS}", ZEROE),
    Operator(
        "keyboard",
        keyboard,
        "character",
        "edits per eligible cluster; eligible: letters and digits with an adjacent key on the language's keyboard",
        "Belinkov and Bisk 2018 (arXiv 1711.02173); keyboard layouts from Debian's xkb-data",
        scripts="the script of the language's keyboard",
        languages=frozenset(keyboard_layouts()),
    ),
)
