"""Validity sheets of a task: its rows as texts and labels that people can judge."""

import pathlib
from collections.abc import Sequence

import numpy as np

from itt_jax import tasks
from itt_jax.data.answers import Answers
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError, unknown
from itt_jax.perturb.engine import LexiconFile
from itt_jax.perturb.sheet import Line, Texts, sampled, write_sheet
from itt_jax.ragged import Ragged


def task_sheet(
    path: pathlib.Path,
    task: str,
    *,
    names: Sequence[str] = (),
    severity: float = 0.2,
    rows: int = 200,
    seed: int = 0,
    split: str = "test",
    languages: Sequence[str] = (),
    data_root: pathlib.Path | None = None,
    lexicon: LexiconFile = None,
) -> list[Line]:
    """Writes a sheet of `rows` perturbed rows of the task's split, and gives its lines.

    Args:
        names: operators; empty means all. languages: empty means all of the task that the data at hand have.

    Raises:
        InputError: as `sampled` and `write_sheet`; an unknown task or language, or data that are not at hand.
    """

    def make() -> list[Line]:
        found = tasks.get(task)
        for language in languages:
            if language not in found.languages:
                raise unknown(f"language of task {task!r}", language, found.languages)
        wanted = languages or [one for one in found.languages if tasks.has_rows(found, split, one, data_root)]
        wanted = wanted or [found.source_language]  # reading it says what is missing
        read = [tasks.load_rows(found, split, language, data_root) for language in wanted]
        return sampled([judged_texts(found, own) for own in read], names, severity, rows, seed, lexicon)

    return write_sheet(path, make)


def judged_texts(task: tasks.Task, rows: Rows) -> Texts:
    """The rows with their labels in words; where answers stand, they may not be edited (as in evaluation)."""
    editable = {}
    if isinstance(rows.labels, Answers):
        for name, texts in rows.fields.items():
            pairs = zip(texts, rows.labels.items, strict=True)
            if all(text[item[0].start : item[0].stop] == item[0].text for text, item in pairs):
                editable[name] = [~mask for mask in rows.labels.covered(texts)]
    ids = [str(item) for item in rows.item_ids]
    return Texts(rows.language, ids, rows.fields, label_texts(task, rows), task.editable_fields, editable)


def label_texts(task: tasks.Task, rows: Rows) -> list[str]:
    """What is right for each row: class, chosen field, score, answers, or the words that have a class other than O."""
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {rows.split!r}: it has no labels to judge by")
    if isinstance(rows.labels, Answers):
        return [" | ".join(dict.fromkeys(texts)) for texts in rows.labels.texts]
    if isinstance(rows.labels, Ragged):
        (texts,) = rows.fields.values()
        named = [[task.labels[tag] for tag in tags.tolist()] for tags in rows.labels.arrays()]
        pairs = [zip(text.split(" "), tags, strict=True) for text, tags in zip(texts, named, strict=True)]
        return [" ".join(f"{word}/{tag}" for word, tag in pair if tag != "O") for pair in pairs]
    if task.kind == "multilabel":
        return [" | ".join(np.array(task.labels)[own].tolist()) for own in rows.labels]
    labels = np.asarray(rows.labels).tolist()
    return [f"{label:g}" if task.kind == "regression" else task.labels[label] for label in labels]
