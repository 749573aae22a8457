"""Operators that add to a text what changes nothing it says: each is one function (document, noise, severity) -> Edits.

Severity is the share of texts edited. A text without a word is left alone. An addition stands beside a cluster that
may be edited, or the text is left alone; so a field or span that is wholly protected stays as it is.
"""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import SOUTH_EAST_ASIAN, SPACE, WORD, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import lowered
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import Operator
from itt_jax.perturb.rewriting import added
from itt_jax.perturb.segmentation import (
    CLOSING,
    among,
    asks,
    ends_sentence,
    first_among,
    last_among,
    sentence_starts,
)
from itt_jax.perturb.units import Document

CHECKLIST = "Ribeiro et al. 2020, CheckList (arXiv 2005.04118)"
STRESS_TEST = "Naik et al. 2018, Stress Test Evaluation (arXiv 1806.00692)"
ADD_SENT = "Jia and Liang 2017, AddSent (arXiv 1707.07328), in part: its sentences do not depend on the question"
WITH_WORD = "share of texts edited; eligible: those with a word"
# No vowels, so that no word comes out by chance.
SIGNS = "bcdfghjklmnpqrstvwxz0123456789"
LETTERS = SIGNS[:-10]
UNMARKED_PARAGRAPH = 120  # clusters of a paragraph in a script that does not mark where sentences end
LENGTH = 6  # of a random name, as in CheckList


def with_word(document: Document) -> np.ndarray:
    """bool [n]: texts that have a word."""
    return last_among(document, (document.flags & WORD) > 0) >= 0


@functools.cache
def phrases(kind: str) -> dict[str, list[str]]:
    """Language -> what can be added."""
    return {code: found[kind] for code, found in tables.read("sentences")["entries"].items() if kind in found}


def clause(document: Document, noise: Noise, severity: float, kind: str) -> Edits:
    """Adds the language's clause before the marks that end the last sentence, or at the end where there are none."""
    bare = (document.flags & SPACE > 0) | ends_sentence(document)
    last = last_among(document, ~bare)
    allowed = np.append(document.allowed, False)
    follows = last + 1 < document.text_clusters[1:]
    after = allowed[last]
    eligible = with_word(document) & (after | (follows & allowed[np.minimum(last + 1, len(document.bases))]))
    edited = np.flatnonzero(eligible & under(noise.texts, severity))
    (string,) = phrases(kind)[document.language]
    after = after[edited]
    return added(document, last[edited] + ~after, [string] * len(edited), after)


