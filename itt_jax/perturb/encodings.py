"""Operators that encode the same text with different codepoints."""

import dataclasses
import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import chosen, chosen_letters, draw_letters, exchanged, pairs, replace_by_table
from itt_jax.perturb.codepoints import LETTER, MARK
from itt_jax.perturb.edits import Edits, inserted, replaced
from itt_jax.perturb.noise import Noise, below, later_draws
from itt_jax.perturb.normalization import class_of, may_change, normalized, table
from itt_jax.perturb.operator import BAD_CHARACTERS, LETTER_SCRIPTS, Operator
from itt_jax.perturb.rewriting import added, rewritten, strings
from itt_jax.perturb.text import decoded
from itt_jax.perturb.units import Document

# An isolate, which keeps the surrounding text in order, and inside it a direction override: the opening controls for
# left-to-right and for right-to-left text, and the closing controls.
OPENED = tables.codepoints_of("\u2066\u202e\u2067\u202d").reshape(2, 2)
CLOSED = tables.codepoints_of("\u202c\u2069")
BACKSPACE = "\b"
LEFT_TO_RIGHT, RIGHT_TO_LEFT, OTHER, APART = 1, 2, 5, 2  # values of "directions" in normalization.json
ANNEX_15 = "Unicode Standard Annex 15, normalization forms"


@functools.cache
def directions() -> np.ndarray:
    """uint8 [0x110000]: LEFT_TO_RIGHT or RIGHT_TO_LEFT, plus APART for letters that do not join; OTHER; 0 for none."""
    return tables.by_codepoint(table()["directions"])


def text_directions(document: Document) -> np.ndarray:
    """int64 [n]: a text's direction if all its directional characters agree, 0 otherwise."""
    text = document.text
    found = tables.look_up(directions(), text.values)

    def holds(members: np.ndarray) -> np.ndarray:
        """bool [n]: whether a text has any of these characters."""
        counts = np.append(0, np.cumsum(members))[text.offsets]
        return counts[1:] > counts[:-1]

    left = holds((found == LEFT_TO_RIGHT) | (found == LEFT_TO_RIGHT + APART))
    right = holds((found == RIGHT_TO_LEFT) | (found == RIGHT_TO_LEFT + APART))
    mixed = holds(found == OTHER) | (left == right)
    return np.where(mixed, 0, np.where(left, LEFT_TO_RIGHT, RIGHT_TO_LEFT))


def bidi(document: Document, noise: Noise, severity: float) -> Edits:
    """Stores adjacent letters in reverse order, inside bidirectional controls that display them in the correct order.

    In left-to-right text, LRI RLO b a PDF PDI displays as ab; in right-to-left text, RLI LRO b a PDF PDI does. Texts of
    mixed direction are skipped, because their display would depend on the context, as are texts that already contain
    such controls, joining letters (Arabic) and letters that form conjuncts (Devanagari).
    """
    own = np.repeat(text_directions(document), np.diff(document.text_clusters))
    alone = (tables.look_up(directions(), document.bases) == own + APART) & one_base(document) & (own > 0)
    edits = exchanged(document, pairs(document, noise, severity, document.in_word & alone))
    which = own[np.searchsorted(document.starts, edits.start)] - 1
    return framed(edits, OPENED[which], np.broadcast_to(CLOSED, (len(which), 2)))


def one_base(document: Document) -> np.ndarray:
    """bool [G]: clusters of one codepoint and nonspacing marks, which display after it (rule L3 of UAX 9)."""
    no_mark = (tables.look_up(tables.property_of("flags"), document.codepoints) & MARK) == 0
    return np.diff(np.append(0, np.cumsum(no_mark))[document.starts]) == 1


