"""Operators that add irrelevant material to a text.

Severity is the share of texts edited. Texts without words are skipped. Additions are placed next to an editable
cluster, so fully protected fields and spans are unchanged.
"""

import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import IGNORED, SOUTH_EAST_ASIAN, SPACE, WORD, word_groups
from itt_jax.perturb.edits import Edits
from itt_jax.perturb.lexicon import lower
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
ADD_SENT = "Jia and Liang 2017, AddSent (arXiv 1707.07328), with sentences that do not depend on the question"
WITH_WORD = "share of texts edited; eligible: texts with a word"
# No vowels, so that no words arise by chance.
SIGNS = "bcdfghjklmnpqrstvwxz0123456789"
LETTERS = SIGNS[:-10]
UNMARKED_PARAGRAPH = 120  # minimum clusters of a paragraph in scripts that do not mark sentence ends
LENGTH = 6  # characters of a random name, as in CheckList


def with_word(document: Document) -> np.ndarray:
    """bool [n]: whether each text contains a word."""
    return last_among(document, (document.flags & WORD) > 0) >= 0


@functools.cache
def phrases(kind: str) -> dict[str, list[str]]:
    """Language -> the phrases of this kind in sentences.json."""
    return {code: found[kind] for code, found in tables.read("sentences")["entries"].items() if kind in found}


def clause(document: Document, noise: Noise, severity: float, kind: str) -> Edits:
    """Adds the language's clause before the sentence-final marks of the last sentence, or at the end without them."""
    bare = (document.flags & (SPACE | IGNORED) > 0) | ends_sentence(document)
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
    """Appends "and true is true", in the text's language, to the last sentence."""
    return clause(document, noise, severity, "tautology")


def negated_tautology(document: Document, noise: Noise, severity: float) -> Edits:
    """Appends "and false is not true", in the text's language, to the last sentence."""
    return clause(document, noise, severity, "negated_tautology")


def name_beside(document: Document, noise: Noise, severity: float, prefix: str, signs: str) -> Edits:
    """Adds the prefix and a random name before or after texts, at random unless one end is protected."""
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
    """Adds a random web address before or after texts."""
    return name_beside(document, noise, severity, "https://example.com/", SIGNS)


def handle(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds a random user handle before or after texts."""
    return name_beside(document, noise, severity, "@", SIGNS)


def hashtag(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds a random hashtag before or after texts."""
    return name_beside(document, noise, severity, "#", LETTERS)


def paragraphs(document: Document) -> np.ndarray:
    """bool [n]: texts of at least two sentences, the last of which is complete and not a question.

    In scripts that do not mark sentence ends, such as Thai: texts of at least UNMARKED_PARAGRAPH clusters.
    """
    skipped = (document.flags & (SPACE | IGNORED) > 0) | tables.look_up(among(CLOSING), document.bases)
    last = last_among(document, ~skipped)
    unmarked = tables.look_up(word_groups(), document.bases) == SOUTH_EAST_ASIAN
    sentences = np.diff(np.searchsorted(sentence_starts(document), document.text_clusters))
    marked = np.append(ends_sentence(document) & ~asks(document), False)[last] & (sentences > 1)
    long = np.append(unmarked, False)[last] & (np.diff(document.text_clusters) >= UNMARKED_PARAGRAPH)
    return (last >= 0) & (marked | long)


def protected_pieces(document: Document, text: int) -> list[str]:
    """The protected spans of a text, such as an answer, in lower case."""
    if document.editable is None:
        return []
    start, stop = document.text.offsets[text : text + 2].tolist()
    fixed = np.flatnonzero(np.diff(np.concatenate([[0], ~document.editable[start:stop], [0]])))
    bounds = (start + fixed).reshape(-1, 2).tolist()
    pieces = (lower(document.string[a:b]).strip() for a, b in bounds)
    return [piece for piece in pieces if piece]


def distractor(document: Document, noise: Noise, severity: float) -> Edits:
    """Adds a sentence about invented people and places before or after paragraphs, such as contexts of questions.

    Single sentences and questions are skipped, because adding a claim to a hypothesis would change the label. The
    sentence never contains a protected span of the text, so it cannot contain an answer that the task protects.
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
        pieces = protected_pieces(document, text)
        candidates = sentences[k:] + sentences[:k]
        fitting = [one for one in candidates if not any(piece in lower(one) for piece in pieces)]
        if fitting:
            space = "" if fitting[0].endswith("。") else " "
            after.append(bool(behind[text]))
            clusters.append(last[text] if after[-1] else first[text])
            new.append(space + fitting[0] if after[-1] else fitting[0] + space)
    return added(document, np.array(clusters, np.int64), new, np.array(after, bool))


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
        "share of texts edited; eligible: texts of at least two sentences that do not end with a question",
        ADD_SENT,
        languages=frozenset(phrases("distractor")),
        reversible=True,
    ),
)
