"""Operators on how numbers and marks are written: each is one function (document, noise, severity) -> Edits."""

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
from itt_jax.perturb.units import Document

LINKS = " \u00a0\u202f-\u2010\u2011"  # one of them between two numerals makes one number of them
WIDE = "、。，！？：；（）「」"  # with no space beside them
OPENING = "([{\"'“‘„«¿¡" + WIDE
CLOSING = ",;!?)]}\"'”’»" + WIDE
LEAST_GROUPED = 5  # digits; of fewer, years are made


@functools.cache
def among(characters: str) -> np.ndarray:
    """bool [0x110000]: whether a codepoint is one of them."""
    found = np.zeros(tables.CODEPOINTS, bool)
    found[tables.codepoints_of(characters)] = True
    return found


@functools.cache
def number_table() -> dict:
    """numbers.json: "words" are digits of number words, "" for numerals that stay, "+" for what joins numerals."""
    return tables.read("numbers")


@functools.cache
def numerals(language: str) -> tuple[Lexicon, np.ndarray]:
    """The number words of a language, and of each its digits, "" or "+" (object [keys])."""
    entries = number_table()["words"].get(language, {})
    return Lexicon(entries), np.array(list(entries.values()), object)


@functools.cache
def written_out(language: str) -> dict[str, str]:
    """Digits -> number word, where there is one only."""
    words = number_table()["words"].get(language, {})
    found = {digits: word for word, digits in words.items() if digits.isdigit()}
    values = list(words.values())
    return {d: word for d, word in found.items() if values.count(d) == 1} | number_table()["written"].get(language, {})


def regrouped(number: str, language: str) -> list[str]:
    """The number with its thousands marked, if they are not, or not marked, if they are."""
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
    """bool: ranges with a text's end, white space, a bracket, quote or comma, or an unspaced script at either side."""
    bases = np.append(document.bases, ord(" "))  # before the first and after the last cluster
    blank = np.append(document.flags & SPACE > 0, True) | (tables.look_up(word_groups(), bases) != SPACED)
    bounds = document.text_clusters
    begins, ends = np.isin(first, bounds), np.isin(stop, bounds)
    full_stop = (bases[stop] == ord(".")) & np.isin(stop + 1, bounds)
    before = begins | blank[first - 1] | tables.look_up(among(OPENING), bases[first - 1])
    after = ends | blank[stop] | tables.look_up(among(CLOSING), bases[stop]) | full_stop
    return before & after


def beside_numerals(document: Document, numeral: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """bool [W]: words with another numeral beside them, or one word further where the one between joins them."""
    first, stop = document.words
    text = np.searchsorted(document.text_clusters, first, "right")
    bases = np.append(document.bases, 0)
    gap = first[1:] - stop[:-1]
    linked = (gap == 0) | ((gap == 1) & tables.look_up(among(LINKS), bases[stop[:-1]]))
    linked = np.append(linked & (text[1:] == text[:-1]), [False, False])[: len(first)]
    follows, precedes = np.zeros((2, len(first)), bool)
    follows[:-1] = linked[:-1] & numeral[1:]
    precedes[1:] = linked[:-1] & numeral[:-1]
    beside = follows | precedes
    beside[:-1] |= linked[:-1] & joint[1:] & follows[1:]
    beside[1:] |= linked[:-1] & joint[:-1] & precedes[:-1]
    return beside


def number_forms(document: Document) -> tuple[np.ndarray, list[list[str]]]:
    """int64 [K] words that are numbers with another form, which may be edited; and the other forms of each."""
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
    """Marks thousands or unmarks them, writes small numbers in words and number words in digits; values stay."""
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
    """bool [0x110000] which codepoints are keys of a part of punctuation.json; and that part."""
    part = tables.read("punctuation")[name]
    return among("".join(part)), part


def marks(document: Document, noise: Noise, severity: float, name: str) -> np.ndarray:
    """int64: the clusters, of one codepoint each, that are in the table and edited."""
    alone = np.diff(document.starts) == 1
    eligible = tables.look_up(mark_table(name)[0], document.bases) & alone & document.allowed
    return np.flatnonzero(eligible & under(noise.clusters, severity))


def punctuation(document: Document, noise: Noise, severity: float) -> Edits:
    """Drops marks, doubles them or exchanges them for others; not those of ASCII inside words and numbers."""
    place = marks(document, noise, severity, "exchanged")
    word = np.append((document.flags & WORD) > 0, False)
    begins = np.isin(place, document.text_clusters)
    ends = np.isin(place + 1, document.text_clusters)
    inside = (document.bases[place] < 0x80) & word[place - 1] & word[place + 1] & ~begins & ~ends
    place = place[~inside]
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
    """Writes quotation marks, apostrophes, hyphens, dashes and ellipses in other forms that mean the same."""
    place = marks(document, noise, severity, "forms")
    others = mark_table("forms")[1]
    old = strings(document, place, place + 1)
    options = [others[mark] for mark in old]
    bases = np.append(document.bases, ord(" "))
    blank = np.append(document.flags & SPACE > 0, True)
    before = blank[place - 1] | tables.look_up(among("([{—–"), bases[place - 1])
    closing = ~(before | np.isin(place, document.text_clusters))
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
        "share of numbers rewritten; eligible: numbers with marked thousands or of five digits and more, number words "
        "and their digits in numbers.json that are not part of a longer number, date or time",
        NL_AUGMENTER + ", number to word and back",
        scripts="digits 0-9, and the scripts of the languages' number words",
        languages=frozenset(tables.read("numbers")["separators"]),
    ),
    Operator(
        "punctuation",
        punctuation,
        "lexical",
        "share of punctuation marks dropped, doubled or exchanged; eligible: those in the table punctuation.json",
        "Karimi et al. 2021, AEDA (arXiv 2108.13230), which only inserts; " + NL_AUGMENTER,
        scripts="all that use Latin, Arabic, Devanagari, Chinese or Japanese, Armenian, Ethiopic or Myanmar marks",
    ),
    Operator(
        "typography",
        typography,
        "lexical",
        "share of quotation marks, apostrophes, hyphens, dashes and ellipses written in another form",
        "Unicode Standard, chapter 6.2: characters with overlapping use",
    ),
)
