"""Operators on what is particular to a script: each is one function (document, noise, severity) -> Edits.

They follow what people and software do with these letters, not chance. Arabic vowel signs are not added by any of
them: which ones a word takes hangs on its grammar, and signs at random would be errors of another kind.
"""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.characters import chosen
from itt_jax.perturb.codepoints import HIRAGANA, KATAKANA, LETTER, NUMBER, word_groups
from itt_jax.perturb.edits import Edits, inserted, replaced
from itt_jax.perturb.noise import Noise, under
from itt_jax.perturb.normalization import table
from itt_jax.perturb.operator import Operator
from itt_jax.perturb.rewriting import rewritten, strings
from itt_jax.perturb.units import Document

TATWEEL, NUKTA, CHANDRABINDU, ANUSVARA = 0x0640, 0x093C, 0x0901, 0x0902
NON_JOINER = 0x200C
# Shape of an Arabic letter -> whether it joins to the letter before and to the one after.
SHAPES = {"isolated": (False, False), "final": (True, False), "initial": (False, True), "medial": (True, True)}
LAM, ALEFS = 0x0644, "آأإا"  # written as one shape
NUKTA_LETTERS = {0x0958 + i: base for i, base in enumerate("कखगजडढफय")}  # precomposed
TO_KATAKANA = 0x30A1 - 0x3041
OPENCC = "OpenCC's tables of characters; NL-Augmenter (arXiv 2112.02721), Chinese simplified-traditional perturbation"


@functools.cache
def rules() -> dict:
    """scripts.json, read once."""
    return tables.read("scripts")


def languages_of(*names: str) -> frozenset[str]:
    """The languages that scripts.json lists for some scripts, or for an operator."""
    return frozenset(language for name in names for language in rules()["languages"][name].split())


@functools.cache
def letters(name: str) -> np.ndarray:
    """uint32 [0x110000]: letter -> letter by a table of scripts.json or chinese.json, 0 elsewhere."""
    if name in ("traditional", "simplified"):
        return tables.dense(*tables.read("chinese")[name])
    found = rules()[name]
    return tables.dense("".join(found), "".join(found.values()))


def replace_letters(document: Document, noise: Noise, severity: float, name: str) -> Edits:
    """Puts the letter of a table in the place of another; the marks of its cluster stay."""
    other = tables.look_up(letters(name), document.bases)
    clusters = chosen(document, noise, severity, document.in_word & (other > 0))
    return replaced(document.starts[clusters], other[clusters])


