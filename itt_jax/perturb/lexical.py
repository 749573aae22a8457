"""Operators that exchange words for others, by lexicons: each is one function (document, noise, severity) -> Edits."""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import SPACED, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import Lexicon, shipped, shipped_languages
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import EDA, NL_AUGMENTER, Operator
from itt_jax.perturb.rewriting import Matches, added, find, in_case_of, replace_by_lexicon, rewritten, strings
from itt_jax.perturb.splitmix import GOLDEN, mix
from itt_jax.perturb.units import Document
from itt_jax.perturb.words import spaces_around


def synonym(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces words by synonyms."""
    lexicon = document.lexicon or shipped("synonyms", document.language)
    return replace_by_lexicon(document, noise, severity, lexicon)


def word_insert(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes synonyms of words behind other words of the text.

    How many words on a synonym goes, from a text's last word to its first, is one draw for the text; so no two of them
    go to one place.
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
    """Language -> what speakers say while they think."""
    return tables.read("fillers")["entries"]


def fillers(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes hesitations such as "uh" and "you know" between words."""
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
    """The words of tables/translations.json in a language, each with those of all other languages."""
    header, *rows = (row.split("|") for row in tables.read("translations")["rows"])
    own = header.index(language)
    entries = {
        row[own]: [word.removeprefix("*") for place, word in enumerate(row) if place != own]
        for row in rows
        if not row[own].startswith("*")
    }
    return Lexicon(entries)


def code_mix(document: Document, noise: Noise, severity: float) -> Edits:
    """Replaces words by their translations, each into a language of its own draw."""
    return replace_by_lexicon(document, noise, severity, document.lexicon or translations(document.language))


def before_words(document: Document, matches: Matches) -> tuple[Matches, np.ndarray]:
    """Those that whole words make and white space follows (none need follow in unspaced scripts).

    Returns:
        The matches, and int64 [K] where the white space after each of them ends.
    """
    _, after = spaces_around(document, matches.first, matches.stop)
    first, stop = document.words
    whole = np.isin(matches.first, first) & np.isin(matches.stop, stop)
    unspaced = word_groups()[document.bases[matches.first]] != SPACED
    kept = whole & ((after > matches.stop) | unspaced)
    return matches.select(kept), after[kept]


def replaced_before_words(document: Document, noise: Noise, severity: float, lexicon: Lexicon) -> Edits:
    """As `replace_by_lexicon`, of what other words follow; what is dropped goes with the white space after it."""
    matches, after = before_words(document, find(document, lexicon))
    chosen = under(noise.clusters[matches.first], severity)
    matches, after = matches.select(chosen), after[chosen]
    option = below(later_draws(noise.clusters[matches.first], 1), lexicon.counts[matches.row])
    new = [lexicon.options[row][k] for row, k in zip(matches.row.tolist(), option.tolist(), strict=True)]
    old = strings(document, matches.first, matches.stop)
    cased = [in_case_of(before, string) for before, string in zip(old, new, strict=True)]
    stop = np.where([not string for string in new], after, matches.stop)
    return rewritten(document, matches.first, stop.astype(np.int64), cased)


def function_words(document: Document, noise: Noise, severity: float) -> Edits:
    """Drops articles, prepositions, auxiliaries and particles, or exchanges them for others of their kind."""
    return replaced_before_words(document, noise, severity, shipped("function_words", document.language))


def contractions(document: Document, noise: Noise, severity: float) -> Edits:
    """Contracts pairs of words (do not, don't), and writes contractions in full."""
    return replaced_before_words(document, noise, severity, shipped("contractions", document.language))


def name_groups(language: str) -> list[list[list[str]]]:
    """Groups of rows of names; the names of a row belong together, those of a column are of one kind."""
    table = tables.read("entities")
    persons = [[[name] for name in kind] for kind in table["latin"]] if language in table["latin_languages"] else []
    return persons + table["entries"].get(language, [])


@functools.cache
def names(language: str) -> tuple[Lexicon, np.ndarray]:
    """Every name with those after it in its column, from the end on the first ones; int64 the group of each key.

    So the k-th option of all names of a group moves them alike. The group of names that are kept is -1.
    """
    entries, groups = {}, []
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
    """bool [K]: those that do not begin with a small letter."""
    return tables.look_up(tables.mapping("lower_upper"), document.bases[matches.first]) == 0


def entity(document: Document, noise: Noise, severity: float) -> Edits:
    """Exchanges names of persons, cities and countries for others of their kind, the same ones all over an item.

    A group of names (given names of women, of men, surnames, places) is drawn at once: in an item all of a group are
    moved by one step of its list or none is. So two names never become one, a name has one form in all fields, and a
    city moves with its country. Where a name of a group may not be edited, the group stays in that field.
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
    option = below(later_draws(draws, 1), lexicon.counts[matches.row])
    new = [lexicon.options[row][k] for row, k in zip(matches.row.tolist(), option.tolist(), strict=True)]
    old = strings(document, matches.first, matches.stop)
    cased = [in_case_of(before, after) for before, after in zip(old, new, strict=True)]
    return rewritten(document, matches.first, matches.stop, cased)


OPERATORS = (
    Operator(
        "synonym",
        synonym,
        "lexical",
        "share of words and phrases replaced; eligible: those in the table synonyms.json, or in the lexicon",
        "EDA (arXiv 1901.11196), synonym replacement; TextFooler (arXiv 1907.11932), without a model",
        languages=shipped_languages("synonyms"),
        lexicon="a word or phrase and its synonyms",
    ),
    Operator(
        "word_insert",
        word_insert,
        "word",
        "synonyms written elsewhere in the text, per word that has one in the table synonyms.json or in the lexicon",
        EDA + ", random insertion",
        languages=shipped_languages("synonyms"),
        lexicon="a word or phrase and its synonyms",
    ),
    Operator(
        "fillers",
        fillers,
        "word",
        "share of places between words where one is written; eligible: with nothing but white space there",
        NL_AUGMENTER + ", filler words",
        languages=frozenset(filler_table()),
    ),
    Operator(
        "code_mix",
        code_mix,
        "lexical",
        "share of words translated; eligible: those in the table translations.json, or in the lexicon",
        "Tan and Joty 2021, PolyGloss (arXiv 2103.09593), here drawn and not searched; CoSDA-ML (arXiv 2006.06402)",
        languages=frozenset(tables.read("translations")["rows"][0].split("|")),
        lexicon="a word and its translations, as in MUSE; a folder of such files mixes their languages, and "
        '"inverse:" before a path reads translations as words',
    ),
    Operator(
        "function_words",
        function_words,
        "lexical",
        "share of function words dropped or exchanged; eligible: those in the table function_words.json before a word",
        "Yin et al. 2020, Robustness of Language Encoders against Grammatical Errors (arXiv 2005.05683)",
        languages=shipped_languages("function_words"),
    ),
    Operator(
        "contractions",
        contractions,
        "lexical",
        "share of contractions and of what can be contracted rewritten; eligible: the table contractions.json, before "
        "a word",
        "Ribeiro et al. 2020, CheckList (arXiv 2005.04118); " + NL_AUGMENTER,
        languages=shipped_languages("contractions"),
    ),
    Operator(
        "entity",
        entity,
        "lexical",
        "share of the groups of names of an item (given names of women, of men, surnames, places; of a lexicon each "
        "key) that are exchanged. Labels that rest on facts about a name, or on a name outside the table, may change; "
        "those of pairs hold as both fields change alike",
        "Ribeiro et al. 2020, CheckList (arXiv 2005.04118), change names and locations",
        languages=frozenset(
            [*tables.read("entities")["latin_languages"], *tables.read("entities")["entries"]],
        ),
        lexicon="a name and the names that may stand for it",
        shared_by_fields=True,
    ),
)
