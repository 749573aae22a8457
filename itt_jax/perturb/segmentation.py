"""Sentence boundaries, from the punctuation of each script."""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import IGNORED, NUMBER, SPACE
from itt_jax.perturb.units import Document

SENTENCE_ENDS = ".!?…‥。．！？｡।॥۔؟።፧។៕။׃։\u037e"
# Common substitutes for the Greek question mark and for the danda of Indic scripts.
TYPED_ENDS = {"el": ";"} | dict.fromkeys(("bn", "hi", "mr", "ne", "or", "pa", "sa"), "|")
QUESTION_MARKS = "?？؟\u037e"
CLOSING = "\"'”’»›)]}」』）》〉】"
WIDE_ENDS = "。！？｡．"  # not followed by a space


@functools.cache
def among(characters: str) -> np.ndarray:
    """bool [highest codepoint + 2]: whether a codepoint is one of the characters; the last entry covers the rest."""
    codepoints = tables.codepoints_of(characters)
    found = np.zeros(int(codepoints.max()) + 2, bool)
    found[codepoints] = True
    return found


def ends_sentence(document: Document) -> np.ndarray:
    """bool [G]: whether each cluster is a sentence-final mark."""
    return tables.look_up(among(SENTENCE_ENDS + TYPED_ENDS.get(document.language, "")), document.bases)


def asks(document: Document) -> np.ndarray:
    """bool [G]: whether each cluster is a question mark."""
    return tables.look_up(among(QUESTION_MARKS + (";" if document.language == "el" else "")), document.bases)


def last_among(document: Document, members: np.ndarray) -> np.ndarray:
    """int64 [n]: each text's last cluster among `members` (bool [G]), -1 if there is none."""
    last = np.maximum.accumulate(np.append(-1, np.where(members, np.arange(len(members)), -1)))
    last = last[document.text_clusters[1:]]
    return np.where(last >= document.text_clusters[:-1], last, -1)


def first_among(document: Document, members: np.ndarray) -> np.ndarray:
    """int64 [n]: each text's first cluster among `members` (bool [G]), -1 if there is none."""
    places = np.append(np.flatnonzero(members), len(members))
    first = places[np.searchsorted(places, document.text_clusters[:-1])]
    return np.where(first < document.text_clusters[1:], first, -1)


def same_text(document: Document, clusters: np.ndarray, others: np.ndarray) -> np.ndarray:
    """bool: whether the two clusters of each pair belong to the same text."""
    bounds = document.text_clusters
    return np.searchsorted(bounds, clusters, "right") == np.searchsorted(bounds, others, "right")


def short(document: Document, last: np.ndarray) -> np.ndarray:
    """bool: whether the word ending at each cluster `last` may be an abbreviation or ordinal ("Dr", "z", "5")."""
    first, stop = document.words
    word = np.searchsorted(first, last, "right") - 1
    if not len(first):
        return np.zeros(len(last), bool)
    begin, length = first[word], document.word_sizes[word]
    capital = tables.look_up(tables.mapping("lower_upper", inverse=True), document.bases[begin]) > 0
    number = document.flags[begin] & NUMBER > 0
    return (stop[word] == last + 1) & ((length == 1) | (capital & (length <= 3)) | (number & (length <= 2)))


def sentence_starts(document: Document) -> np.ndarray:
    """int64: the first cluster of each sentence, in text order; white space before a text's first is in no sentence.

    A sentence begins after a sentence-final mark and white space (not required after full-width marks). It never begins
    with a lower-case letter or after a full stop that may belong to an abbreviation or ordinal number. Format
    characters are ignored (UAX 29, SB5).
    """
    bases, count = document.bases, len(document.bases)
    visible, formats = document.flags & SPACE == 0, document.flags & IGNORED > 0
    end, wide = ends_sentence(document), tables.look_up(among(WIDE_ENDS), bases)
    tail = end | tables.look_up(among(CLOSING), bases)
    index = np.arange(count)

    def last(members: np.ndarray, places: np.ndarray) -> np.ndarray:
        """The last member up to each of `places`; -1 for none."""
        return np.maximum.accumulate(np.append(-1, np.where(members, index, -1)))[places + 1]

    opening = first_among(document, visible)
    candidates = visible & (~tail | ~np.append(True, visible)[:count])
    candidates[opening[opening >= 0]] = True
    begins = np.flatnonzero(candidates)
    before = last(visible & ~formats, begins - 1)
    body = last(visible & ~formats & ~tail, before)
    owner = np.searchsorted(document.text_clusters, begins, "right") - 1
    outside = document.text_clusters[owner] - 1
    body = np.maximum(body, outside)
    spaced = last(visible, begins - 1) < begins - 1
    apart = (last(end, before) > body) & spaced | (last(wide, before) > body)
    small = tables.look_up(tables.mapping("lower_upper"), bases[begins]) > 0
    full_stop = (body > outside) & (before == body + 1) & (bases[before] == ord("."))
    follows = apart & ~small & ~(full_stop & short(document, body))
    return begins[np.isin(begins, opening) | (follows & same_text(document, before, begins))]