def traditional(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes simplified Chinese characters as traditional ones, where a character has one counterpart only."""
    return replace_letters(document, noise, severity, "traditional")


def simplified(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes traditional Chinese characters as simplified ones, where a character has one counterpart only."""
    return replace_letters(document, noise, severity, "simplified")


def dotted_i(document: Document, noise: Noise, severity: float) -> Edits:
    """Exchanges the Turkic letters i and ı, İ and I."""
    return replace_letters(document, noise, severity, "dotted_i")


def arabic_yeh_kaf(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes the Persian letters ی and ک with the codepoints of Arabic ي and ك."""
    return replace_letters(document, noise, severity, "arabic_yeh_kaf")


def romanian_cedilla(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Romanian ș and ț with a cedilla (ş, ţ) in the place of the comma."""
    return replace_letters(document, noise, severity, "romanian_cedilla")


def arabic_letters(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Arabic letters that are often not told apart as one: أ إ آ ٱ as ا, final ى as ي, final ة as ه."""
    final = ~document.joined
    ending = tables.look_up(letters("arabic_endings"), document.bases)
    other = np.where(final & (ending > 0), ending, tables.look_up(letters("arabic_letters"), document.bases))
    clusters = chosen(document, noise, severity, document.in_word & (other > 0))
    return replaced(document.starts[clusters], other[clusters].astype(np.uint32))


@functools.cache
def joining(side: str) -> np.ndarray:
    """bool [0x110000]: Arabic letters that join on both sides ("both"), or to the letter before them ("before")."""
    found = np.zeros(tables.CODEPOINTS, bool)
    found[tables.codepoints_of(table()["joining"][side])] = True
    return found


def joints(document: Document) -> np.ndarray:
    """bool [G]: clusters whose letter joins to that of the next one in their word."""
    after = np.append(document.bases[1:], 0)[: len(document.bases)]
    joins = tables.look_up(joining("both"), document.bases) & tables.look_up(joining("before"), after)
    last = document.codepoints.take(document.starts[1:] - 1, mode="clip")
    return joins & document.joined & (last != NON_JOINER)


def tatweel(document: Document, noise: Noise, severity: float) -> Edits:
    """Stretches Arabic words: a tatweel (U+0640) between letters that join, except in lam-alef."""
    ligature = np.zeros(len(document.bases), bool)
    ligature[:-1] = (document.bases[:-1] == LAM) & np.isin(document.bases[1:], tables.codepoints_of(ALEFS))
    clusters = chosen(document, noise, severity, document.in_word & joints(document) & ~ligature)
    start, stop = document.starts[clusters], document.starts[clusters + 1]
    new = np.full(len(clusters), TATWEEL, np.uint32)
    return inserted(document.text, start, stop, new, np.ones(len(clusters), bool))


@functools.cache
def shapes(kind: str) -> np.ndarray:
    """uint32 [0x110000]: Arabic letter -> its "isolated", "final", "initial" or "medial" presentation form, or 0."""
    found = table()["forms"][kind]
    return tables.dense(found[::2], found[1::2])


def presentation_forms(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Arabic words with the codepoints of the letters' shapes (U+FB50-U+FEFF), as text drawn from PDF has."""
    to_next = joints(document)
    to_last = np.append(False, to_next[:-1])[: len(to_next)]
    found = np.zeros(len(to_next), np.uint32)
    for kind, where in SHAPES.items():
        is_it = (to_last == where[0]) & (to_next == where[1])
        found[is_it] = tables.look_up(shapes(kind), document.bases[is_it])
    first, stop = document.words
    known, letter = (np.append(0, np.cumsum(each)) for each in (found > 0, (document.flags & LETTER) > 0))
    whole = (known[stop] - known[first] == letter[stop] - letter[first]) & (known[stop] > known[first])
    which = under(noise.words, severity) & whole & document.word_allowed
    codepoints = document.codepoints.copy()
    codepoints[document.starts[:-1][found > 0]] = found[found > 0]
    written = codepoints.tobytes().decode("utf-32-le")
    bounds = zip(document.starts[first[which]].tolist(), document.starts[stop[which]].tolist(), strict=True)
    return rewritten(document, first[which], stop[which], [written[start:end] for start, end in bounds])


def rewrite_clusters(document: Document, noise: Noise, severity: float, parts: dict[int, str]) -> Edits:
    """Puts strings in the place of codepoints of clusters of words, all those of a chosen cluster."""
    text = document.codepoints
    members = np.zeros(len(document.bases), bool)
    places = np.flatnonzero(np.isin(text, np.fromiter(parts, np.uint32, len(parts))))
    members[np.searchsorted(document.starts, places, "right") - 1] = True
    clusters = chosen(document, noise, severity, members & document.in_word)
    old = strings(document, clusters, clusters + 1)
    return rewritten(document, clusters, clusters + 1, [cluster.translate(parts) for cluster in old])


def nukta(document: Document, noise: Noise, severity: float) -> Edits:
    """Drops the nukta of Devanagari letters (ज़ as ज, ड़ as ड, फ़ as फ)."""
    return rewrite_clusters(document, noise, severity, {NUKTA: ""} | NUKTA_LETTERS)


def chandrabindu(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes the Devanagari chandrabindu ँ as anusvara ं."""
    return rewrite_clusters(document, noise, severity, {CHANDRABINDU: chr(ANUSVARA)})


@functools.cache
def two_letters(language: str) -> dict[str, str]:
    """Letter -> the letters written for it in a language, small and capital."""
    same = rules()["same_letters"].get(language, language)
    found = rules()["umlauts"][same]
    return found | {c.upper(): parts.capitalize() for c, parts in found.items() if len(c.upper()) == 1 and c != "ẞ"}


def umlauts(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes letters that other keyboards lack as two: ä ae, ö oe, ü ue, ß ss; æ ae, ø oe, å aa; þ th.

    Not the other way, as no one does: ae, oe, ue and ss have places of their own (Poet, neue, dass).
    """
    found = two_letters(document.language)
    eligible = np.isin(document.bases, [ord(letter) for letter in found])
    clusters = chosen(document, noise, severity, document.in_word & eligible)
    capital = tables.look_up(tables.mapping("lower_upper", inverse=True), document.bases) > 0
    joined = document.joined
    next_to = np.zeros(len(capital), bool)  # a capital that stands beside it in its word
    next_to[:-1] = capital[1:] & joined[:-1]
    next_to[1:] |= capital[:-1] & joined[:-1] & ~joined[1:]
    new = [
        (found[old[0]].upper() if loud else found[old[0]]) + old[1:]
        for old, loud in zip(
            strings(document, clusters, clusters + 1), (next_to & capital)[clusters].tolist(), strict=True
        )
    ]
    return rewritten(document, clusters, clusters + 1, new)


def rewrite_words(document: Document, noise: Noise, severity: float, eligible: np.ndarray, parts: dict) -> Edits:
    """Translates whole words (bool [W]) by a table for str.translate."""
    first, stop = (ends[under(noise.words, severity) & eligible & document.word_allowed] for ends in document.words)
    return rewritten(document, first, stop, [word.translate(parts) for word in strings(document, first, stop)])


@functools.cache
def other_kana() -> dict[int, int]:
    """Hiragana -> Katakana and back, for str.translate."""
    pairs = {code: code + TO_KATAKANA for code in [*range(0x3041, 0x3097), 0x309D, 0x309E]}
    return pairs | {to: code for code, to in pairs.items()}


def kana(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes runs of Hiragana in Katakana and runs of Katakana in Hiragana."""
    groups = word_groups()[document.bases[document.words[0]]]
    return rewrite_words(document, noise, severity, (groups == HIRAGANA) | (groups == KATAKANA), other_kana())


@functools.cache
def other_digits(language: str) -> dict[int, int]:
    """ASCII digits -> those of the language's script and back, for str.translate."""
    zero = ord(rules()["zeros"][language])
    return {ord("0") + i: zero + i for i in range(10)} | {zero + i: ord("0") + i for i in range(10)}


def native_digits(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes numbers in the script's own digits, and those that are in the ASCII digits 0-9."""
    first, stop = document.words
    numbers = np.append(0, np.cumsum((document.flags & NUMBER) > 0))
    return rewrite_words(document, noise, severity, numbers[stop] > numbers[first], other_digits(document.language))


PER_LETTER = "share of the eligible letters; eligible: "
OPERATORS = (
    Operator(
        "tatweel",
        tatweel,
        "script",
        "share of the joints between two letters of a word that get a tatweel",
        "Unicode Standard, chapter 9.2, and ArabicShaping.txt",
        scripts="Arabic",
        languages=languages_of("tatweel"),
        reversible=True,
    ),
    Operator(
        "presentation_forms",
        presentation_forms,
        "script",
        "share of the words of Arabic letters; eligible: words all of whose letters have the shape in Unicode",
        "Unicode Standard, chapter 9.2, Arabic presentation forms",
        scripts="Arabic",
        languages=languages_of("tatweel"),
        reversible=True,
    ),
    Operator(
        "arabic_letters",
        arabic_letters,
        "script",
        PER_LETTER + "أ إ آ ٱ anywhere, ى and ة at the end of a word",
        "Habash 2010, Introduction to Arabic Natural Language Processing, orthographic normalization",
        scripts="Arabic",
        languages=frozenset({"ar", "arq", "arz"}),
    ),
    Operator(
        "arabic_yeh_kaf",
        arabic_yeh_kaf,
        "script",
        PER_LETTER + "ی and ک",
        "the Persian text normalizers' first rule (Hazm, Parsivar), backwards",
        scripts="Arabic",
        languages=frozenset({"fa", "pes", "ur"}),
        reversible=True,
    ),
    Operator(
        "nukta",
        nukta,
        "script",
        PER_LETTER + "those with a nukta",
        "a common simplification of loans, in part that of the Central Hindi Directorate's standard; in ड़ ढ़ a slip",
        scripts="Devanagari",
        languages=languages_of("nukta"),
    ),
    Operator(
        "chandrabindu",
        chandrabindu,
        "script",
        "share of the chandrabindus",
        "a common simplification, which the Central Hindi Directorate's standard allows over signs above the line",
        scripts="Devanagari",
        languages=languages_of("chandrabindu"),
    ),
    Operator(
        "traditional",
        traditional,
        "script",
        PER_LETTER + "simplified characters with one traditional counterpart, whose one simplified form they are",
        OPENCC,
        scripts="Han",
        languages=frozenset({"zh", "wuu", "yue"}),
        reversible=True,
    ),
    Operator(
        "simplified",
        simplified,
        "script",
        PER_LETTER + "traditional characters with one simplified counterpart",
        OPENCC,
        scripts="Han",
        languages=frozenset({"zh", "wuu", "yue"}),
    ),
    Operator(
        "kana",
        kana,
        "script",
        "share of the runs of Hiragana and of Katakana",
        "Unicode Standard, chapter 18.4: the two syllabaries run in parallel",
        scripts="Hiragana, Katakana",
        languages=languages_of("Kana"),
    ),
    Operator(
        "native_digits",
        native_digits,
        "script",
        "share of the words with digits",
        "Unicode Common Locale Data Repository, numbering systems",
        scripts="Arabic, Devanagari, Bengali, Gurmukhi, Gujarati, Oriya, Telugu, Kannada, Thai, Lao, Khmer, Myanmar, "
        "Tibetan",
        languages=frozenset(rules()["zeros"]),
    ),
    Operator(
        "dotted_i",
        dotted_i,
        "script",
        PER_LETTER + "i, ı, İ, I",
        "Unicode's SpecialCasing.txt: what software that knows no Turkic case rules makes of them",
        scripts="Latin",
        languages=frozenset({"az", "tr"}),
    ),
    Operator(
        "umlauts",
        umlauts,
        "script",
        PER_LETTER + "ä ö ü ß (German), æ ø å (Danish, Norwegian, Faroese), ä ö å (Swedish), æ ö þ (Icelandic)",
        "ICAO Doc 9303, part 3, section 6, transliteration of national characters",
        scripts="Latin",
        languages=frozenset(rules()["umlauts"]) | frozenset(rules()["same_letters"]),
    ),
    Operator(
        "romanian_cedilla",
        romanian_cedilla,
        "script",
        PER_LETTER + "ș and ț",
        "Unicode Standard, chapter 7.1, comma below and cedilla",
        scripts="Latin",
        languages=frozenset({"ro"}),
        reversible=True,
    ),
)
