"""Controls: operators that change the label, or may change it.

A model whose answer stays the same under a control did not use the text (arXiv 2306.12916). Controls are not
perturbations: `changes_label` is set, and a score on them does not measure robustness. `omission` drops any number of
sentences but always keeps one; the other controls make one change per text, because two negations or swaps could
cancel out.
"""

import dataclasses
import functools

import numpy as np

from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import SPACE, WORD
from itt_jax.perturb.edits import Edits, deleted, pieces
from itt_jax.perturb.lexicon import Lexicon, shipped_languages
from itt_jax.perturb.noise import Noise, below, later_draws, under
from itt_jax.perturb.operator import LANGUAGES, Operator
from itt_jax.perturb.rewriting import Matches, drawn_options, find, rewritten, strings
from itt_jax.perturb.scrambling import contents
from itt_jax.perturb.segmentation import among, same_text, sentence_starts
from itt_jax.perturb.units import Document

ATTACKS = "Zhang et al. 2023, Cross-lingual Cross-temporal Summarization (arXiv 2306.12916)"
HYPHENS = "-\u2010\u2011"
KEPT = "\uffff"  # as an option in a lexicon: keep the key unchanged
# Languages whose usual script has no capital letters.
CASELESS = frozenset(
    "am ar ara arq arz as bh bn bo cmn dv dz fa gu he hi ii iu ja ka khm km kn ko ks lo ml mr my ne or pa pes pi ps sa "
    "sd si ta te th ti ug uig ur wuu yi yue zh".split()
)


def omission(document: Document, noise: Noise, severity: float) -> Edits:
    """CONTROL: deletes sentences from texts of two or more, always keeping one at random.

    A sentence is deleted with the white space on the side of the sentence that is kept. Scripts that do not mark
    sentence ends (Thai, Lao) have no sentences.
    """
    start = sentence_starts(document)
    bounds = np.searchsorted(start, document.text_clusters)
    counts = np.diff(bounds)
    owner = np.repeat(np.arange(len(counts)), counts)
    visible = np.flatnonzero(document.flags & SPACE == 0)
    following = np.append(start[1:], len(document.bases))
    following = np.minimum(following, document.text_clusters[owner + 1])
    end = visible[np.searchsorted(visible, following) - 1] + 1 if len(start) else start
    left = bounds[:-1] + below(noise.texts, np.maximum(counts, 1))
    place = np.arange(len(start)) - left[owner]
    first = np.where(place > 0, np.append(0, end)[:-1], start)
    stop = np.where(place > 0, end, following)
    fixed = np.append(0, np.cumsum(~document.allowed))
    gone = (place != 0) & (fixed[first] == fixed[stop]) & under(noise.clusters[start], severity)
    first, stop = first[gone], stop[gone]
    return deleted(document.starts[first], document.starts[stop], stop - first)


@dataclasses.dataclass(frozen=True)
class Negations:
    """A language's table of negations.

    Attributes:
        lexicon: form -> forms with opposite polarity, and the phrases to keep.
        kept: bool [keys of the lexicon], whether the key is a phrase to keep.
        within_clause: whether a form is changed only if another word of its clause follows.
    """

    lexicon: Lexicon
    kept: np.ndarray
    within_clause: bool


@functools.cache
def negations(language: str) -> Negations:
    """The built-in table of a language."""
    row = tables.read("negations")["entries"][language]
    forms: dict[str, list[str]] = dict(row["forms"])
    kept = row.get("kept", [])
    kept = kept + [f"{word} {form}" for word in row.get("not_after", []) for form in forms]
    kept = kept + [f"{form} {word}" for word in row.get("not_before", []) for form in forms]
    lexicon = Lexicon({phrase: [KEPT] for phrase in kept if phrase not in forms} | forms)
    is_kept = np.array([options == (KEPT,) for options in lexicon.options], bool)
    return Negations(lexicon, is_kept, row.get("within_clause", False))


def by_rule(document: Document, matches: Matches, table: Negations) -> Matches:
    """The matches that the table's rules permit to change."""
    first, stop = matches.first, matches.stop
    bases, flags = np.append(document.bases, [0, 0]), np.append(document.flags, [0, 0])
    hyphens = among(HYPHENS)
    before, after = document.around(first, stop)
    beside = tables.look_up(hyphens, bases[before]) | tables.look_up(hyphens, bases[after])
    right = ~table.kept[matches.row] & ~beside
    if table.within_clause:
        space, word = flags[stop] & SPACE > 0, flags[stop + 1] & WORD > 0
        right &= space & word & same_text(document, first, stop + 1)
    return matches.select(right)


