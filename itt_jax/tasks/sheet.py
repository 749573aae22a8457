"""Validity sheets of tasks: perturbed rows with their labels, for people to judge."""

import pathlib
from collections.abc import Sequence

from itt_jax import kinds, tasks
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError, unknown
from itt_jax.perturb.engine import LexiconFile
from itt_jax.perturb.sheet import Line, Texts, sampled, write_sheet


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
    own_tasks: Sequence[tasks.Task] = (),
) -> list[Line]:
    """Write a sheet of `rows` perturbed rows of a task's split; returns its lines.

    Args:
        names: operators; empty means all. languages: empty means all languages with available rows.
        own_tasks: the user's tasks, which precede the catalogue's.

    Raises:
        InputError: an unknown task or language, missing data; or as `sampled` and `write_sheet`.
    """

    def make() -> list[Line]:
        found = tasks.get(task, own_tasks)
        for language in languages:
            if language not in found.languages:
                raise unknown(f"language of task {task!r}", language, found.languages)
        wanted = languages or [one for one in found.languages if tasks.has_rows(found, split, one, data_root)]
        wanted = wanted or [found.source_language]  # reading it raises the error that says what is missing
        read = [tasks.load_rows(found, split, language, data_root) for language in wanted]
        return sampled([judged_texts(found, own) for own in read], names, severity, rows, seed, lexicon)

    return write_sheet(path, make)


def judged_texts(task: tasks.Task, rows: Rows) -> Texts:
    """The rows with their labels in words; codepoints that evaluation protects are protected here.

    Raises:
        InputError: the rows have no labels.
    """
    if rows.labels is None:
        raise InputError(f"task {task.name!r}, split {rows.split!r}: it has no labels to judge by")
    kind = kinds.kind(task.kind)
    masks = {name: kind.editable(rows, name) for name in rows.fields}
    editable = {name: own for name, own in masks.items() if own is not None}
    ids = [str(item) for item in rows.item_ids]
    return Texts(rows.language, ids, rows.fields, kind.label_texts(task, rows), task.editable_fields, editable)
