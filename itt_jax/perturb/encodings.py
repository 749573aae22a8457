"""Operators that write the same text with other codepoints: each is (document, noise, severity) -> Edits."""

import dataclasses
import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import chosen, chosen_letters, draw_letters, exchanged, pairs, replace_by_table
from itt_jax.perturb.codepoints import LETTER, MARK
from itt_jax.perturb.edits import Edits, inserted, replaced
from itt_jax.perturb.noise import Noise, below, later_draws
from itt_jax.perturb.normalization import class_of, may_change, normalized, table
from itt_jax.perturb.operator import BAD_CHARACTERS, IN_WORDS, LETTER_SCRIPTS, Operator
from itt_jax.perturb.rewriting import added, rewritten, strings
from itt_jax.perturb.units import Document

# An isolate, so that nothing around it is ordered anew, and in it an override of the direction: what opens them and
# what closes them, in text from left to right and in text from right to left.
OPENED = tables.codepoints_of("\u2066\u202e\u2067\u202d").reshape(2, 2)
CLOSED = tables.codepoints_of("\u202c\u2069")
BACKSPACE = "\b"
LEFT_TO_RIGHT, RIGHT_TO_LEFT, OTHER, APART = 1, 2, 5, 2  # of normalization.json's "directions"
ANNEX_15 = "Unicode Standard Annex 15, normalization forms"


@functools.cache
def directions() -> np.ndarray:
    """uint8 [0x110000]: LEFT_TO_RIGHT or RIGHT_TO_LEFT, + APART for letters that do not join; OTHER; 0 for none."""
    return tables.by_codepoint(table()["directions"])


def text_directions(document: Document) -> np.ndarray:
    """int64 [n]: the direction of texts all of whose characters with a direction have the same, 0 of the others."""
    text = document.text
    found = tables.look_up(directions(), text.values)

    def holds(members: np.ndarray) -> np.ndarray:
        counts = np.append(0, np.cumsum(members))[text.offsets]
        return counts[1:] > counts[:-1]

    left = holds((found == LEFT_TO_RIGHT) | (found == LEFT_TO_RIGHT + APART))
    right = holds((found == RIGHT_TO_LEFT) | (found == RIGHT_TO_LEFT + APART))
    mixed = holds(found == OTHER) | (left == right)
    return np.where(mixed, 0, np.where(left, LEFT_TO_RIGHT, RIGHT_TO_LEFT))


def bidi(document: Document, noise: Noise, severity: float) -> Edits:
    """Encodes neighbouring letters in the other order, with controls that display them in the right one.

    Left to right: LRI RLO b a PDF PDI is displayed as ab; right to left: RLI LRO b a PDF PDI. Texts in which
    directions meet are left alone, for what is displayed would hang on what stands around; so are texts with such
    controls in them, letters that join (Arabic) and those that form conjuncts (Devanagari).
    """
    own = np.repeat(text_directions(document), np.diff(document.text_clusters))
    alone = (tables.look_up(directions(), document.bases) == own + APART) & one_base(document) & (own > 0)
    edits = exchanged(document, pairs(document, noise, severity, document.in_word & alone))
    which = own[np.searchsorted(document.starts, edits.start)] - 1
    return framed(edits, OPENED[which], np.broadcast_to(CLOSED, (len(which), 2)))


def one_base(document: Document) -> np.ndarray:
    """bool [G]: clusters of one codepoint and nonspacing marks, which follow it in display too (rule L3 of UAX 9)."""
    no_mark = (tables.look_up(tables.property_of("flags"), document.codepoints) & MARK) == 0
    return np.diff(np.append(0, np.cumsum(no_mark))[document.starts]) == 1


def framed(edits: Edits, before: np.ndarray, after: np.ndarray) -> Edits:
    """The edits of pairs, with two new codepoints before each (uint32 [K, 2]) and two after it."""
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
    """Puts a letter of the script and a backspace control (U+0008) behind clusters.

    A terminal shows the clean text; where the control is not acted on, one letter too many is seen, as of `insert`.
    """
    before = chosen_letters(document, noise, severity)
    letters = draw_letters(document, noise, before).tobytes().decode("utf-32-le")
    return added(document, before, [letter + BACKSPACE for letter in letters], True)


def marks(document: Document, noise: Noise, severity: float) -> Edits:
    """Puts a combining mark on letters, one that Unicode composes with no letter ("Zalgo" text, lightly)."""
    under = chosen(document, noise, severity, document.in_word & ((document.flags & LETTER) > 0))
    found = tables.codepoints_of(table()["lone_marks"])
    new = found[below(later_draws(noise.clusters[under], 1), len(found))]
    after = np.ones(len(under), bool)
    return inserted(document.text, document.starts[under], document.starts[under + 1], new, after)


@functools.cache
def options(name: str) -> tables.Choices:
    """The table of that name in normalization.json, letter -> strings to choose from."""
    found = table()[name]
    return tables.Choices(found if name == "accents" else {letter: [whole] for letter, whole in found.items()})


