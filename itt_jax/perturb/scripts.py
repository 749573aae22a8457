"""Operators on features of individual scripts, imitating what people and software do with their letters.

None of them adds Arabic vowel signs: the right ones depend on grammar, and random ones would be a different kind of
error.
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
from itt_jax.perturb.text import decoded
from itt_jax.perturb.units import Document

TATWEEL, NUKTA, CHANDRABINDU, ANUSVARA = 0x0640, 0x093C, 0x0901, 0x0902
NON_JOINERS = tables.codepoints_of("\u200c\u2066\u2067\u2068\u2069")  # invisible, but letters do not join across
# Shape of an Arabic letter -> whether it joins the previous and the next letter.
SHAPES = {"isolated": (False, False), "final": (True, False), "initial": (False, True), "medial": (True, True)}
LAM, ALEFS = 0x0644, "آأإا"  # written as a ligature
NUKTA_LETTERS = {0x0958 + i: base for i, base in enumerate("कखगजडढफय")}  # precomposed
TO_KATAKANA = 0x30A1 - 0x3041
OPENCC = "OpenCC's tables of characters; NL-Augmenter (arXiv 2112.02721), Chinese simplified-traditional perturbation"


@functools.cache
def rules() -> dict:
    """scripts.json, read once."""
    return tables.read("scripts")


def languages_of(*names: str) -> frozenset[str]:
    """The languages that scripts.json lists for scripts or operators."""
    return frozenset(language for name in names for language in rules()["languages"][name].split())


@functools.cache
def letters(name: str) -> np.ndarray:
    """uint32 [0x110000]: letter -> letter by a table in scripts.json or chinese.json; 0 elsewhere."""
    if name in ("traditional", "simplified"):
        return tables.dense(*tables.read("chinese")[name])
    found = rules()[name]
    return tables.dense("".join(found), "".join(found.values()))


def replace_letters(document: Document, noise: Noise, severity: float, name: str) -> Edits:
    """Replaces letters by a table; combining marks stay."""
    other = tables.look_up(letters(name), document.bases)
    clusters = chosen(document, noise, severity, document.in_word & (other > 0))
    return replaced(document.starts[clusters], other[clusters])


def traditional(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes simplified Chinese characters in traditional form where the counterpart is unique."""
    return replace_letters(document, noise, severity, "traditional")