def framed(edits: Edits, before: np.ndarray, after: np.ndarray) -> Edits:
    """Swaps with two new codepoints written before each (uint32 [K, 2]) and two after it."""
    lengths = edits.lengths + 4
    ends = np.cumsum(lengths)
    places = np.stack([ends - lengths, ends - lengths + 1, ends - 2, ends - 1], axis=1)
    new = np.zeros(int(lengths.sum()), bool)
    new[places] = True
    sources = np.full(len(new), -1, np.int64)
    sources[~new] = edits.sources
    codepoints = np.empty(len(new), np.uint32)
    codepoints[~new] = edits.codepoints
    codepoints[places] = np.concatenate([before, after], axis=1)
    return Edits(edits.start, edits.stop, lengths, sources, codepoints, np.full_like(lengths, 5))


def deletion(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts a letter of the same script and a backspace control (U+0008) after characters.

    A terminal shows the clean text; software that ignores the control shows the extra letter, like `insert`.
    """
    before = chosen_letters(document, noise, severity)
    letters = decoded(draw_letters(document, noise, before))
    return added(document, before, [letter + BACKSPACE for letter in letters], True)


def marks(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds a combining mark that has no precomposed form to letters (light "Zalgo" text)."""
    under = chosen(document, noise, severity, document.in_word & ((document.flags & LETTER) > 0))
    found = tables.codepoints_of(table()["lone_marks"])
    new = found[below(later_draws(noise.clusters[under], 1), len(found))]
    after = np.ones(len(under), bool)
    return inserted(document.text, document.starts[under], document.starts[under + 1], new, after)


@functools.cache
def options(name: str) -> tables.Choices:
    """The table `name` in normalization.json: letter -> candidate strings."""
    found = table()[name]
    return tables.Choices(found if name == "accents" else {letter: [whole] for letter, whole in found.items()})


def diacritics_add(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds diacritics that the letters take in some orthography of their script (e as é, o as ö, и as й)."""
    return replace_by_table(document, noise, severity, options("accents"))


def normalize(document: Document, noise: Noise, severity: float, form: str) -> Edits:
    """Normalizes clusters individually; clusters already in the normal form are not eligible."""
    text = document.text
    classes = tables.look_up(class_of(), text.values)
    change = tables.look_up(may_change(form), text.values)
    change[1:] |= (classes[:-1] > classes[1:]) & (classes[1:] > 0)
    touched = np.zeros(len(document.bases), bool)
    touched[np.searchsorted(document.starts, np.flatnonzero(change), "right") - 1] = True
    clusters = chosen(document, noise, severity, touched & document.allowed)
    old = strings(document, clusters, clusters + 1)
    return rewritten(document, clusters, clusters + 1, [normalized(cluster, form) for cluster in old])


def normalize_nfd(document: Document, noise: Noise, severity: float) -> Edits:
    """Decomposes characters into letters and marks, and Hangul syllables into jamo (NFD)."""
    return normalize(document, noise, severity, "NFD")


def normalize_nfc(document: Document, noise: Noise, severity: float) -> Edits:
    """Composes letters with their marks, and jamo into Hangul syllables (NFC)."""
    return normalize(document, noise, severity, "NFC")


def normalize_nfkc(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces compatibility characters (full width, ligatures, ², ½, Thai am, ...) by their equivalents (NFKC)."""
    return normalize(document, noise, severity, "NFKC")


@functools.cache
def full_widths() -> np.ndarray:
    """uint32 [0x110000]: ASCII letters and digits -> their full-width forms; 0 elsewhere."""
    found = table()["full_width"]
    return tables.dense("".join(found), "".join(found.values()))


def full_width(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes ASCII letters and digits in full-width form, as East Asian input methods do."""
    wide = tables.look_up(full_widths(), document.bases)
    clusters = chosen(document, noise, severity, document.in_word & (wide > 0))
    return replaced(document.starts[clusters], wide[clusters])


def half_width(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Katakana in half-width form, followed by any voicing mark (カ as ｶ, ガ as ｶﾞ)."""
    edits = replace_by_table(document, noise, severity, options("half_width"))
    return dataclasses.replace(edits, cost=np.ones_like(edits.cost))  # the voicing mark belongs to its letter's cluster


def ligatures(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes ff, fi, fl, ffi and ffl as ligature codepoints (ﬀ, ﬁ, ...), as in text extracted from PDF."""
    alone = document.in_word & (np.diff(document.starts) == 1)
    is_f = alone & (document.bases == ord("f"))
    begins = is_f.copy()
    begins[1:] &= ~(is_f & document.joined)[:-1]
    clusters = chosen(document, noise, severity, begins)
    found = table()["ligatures"]
    ends = np.flatnonzero(~(document.joined & alone))  # the last clusters of runs of letters without marks
    end = ends[np.searchsorted(ends, clusters)]
    runs = strings(document, clusters, np.minimum(clusters + 3, end + alone[end]))
    keys = [next((key for key in (run, run[:2]) if key in found), "") for run in runs]
    kept = np.array([bool(key) for key in keys], bool)
    first = clusters[kept]
    stop = first + np.array([len(key) for key in keys if key], np.int64)
    return rewritten(document, first, stop, [found[key] for key in keys if key])


OPERATORS = (
    Operator(
        "bidi",
        bidi,
        "unicode",
        "share of eligible pairs reversed; words are divided into pairs at random, and pairs of different letters in "
        "texts of one direction are eligible",
        BAD_CHARACTERS + ", reorderings; Unicode Standard Annex 9",
        scripts="Latin, Greek, Cyrillic, Armenian, Hebrew, Georgian, Ethiopic, Han, Hiragana, Katakana, Hangul, "
        "Bopomofo, Thai, Lao",
        reversible=True,
    ),
    Operator(
        "deletion",
        deletion,
        "unicode",
        "share of eligible clusters followed by a letter and a backspace; eligible: letters of the scripts listed, and "
        "digits 0-9",
        BAD_CHARACTERS + ", deletions",
        scripts=LETTER_SCRIPTS,
        reversible=True,
    ),
    Operator(
        "marks",
        marks,
        "unicode",
        "edits per eligible cluster; eligible: clusters that begin with a letter",
        "Zalgo text; marks of U+0300-U+0362 above or below the letter that have no precomposed form",
        reversible=True,
    ),
    Operator(
        "diacritics_add",
        diacritics_add,
        "unicode",
        "edits per eligible cluster; eligible: letters with a precomposed form in Latin-1, Latin Extended-A, Greek or "
        "Cyrillic",
        "Eger et al. 2019, VIPER's easy character embedding space (arXiv 1903.11508), using Unicode's compositions",
        scripts="Latin, Greek, Cyrillic",
    ),
    Operator(
        "normalize_nfd",
        normalize_nfd,
        "unicode",
        "share of eligible clusters normalized; eligible: clusters not in NFD",
        ANNEX_15,
        scripts="scripts with precomposed letters: Latin, Greek, Cyrillic, Arabic, Indic scripts, Kana, Hangul",
        reversible=True,
    ),
    Operator(
        "normalize_nfc",
        normalize_nfc,
        "unicode",
        "share of eligible clusters normalized; eligible: clusters not in NFC",
        ANNEX_15,
        scripts="decomposed text, and letters that NFC decomposes (Devanagari and Bengali with nukta)",
    ),
    Operator(
        "normalize_nfkc",
        normalize_nfkc,
        "unicode",
        "share of eligible clusters normalized; eligible: clusters not in NFKC",
        ANNEX_15,
        scripts="text with compatibility characters, including the Thai and Lao am",
    ),
    Operator(
        "full_width",
        full_width,
        "unicode",
        "edits per eligible cluster; eligible: ASCII letters and digits",
        "Unicode Standard Annex 11, East Asian width",
        scripts="Latin",
        reversible=True,
    ),
    Operator(
        "half_width",
        half_width,
        "unicode",
        "share of Katakana characters written in half-width form",
        "Unicode Standard Annex 11, East Asian width",
        scripts="Katakana",
        languages=frozenset({"ja"}),
        reversible=True,
    ),
    Operator(
        "ligatures",
        ligatures,
        "unicode",
        "share of the sequences ff, fi, fl, ffi and ffl replaced",
        "Unicode Standard, section 7.1, Latin ligatures",
        scripts="Latin",
        reversible=True,
    ),
)
