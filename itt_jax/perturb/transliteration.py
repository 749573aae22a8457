"""Words spelled in another script's letters, by the standard that tables/transliteration.json names for each script.

The spelling leads back to the clean word (in NFC) where the table says so: ISO 9 (Cyrillic), ISO 843 (Greek), ISO 15919
(Indic scripts, but for Malayalam's chillu letters), Hübschmann and Meillet (Armenian). It does not for Georgian
(national system: ts is ც or თს), Kana (Hepburn: ji is じ or ぢ), Hangul (Revised Romanization: t is any of seven
finals) and, as vowel signs are left out and final forms not told apart, Hebrew (ISO 259) and Arabic (ISO 233).
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
    """The scripts that have a standard in the table."""
    return (*table()["letters"], "Katakana", *table()["indic"]["scripts"], "Hangul")


@functools.lru_cache(maxsize=1 << 16)
def transliterated(word: str, script: str) -> str:
    """A word of one script in Latin letters; the word itself where it holds a letter that the standard does not."""
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
    """The property flags of a character (units.py)."""
    return int(tables.property_of("flags")[ord(character)])


def pieces_of(word: str, known: dict[str, str]) -> list[str] | None:
    """The word cut into the longest keys of one or two characters, and others; None if a letter is not known."""
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
    """A word by a table of small letters, capitals kept; None if it holds a letter that is not in the table.

    A capital that becomes several letters is written with one capital (Ψυχή: Psychī) unless it stands among capitals.
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
    """Hiragana or Katakana in modified Hepburn: doubled consonants, long vowels by ー, n' before a vowel or y.

    None if a letter is not known.
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
    """Each syllable by itself in the Revised Romanization, without the changes of sound between syllables."""
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
    """ISO 15919: a consonant without a vowel sign or virama has an a; a colon parts what would read as one letter.

    None if a letter is not known.
    """
    kinds = ("vowels", "signs", "consonants", "others")
    known = {sign: (kind, latin) for kind in kinds for sign, latin in signs[kind].items()}
    pieces = pieces_of(word, {sign: latin for sign, (_, latin) in known.items()})
    if pieces is None:
        return None
    result, before = "", ""  # before: the kind of the last sign
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
    """Spells words in Latin letters, by the standard of their script (Врач: Vrač, मरीज़: marīza, 약을: yakeul).

    Not reversible as a whole; which standards lead back is said at the head of this file and in the table.
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
    """Serbian Cyrillic -> Gaj's Latin letters, or the other way."""
    spelling = table()["gaj"]["spelling"]
    return spelling if to_latin else {latin: letter for letter, latin in spelling.items()}


def serbian_alphabet(document: Document, noise: Noise, severity: float) -> Edits:
    """Spells Cyrillic words in Gaj's Latin alphabet (љ: lj) and words of its letters in Serbian Cyrillic.

    Where n and j, l and j or d and ž are letters of two parts of a word (injekcija), they are read as one letter.
    """
    first, stop = (ends[under(noise.words, severity) & document.word_allowed] for ends in document.words)
    words = strings(document, first, stop)
    return rewritten(document, first, stop, [spelled(w, gaj(True)) or spelled(w, gaj(False)) or w for w in words])


OPERATORS = (
    Operator(
        "transliterate",
        transliterate,
        "script",
        "share of the words of the scripts named; eligible: words all of whose letters the standard has",
        "ISO 9, ISO 843, ISO 15919, ISO 259, ISO 233, Hübschmann and Meillet 1913, Georgian national system 2002, "
        "modified Hepburn, Revised Romanization of Korean",
        scripts=", ".join(script_names()),
        languages=languages_of(*(name for name in rules()["languages"] if name == "Kana" or name in script_names())),
    ),
    Operator(
        "serbian_alphabet",
        serbian_alphabet,
        "script",
        "share of the words all of whose letters are in one of Serbian's two alphabets",
        "Pravopis srpskoga jezika: the two alphabets of Serbian",
        scripts="Cyrillic, Latin",
        languages=frozenset({"bs", "sh", "sr"}),
    ),
)
