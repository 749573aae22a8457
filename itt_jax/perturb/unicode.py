"""Operators that change the encoding or appearance of characters."""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import choices, chosen, replace_by_table
from itt_jax.perturb.codepoints import LETTER, MARK
from itt_jax.perturb.edits import Edits, inserted, replaced
from itt_jax.perturb.noise import Noise, below, later_draws
from itt_jax.perturb.operator import BAD_CHARACTERS, IN_WORDS, Operator
from itt_jax.perturb.units import Document
from itt_jax.ragged import ragged_positions

# Zero-width space, word joiner, zero-width no-break space: default-ignorable characters which, unlike the zero-width
# joiners, do not affect emoji sequences or the shapes of Arabic and Indic letters.
INVISIBLE = np.array([0x200B, 0x2060, 0xFEFF], np.uint32)
# Scripts whose nonspacing marks are diacritics; in Indic and South East Asian scripts they are vowels.
DIACRITIC_SCRIPTS = ("Latin", "Greek", "Cyrillic", "Arabic", "Hebrew")


def homoglyph(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces letters by look-alikes from other scripts."""
    return replace_by_table(document, noise, severity, choices("homoglyphs"))


def ocr(document: Document, noise: Noise, severity: float) -> Edits:
    """Simulates OCR errors: replaces letters and digits by one or two similar-looking characters."""
    return replace_by_table(document, noise, severity, choices("ocr"))


def invisible(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts a zero-width character after characters of words."""
    before = chosen(document, noise, severity, document.in_word)
    new = INVISIBLE[below(later_draws(noise.clusters[before], 1), len(INVISIBLE))]
    after = np.ones(len(before), bool)
    return inserted(document.text, document.starts[before], document.starts[before + 1], new, after)


@functools.cache
def diacritic_scripts() -> np.ndarray:
    """bool [scripts]: whether each script number belongs to DIACRITIC_SCRIPTS."""
    found = np.zeros(len(tables.unicode_table()["script_names"]) + 1, bool)
    found[[tables.script_number(name) for name in DIACRITIC_SCRIPTS]] = True
    return found


def diacritics(document: Document, noise: Noise, severity: float) -> Edits:
    """Removes diacritics from letters: NFD, minus nonspacing marks, then NFC."""
    text, bare = document.text, tables.mapping("without_marks")
    is_mark = (tables.look_up(tables.property_of("flags"), text.values) & MARK) > 0
    marked = tables.look_up(bare, document.bases) > 0
    marks = np.flatnonzero(is_mark)
    marked[np.searchsorted(document.starts, marks, "right") - 1] = True
    scripts = tables.look_up(tables.property_of("scripts"), document.bases)
    marked &= tables.look_up(diacritic_scripts(), scripts) & ((document.flags & LETTER) > 0)
    clusters = chosen(document, noise, severity, marked & document.in_word)
    start, stop = document.starts[clusters], document.starts[clusters + 1]
    inside = ragged_positions(start, stop - start)
    kept = inside[~is_mark[inside]]
    plain = bare[text.values[kept]]
    counts = np.append(0, np.cumsum(~is_mark[inside]))
    ends = np.cumsum(stop - start)
    lengths = np.diff(np.append(0, counts[ends]))
    codepoints = np.where(plain > 0, plain, text.values[kept])
    return Edits(start, stop, lengths, kept, codepoints, np.ones_like(clusters))


def case(document: Document, noise: Noise, severity: float) -> Edits:
    """Flips the case of letters."""
    bases = document.bases
    upper, lower = (tables.look_up(tables.mapping("lower_upper", inverse), bases) for inverse in (False, True))
    if document.language in ("tr", "az"):
        upper = np.where(bases == ord("i"), ord("İ"), np.where(bases == ord("ı"), ord("I"), upper))
        lower = np.where(bases == ord("I"), ord("ı"), np.where(bases == ord("İ"), ord("i"), lower))
    other = np.where(upper > 0, upper, lower)
    clusters = chosen(document, noise, severity, document.in_word & (other > 0))
    return replaced(document.starts[clusters], other[clusters].astype(np.uint32))


OPERATORS = (
    Operator(
        "ocr",
        ocr,
        "character",
        "share of eligible clusters misread; eligible: letters and digits in ocr.json",
        "Ma 2019, nlpaug's OcrAug (the idea; the table was made for this project)",
        scripts="Latin, Greek, Cyrillic, Arabic, Hebrew, Devanagari, Bengali, Thai, Hiragana, Katakana, Han",
    ),
    Operator(
        "homoglyph",
        homoglyph,
        "unicode",
        "edits per eligible cluster; eligible: letters in homoglyphs.json",
        BAD_CHARACTERS + "; Unicode Technical Standard 39",
        scripts="Latin, Greek, Cyrillic, Armenian, Georgian",
        reversible=True,
    ),
    Operator(
        "invisible",
        invisible,
        "unicode",
        f"edits per eligible cluster; eligible: {IN_WORDS}",
        BAD_CHARACTERS,
        reversible=True,
    ),
    Operator(
        "diacritics",
        diacritics,
        "unicode",
        "edits per eligible cluster; eligible: letters with diacritics",
        "BERT's accent stripping (arXiv 1810.04805), applied to some letters",
        scripts=", ".join(DIACRITIC_SCRIPTS),
    ),
    Operator(
        "case",
        case,
        "unicode",
        "edits per eligible cluster; eligible: letters with a one-to-one case mapping",
        "NL-Augmenter (arXiv 2112.02721), random upper case",
        scripts="Latin, Greek, Cyrillic, Armenian and other scripts with case",
    ),
)
