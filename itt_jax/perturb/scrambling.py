"""Operators that disfigure words as Zeroe's benchmark does: each is one function (document, noise, severity) -> Edits.

But for `intruder` and `leetspeak` severity is a share of words (or of the spaces between them), and an eligible word
is edited as a whole. Words that hold a number are left alone, as nobody could say what the number was.
"""

import functools
import itertools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import chosen, replace_by_table
from itt_jax.perturb.codepoints import NUMBER, SPACE, SPACED, word_groups
from itt_jax.perturb.edits import Edits, changing, deleted, inserted
from itt_jax.perturb.lexicon import Ranges, lowered
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import NL_AUGMENTER, ZEROE, Operator
from itt_jax.perturb.units import Document
from itt_jax.ragged import ragged_positions

# ASCII punctuation, as in Zeroe, but for the apostrophe and the hyphen: those stand inside words already.
INTRUDERS = np.frombuffer('!"#$%&()*+,./:;<=>?@[\\]^_`{|}~'.encode("utf-32-le"), np.uint32)
SPACES = (0x20, 0xA0)  # no line breaks: nobody forgets those between two words
# Small letters without marks; those with marks follow from these.
VOWELS = "aeiouæœøıəαεηιουωаеиоуыэюяєіѵәөүұაეიოუաեէըիոօ"
CONSONANTS = "йў"  # which would follow from и and у
# Languages of the Latin script in which y is a vowel letter.
VOWEL_Y = frozenset("af br cs cy da et fi fo is kl lt nb nn no pl sk sv vi".split())


def spelled(document: Document, least: int) -> np.ndarray:
    """bool [W]: words of `least` clusters or more that may be edited and hold no number."""
    first, stop = document.words
    numbers = np.append(0, np.cumsum((document.flags & NUMBER) > 0))
    return document.word_allowed & (stop - first >= least) & (numbers[first] == numbers[stop])


def drawn_words(document: Document, noise: Noise, severity: float, eligible: np.ndarray) -> tuple[np.ndarray, ...]:
    """int64, int64, uint64: the first cluster, the one after the last, and the draw of the words that are edited."""
    edited = under(noise.words, severity) & eligible
    first, stop = document.words
    return first[edited], stop[edited], noise.words[edited]


def contents(document: Document) -> np.ndarray:
    """uint64 [G]: equal for equal clusters."""
    hashes = Ranges(document.codepoints)
    return hashes.hashes(document.starts[:-1], document.starts[1:])


