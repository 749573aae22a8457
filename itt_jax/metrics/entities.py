"""Entity-level precision, recall and F1 of tag sequences, as `seqeval` computes them.

seqeval reads tags one by one in Python and warns of every tag that names no entity, as part-of-speech tags do. A study
scores thousands of cells, so here the same rules run on arrays, with equal results (the tests compare them).

There are two conventions, because published figures use both:

- "seqeval": the current version (1.2.2). A tag's type is what follows its first character.
- "seqeval-0.0.12": the version of 2019 with which XTREME's expected scores were made. A tag's type is what follows its
  last hyphen, so a tag without a hyphen is its own type.

They agree on tags such as B-PER. They differ on tags without a hyphen (parts of speech): in the current version
one-letter tags such as X have the type of the tag O, so beside an O they neither start nor end.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.metrics.metric import CountsF1

CONVENTIONS = ("seqeval", "seqeval-0.0.12")


def entity_scores(
    labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]], convention: str = "seqeval"
) -> dict[str, float]:
    """Micro-averaged precision, recall and F1 of the entities in tagged sentences, in [0, 1].

    A ratio without a denominator is 0, as in seqeval.

    Raises:
        InputError: the numbers of sentences, or of tags in a sentence, differ; the convention is unknown.
    """
    if len(labels) != len(predictions):
        raise InputError(f"found {len(predictions)} predicted sentences, expected {len(labels)}")
    for i, (label, prediction) in enumerate(zip(labels, predictions, strict=True)):
        if len(label) != len(prediction):
            raise InputError(f"sentence {i + 1}: found {len(prediction)} predicted tags, expected {len(label)}")
    tags, ids = np.unique([tag for rows in (labels, predictions) for row in rows for tag in row], return_inverse=True)
    offsets = np.concatenate([[0], np.cumsum([len(row) for row in labels], dtype=np.int64)])
    counts = entity_counts(ids[: offsets[-1]], ids[offsets[-1] :], offsets, tuple(map(str, tags)), convention)
    correct, predicted, actual = counts.sum(axis=0).tolist()
    precision, recall = _ratio(correct, predicted), _ratio(correct, actual)
    return {"precision": precision, "recall": recall, "f1": _ratio(2 * precision * recall, precision + recall)}


def entity_macro_f1(labels: Sequence[Sequence[str]], predictions: Sequence[Sequence[str]]) -> float:
    """F1 of each type of entity, averaged over the types that occur on either side: seqeval's mode "strict" with IOB2
    (LEXTREME's metric).

    An entity is a B- tag and the I- tags of the same type after it; other I- tags are ignored.

    Raises:
        InputError: the numbers of tags in a sentence differ.
    """
    found: tuple[set, set] = (set(), set())
    for n, (predicted, label) in enumerate(zip(predictions, labels, strict=True)):
        if len(predicted) != len(label):
            raise InputError(f"sentence {n + 1}: found {len(predicted)} predicted tags, expected {len(label)}")
        for entities, tags in zip(found, (predicted, label), strict=True):
            entities.update((n, *entity) for entity in _strict_entities(tags))
    types = {entity[-1] for entity in found[0] | found[1]}
    by_type = []
    for kind in types:
        own, right = ({entity for entity in side if entity[-1] == kind} for side in found)
        by_type.append(2 * len(own & right) / (len(own) + len(right)))
    return sum(by_type) / len(by_type) if by_type else 0.0


def _strict_entities(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """(first position, position after the last, type) of each entity."""
    found = []
    for start, tag in enumerate(tags):
        if tag.startswith("B-"):
            stop = start + 1
            while stop < len(tags) and tags[stop] == f"I-{tag[2:]}":
                stop += 1
            found.append((start, stop, tag[2:]))
    return found


def entity_counts(
    labels: np.ndarray, predictions: np.ndarray, offsets: np.ndarray, tags: Sequence[str], convention: str = "seqeval"
) -> np.ndarray:
    """Entities of each sentence: int64 [n, 3], numbers of correctly predicted, predicted and actual ones.

    Args:
        labels, predictions: int [N], indices into `tags`, sentence after sentence.
        offsets: int [n + 1], where each sentence starts, and N.
        tags: names of the tags.

    Raises:
        InputError: the convention is unknown, or a tag is empty.
    """
    actual, predicted = (_entities(ids, offsets, tuple(tags), convention) for ids in (labels, predictions))
    same = (actual.starts == predicted.starts) & (actual.types == predicted.types)
    n = len(offsets) - 1
    # In `_entities` each sentence has one more tag, an O, before which its last entity ends.
    sentence = np.searchsorted(np.asarray(offsets)[1:] + np.arange(n), np.arange(len(actual.ends)))
    marks = (actual.ends & predicted.ends & same, predicted.ends, actual.ends)
    return np.stack([np.bincount(sentence, mark, n + 1)[:n] for mark in marks], axis=1).astype(np.int64)


class _Entities(NamedTuple):
    """Entities of flattened sentences, by the position after their last tag, which is unique.

    Attributes:
        ends: bool [M], an entity ends before this position.
        starts, types: int [M], that entity's first position and its type.
    """

    ends: np.ndarray
    starts: np.ndarray
    types: np.ndarray


def _entities(ids: np.ndarray, offsets: np.ndarray, tags: tuple[str, ...], convention: str) -> _Entities:
    prefixes, types = _parts((*tags, "O"), convention)
    # An O follows every sentence, and one more comes before and after all, so that no entity crosses a border.
    sentence_ends = np.asarray(offsets)[1:]
    outside = len(tags)
    flat = np.insert(np.asarray(ids, np.int64), sentence_ends, outside)
    flat = np.append(flat, outside)
    prefix, kind = prefixes[flat], types[flat]
    before, kind_before = np.append("O", prefix[:-1]), np.append(-1, kind[:-1])

    # The rules of `conlleval`: B and S start, E and S end, and so does a change of type.
    in_entity = ~np.isin(before, ("O", "."))
    ends = np.isin(before, ("E", "S")) | (np.isin(before, ("B", "I")) & np.isin(prefix, ("B", "S", "O")))
    ends |= in_entity & (kind_before != kind)
    starts = np.isin(prefix, ("B", "S")) | (np.isin(before, ("E", "S", "O")) & np.isin(prefix, ("E", "I")))
    starts |= ~np.isin(prefix, ("O", ".")) & (kind_before != kind)

    # An entity starts at the last start before its end, or at the beginning if there is none.
    last_start = np.maximum.accumulate(np.where(starts, np.arange(len(flat)), 0))
    return _Entities(ends, np.append(0, last_start[:-1]), kind_before)


@functools.lru_cache(maxsize=256)
def _parts(tags: tuple[str, ...], convention: str) -> tuple[np.ndarray, np.ndarray]:
    """Each tag's first character, and a number for its type."""
    if convention == "seqeval":
        names = [tag[1:].split("-", maxsplit=1)[-1] or "_" for tag in tags]
    elif convention == "seqeval-0.0.12":
        names = [tag.split("-")[-1] for tag in tags]
    else:
        raise unknown("tagging convention", convention, CONVENTIONS)
    if not all(tags):
        raise InputError("a tag is empty")
    numbers = {name: i for i, name in enumerate(dict.fromkeys(names))}
    return np.array([tag[0] for tag in tags]), np.array([numbers[name] for name in names])


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else 0.0


class TagMetric(CountsF1):
    """A metric of token classification. Predictions and labels are class indices of words, Ragged [n]."""

    outcomes = ("tags",)

    def applicable(self, labels: Any) -> np.ndarray:
        """bool [n]: texts with words."""
        return labels.lengths > 0

    def chance(self, labels: Any, names: Sequence[str] = ()) -> float:
        """The best value of one tag for all words."""
        constant = (labels.with_values(np.full_like(labels.values, index)) for index in range(len(names)))
        return max(self.value(self.statistic(same, labels, names)) for same in constant)


class EntityF1(TagMetric):
    """Micro-averaged F1 of entities by one of CONVENTIONS."""

    def __init__(self, name: str, convention: str):
        self.name, self.convention = name, convention
        self.summary = f"micro-averaged F1 of entities by the rules of {convention}"

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """int64 [n, 3]: numbers of entities, as COUNTS."""
        return entity_counts(labels.values, predictions.values, labels.offsets, tuple(names), self.convention)


class TagAccuracy(TagMetric):
    """The share of words whose tag is right; every word counts as predicted and as actual."""

    name = "tag_accuracy"
    summary = "share of words whose tag is right"

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """int64 [n, 3]: numbers of words, as COUNTS."""
        item = np.repeat(np.arange(len(labels)), labels.lengths)
        correct = np.bincount(item, predictions.values == labels.values, len(labels)).astype(np.int64)
        return np.stack([correct, labels.lengths, labels.lengths], axis=1)