def tautology(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds to the last sentence, in the text's language, "and true is true"."""
    return clause(document, noise, severity, "tautology")


def negated_tautology(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds to the last sentence, in the text's language, "and false is not true"."""
    return clause(document, noise, severity, "negated_tautology")


def name_beside(document: Document, noise: Noise, severity: float, prefix: str, signs: str) -> Edits:
    """Writes the prefix and a random name at an end of texts: which end is a draw, unless one is protected."""
    visible = document.flags & SPACE == 0
    first, last = first_among(document, visible), last_among(document, visible)
    allowed = np.append(document.allowed, False)
    at_end = allowed[last] & ((later_draws(noise.texts, 1) >> np.uint64(63) > 0) | ~allowed[first])
    edited = np.flatnonzero(with_word(document) & (allowed[first] | allowed[last]) & under(noise.texts, severity))
    draws, at_end = noise.texts[edited], at_end[edited]
    index = np.stack([below(later_draws(draws, 2 + k), len(signs)) for k in range(LENGTH)], axis=1)
    names = [prefix + "".join(signs[k] for k in row) for row in index.tolist()]
    new = [f" {name}" if end else f"{name} " for name, end in zip(names, at_end.tolist(), strict=True)]
    return added(document, np.where(at_end, last[edited], first[edited]), new, at_end)


def url(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes a random web address before or after texts."""
    return name_beside(document, noise, severity, "https://example.com/", SIGNS)


def handle(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes a random user's handle before or after texts."""
    return name_beside(document, noise, severity, "@", SIGNS)


def hashtag(document: Document, noise: Noise, severity: float) -> Edits:
    """Writes a random hashtag before or after texts."""
    return name_beside(document, noise, severity, "#", LETTERS)


def paragraphs(document: Document) -> np.ndarray:
    """bool [n]: texts of two sentences or more that end with the end of one, which is no question.

    In scripts that do not mark the ends of sentences (such as Thai): texts as long as two sentences mostly are.
    """
    skipped = (document.flags & SPACE > 0) | tables.look_up(among(CLOSING), document.bases)
    last = last_among(document, ~skipped)
    unmarked = tables.look_up(word_groups(), document.bases) == SOUTH_EAST_ASIAN
    sentences = np.diff(np.searchsorted(sentence_starts(document), document.text_clusters))
    marked = np.append(ends_sentence(document) & ~asks(document), False)[last] & (sentences > 1)
    long = np.append(unmarked, False)[last] & (np.diff(document.text_clusters) >= UNMARKED_PARAGRAPH)
    return (last >= 0) & (marked | long)


def protected_pieces(document: Document, text: int) -> list[str]:
    """Small-letter strings of the runs of a text that may not be edited, such as an answer."""
    start, stop = document.text.offsets[text : text + 2].tolist()
    fixed = np.flatnonzero(np.diff(np.concatenate([[0], ~document.editable[start:stop], [0]])))
    bounds = (start + fixed).reshape(-1, 2).tolist()
    pieces = (lowered(document.codepoints[a:b]).tobytes().decode("utf-32-le").strip() for a, b in bounds)
    return [piece for piece in pieces if piece]


def distractor(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds a sentence on invented people and places after or before paragraphs, the contexts of questions.

    Single sentences and questions are left alone: to a hypothesis it would add a claim, and change the label. No
    sentence is added that contains a run of the text that may not be edited; so if a task protects its answers, none
    of them stands in what is added.
    """
    visible = document.flags & SPACE == 0
    first, last = first_among(document, visible), last_among(document, visible)
    allowed = np.append(document.allowed, False)
    may_lead, may_follow = allowed[first], allowed[last]
    behind = may_follow & ((later_draws(noise.texts, 1) >> np.uint64(63) > 0) | ~may_lead)
    edited = np.flatnonzero(paragraphs(document) & (may_follow | may_lead) & under(noise.texts, severity))
    sentences = phrases("distractor")[document.language]
    drawn = below(later_draws(noise.texts[edited], 2), len(sentences))
    clusters, new, after = [], [], []
    for text, k in zip(edited.tolist(), drawn.tolist(), strict=True):
        pieces = [] if document.editable is None else protected_pieces(document, text)
        candidates = sentences[k:] + sentences[:k]
        fitting = [one for one in candidates if not any(piece in _small(one) for piece in pieces)]
        if fitting:
            space = "" if fitting[0].endswith("。") else " "
            after.append(bool(behind[text]))
            clusters.append(last[text] if after[-1] else first[text])
            new.append(space + fitting[0] if after[-1] else fitting[0] + space)
    return added(document, np.array(clusters, np.int64), new, np.array(after, bool))


def _small(text: str) -> str:
    return lowered(tables.codepoints_of(text)).tobytes().decode("utf-32-le")


OPERATORS = (
    Operator(
        "tautology",
        tautology,
        "sentence",
        WITH_WORD,
        f"{STRESS_TEST}; {CHECKLIST}",
        languages=frozenset(phrases("tautology")),
        reversible=True,
    ),
    Operator(
        "negated_tautology",
        negated_tautology,
        "sentence",
        WITH_WORD,
        f"{STRESS_TEST}; {CHECKLIST}",
        languages=frozenset(phrases("negated_tautology")),
        reversible=True,
    ),
    Operator("url", url, "sentence", WITH_WORD, CHECKLIST, reversible=True),
    Operator("handle", handle, "sentence", WITH_WORD, CHECKLIST, reversible=True),
    Operator("hashtag", hashtag, "sentence", WITH_WORD, CHECKLIST, reversible=True),
    Operator(
        "distractor",
        distractor,
        "sentence",
        "share of texts edited; eligible: those of two sentences or more that do not end with a question",
        ADD_SENT,
        languages=frozenset(phrases("distractor")),
        reversible=True,
    ),
)