def shuffled(document: Document, noise: Noise, first: np.ndarray, stop: np.ndarray) -> Edits:
    """Edits that put the clusters of each range into another order; signs inside words keep their places.

    The order is that of a draw at each cluster, or, where this changes nothing, a turn by one.
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
    bounds = np.append(0, np.cumsum(stop - first)).tolist()
    old, new = content[members].tolist(), content[full].tolist()
    cost = [Levenshtein.distance(old[a:b], new[a:b]) for a, b in itertools.pairwise(bounds)]
    start, end = starts[first], starts[stop]
    codepoints = document.codepoints[sources]
    return changing(document.text, Edits(start, end, end - start, sources, codepoints, np.array(cost, np.int64)))


def inner_shuffle(document: Document, noise: Noise, severity: float) -> Edits:
    """Shuffles the inside of words; their first and last clusters stay."""
    first, stop, _ = drawn_words(document, noise, severity, spelled(document, 4))
    return shuffled(document, noise, first + 1, stop - 1)


def full_shuffle(document: Document, noise: Noise, severity: float) -> Edits:
    """Shuffles whole words."""
    first, stop, _ = drawn_words(document, noise, severity, spelled(document, 3))
    return shuffled(document, noise, first, stop)


@functools.cache
def vowel_table(with_y: bool) -> np.ndarray:
    """bool [0x110000]: letters that are vowels."""
    small = np.zeros(tables.CODEPOINTS, bool)
    small[tables.codepoints_of(VOWELS + "y" * with_y)] = True
    small |= small[tables.mapping("without_marks")]
    small[tables.codepoints_of(CONSONANTS)] = False
    return small[lowered(np.arange(tables.CODEPOINTS))]


def vowels(document: Document, noise: Noise, severity: float) -> Edits:
    """Drops every vowel letter of words."""
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
    ends = np.append(0, np.cumsum(sizes))[np.cumsum(stop - first - (before[stop] - before[first]))]
    lengths = np.diff(np.append(0, ends))
    codepoints = document.codepoints[sources]
    return Edits(starts[first], starts[stop], lengths, sources, codepoints, before[stop] - before[first])


def truncate(document: Document, noise: Noise, severity: float) -> Edits:
    """Drops the last cluster of words."""
    _, stop, _ = drawn_words(document, noise, severity, spelled(document, 4))
    return deleted(document.starts[stop - 1], document.starts[stop], np.ones_like(stop))


def intruder(document: Document, noise: Noise, severity: float) -> Edits:
    """Puts a sign between neighbouring letters; within a run of letters it is always the same sign."""
    letter = document.in_word & ((document.flags & NUMBER) == 0)
    gap = chosen(document, noise, severity, document.joined & document.linked(letter))
    begin = document.run_starts[np.searchsorted(document.run_starts, gap, "right") - 1]
    new = INTRUDERS[below(later_draws(noise.clusters[begin], 1), len(INTRUDERS))]
    return inserted(document.text, document.starts[gap], document.starts[gap + 1], new, np.ones(len(gap), bool))


def word_join(document: Document, noise: Noise, severity: float) -> Edits:
    """Takes away the space between two words, or between a word and a sign."""
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
    """Puts a space inside words, at any place."""
    spaced = word_groups()[document.bases[document.words[0]]] == SPACED
    first, stop, draws = drawn_words(document, noise, severity, spelled(document, 2) & spaced)
    before = first + below(later_draws(draws, 1), stop - first - 1)
    space = np.full(len(before), ord(" "), np.uint32)
    after = np.ones(len(before), bool)
    return inserted(document.text, document.starts[before], document.starts[before + 1], space, after)


@functools.cache
def leet_choices() -> tables.Choices:
    """Letter -> digits and signs that look like it."""
    return tables.Choices(tables.read("leetspeak")["alike"])


def leetspeak(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes digits and signs for letters that look like them."""
    return replace_by_table(document, noise, severity, leet_choices())


OPERATORS = (
    Operator(
        "inner_shuffle",
        inner_shuffle,
        "misspelling",
        "share of words shuffled; eligible: words of four clusters or more, with no number, whose inside can change",
        ZEROE,
        scripts="all, but in Han, Thai, Lao, Khmer and Myanmar no word is that long",
    ),
    Operator(
        "full_shuffle",
        full_shuffle,
        "misspelling",
        "share of words shuffled; eligible: words of three clusters or more, with no number, that can change",
        ZEROE,
        scripts="all but Han, whose words are single characters",
        readable=False,
    ),
    Operator(
        "vowels",
        vowels,
        "misspelling",
        "share of words that lose all vowel letters; eligible: words of three clusters or more, with no number, that "
        "have vowel letters and others",
        ZEROE,
        scripts="Latin, Greek, Cyrillic, Georgian, Armenian",
    ),
    Operator(
        "truncate",
        truncate,
        "misspelling",
        "share of words that lose their last cluster; eligible: words of four clusters or more, with no number",
        ZEROE,
        scripts="all, but in Han, Thai, Lao, Khmer and Myanmar no word is that long",
    ),
    Operator(
        "intruder",
        intruder,
        "misspelling",
        "signs per gap between two neighbouring letters",
        ZEROE,
        reversible=True,
    ),
    Operator(
        "word_join",
        word_join,
        "misspelling",
        "share of spaces taken away; eligible: those inside a line, however wide",
        ZEROE,
        scripts="all that write spaces; elsewhere only spaces that happen to be there",
    ),
    Operator(
        "word_split",
        word_split,
        "misspelling",
        "share of words split; eligible: words of two clusters or more, with no number",
        "Li et al. 2019, TextBugger (arXiv 1812.05271), insert",
        scripts="all that write spaces between words",
    ),
    Operator(
        "leetspeak",
        leetspeak,
        "misspelling",
        "edits per cluster; eligible: letters in the table leetspeak.json",
        NL_AUGMENTER + ", leet letters",
        scripts="Latin",
    ),
)
