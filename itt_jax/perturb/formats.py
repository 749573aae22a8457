"""Operators on the notation of numbers and on punctuation."""

import functools
import re

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import SPACE, SPACED, WORD, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import Lexicon
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import NL_AUGMENTER, Operator
from itt_jax.perturb.rewriting import find, rewritten, strings
from itt_jax.perturb.segmentation import among
from itt_jax.perturb.units import Document

LINKS = " \u00a0\u202f-\u2010\u2011"  # a separator that joins two numerals into one number
WIDE = "、。，！？：；（）「」"  # full-width marks, written without spaces around them
OPENING = "([{\"'“‘„«¿¡" + WIDE
CLOSING = ",;!?)]}\"'”’»" + WIDE
LEAST_GROUPED = 5  # digits; shorter numbers may be years


@functools.cache
def number_table() -> dict:
    """numbers.json; "words" maps number words to digits, numerals to keep to "", and joining words to "+"."""
    return tables.read("numbers")


@functools.cache
def numerals(language: str) -> tuple[Lexicon, np.ndarray]:
    """A language's number words, and the digits, "" or "+" for each (object [keys])."""
    entries = number_table()["words"].get(language, {})
    return Lexicon(entries), np.array(list(entries.values()), object)


@functools.cache
def written_out(language: str) -> dict[str, str]:
    """Digits -> number word, where it is unique."""
    words = number_table()["words"].get(language, {})
    found = {digits: word for word, digits in words.items() if digits.isdigit()}
    values = list(words.values())
    return {d: word for d, word in found.items() if values.count(d) == 1} | number_table()["written"].get(language, {})


def regrouped(number: str, language: str) -> list[str]:
    """The number with thousands separators added or, if it has them, removed; empty if neither is possible."""
    group, point = number_table()["separators"][language]
    size = 2 if language in number_table()["two_digit_groups"] else 3
    whole, sign, fraction = number.partition(point)
    if not re.fullmatch("[0-9]*", fraction):
        return []
    if re.fullmatch(f"[1-9][0-9]{{{LEAST_GROUPED - 1},}}", whole):
        head, parts = whole[:-3], [whole[-3:]]
        while head:
            parts.append(head[-size:])
            head = head[:-size]
        return [group.join(reversed(parts)) + sign + fraction]
    mark = re.escape(group)
    marked = (f"[0-9]{{1,{width}}}({mark}[0-9]{{{width}}})*{mark}[0-9]{{3}}" for width in {size, 3})
    return [whole.replace(group, "") + sign + fraction] if any(re.fullmatch(form, whole) for form in marked) else []