def simplified(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes traditional Chinese characters in simplified form where the counterpart is unique."""
    return replace_letters(document, noise, severity, "simplified")


def dotted_i(document: Document, noise: Noise, severity: float) -> Edits:
    """Swaps the Turkic letters i and ı, and İ and I."""
    return replace_letters(document, noise, severity, "dotted_i")


def arabic_yeh_kaf(document: Document, noise: Noise, severity: float) -> Edits:
    """Encodes the Persian letters ی and ک as Arabic ي and ك."""
    return replace_letters(document, noise, severity, "arabic_yeh_kaf")


def romanian_cedilla(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes Romanian ș and ț with a cedilla (ş, ţ) instead of a comma."""
    return replace_letters(document, noise, severity, "romanian_cedilla")


def arabic_letters(document: Document, noise: Noise, severity: float) -> Edits:
    """Merges Arabic letters that are often not distinguished: أ إ آ ٱ to ا, final ى to ي, final ة to ه."""
    final = document.next_letter < 0
    ending = tables.look_up(letters("arabic_endings"), document.bases)
    other = np.where(final & (ending > 0), ending, tables.look_up(letters("arabic_letters"), document.bases))
    clusters = chosen(document, noise, severity, document.in_word & (other > 0))
    return replaced(document.starts[clusters], other[clusters].astype(np.uint32))


@functools.cache
def joining(side: str) -> np.ndarray:
    """bool [0x110000]: Arabic letters that join on both sides ("both") or join the previous letter ("before")."""
    found = np.zeros(tables.CODEPOINTS, bool)
    found[tables.codepoints_of(table()["joining"][side])] = True
    return found


def joints(document: Document) -> np.ndarray:
    """bool [G]: whether the cluster's letter joins the next letter of its word."""
    following = document.next_letter
    after = np.append(document.bases, 0)[following]
    joins = tables.look_up(joining("both"), document.bases) & tables.look_up(joining("before"), after)
    apart = np.append(0, np.cumsum(np.isin(document.codepoints, NON_JOINERS)))[document.starts]
    return joins & (following >= 0) & (apart[:-1] == apart[following])


def tatweel(document: Document, noise: Noise, severity: float) -> Edits:
    """Stretches Arabic words by a tatweel (U+0640) between joined letters, except in lam-alef."""
    after = np.append(document.bases, 0)[document.next_letter]
    ligature = (document.bases == LAM) & np.isin(after, tables.codepoints_of(ALEFS))
    clusters = chosen(document, noise, severity, document.in_word & joints(document) & ~ligature)
    start, stop = document.starts[clusters], document.starts[clusters + 1]
    new = np.full(len(clusters), TATWEEL, np.uint32)
    return inserted(document.text, start, stop, new, np.ones(len(clusters), bool))


@functools.cache
def shapes(kind: str) -> np.ndarray:
    """uint32 [0x110000]: Arabic letter -> its "isolated", "final", "initial" or "medial" form; 0 elsewhere."""
    found = table()["forms"][kind]
    return tables.dense(found[::2], found[1::2])


def presentation_forms(document: Document, noise: Noise, severity: float) -> Edits:
    """Encodes Arabic words as presentation forms (U+FB50-U+FEFF), as in text extracted from PDF."""
    to_next = joints(document)
    to_last = np.zeros_like(to_next)
    to_last[document.next_letter[to_next]] = True
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
    written = decoded(codepoints)
    bounds = zip(document.starts[first[which]].tolist(), document.starts[stop[which]].tolist(), strict=True)
    return rewritten(document, first[which], stop[which], [written[start:end] for start, end in bounds])


def rewrite_clusters(document: Document, noise: Noise, severity: float, parts: dict[int, str]) -> Edits:
    """Rewrites clusters of words by a table codepoint -> string, applied to the whole cluster."""
    text = document.codepoints
    members = np.zeros(len(document.bases), bool)
    places = np.flatnonzero(np.isin(text, np.fromiter(parts, np.uint32, len(parts))))
    members[np.searchsorted(document.starts, places, "right") - 1] = True
    clusters = chosen(document, noise, severity, members & document.in_word)
    old = strings(document, clusters, clusters + 1)
    return rewritten(document, clusters, clusters + 1, [cluster.translate(parts) for cluster in old])


def nukta(document: Document, noise: Noise, severity: float) -> Edits:
    """Removes the nukta from Devanagari letters (ज़ as ज, ड़ as ड, फ़ as फ)."""
    return rewrite_clusters(document, noise, severity, {NUKTA: ""} | NUKTA_LETTERS)


def chandrabindu(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes the Devanagari chandrabindu ँ as anusvara ं."""
    return rewrite_clusters(document, noise, severity, {CHANDRABINDU: chr(ANUSVARA)})


@functools.cache
def two_letters(language: str) -> dict[str, str]:
    """Letter -> its two-letter spelling in a language, in both cases."""
    same = rules()["same_letters"].get(language, language)
    found = rules()["umlauts"][same]
    return found | {c.upper(): parts.capitalize() for c, parts in found.items() if len(c.upper()) == 1 and c != "ẞ"}


def umlauts(document: Document, noise: Noise, severity: float) -> Edits:
    """Spells letters missing from foreign keyboards as two: ä ae, ö oe, ü ue, ß ss; æ ae, ø oe, å aa; þ th.

    Not the reverse, because ae, oe, ue and ss also occur in their own right (Poet, neue, dass).
    """
    found = two_letters(document.language)
    eligible = np.isin(document.bases, [ord(letter) for letter in found])
    clusters = chosen(document, noise, severity, document.in_word & eligible)
    capital = tables.look_up(tables.mapping("lower_upper", inverse=True), document.bases) > 0
    following = document.next_letter
    next_to = np.append(capital, False)[following]  # whether the next letter of the word, or if none the last, is one
    before = np.flatnonzero(following >= 0)
    final = following[following[before]] < 0
    next_to[following[before[final]]] = capital[before[final]]
    new = [
        (found[old[0]].upper() if loud else found[old[0]]) + old[1:]
        for old, loud in zip(
            strings(document, clusters, clusters + 1), (next_to & capital)[clusters].tolist(), strict=True
        )
    ]
    return rewritten(document, clusters, clusters + 1, new)


def rewrite_words(document: Document, noise: Noise, severity: float, eligible: np.ndarray, parts: dict) -> Edits:
    """Rewrites eligible words (bool [W]) by a table for str.translate."""
    first, stop = (ends[under(noise.words, severity) & eligible & document.word_allowed] for ends in document.words)
    return rewritten(document, first, stop, [word.translate(parts) for word in strings(document, first, stop)])


@functools.cache
def other_kana() -> dict[int, int]:
    """Hiragana <-> Katakana, for str.translate."""
    pairs = {code: code + TO_KATAKANA for code in [*range(0x3041, 0x3097), 0x309D, 0x309E]}
    return pairs | {to: code for code, to in pairs.items()}


def kana(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes runs of Hiragana in Katakana and vice versa."""
    groups = word_groups()[document.bases[document.words[0]]]
    return rewrite_words(document, noise, severity, (groups == HIRAGANA) | (groups == KATAKANA), other_kana())


@functools.cache
def other_digits(language: str) -> dict[int, int]:
    """ASCII digits <-> digits of the language's script, for str.translate."""
    zero = ord(rules()["zeros"][language])
    return {ord("0") + i: zero + i for i in range(10)} | {zero + i: ord("0") + i for i in range(10)}


def native_digits(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes numbers in the script's native digits instead of ASCII digits, and vice versa."""
    first, stop = document.words
    numbers = np.append(0, np.cumsum((document.flags & NUMBER) > 0))
    return rewrite_words(document, noise, severity, numbers[stop] > numbers[first], other_digits(document.language))


PER_LETTER = "share of letters replaced; eligible: "
OPERATORS = (
    Operator(
        "tatweel",
        tatweel,
        "script",
        "share of joints between two letters that get a tatweel",
        "Unicode Standard, section 9.2, and ArabicShaping.txt",
        scripts="Arabic",
        languages=languages_of("tatweel"),
        reversible=True,
    ),
    Operator(
        "presentation_forms",
        presentation_forms,
        "script",
        "share of words rewritten; eligible: words whose letters all have the required form in Unicode",
        "Unicode Standard, section 9.2, Arabic presentation forms",
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
        "the first rule of Persian text normalizers (Hazm, Parsivar), reversed",
        scripts="Arabic",
        languages=frozenset({"fa", "pes", "ur"}),
        reversible=True,
    ),
    Operator(
        "nukta",
        nukta,
        "script",
        PER_LETTER + "letters with a nukta",
        "a common simplification of loanwords, in part in the Central Hindi Directorate's standard; a slip in ड़ and ढ़",
        scripts="Devanagari",
        languages=languages_of("nukta"),
    ),
    Operator(
        "chandrabindu",
        chandrabindu,
        "script",
        "share of chandrabindus replaced",
        "a common simplification, permitted by the Central Hindi Directorate with vowel signs above the line",
        scripts="Devanagari",
        languages=languages_of("chandrabindu"),
    ),
    Operator(
        "traditional",
        traditional,
        "script",
        PER_LETTER + "simplified characters with a one-to-one traditional counterpart",
        OPENCC,
        scripts="Han",
        languages=frozenset({"zh", "wuu", "yue"}),
        reversible=True,
    ),
    Operator(
        "simplified",
        simplified,
        "script",
        PER_LETTER + "traditional characters with a unique simplified counterpart",
        OPENCC,
        scripts="Han",
        languages=frozenset({"zh", "wuu", "yue"}),
    ),
    Operator(
        "kana",
        kana,
        "script",
        "share of runs of Hiragana and of Katakana rewritten",
        "Unicode Standard, section 18.4: the two syllabaries are parallel",
        scripts="Hiragana, Katakana",
        languages=languages_of("Kana"),
    ),
    Operator(
        "native_digits",
        native_digits,
        "script",
        "share of words with digits rewritten",
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
        "Unicode's SpecialCasing.txt; imitates software without the Turkic case rules",
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
        "Unicode Standard, section 7.1, comma below and cedilla",
        scripts="Latin",
        languages=frozenset({"ro"}),
        reversible=True,
    ),
)
