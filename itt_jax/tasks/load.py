"""A task's rows, from whichever of its sources is at hand."""

import dataclasses
import math
import pathlib

import numpy as np

from itt_jax.data.local import check_texts
from itt_jax.data.rows import Rows
from itt_jax.data.sources import Embedded, Local, Source, Table, read
from itt_jax.errors import InputError, unknown
from itt_jax.tasks.splits import Slice, hold_out_sentences, parse, part, published
from itt_jax.tasks.task import Task


def load_rows(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Rows:
    """The rows of a split, or of a slice of one ("dev[0%:70%]"), in one language.

    With a data root local files come first; without one, the hub, then TFDS.
    Item ids are task/split/index with the published split and index; where the rows of different languages are not
    translations of each other the index begins with the language.

    Raises:
        InputError: no source has the split or the language; a file is missing or malformed; a label is outside the
            label space; a text holds NUL or a lone surrogate; the split is empty.
    """
    if language not in task.languages:
        raise InputError(f"task {task.name!r} has no language {language!r}; it has {', '.join(task.languages)}")
    wanted = parse(split)
    if isinstance(task.sources[0], Embedded):
        from itt_jax.data import embedded

        rows, source = embedded.load(task.sources[0].name, wanted.split, language), None
    else:
        source = _choose(task, wanted.split, language, data_root)
        rows = _published(task, source, wanted.split, language, data_root)
    if (wanted.start, wanted.stop) != (0.0, 1.0):
        rows = _slice(task, rows, wanted)
    if len(rows) == 0:
        raise InputError(f"task {task.name!r}, split {split!r}, language {language!r}: no rows")
    return rows


def has_rows(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> bool:
    """Whether the task's sources at hand have that split, or slice of one, in that language (nothing is read)."""
    wanted = parse(split)
    if language not in task.languages:
        return False
    if isinstance(task.sources[0], Embedded):
        from itt_jax.data import embedded

        return wanted.split in embedded.TASKS[task.sources[0].name].splits
    return any(_offers(task, source, wanted.split, language) for source in _at_hand(task, data_root))


def splits_of(source: Source) -> tuple[str, ...]:
    """The splits that a source offers, published or sliced."""
    return tuple(dict.fromkeys((*source.published, *source.slices)))


def _at_hand(task: Task, data_root: str | pathlib.Path | None) -> list[Source]:
    """Local sources if there is a root for them or nothing else, otherwise the others."""
    local = [source for source in task.sources if isinstance(source, Local)]
    remote = [source for source in task.sources if not isinstance(source, Local)]
    return local if local and (data_root or not remote) else remote


def _offers(task: Task, source: Source, split: str, language: str | None = None) -> bool:
    named = split in splits_of(source) or (split == "dev" and task.held_out_sentences > 0)
    return named and (language is None or not source.languages or language in source.languages)


def _choose(task: Task, split: str, language: str, data_root: str | pathlib.Path | None) -> Source:
    """The first source at hand that has this split in this language."""
    sources = [source for source in _at_hand(task, data_root) if _offers(task, source, split)]
    if not sources:
        known = {name for source in _at_hand(task, data_root) for name in splits_of(source)}
        raise unknown(f"{task.name} split", split, known)
    for source in sources:
        if _offers(task, source, split, language):
            return source
    have = sorted({code for source in sources for code in source.languages})
    raise InputError(f"task {task.name!r}, split {split!r}: no language {language!r}; it has {', '.join(have)}")


def _published(task: Task, source: Source, split: str, language: str, data_root: str | pathlib.Path | None) -> Rows:
    """A whole split: as published, or the slice of a published one that the source calls by this name."""
    if task.held_out_sentences and split in ("train", "dev"):
        rows = _rows(task, source, "train", language, read(source, "train", language, data_root))
        train, dev = hold_out_sentences(rows.fields[task.fields[0]], task.held_out_sentences)
        return rows.select(train if split == "train" else dev)
    wanted = parse(source.slices.get(split, split))
    rows = _rows(task, source, wanted.split, language, read(source, wanted.split, language, data_root))
    return rows if (wanted.start, wanted.stop) == (0.0, 1.0) else _slice(task, rows, wanted)


def _slice(task: Task, rows: Rows, wanted: Slice) -> Rows:
    """Part of a split by a hash of the item ids; rows of one group stay together."""
    keys = [published(item_id) for item_id in rows.item_ids]
    if task.rows_per_group > 1:
        keys = [f"{split}/{int(index) // task.rows_per_group}" for split, index in (key.split("/") for key in keys)]
    return rows.select(part(np.array(keys), wanted))


def _rows(task: Task, source: Source, split: str, language: str, table: Table) -> Rows:
    """A table as rows of the task: texts checked, labels mapped, item ids made."""
    if set(table.fields) != set(task.fields):
        raise InputError(
            f"task {task.name!r}: its source has columns for {', '.join(table.fields)}, "
            f"expected its fields {', '.join(task.fields)}"
        )
    check_texts(table.fields, table.place)
    prefix = "" if task.parallel or len(task.languages) == 1 else f"{language}-"
    ids = np.array([f"{task.name}/{split}/{prefix}{index}" for index in table.indices], dtype=object)
    fields = {name: table.fields[name] for name in task.fields}
    rows = Rows(task.name, split, language, task.domain, ids, fields, None)
    if table.labels is None:
        return rows
    if task.kind == "regression":
        scores = [_score(task, source, label, table, i) for i, label in enumerate(table.labels)]
        keep = np.array([score is not None for score in scores], bool)
        labels = np.array([score for score in scores if score is not None], np.float32)
    else:
        classes = [_class(task, source, label, table, i) for i, label in enumerate(table.labels)]
        keep = np.array([index is not None for index in classes], bool)
        labels = np.array([index for index in classes if index is not None], np.int32)
    return dataclasses.replace(rows.select(keep), labels=labels)


def _class(task: Task, source: Source, label: str, table: Table, i: int) -> int | None:
    known = source.labels or {name: name for name in task.labels}
    if label not in known:
        expected = ", ".join(known)
        raise InputError(f"{table.place(i)}: label {label!r} is not of task {task.name!r}; expected {expected}")
    if known[label] is None:
        return None
    if known[label] not in task.labels:
        raise InputError(
            f"task {task.name!r}: a source turns {label!r} into {known[label]!r}, which is not of its labels"
        )
    return task.labels.index(known[label])


def _score(task: Task, source: Source, label: str, table: Table, i: int) -> float | None:
    text = source.labels.get(label, label)
    if text is None:
        return None
    low, high = task.score_range
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not low <= score <= high:
        raise InputError(f"{table.place(i)}: score {label!r}; expected a number from {low:g} to {high:g}")
    return score
