"""Operators that spell words in another script, by the standards named in tables/transliteration.json.

The table marks the standards that are reversible, up to NFC: ISO 9 (Cyrillic), ISO 843 (Greek), ISO 15919 (Indic
scripts, except Malayalam chillu letters) and Hübschmann and Meillet (Armenian). Not reversible are the Georgian
national system (ts is ც or თს), Hepburn for Kana (ji is じ or ぢ), Revised Romanization for Hangul (t is any of seven
finals), and ISO 259 for Hebrew and ISO 233 for Arabic, which omit vowel signs and merge final forms.
"""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import LETTER, MARK
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.noise import Noise, under
from itt_jax.perturb.normalization import SYLLABLE, SYLLABLES, TAILS, VOWELS, normalized
from itt_jax.perturb.operator import Operator
from itt_jax.perturb.rewriting import rewritten, strings
from itt_jax.perturb.scripts import TO_KATAKANA, languages_of, rules
from itt_jax.perturb.units import Document

TATWEEL = "\u0640"
SOKUON, LONG, SYLLABIC_N = "っ", "ー", "ん"
MACRONS = dict(zip("aeiou", "āēīōū", strict=True))
CONSONANTS_ONLY = ("Hebrew", "Arabic")


@functools.cache
def table() -> dict:
    """transliteration.json, read once."""
    return tables.read("transliteration")


@functools.cache
def script_names() -> tuple[str, ...]:
    """The scripts with a standard in the table."""
    return (*table()["letters"], "Katakana", *table()["indic"]["scripts"], "Hangul")


@functools.lru_cache(maxsize=1 << 16)
def transliterated(word: str, script: str) -> str:
    """A word of one script in Latin letters, or unchanged if the standard lacks one of its letters."""
    composed = normalized(word, "NFC")
    if script == "Hangul":
        return romanized_hangul(composed)
    if script in table()["indic"]["scripts"]:
        return romanized_indic(composed, table()["indic"]["scripts"][script]) or word
    if script in ("Hiragana", "Katakana"):
        return romanized_kana(composed) or word
    if script in CONSONANTS_ONLY:
        composed = "".join(c for c in composed if c != TATWEEL and not flags_of(c) & MARK)
    return spelled(composed, table()["letters"][script]["spelling"]) or word


def flags_of(character: str) -> int:
    """The flag bits of a character (codepoints.py)."""
    return int(tables.property_of("flags")[ord(character)])


def pieces_of(word: str, known: dict[str, str]) -> list[str] | None:
    """The word cut into keys of one or two characters, longest first, and other signs; None if a letter is unknown."""
    found, place = [], 0
    while place < len(word):
        size = 2 if word[place : place + 2].lower() in known and place + 1 < len(word) else 1
        piece = word[place : place + size]
        if piece.lower() not in known and flags_of(piece) & LETTER:
            return None
        found.append(piece)
        place += size
    return found


def spelled(word: str, known: dict[str, str]) -> str | None:
    """Spells a word by a table of lower-case letters, preserving case; None if a letter is not in the table.

    A capital that becomes several letters keeps one capital (Ψυχή: Psychī), unless it is next to capitals.
    """
    pieces = pieces_of(word, known)
    if pieces is None:
        return None
    result = []
    for index, piece in enumerate(pieces):
        latin = known.get(piece.lower(), piece)
        if piece != piece.lower():
            near = pieces[index + 1] if index + 1 < len(pieces) else pieces[index - 1] if index else ""
            loud = piece.isupper() and (len(piece) > 1 or (near.isupper() and near != near.lower()))
            latin = latin.upper() if loud or len(latin) == 1 else latin[:1].upper() + latin[1:]
        result.append(latin)
    return normalized("".join(result), "NFC")


def romanized_kana(word: str) -> str | None:
    """Hiragana or Katakana in modified Hepburn; None if a letter is unknown.

    Handles doubled consonants, long vowels marked by ー, and n' before a vowel or y.
    """
    known = table()["letters"]["Hiragana"]["spelling"]
    word = "".join(chr(ord(c) - TO_KATAKANA) if "\u30a1" <= c <= "\u30f6" else c for c in word)
    pieces = pieces_of(word, known | {SOKUON: "", LONG: ""})
    if pieces is None:
        return None
    result = ""
    for piece in reversed(pieces):
        latin = known.get(piece, piece)
        if piece == SOKUON:
            latin = "t" if result[:2] == "ch" or not result[:1].isalpha() else result[0]
        elif piece == SYLLABIC_N and result[:1] in (*MACRONS, "y"):
            latin = "n'"
        elif result[:1] == LONG and latin[-1:] in MACRONS:
            latin, result = latin[:-1] + MACRONS[latin[-1]], result[1:]
        result = latin + result
    return result