def negation(document: Document, noise: Noise, severity: float) -> Edits:
    """CONTROL: negates a random auxiliary or form of "to be" in a text, or removes its negation.

    A user's lexicon is applied literally, without the rules of the built-in tables.
    """
    if document.lexicon is None:
        table = negations(document.language)
        lexicon = table.lexicon
        matches = by_rule(document, find(document, lexicon), table)
    else:
        lexicon = document.lexicon
        matches = find(document, lexicon)
    bounds = np.searchsorted(matches.first, document.text_clusters)
    counts = np.diff(bounds)
    edited = np.flatnonzero((counts > 0) & under(noise.texts, severity))
    draws = noise.texts[edited]
    matches = matches.select(bounds[edited] + below(later_draws(draws, 1), counts[edited]))
    new = drawn_options(document, lexicon, matches, later_draws(draws, 2))
    return rewritten(document, matches.first, matches.stop, new)


def names(document: Document) -> tuple[np.ndarray, np.ndarray]:
    """int64, int64: first cluster, and the cluster after the last, of presumed names.

    A name is a run of capitalized words of at least two letters, joined by spaces or hyphens. The first word of a
    sentence, always capitalized, does not count, nor does a part of a hyphenated compound.
    """
    first, stop = document.words
    capital = tables.look_up(tables.mapping("lower_upper", inverse=True), document.bases[first]) > 0
    capital &= ~np.isin(np.arange(len(first)), np.searchsorted(first, sentence_starts(document)))
    member = np.flatnonzero(capital & (document.word_sizes > 1) & document.word_allowed)
    if not len(member):
        return member, member
    hyphens = np.append(tables.look_up(among(HYPHENS), document.bases), False)
    between = (np.append(document.flags, 0) & SPACE > 0) | hyphens
    begins, ends = member[1:], member[:-1]
    joined = (first[begins] == stop[ends] + 1) & (between & np.append(document.allowed, False))[stop[ends]]
    joined &= same_text(document, first[ends], first[begins])
    begins, ends = member[np.append(True, ~joined)], member[np.append(~joined, True)]
    first, stop = first[begins], stop[ends]
    part = hyphens[first - 1] & same_text(document, first - 1, first)
    part |= hyphens[stop] & same_text(document, first, stop)
    return first[~part], stop[~part]


def entity_exchange(document: Document, noise: Noise, severity: float) -> Edits:
    """CONTROL: swaps two names in a text, that is, two runs of capitalized words (in German also nouns)."""
    from rapidfuzz.distance import Levenshtein

    first, stop = names(document)
    bounds = np.searchsorted(first, document.text_clusters)
    named = strings(document, first, stop)
    pairs = []
    for text in np.flatnonzero((np.diff(bounds) > 1) & under(noise.texts, severity)).tolist():
        begin, end = bounds[text : text + 2].tolist()
        differ = [k for k in range(begin, end) if named[k] != named[begin]]
        if differ:
            one = begin + int(below(later_draws(noise.texts[text : text + 1], 1), end - begin)[0])
            others = [k for k in range(begin, end) if named[k] != named[one]]
            other = others[int(below(later_draws(noise.texts[text : text + 1], 2), len(others))[0])]
            pairs.append(sorted((one, other)))
    left, right = np.array(pairs, np.int64).reshape(-1, 2).T
    bounds = np.stack([first[left], stop[left], first[right], stop[right]], axis=1)
    begin, middle, other, end = document.starts[np.ascontiguousarray(bounds.T)]
    parts = np.stack([other, end, middle, other, begin, middle], axis=1).reshape(-1, 3, 2)
    content = contents(document).tolist()
    cost = [
        Levenshtein.distance(content[a:d], content[c:d] + content[b:c] + content[a:b]) for a, b, c, d in bounds.tolist()
    ]
    return pieces(document.text, begin, end, parts, np.array(cost, np.int64))


OPERATORS = (
    Operator(
        "omission",
        omission,
        "control",
        "share of sentences deleted; eligible: all but one sentence of texts with at least two",
        f"{ATTACKS}, plot omission",
        scripts="scripts that mark sentence ends",
        languages=LANGUAGES - {"th", "lo"},
        changes_label=True,
    ),
    Operator(
        "negation",
        negation,
        "control",
        "share of texts edited; eligible: texts with an editable form from the table",
        f"{ATTACKS}, plot negation",
        languages=shipped_languages("negations"),
        lexicon="an auxiliary and its negated forms, or a negated form and its auxiliary",
        changes_label=True,
    ),
    Operator(
        "entity_exchange",
        entity_exchange,
        "control",
        "share of texts edited; eligible: texts with two different names",
        f"{ATTACKS}, entity swap",
        scripts="scripts with capital letters",
        languages=LANGUAGES - CASELESS,
        changes_label=True,
    ),
)
