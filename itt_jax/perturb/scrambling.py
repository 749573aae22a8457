"""Operators that scramble words, after the Zeroe benchmark.

Severity is a share of words or of the spaces between them, except in `intruder` and `leetspeak`. Words that contain a
number are skipped, because a scrambled number cannot be recovered.
"""

import functools
import itertools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import chosen, replace_by_table
from itt_jax.perturb.codepoints import NUMBER, SPACE, SPACED, word_groups
from itt_jax.perturb.edits import Edits, changing, deleted, inserted
from itt_jax.perturb.lexicon import RangeHashes, lowered
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import NL_AUGMENTER, ZEROE, Operator
from itt_jax.perturb.units import Document
from itt_jax.ragged import offsets_of, ragged_positions

# ASCII punctuation, as in Zeroe, without apostrophe and hyphen, which occur inside words anyway.
INTRUDERS = tables.codepoints_of('!"#$%&()*+,./:;<=>?@[\\]^_`{|}~')
# All of Unicode's space separators (Zs), but no line breaks, which nobody forgets between two words.
SPACES = (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)
# Lower-case letters without marks; marked letters are derived from them.
VOWELS = "aeiouæœøıəαεηιουωаеиоуыэюяєіѵәөүұაეიოუաեէըիոօ"
CONSONANTS = "йў"  # not vowels, although derived from и and у
# Languages in Latin script in which y is a vowel.
VOWEL_Y = frozenset("af br cs cy da et fi fo is kl lt nb nn no pl sk sv vi".split())


def spelled(document: Document, least: int) -> np.ndarray:
    """bool [W]: editable words of at least `least` clusters without numbers."""
    first, stop = document.words
    numbers = np.append(0, np.cumsum((document.flags & NUMBER) > 0))
    return document.word_allowed & (document.word_sizes >= least) & (numbers[first] == numbers[stop])


def drawn_words(document: Document, noise: Noise, severity: float, eligible: np.ndarray) -> tuple[np.ndarray, ...]:
    """int64, int64, uint64: first cluster, cluster after the last, and draw 0 of the words to edit."""
    edited = under(noise.words, severity) & eligible
    first, stop = document.words
    return first[edited], stop[edited], noise.words[edited]


def contents(document: Document) -> np.ndarray:
    """uint64 [G]: a hash of each cluster's codepoints."""
    hashes = RangeHashes(document.codepoints)
    return hashes.hashes(document.starts[:-1], document.starts[1:])


def shuffled(document: Document, noise: Noise, first: np.ndarray, stop: np.ndarray) -> Edits:
    """Edits that permute the clusters of each range at random; signs inside words keep their places.

    A permutation that leaves the range unchanged is replaced by a rotation by one.
    """
    from rapidfuzz.distance import Levenshtein

    members = ragged_positions(first, stop - first)
    owners = np.repeat(np.arange(len(first)), stop - first)
    moves = document.in_word[members]
    places, owner = members[moves], owners[moves]
    order = places[np.lexsort((later_draws(noise.clusters[places], 1), owner))]
    content = contents(document)
    same = np.bincount(owner, content[order] != content[places], len(first)) == 0
    count = np.bincount(owner, minlength=len(first))
    begin = (np.cumsum(count) - count)[owner]
    turned = places[begin + (np.arange(len(places)) - begin + 1) % count[owner]]
    full = members.copy()
    full[moves] = np.where(same[owner], turned, order)
    starts = document.starts
    sources = ragged_positions(starts[full], starts[full + 1] - starts[full])
    bounds = offsets_of(stop - first).tolist()
    old, new = content[members].tolist(), content[full].tolist()
    cost = [Levenshtein.distance(old[a:b], new[a:b]) for a, b in itertools.pairwise(bounds)]
    start, end = starts[first], starts[stop]
    codepoints = document.codepoints[sources]
    return changing(document.text, Edits(start, end, end - start, sources, codepoints, np.array(cost, np.int64)))


def inner_shuffle(document: Document, noise: Noise, severity: float) -> Edits:
    """Shuffles the characters of words except the first and last."""
    first, stop, _ = drawn_words(document, noise, severity, spelled(document, 4))
    return shuffled(document, noise, first + 1, stop - 1)


def full_shuffle(document: Document, noise: Noise, severity: float) -> Edits:
    """Shuffles all characters of words."""
    first, stop, _ = drawn_words(document, noise, severity, spelled(document, 3))
    return shuffled(document, noise, first, stop)


@functools.cache
def vowel_table(with_y: bool) -> np.ndarray:
    """bool [0x110000]: whether each codepoint is a vowel."""
    small = np.zeros(tables.CODEPOINTS, bool)
    small[tables.codepoints_of(VOWELS + "y" * with_y)] = True
    small |= small[tables.mapping("without_marks")]
    small[tables.codepoints_of(CONSONANTS)] = False
    return small[lowered(np.arange(tables.CODEPOINTS))]