def diacritics_add(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes letters with a diacritic that they take in some orthography of their script (e as é, o as ö, и as й)."""
    return replace_by_table(document, noise, severity, options("accents"))


def normalize(document: Document, noise: Noise, severity: float, form: str) -> Edits:
    """Clusters in a normal form, each by itself; those that are in it already are not eligible."""
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
    """Takes clusters apart into letters and marks, Hangul syllables into jamo (NFD)."""
    return normalize(document, noise, severity, "NFD")


def normalize_nfc(document: Document, noise: Noise, severity: float) -> Edits:
    """Composes clusters of letters and marks, Hangul syllables of jamo (NFC)."""
    return normalize(document, noise, severity, "NFC")


def normalize_nfkc(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes compatibility characters (full width, ligatures, ², ½, Thai am, ...) as what they stand for (NFKC)."""
    return normalize(document, noise, severity, "NFKC")


@functools.cache
def full_widths() -> np.ndarray:
    """uint32 [0x110000]: ASCII letters and digits -> full-width ones, 0 elsewhere."""
    found = table()["full_width"]
    return tables.dense("".join(found), "".join(found.values()))


def full_width(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes ASCII letters and digits full-width, as East Asian input methods do."""
    wide = tables.look_up(full_widths(), document.bases)
    clusters = chosen(document, noise, severity, document.in_word & (wide > 0))
    return replaced(document.starts[clusters], wide[clusters])


def half_width(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Katakana half-width, with the voicing marks behind (カ as ｶ, ガ as ｶﾞ)."""
    edits = replace_by_table(document, noise, severity, options("half_width"))
    return dataclasses.replace(edits, cost=np.ones_like(edits.cost))  # the mark joins its letter's cluster


def ligatures(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes ff, fi, fl, ffi and ffl as one codepoint (ﬀ, ﬁ, ...), as text drawn from PDF has."""
    alone = document.in_word & (np.diff(document.starts) == 1)
    is_f = alone & (document.bases == ord("f"))
    begins = is_f.copy()
    begins[1:] &= ~(is_f & document.joined)[:-1]
    clusters = chosen(document, noise, severity, begins)
    found = table()["ligatures"]
    ends = np.flatnonzero(~(document.joined & alone))  # where a run of letters without marks ends
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
        "share of the pairs of unlike neighbouring letters encoded in the other order; a draw cuts words into pairs; "
        "eligible: texts of one direction",
        BAD_CHARACTERS + ", reorderings; Unicode Standard Annex 9",
        scripts="Latin, Greek, Cyrillic, Armenian, Hebrew, Georgian, Ethiopic, Han, Hiragana, Katakana, Hangul, "
        "Bopomofo, Thai, Lao",
        reversible=True,
    ),
    Operator(
        "deletion",
        deletion,
        "unicode",
        "share of eligible clusters followed by a letter and a backspace; eligible: letters of the scripts named, "
        "digits 0-9",
        BAD_CHARACTERS + ", deletions",
        scripts=LETTER_SCRIPTS,
        reversible=True,
    ),
    Operator(
        "marks",
        marks,
        "unicode",
        "edits per cluster; eligible: clusters that begin with a letter",
        "Zalgo text; the marks of U+0300-U+0362 above or below that compose with no letter",
        reversible=True,
    ),
    Operator(
        "diacritics_add",
        diacritics_add,
        "unicode",
        "edits per cluster; eligible: letters with a precomposed form in Latin-1, Latin Extended-A, Greek or Cyrillic",
        "Eger et al. 2019, VIPER's easy character embedding space (arXiv 1903.11508), the idea; Unicode's compositions",
        scripts="Latin, Greek, Cyrillic",
    ),
    Operator(
        "normalize_nfd",
        normalize_nfd,
        "unicode",
        "share of the clusters that are not in NFD",
        ANNEX_15,
        scripts="those with precomposed letters: Latin, Greek, Cyrillic, Arabic, Indic scripts, Kana, Hangul",
        reversible=True,
    ),
    Operator(
        "normalize_nfc",
        normalize_nfc,
        "unicode",
        "share of the clusters that are not in NFC",
        ANNEX_15,
        scripts="where text is decomposed or has letters that NFC takes apart (Devanagari and Bengali with nukta)",
    ),
    Operator(
        "normalize_nfkc",
        normalize_nfkc,
        "unicode",
        "share of the clusters that are not in NFKC",
        ANNEX_15,
        scripts="where text has compatibility characters; every Thai or Lao am",
    ),
    Operator(
        "full_width",
        full_width,
        "unicode",
        f"edits per cluster; eligible: ASCII letters and digits among {IN_WORDS}",
        "Unicode Standard Annex 11, East Asian width",
        scripts="Latin",
        reversible=True,
    ),
    Operator(
        "half_width",
        half_width,
        "unicode",
        "share of the Katakana written half-width",
        "Unicode Standard Annex 11, East Asian width",
        scripts="Katakana",
        languages=frozenset({"ja"}),
        reversible=True,
    ),
    Operator(
        "ligatures",
        ligatures,
        "unicode",
        "share of ff, fi, fl, ffi, ffl in words",
        "Unicode Standard, chapter 7.1, Latin ligatures",
        scripts="Latin",
        reversible=True,
    ),
)
