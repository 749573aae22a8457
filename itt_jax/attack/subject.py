"""A subject: one row under attack, its text cut into grapheme clusters and words once."""

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax import kinds
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError, unknown
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document, flat_editable
from itt_jax.tasks import Task


@dataclasses.dataclass(frozen=True, eq=False)
class Subject:
    """One row under attack. One of its fields is edited; the others keep their text.

    Attributes:
        item: the row's id, which random choices depend on.
        fields: field -> clean text, in the task's order.
        field: the field that is edited.
        language: ISO 639-1 code.
        label: the row's entry in `Rows.labels`; for question answering, the texts of the right answers.
        labels: the task's class names.
        seed: seed of random choices.
        clusters: grapheme clusters of the edited field. words: bounds of its words, [first, stop) as clusters.
        allowed: bool [clusters], the clusters that may be edited.
    """

    item: str
    fields: dict[str, str]
    field: str
    language: str
    label: Any
    labels: tuple[str, ...]
    seed: int
    clusters: tuple[str, ...]
    words: tuple[tuple[int, int], ...]
    allowed: np.ndarray

    @property
    def text(self) -> str:
        """The clean text of the edited field."""
        return self.fields[self.field]

    @functools.cached_property
    def wording(self) -> "Wording":
        """The clean text as words and what is between them."""
        bounds = [0, *(bound for word in self.words for bound in word), len(self.clusters)]
        parts = ["".join(self.clusters[a:b]) for a, b in itertools.pairwise(bounds)]
        return Wording(tuple(parts[1::2]), tuple(parts[::2]), frozenset())

    def word(self, place: int) -> tuple[str, ...]:
        """The clusters of one word."""
        return self.clusters[slice(*self.words[place])]

    @functools.cached_property
    def editable_words(self) -> list[int]:
        """The words whose clusters may all be edited."""
        return [i for i, (first, stop) in enumerate(self.words) if self.allowed[first:stop].all()]

    def inputs(self, text: str) -> tuple[str, ...]:
        """All fields, with `text` in place of the edited one."""
        return tuple(text if name == self.field else own for name, own in self.fields.items())

    def draw(self, count: int, *context: object) -> int:
        """A number from 0 to count - 1, a function of seed, item, field and `context`, such as a name and a place."""
        name = "\0".join(map(str, (self.seed, self.item, self.field, *context)))
        return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") % count


@dataclasses.dataclass(frozen=True)
class Wording:
    """A text some of whose words are replaced.

    Attributes:
        words: the words as they are now; a replaced word may be empty or hold a space.
        between: what precedes each word, and what follows the last.
        changed: numbers of the replaced words.
    """

    words: tuple[str, ...]
    between: tuple[str, ...]
    changed: frozenset[int]

    @property
    def text(self) -> str:
        """The whole text."""
        pairs = zip(self.between, (*self.words, ""), strict=True)
        return "".join([part for pair in pairs for part in pair])

    def replaced(self, place: int, new: str) -> "Wording":
        """The text with another word in one place."""
        words = (*self.words[:place], new, *self.words[place + 1 :])
        return Wording(words, self.between, self.changed | {place})

    def without(self, place: int) -> "Wording":
        """The text without a word and the space before it, or after it if the word is the first."""
        between = list(self.between)
        if place == 0:
            between[1] = between[1].removeprefix(" ")
        else:
            between[place] = between[place].removesuffix(" ")
        return dataclasses.replace(self.replaced(place, ""), between=tuple(between))


def subjects(task: Task, rows: Rows, field: str | None = None, seed: int = 0) -> list[Subject]:
    """The rows as subjects.

    Args:
        field: the field to edit; None: the last of those that the task lets be edited (the hypothesis of a pair, the
            context of a question).

    Raises:
        InputError: the task lets no such field be edited, or the rows have no labels.
    """
    field = field_to_edit(task, field)
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {rows.split!r}, language {rows.language!r}: it has no labels")
    texts, masks = rows.fields[field], kinds.kind(task.kind).editable(rows, field)
    text = from_strings(texts)
    document = Document(text, flat_editable(masks, text), rows.language, None)
    bounds, (first, stop) = document.text_clusters.tolist(), document.words
    words_before = np.searchsorted(first, document.text_clusters).tolist()
    labels = rows.labels.texts if hasattr(rows.labels, "texts") else rows.labels
    found = []
    for i, own in enumerate(texts):
        low, high = bounds[i], bounds[i + 1]
        starts = (document.starts[low : high + 1] - text.offsets[i]).tolist()
        own_words = slice(words_before[i], words_before[i + 1])
        found.append(
            Subject(
                item=str(rows.item_ids[i]),
                fields={name: values[i] for name, values in rows.fields.items()},
                field=field,
                language=rows.language,
                label=labels[i],
                labels=task.labels,
                seed=seed,
                clusters=tuple(own[a:b] for a, b in itertools.pairwise(starts)),
                words=tuple(zip((first[own_words] - low).tolist(), (stop[own_words] - low).tolist(), strict=True)),
                allowed=document.allowed[low:high],
            )
        )
    return found


def field_to_edit(task: Task, field: str | None) -> str:
    """The field that an attack edits; see `subjects`."""
    if field is None:
        return task.editable_fields[-1]
    if field not in task.editable_fields:
        raise unknown(f"--field that may be edited in task {task.name!r}:", field, task.editable_fields)
    return field


@functools.lru_cache(maxsize=1 << 16)
def clusters_of(text: str) -> tuple[str, ...]:
    """The grapheme clusters of a text."""
    if text.isascii() and "\r" not in text:
        return tuple(text)
    starts = Document(from_strings([text]), None, "", None).starts.tolist()
    return tuple(text[a:b] for a, b in itertools.pairwise(starts))


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """The words of each text."""
    document = Document(from_strings(texts), None, "", None)
    first, stop = document.words
    bounds = np.searchsorted(first, document.text_clusters).tolist()
    places = zip(document.starts[first].tolist(), document.starts[stop].tolist(), strict=True)
    words = [document.string[a:b] for a, b in places]
    return [words[a:b] for a, b in itertools.pairwise(bounds)]