def vowels(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes all vowels of words."""
    gone = tables.look_up(vowel_table(document.language in VOWEL_Y), document.bases) & document.in_word
    before = np.append(0, np.cumsum(gone))
    letters = np.append(0, np.cumsum(document.in_word))
    first, stop = document.words
    lost = before[stop] - before[first]
    eligible = spelled(document, 3) & (lost > 0) & (lost < letters[stop] - letters[first])
    first, stop, _ = drawn_words(document, noise, severity, eligible)
    members = ragged_positions(first, stop - first)
    kept = members[~gone[members]]
    starts = document.starts
    sizes = starts[kept + 1] - starts[kept]
    sources = ragged_positions(starts[kept], sizes)
    ends = offsets_of(sizes)[np.cumsum(stop - first - (before[stop] - before[first]))]
    lengths = np.diff(np.append(0, ends))
    codepoints = document.codepoints[sources]
    return Edits(starts[first], starts[stop], lengths, sources, codepoints, before[stop] - before[first])


def truncate(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes the last character of words."""
    _, stop, _ = drawn_words(document, noise, severity, spelled(document, 4))
    return deleted(document.starts[stop - 1], document.starts[stop], np.ones_like(stop))


def intruder(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts punctuation between adjacent letters, the same mark throughout a word."""
    letter = document.in_word & ((document.flags & NUMBER) == 0)
    gap = chosen(document, noise, severity, document.joined & document.linked(letter))
    begin = document.run_starts[np.searchsorted(document.run_starts, gap, "right") - 1]
    new = INTRUDERS[below(later_draws(noise.clusters[begin], 1), len(INTRUDERS))]
    return inserted(document.text, document.starts[gap], document.starts[gap + 1], new, np.ones(len(gap), bool))


def word_join(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes the space between two words, or between a word and a punctuation mark."""
    blank = np.isin(document.bases, SPACES) & document.allowed
    linked = document.linked(blank)
    first = np.flatnonzero(blank & ~np.append(False, linked)[:-1])
    stop = np.flatnonzero(blank & ~linked) + 1
    text_of = np.searchsorted(document.text_clusters, np.arange(len(blank)), "right")
    inner = (first > 0) & (stop < len(blank))
    first, stop = first[inner], stop[inner]
    dense = (document.flags & SPACE) == 0
    beside = (text_of[first - 1] == text_of[stop]) & (text_of[first] == text_of[stop]) & dense[first - 1] & dense[stop]
    edited = beside & under(noise.clusters[first], severity)
    first, stop = first[edited], stop[edited]
    return deleted(document.starts[first], document.starts[stop], stop - first)


def word_split(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts a space at a random place inside words."""
    spaced = word_groups()[document.bases[document.words[0]]] == SPACED
    first, stop, draws = drawn_words(document, noise, severity, spelled(document, 2) & spaced)
    before = first + below(later_draws(draws, 1), stop - first - 1)
    space = np.full(len(before), ord(" "), np.uint32)
    after = np.ones(len(before), bool)
    return inserted(document.text, document.starts[before], document.starts[before + 1], space, after)


@functools.cache
def leet_choices() -> tables.Choices:
    """Letter -> digits and signs that resemble it."""
    return tables.Choices(tables.read("leetspeak")["alike"])


def leetspeak(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces letters by digits and signs that resemble them."""
    return replace_by_table(document, noise, severity, leet_choices())


OPERATORS = (
    Operator(
        "inner_shuffle",
        inner_shuffle,
        "misspelling",
        "share of words shuffled; eligible: words of at least four clusters without numbers whose inside can change",
        ZEROE,
        scripts="all except Han, Thai, Lao, Khmer and Myanmar, whose words are shorter",
    ),
    Operator(
        "full_shuffle",
        full_shuffle,
        "misspelling",
        "share of words shuffled; eligible: words of at least three clusters without numbers that can change",
        ZEROE,
        scripts="all except Han, whose words are single characters",
        readable=False,
    ),
    Operator(
        "vowels",
        vowels,
        "misspelling",
        "share of words that lose all vowels; eligible: words of at least three clusters without numbers that contain "
        "vowels and other letters",
        ZEROE,
        scripts="Latin, Greek, Cyrillic, Georgian, Armenian",
    ),
    Operator(
        "truncate",
        truncate,
        "misspelling",
        "share of words that lose their last cluster; eligible: words of at least four clusters without numbers",
        ZEROE,
        scripts="all except Han, Thai, Lao, Khmer and Myanmar, whose words are shorter",
    ),
    Operator(
        "intruder",
        intruder,
        "misspelling",
        "marks inserted per gap between two adjacent letters",
        ZEROE,
        reversible=True,
    ),
    Operator(
        "word_join",
        word_join,
        "misspelling",
        "share of spaces deleted; eligible: spaces of any width within a line",
        ZEROE,
        scripts="scripts that use spaces; in others only the occasional space",
    ),
    Operator(
        "word_split",
        word_split,
        "misspelling",
        "share of words split; eligible: words of at least two clusters without numbers",
        "Li et al. 2019, TextBugger (arXiv 1812.05271), insert",
        scripts="scripts that use spaces between words",
    ),
    Operator(
        "leetspeak",
        leetspeak,
        "misspelling",
        "edits per eligible cluster; eligible: letters in leetspeak.json",
        NL_AUGMENTER + ", leet letters",
        scripts="Latin",
    ),
)