def romanized_hangul(word: str) -> str:
    """Revised Romanization of each syllable in isolation, ignoring sound changes between syllables."""
    parts, result = table()["hangul"], []
    for character in word:
        index = ord(character) - SYLLABLE
        if 0 <= index < SYLLABLES:
            lead, medial = index // (VOWELS * TAILS), index // TAILS % VOWELS
            result += [parts["leads"][lead], parts["medials"][medial], parts["finals"][index % TAILS]]
        else:
            result.append(character)
    return "".join(result)


def romanized_indic(word: str, signs: dict) -> str | None:
    """An Indic word in ISO 15919; None if a letter is unknown.

    Consonants without a vowel sign or virama get an a; a colon separates letters that would be read as one.
    """
    kinds = ("vowels", "signs", "consonants", "others")
    known = {sign: (kind, latin) for kind in kinds for sign, latin in signs[kind].items()}
    pieces = pieces_of(word, {sign: latin for sign, (_, latin) in known.items()})
    if pieces is None:
        return None
    result, before = "", ""  # before: the kind of the previous sign
    for piece in pieces:
        kind, latin = known.get(piece, ("virama" if piece == signs["virama"] else "", piece))
        if before == "consonants" and kind not in ("signs", "virama"):
            result += "a"
        hiatus = kind == "vowels" and result[-1:] == "a" and latin in ("i", "u")
        if hiatus or (before == "virama" and latin == "h"):
            result += ":"
        if kind != "virama":
            result += latin
        before = kind
    return normalized(result + ("a" if before == "consonants" else ""), "NFC")


def transliterate(document: Document, noise: Noise, severity: float) -> Edits:
    """Romanizes words by the standard of their script (Врач: Vrač, मरीज़: marīza, 약을: yakeul).

    Only some of the standards are reversible; see the head of this file and the table.
    """
    first, stop = document.words
    scripts = tables.look_up(tables.property_of("scripts"), document.bases[first])
    numbers = {tables.script_number(name): name for name in script_names()}
    eligible = np.isin(scripts, list(numbers)) & document.word_allowed
    chosen = np.flatnonzero(under(noise.words, severity) & eligible)
    words = strings(document, first[chosen], stop[chosen])
    new = [transliterated(word, numbers[script]) for word, script in zip(words, scripts[chosen].tolist(), strict=True)]
    return rewritten(document, first[chosen], stop[chosen], new)


@functools.cache
def gaj(to_latin: bool) -> dict[str, str]:
    """Serbian Cyrillic letter -> Gaj's Latin letters, or the reverse."""
    spelling = table()["gaj"]["spelling"]
    return spelling if to_latin else {latin: letter for letter, latin in spelling.items()}


def serbian_alphabet(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Serbian Cyrillic words in Gaj's Latin alphabet (љ: lj) and Latin words in Cyrillic.

    The sequences nj, lj and dž are always read as one letter, although they are two in words such as injekcija.
    """
    first, stop = (ends[under(noise.words, severity) & document.word_allowed] for ends in document.words)
    words = strings(document, first, stop)
    return rewritten(document, first, stop, [spelled(w, gaj(True)) or spelled(w, gaj(False)) or w for w in words])


OPERATORS = (
    Operator(
        "transliterate",
        transliterate,
        "script",
        "share of words romanized; eligible: words of the scripts listed whose letters are all in the standard",
        "ISO 9, ISO 843, ISO 15919, ISO 259, ISO 233, Hübschmann and Meillet 1913, Georgian national system 2002, "
        "modified Hepburn, Revised Romanization of Korean",
        scripts=", ".join(script_names()),
        languages=languages_of(*(name for name in rules()["languages"] if name == "Kana" or name in script_names())),
    ),
    Operator(
        "serbian_alphabet",
        serbian_alphabet,
        "script",
        "share of words rewritten; eligible: words whose letters all belong to one of Serbian's two alphabets",
        "Pravopis srpskoga jezika: the two alphabets of Serbian",
        scripts="Cyrillic, Latin",
        languages=frozenset({"bs", "sh", "sr"}),
    ),
)
