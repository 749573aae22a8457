"""Unicode normalization from a table of fixed version, so that results do not depend on the Python version.

Follows Unicode Standard Annex 15, with Hangul computed arithmetically (The Unicode Standard, section 3.12).
"""

import functools

import numpy as np

from itt_jax.perturb import tables

SYLLABLE, LEAD, VOWEL, TAIL = 0xAC00, 0x1100, 0x1161, 0x11A7  # Hangul; TAIL itself means no final consonant
VOWELS, TAILS, SYLLABLES = 21, 28, 11172


@functools.cache
def table() -> dict:
    """normalization.json, read once."""
    return tables.read("normalization")


@functools.cache
def combining_classes() -> dict[str, int]:
    """Character -> canonical combining class, for nonzero classes."""
    return {character: int(number) for number, found in table()["classes"].items() for character in found}


@functools.cache
def compositions() -> dict[str, str]:
    """Two characters -> the one that NFC composes them into."""
    pairs, composed = table()["compositions"]
    return dict(zip((pairs[i : i + 2] for i in range(0, len(pairs), 2)), composed, strict=True))


@functools.cache
def decompositions(compatibility: bool) -> dict[int, str]:
    """Codepoint -> full decomposition, including Hangul syllables, for str.translate."""
    table_names = ("canonical", "compatibility") if compatibility else ("canonical",)
    found = {ord(c): parts for name in table_names for c, parts in table()[name].items()}
    for index in range(SYLLABLES):
        tail = index % TAILS
        parts = chr(LEAD + index // (VOWELS * TAILS)) + chr(VOWEL + index // TAILS % VOWELS)
        found[SYLLABLE + index] = parts + (chr(TAIL + tail) if tail else "")
    return found


def ordered(text: str) -> str:
    """Sorts the marks behind each base by combining class."""
    classes = combining_classes()
    if not any(c in classes for c in text):
        return text
    result: list[str] = []
    marks: list[str] = []
    for character in text:
        if character in classes:
            marks.append(character)
        else:
            result += [*sorted(marks, key=classes.__getitem__), character]
            marks = []
    return "".join(result + sorted(marks, key=classes.__getitem__))


def pair_composed(first: str, second: str) -> str | None:
    """The character composed of two, or None."""
    lead, vowel, tail = ord(first) - LEAD, ord(second) - VOWEL, ord(second) - TAIL
    if 0 <= lead < SYLLABLES // (VOWELS * TAILS) and 0 <= vowel < VOWELS:
        return chr(SYLLABLE + (lead * VOWELS + vowel) * TAILS)
    syllable = ord(first) - SYLLABLE
    if 0 <= syllable < SYLLABLES and syllable % TAILS == 0 and 0 < tail < TAILS:
        return chr(ord(first) + tail)
    return compositions().get(first + second)


def composed(text: str) -> str:
    """Composes each base of an ordered decomposition with its marks where a composed form exists."""
    classes = combining_classes()
    result: list[str] = []
    base, last = -1, 0  # index of the base in the result, combining class of the last mark after it
    for character in text:
        number = classes.get(character, 0)
        apart = base == len(result) - 1 or 0 < last < number
        whole = pair_composed(result[base], character) if base >= 0 and apart else None
        if whole:
            result[base] = whole
            continue
        result.append(character)
        last = number
        if not number:
            base = len(result) - 1
    return "".join(result)


@functools.lru_cache(maxsize=1 << 16)
def normalized(text: str, form: str) -> str:
    """The text in "NFD", "NFC" or "NFKC"."""
    parts = ordered(text.translate(decompositions(form == "NFKC")))
    return parts if form == "NFD" else composed(parts)


@functools.cache
def may_change(form: str) -> np.ndarray:
    """bool [0x110000]: codepoints of which text not in this form contains at least one, unless marks are unordered."""
    found = np.zeros(tables.CODEPOINTS, bool)
    found[list(decompositions(form == "NFKC"))] = True
    if form != "NFD":
        pairs, whole = table()["compositions"]
        found[[ord(c) for c in whole if form == "NFC" or c not in table()["compatibility"]]] = False
        found[SYLLABLE : SYLLABLE + SYLLABLES] = False
        found[tables.codepoints_of(pairs[1::2])] = True
        found[VOWEL : VOWEL + VOWELS] = True
        found[TAIL + 1 : TAIL + TAILS] = True
    return found


@functools.cache
def class_of() -> np.ndarray:
    """uint8 [0x110000]: canonical combining class."""
    found = np.zeros(tables.CODEPOINTS, np.uint8)
    for number, characters in table()["classes"].items():
        found[tables.codepoints_of(characters)] = int(number)
    return found
