"""Operators that imitate human misspellings, and the mapping from Zeroe's suite to our operators.

docs/natural_errors.md compares the operators with human errors. To run Zeroe's suite (arXiv 2010.05648), use
`ZEROE_OPERATORS`, most of which are in scrambling.py, at `ZEROE_LEVELS`.
"""

import dataclasses

import numpy as np

from itt_jax.perturb.characters import choices, keyboard_layouts
from itt_jax.perturb.edits import Edits, pieces
from itt_jax.perturb.lexicon import shipped_languages
from itt_jax.perturb.noise import Noise, below, later_draws
from itt_jax.perturb.operator import ZEROE, Operator
from itt_jax.perturb.phonetics import replace_by_sound
from itt_jax.perturb.rewriting import replace_by_lexicon
from itt_jax.perturb.scrambling import contents, drawn_words, spelled
from itt_jax.perturb.tables import look_up
from itt_jax.perturb.units import Document
from itt_jax.ragged import ragged_positions

# Zeroe's levels low, mid and high: the share of words edited.
ZEROE_LEVELS = (0.2, 0.5, 0.8)
# Zeroe's operator -> our operator, and the differences. In addition, Zeroe draws words until the requested share has
# changed, whereas each eligible word is drawn independently here, which meets the share on average.
ZEROE_OPERATORS = {
    "visual": ("homoglyph", "Zeroe: the 20 nearest glyph images in Unicode; here: listed look-alikes"),
    "phonetic": ("phonetic", "Zeroe: a sound model for English words; here: letter groups, which severity counts"),
    "intruder": ("intruder", "Zeroe: the level applies to words and to their gaps; here: to all gaps"),
    "disemvowel": ("vowels", "Zeroe: a e i o u; here: also vowels with marks and of other alphabets"),
    "keyboard-typo": ("keyboard", "Zeroe: one letter per drawn word; here: severity is the share of letters"),
    "natural-typo": ("natural", "same, given the same list of human errors"),
    "truncate": ("truncate", "same, except that words with numbers are skipped"),
    "segmentation": ("word_join", "Zeroe: any two tokens; here: words separated by a space"),
    "inner-shuffle": ("inner_shuffle", "same, except that words with numbers are skipped and signs inside words stay"),
    "full-shuffle": ("full_shuffle", "same, except that words with numbers are skipped and signs inside words stay"),
}

# MulTypo's default weights of the kinds of typo.
DELETE, INSERT, REPLACE, TRANSPOSE = range(4)
TYPO_WEIGHTS = np.array([28, 15, 28, 28])