def standing_alone(document: Document, first: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """bool: ranges bounded on both sides by a text's end, white space, bracket, quote, comma or unspaced script."""
    bases = np.append(document.bases, ord(" "))  # a blank before and after each text
    blank = np.append(document.flags & SPACE > 0, True) | (tables.look_up(word_groups(), bases) != SPACED)
    before, after = document.around(first, stop)
    mark = np.minimum(after, len(document.bases) - 1)
    full_stop = (bases[after] == ord(".")) & (document.around(mark, mark + 1)[1] == len(document.bases))
    begins = blank[before] | tables.look_up(among(OPENING), bases[before])
    ends = blank[after] | tables.look_up(among(CLOSING), bases[after]) | full_stop
    return begins & ends


def beside_numerals(document: Document, numeral: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """bool [W]: words adjacent to a numeral, directly or across a joining word ("two and three")."""
    first, stop = document.words
    text = np.searchsorted(document.text_clusters, first, "right")
    bases = np.append(document.bases, 0)
    others = np.append(document.unignored, len(document.bases))
    begin, end = np.searchsorted(others, first), np.searchsorted(others, stop)
    gap = begin[1:] - end[:-1]
    linked = (gap == 0) | ((gap == 1) & tables.look_up(among(LINKS), bases[others[end[:-1]]]))
    linked = np.append(linked & (text[1:] == text[:-1]), [False, False])[: len(first)]
    follows, precedes = np.zeros((2, len(first)), bool)
    follows[:-1] = linked[:-1] & numeral[1:]
    precedes[1:] = linked[:-1] & numeral[:-1]
    beside = follows | precedes
    beside[:-1] |= linked[:-1] & joint[1:] & follows[1:]
    beside[1:] |= linked[:-1] & joint[:-1] & precedes[:-1]
    return beside


def number_forms(document: Document) -> tuple[np.ndarray, list[list[str]]]:
    """int64 [K]: editable words that are numbers with alternative forms; and those forms."""
    first, stop = document.words
    lexicon, values = numerals(document.language)
    matches = find(document, lexicon, anywhere=True)
    word = np.searchsorted(first, matches.first)
    value = np.full(len(first), "", object)
    value[word] = values[matches.row]
    digits = (document.bases[first] >= ord("0")) & (document.bases[first] <= ord("9"))
    numeral = digits.copy()
    numeral[word] = True
    joint = value == "+"
    apart = ~beside_numerals(document, numeral & ~joint, joint)
    alone = standing_alone(document, first, stop)
    spelled = written_out(document.language)
    found, forms = [], []
    candidates = np.flatnonzero(document.word_allowed & (digits | (value != "")) & ~joint)
    for index, old in zip(candidates.tolist(), strings(document, first[candidates], stop[candidates]), strict=True):
        own = [value[index]] if value[index] and apart[index] else []
        if digits[index] and (alone[index] or not old.isdigit()):
            own = regrouped(old, document.language)
            own += [spelled[old]] if old in spelled and apart[index] else []
        if own:
            found.append(index)
            forms.append(own)
    return np.array(found, np.int64), forms


def numbers(document: Document, noise: Noise, severity: float) -> Edits:
    """Rewrites numbers with equal value: adds or removes thousands separators, spells out digits or the reverse."""
    word, forms = number_forms(document)
    first, stop = document.words
    draws = noise.words[word]
    chosen = np.flatnonzero(under(draws, severity))
    counts = np.array([len(forms[k]) for k in chosen.tolist()], np.int64)
    option = below(later_draws(draws[chosen], 1), counts)
    new = [forms[k][choice] for k, choice in zip(chosen.tolist(), option.tolist(), strict=True)]
    return rewritten(document, first[word[chosen]], stop[word[chosen]], new)


@functools.cache
def mark_table(name: str) -> tuple[np.ndarray, dict[str, list[str]]]:
    """The keys of a section of punctuation.json, as returned by `among`; and that section."""
    part = tables.read("punctuation")[name]
    return among("".join(part)), part


def marks(document: Document, noise: Noise, severity: float, name: str) -> np.ndarray:
    """int64: the single-codepoint clusters to edit among those in a section of punctuation.json."""
    alone = np.diff(document.starts) == 1
    eligible = tables.look_up(mark_table(name)[0], document.bases) & alone & document.allowed
    return np.flatnonzero(eligible & under(noise.clusters, severity))


def between_words(document: Document, place: np.ndarray) -> np.ndarray:
    """bool: whether a letter or number is on either side of the clusters, apart from format characters."""
    before, after = document.around(place, place + 1)
    word = np.append((document.flags & WORD) > 0, False)
    return word[before] & word[after]


def punctuation(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes, doubles or replaces punctuation marks, except ASCII marks inside words and numbers."""
    place = marks(document, noise, severity, "exchanged")
    place = place[~((document.bases[place] < 0x80) & between_words(document, place))]
    kind = below(later_draws(noise.clusters[place], 1), 3)
    draws = later_draws(noise.clusters[place], 2)
    others = mark_table("exchanged")[1]
    old = strings(document, place, place + 1)
    options = [others[mark] for mark in old]
    option = below(draws, np.array([len(row) for row in options], np.int64))
    new = [
        ("", mark + mark, row[k])[what]
        for mark, row, k, what in zip(old, options, option.tolist(), kind.tolist(), strict=True)
    ]
    return rewritten(document, place, place + 1, new)


def typography(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces quotation marks, apostrophes, hyphens, dashes and ellipses by typographic variants."""
    place = marks(document, noise, severity, "forms")
    others = mark_table("forms")[1]
    old = strings(document, place, place + 1)
    options = [others[mark] for mark in old]
    bases = np.append(document.bases, ord(" "))
    blank = np.append(document.flags & SPACE > 0, True)
    before, _ = document.around(place, place + 1)
    closing = ~(blank[before] | tables.look_up(among("([{—–"), bases[before]))
    option = below(later_draws(noise.clusters[place], 1), np.array([len(row) for row in options], np.int64))
    quote = np.isin(document.bases[place], [ord("'"), ord('"')])
    option = np.where(quote, closing, option)
    new = [row[k] for row, k in zip(options, option.tolist(), strict=True)]
    return rewritten(document, place, place + 1, new)


OPERATORS = (
    Operator(
        "numbers",
        numbers,
        "lexical",
        "share of numbers rewritten; eligible: numbers with thousands separators or at least five digits, and number "
        "words in numbers.json and their digits, unless part of a longer number, date or time",
        NL_AUGMENTER + ", number to word and back",
        scripts="digits 0-9 and the scripts of the number words",
        languages=frozenset(tables.read("numbers")["separators"]),
    ),
    Operator(
        "punctuation",
        punctuation,
        "lexical",
        "share of punctuation marks deleted, doubled or replaced; eligible: marks in punctuation.json",
        "Karimi et al. 2021, AEDA (arXiv 2108.13230), which only inserts marks; " + NL_AUGMENTER,
        scripts="scripts that use Latin, Arabic, Devanagari, Chinese, Japanese, Armenian, Ethiopic or Myanmar marks",
    ),
    Operator(
        "typography",
        typography,
        "lexical",
        "share of quotation marks, apostrophes, hyphens, dashes and ellipses replaced",
        "Unicode Standard, section 6.2, general punctuation",
    ),
)
