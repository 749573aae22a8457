"""Operators that replace or insert words from lexicons."""

import functools
from collections.abc import Sequence

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import SPACED, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import Lexicon, shipped, shipped_languages
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import EDA, NL_AUGMENTER, Operator
from itt_jax.perturb.rewriting import Matches, added, drawn_options, find, replace_by_lexicon, rewritten
from itt_jax.perturb.splitmix import GOLDEN, mix
from itt_jax.perturb.units import Document
from itt_jax.perturb.words import spaces_around


def synonym(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces words by synonyms."""
    lexicon = document.lexicon or shipped("synonyms", document.language)
    return replace_by_lexicon(document, noise, severity, lexicon)


def word_insert(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts synonyms of words after other words of the text.

    All synonyms of a text are inserted the same random number of words further on, cyclically, so that no two end up
    in the same place.
    """
    lexicon = document.lexicon or shipped("synonyms", document.language)
    matches = find(document, lexicon)
    first, stop = document.words
    bounds = np.searchsorted(first, document.text_clusters)
    text = np.searchsorted(document.text_clusters, matches.first, "right") - 1
    begin, count = bounds[text], np.diff(bounds)[text]
    step = below(later_draws(noise.texts[text], 1), count)
    place = begin + (np.searchsorted(first, matches.first) - begin + step) % count
    chosen = document.word_allowed[place] & under(noise.clusters[matches.first], severity)
    order = np.flatnonzero(chosen)[np.argsort(place[chosen])]
    matches, place = matches.select(order), place[order]
    option = below(later_draws(noise.clusters[matches.first], 1), lexicon.counts[matches.row])
    spaced = word_groups()[document.bases[first[place]]] == SPACED
    new = [
        " " * space + lexicon.options[row][k]
        for row, k, space in zip(matches.row.tolist(), option.tolist(), spaced.tolist(), strict=True)
    ]
    return added(document, stop[place] - 1, new, True)


@functools.cache
def filler_table() -> dict[str, list[str]]:
    """Language -> its hesitation words and phrases."""
    return tables.read("fillers")["entries"]


def fillers(document: Document, noise: Noise, severity: float) -> Edits:
    """Inserts hesitations such as "uh" and "you know" between words."""
    first, stop = document.words
    _, after = spaces_around(document, first, stop)
    follows = np.isin(after, first) & ~np.isin(after, document.text_clusters)
    between = np.flatnonzero(document.word_allowed & (after > stop) & follows)
    place = between[under(noise.words[between], severity)]
    options = filler_table()[document.language]
    option = below(later_draws(noise.words[place], 1), len(options))
    return added(document, stop[place] - 1, [" " + options[k] for k in option.tolist()], True)


@functools.cache
def translations(language: str) -> Lexicon:
    """Words of a language and their translations into all other languages of tables/translations.json."""
    header, *rows = (row.split("|") for row in tables.read("translations")["rows"])
    own = header.index(language)
    entries = {
        row[own]: [word.removeprefix("*") for place, word in enumerate(row) if place != own]
        for row in rows
        if not row[own].startswith("*")
    }
    return Lexicon(entries)


def code_mix(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces words by translations, each into a random language."""
    return replace_by_lexicon(document, noise, severity, document.lexicon or translations(document.language))


def before_words(document: Document, matches: Matches) -> tuple[Matches, np.ndarray]:
    """The matches that consist of whole words and precede white space or belong to an unspaced script.

    Returns:
        The matches, and int64 [K] the cluster after the white space that follows each.
    """
    _, after = spaces_around(document, matches.first, matches.stop)
    first, stop = document.words
    whole = np.isin(matches.first, first) & np.isin(matches.stop, stop)
    unspaced = word_groups()[document.bases[matches.first]] != SPACED
    kept = whole & ((after > matches.stop) | unspaced)
    return matches.select(kept), after[kept]


def replaced_before_words(document: Document, noise: Noise, severity: float, lexicon: Lexicon) -> Edits:
    """`replace_by_lexicon` for the matches of `before_words`; deleted words take the white space after them along."""
    matches, after = before_words(document, find(document, lexicon))
    chosen = under(noise.clusters[matches.first], severity)
    matches, after = matches.select(chosen), after[chosen]
    new = drawn_options(document, lexicon, matches, later_draws(noise.clusters[matches.first], 1))
    stop = np.where([not string for string in new], after, matches.stop)
    return rewritten(document, matches.first, stop.astype(np.int64), new)


def function_words(document: Document, noise: Noise, severity: float) -> Edits:
    """Deletes articles, prepositions, auxiliaries and particles, or replaces them by others of the same kind."""
    return replaced_before_words(document, noise, severity, shipped("function_words", document.language))


def contractions(document: Document, noise: Noise, severity: float) -> Edits:
    """Contracts phrases ("do not" as "don't") and expands contractions."""
    return replaced_before_words(document, noise, severity, shipped("contractions", document.language))


def name_groups(language: str) -> list[list[list[str]]]:
    """Groups of rows of names; names in a row belong together, names in a column can replace each other."""
    table = tables.read("entities")
    persons = [[[name] for name in kind] for kind in table["latin"]] if language in table["latin_languages"] else []
    return persons + table["entries"].get(language, [])


@functools.cache
def names(language: str) -> tuple[Lexicon, np.ndarray]:
    """Each name with the names below it in its column, continuing cyclically from the top; int64 [keys] its group.

    The k-th option thus shifts all names of a group by k rows. Names that must be kept are in group -1.
    """
    entries: dict[str, Sequence[str]] = {}
    groups: list[int] = []
    for number, rows in enumerate(name_groups(language)):
        for column in zip(*rows, strict=True):
            for place, name in enumerate(column):
                entries[name] = column[place + 1 :] + column[:place]
                groups.append(number)
    for name in tables.read("entities")["kept"].get(language, []):
        entries[name] = ["-"]
        groups.append(-1)
    return Lexicon(entries), np.array(groups, np.int64)


def may_be_names(document: Document, matches: Matches) -> np.ndarray:
    """bool [K]: whether each match does not begin with a lower-case letter."""
    return tables.look_up(tables.mapping("lower_upper"), document.bases[matches.first]) == 0


def entity(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces names of people, cities and countries by others of the same kind, consistently within an item.

    Names are drawn by group (women's given names, men's given names, surnames, places): all names of a group in an item
    shift by the same number of rows of the table, or none does. Distinct names therefore stay distinct, a name changes
    alike in all fields, and a city moves with its country. If a name may not be edited, its group stays in that field.
    """
    if document.lexicon:
        lexicon, groups = document.lexicon, np.arange(len(document.lexicon))
        matches = find(document, lexicon, anywhere=True)
    else:
        lexicon, groups = names(document.language)
        matches = find(document, lexicon, anywhere=True)
        matches = matches.select((groups[matches.row] >= 0) & may_be_names(document, matches))
    text = np.searchsorted(document.text_clusters, matches.first, "right") - 1
    group = groups[matches.row]
    fixed = np.append(0, np.cumsum(~document.allowed))
    place = text * (len(lexicon) + 1) + group
    stays = np.isin(place, place[fixed[matches.first] < fixed[matches.stop]])
    draws = mix(noise.texts[text] + (group + 1).astype(np.uint64) * GOLDEN)
    moved = under(draws, severity) & ~stays
    matches, draws = matches.select(moved), draws[moved]
    new = drawn_options(document, lexicon, matches, later_draws(draws, 1))
    return rewritten(document, matches.first, matches.stop, new)


OPERATORS = (
    Operator(
        "synonym",
        synonym,
        "lexical",
        "share of words and phrases replaced; eligible: keys of synonyms.json or of the lexicon",
        EDA + ", synonym replacement; Jin et al. 2020, TextFooler (arXiv 1907.11932), without a model",
        languages=shipped_languages("synonyms"),
        lexicon="a word or phrase and its synonyms",
    ),
    Operator(
        "word_insert",
        word_insert,
        "word",
        "synonyms inserted per eligible word or phrase; eligible: keys of synonyms.json or of the lexicon",
        EDA + ", random insertion",
        languages=shipped_languages("synonyms"),
        lexicon="a word or phrase and its synonyms",
    ),
    Operator(
        "fillers",
        fillers,
        "word",
        "share of gaps between words filled; eligible: gaps of white space only",
        NL_AUGMENTER + ", filler words",
        languages=frozenset(filler_table()),
    ),
    Operator(
        "code_mix",
        code_mix,
        "lexical",
        "share of words translated; eligible: keys of translations.json or of the lexicon",
        "Tan and Joty 2021, PolyGloss (arXiv 2103.09593), here sampled, not searched; CoSDA-ML (arXiv 2006.06402)",
        languages=frozenset(tables.read("translations")["rows"][0].split("|")),
        lexicon="a word and its translations, as in MUSE; a folder of such files mixes their languages, and the prefix "
        '"inverse:" swaps words and translations',
    ),
    Operator(
        "function_words",
        function_words,
        "lexical",
        "share of function words deleted or replaced; eligible: keys of function_words.json before a word",
        "Yin et al. 2020, Robustness of Language Encoders against Grammatical Errors (arXiv 2005.05683)",
        languages=shipped_languages("function_words"),
    ),
    Operator(
        "contractions",
        contractions,
        "lexical",
        "share of contractions and contractible phrases rewritten; eligible: keys of contractions.json before a word",
        "Ribeiro et al. 2020, CheckList (arXiv 2005.04118); " + NL_AUGMENTER,
        languages=shipped_languages("contractions"),
    ),
    Operator(
        "entity",
        entity,
        "lexical",
        "share of an item's groups of names replaced (women's given names, men's given names, surnames, places; each "
        "key of a lexicon is its own group). Labels of pairs hold because both fields change alike; labels that rest "
        "on facts about a name, or on a name outside the table, may change",
        "Ribeiro et al. 2020, CheckList (arXiv 2005.04118), change names and locations",
        languages=frozenset(
            [*tables.read("entities")["latin_languages"], *tables.read("entities")["entries"]],
        ),
        lexicon="a name and its replacements",
        shared_by_fields=True,
    ),
)