def phonetic(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces letters and groups of letters by others that sound alike."""
    return replace_by_sound(document, noise, severity)


def natural(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces words by misspellings that people have made, taken from a list.

    No list is included, because those collected by Belinkov and Bisk have no licence.
    """
    assert document.lexicon is not None  # as for every operator without a table (`engine.check_operator`)
    return replace_by_lexicon(document, noise, severity, document.lexicon)


@dataclasses.dataclass(frozen=True)
class Typos:
    """One typo for each of K words.

    Attributes:
        kind: int64 [K] DELETE, INSERT, REPLACE or TRANSPOSE.
        place: int64 [K] the cluster.
    """

    kind: np.ndarray
    place: np.ndarray

    def of(self, kind: int) -> np.ndarray:
        """bool [K]: whether each typo is of this kind."""
        return self.kind == kind


def possible_typos(document: Document) -> np.ndarray:
    """bool [4, G]: whether a typo of each kind is possible at a cluster; it never is at a word's first."""
    first, _ = document.words
    inside = document.in_word.copy()
    inside[first] = False
    on_keyboard = look_up(choices("keyboards", document.language).entry, document.bases) >= 0
    content = contents(document)
    unlike = np.append(content[1:] != content[:-1], False)[: len(content)]
    return np.stack([inside, inside & on_keyboard, inside & on_keyboard, document.linked(inside) & unlike])


def place_weights(first: np.ndarray, stop: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """int64 [M]: relative probability of a typo at each of M clusters, given the bounds of their words.

    It rises linearly from 100 at the second cluster of a word to 200 at the last, as in MulTypo. Integer arithmetic
    keeps the draws identical on every machine.
    """
    index, count = clusters - first - 1, stop - first - 2
    return 100 + 100 * index // np.maximum(count, 1)


def drawn_typos(document: Document, possible: np.ndarray, words: tuple[np.ndarray, ...]) -> Typos:
    """Draws a kind for each word by TYPO_WEIGHTS, among the kinds possible in it, and a place.

    Args:
        possible: bool [4, G] from `possible_typos`.
        words: first cluster (int64 [K]), cluster after the last (int64 [K]) and draw 0 (uint64 [K]) of each word.
    """
    first, stop, draws = words
    sizes = stop - first
    members = ragged_positions(first, sizes)
    weights = place_weights(np.repeat(first, sizes), np.repeat(stop, sizes), members) * possible[:, members]
    ends = np.append(np.zeros((4, 1), np.int64), np.cumsum(weights, axis=1), axis=1)
    begin, end = np.cumsum(sizes) - sizes, np.cumsum(sizes)
    total = ends[:, end] - ends[:, begin]  # [4, K]
    kinds = np.cumsum(TYPO_WEIGHTS[:, None] * (total > 0), axis=0)
    kind = (below(later_draws(draws, 1), kinds[-1]) >= kinds).sum(axis=0)
    place = np.zeros(len(first), np.int64)
    for number in range(4):
        own = np.flatnonzero(kind == number)
        target = ends[number, begin[own]] + below(later_draws(draws[own], 2), total[number, own])
        place[own] = members[np.searchsorted(ends[number], target, "right") - 1]
    return Typos(kind, place)


def mixed(document: Document, noise: Noise, severity: float) -> Edits:
    """Makes one typo per word: deletes, inserts or swaps letters, or replaces one by its keyboard neighbour."""
    possible = possible_typos(document)
    first, stop = document.words
    befallen = np.append(0, np.cumsum(possible.any(axis=0)))
    eligible = spelled(document, 2) & (befallen[stop] > befallen[first])
    words = drawn_words(document, noise, severity, eligible)
    typos = drawn_typos(document, possible, words)
    transposed = typos.of(TRANSPOSE)
    start, middle = document.starts[typos.place], document.starts[typos.place + 1]
    stop = document.starts[typos.place + 1 + transposed]
    letters = neighbours(document, typos, later_draws(words[2], 3))
    left, right = np.where(transposed, middle, start), np.where(transposed, stop, middle)
    left = np.where(typos.of(REPLACE), start + 1, left)
    left = np.where(typos.of(DELETE), right, left)
    parts = np.stack([left, right, start, np.where(transposed, middle, start)], axis=1).reshape(-1, 2, 2)
    behind = np.where(typos.of(INSERT), middle - start, 0)
    edits = pieces(document.text, start, stop, parts, 1 + transposed.astype(np.int64), letters, behind)
    replaced = np.flatnonzero(typos.of(REPLACE))
    edits.sources[(np.cumsum(edits.lengths) - edits.lengths)[replaced]] = start[replaced]
    return edits


def neighbours(document: Document, typos: Typos, draws: np.ndarray) -> np.ndarray:
    """uint32 [K]: a keyboard neighbour of the typo's letter, for insertions and replacements; 0 for other kinds."""
    table = choices("keyboards", document.language)
    letters = np.zeros(len(draws), np.uint32)
    wanted = typos.of(INSERT) | typos.of(REPLACE)
    row = table.entry[document.bases[typos.place[wanted]]]
    option = table.first[row] + below(draws[wanted], table.count[row])
    letters[wanted] = table.codepoints[table.option_offsets[option]]
    return letters


OPERATORS = (
    Operator(
        "phonetic",
        phonetic,
        "misspelling",
        "share of letter groups replaced; eligible: groups in phonetic.json, matched left to right, longest first",
        ZEROE + "; Li et al. 2019, TextBugger (arXiv 1812.05271), sub-c; tables made for this project",
        scripts="the script of the language",
        languages=shipped_languages("phonetic"),
    ),
    Operator(
        "natural",
        natural,
        "misspelling",
        "share of words misspelled; eligible: words in the lexicon",
        "Belinkov and Bisk 2018 (arXiv 1711.02173), natural noise; " + ZEROE,
        languages=frozenset(),
        lexicon="a word and its misspellings",
    ),
    Operator(
        "mixed",
        mixed,
        "misspelling",
        "share of words with one typo, never at the first cluster; eligible: words of at least two clusters without "
        "numbers",
        "Liu et al. 2025, MulTypo (arXiv 2510.09536), with its weights of kinds and places; here all adjacent keys are "
        "equally likely, letters of the same hand are swapped too, and letters are never swapped with spaces",
        scripts="the script of the language's keyboard",
        languages=frozenset(keyboard_layouts()),
    ),
)
