"""A task's rows, from whichever of its sources is at hand."""

import contextlib
import dataclasses
import gc
import pathlib
from collections.abc import Iterator

import numpy as np

from itt_jax import kinds
from itt_jax.data.rows import Rows
from itt_jax.data.sources import Source, Table
from itt_jax.data.sources.text import check_texts
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
    source = _choose(task, wanted.split, language, data_root)
    rows = _published(task, source, wanted.split, language, data_root)
    rows = rows.select(_part(task, rows.item_ids, wanted))
    if len(rows) == 0:
        raise InputError(f"task {task.name!r}, split {split!r}, language {language!r}: no rows")
    return rows


def has_rows(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> bool:
    """Whether the task's sources at hand have that split, or slice of one, in that language (nothing is read)."""
    wanted = parse(split)
    if language not in task.languages:
        return False
    return any(_offers(task, source, wanted.split, language) for source in _at_hand(task, data_root))


def telling(task: Task, rows: Rows) -> Rows:
    """The rows with only the fields that distinguish them, which contamination is looked for in."""
    return dataclasses.replace(rows, fields={name: rows.fields[name] for name in task.telling_fields})


def _at_hand(task: Task, data_root: str | pathlib.Path | None) -> list[Source]:
    """Local sources if there is a root for them or nothing else, otherwise the others."""
    local = [source for source in task.sources if source.local]
    remote = [source for source in task.sources if not source.local]
    return local if local and (data_root or not remote) else remote


def _offers(task: Task, source: Source, split: str, language: str | None = None) -> bool:
    named = split in source.all_splits or (split == "dev" and task.held_out_sentences > 0)
    return named and (language is None or not source.languages or language in source.languages)


def _choose(task: Task, split: str, language: str, data_root: str | pathlib.Path | None) -> Source:
    """The first source at hand that has this split in this language."""
    sources = [source for source in _at_hand(task, data_root) if _offers(task, source, split)]
    if not sources:
        known = {name for source in _at_hand(task, data_root) for name in source.all_splits}
        raise unknown(f"{task.name} split", split, known)
    for source in sources:
        if _offers(task, source, split, language):
            return source
    have = sorted({code for source in sources for code in source.languages})
    raise InputError(f"task {task.name!r}, split {split!r}: no language {language!r}; it has {', '.join(have)}")


def _published(task: Task, source: Source, split: str, language: str, data_root: str | pathlib.Path | None) -> Rows:
    """A whole split: as published, or the slice of a published one that the source calls by this name."""
    if task.held_out_sentences and split in ("train", "dev"):
        rows = _rows(task, source, Slice("train"), language, data_root)
        train, dev = hold_out_sentences(tuple(rows.fields[task.fields[0]]), task.held_out_sentences)
        return rows.select(train if split == "train" else dev)
    return _rows(task, source, parse(source.slices.get(split, split)), language, data_root)


def _part(task: Task, item_ids: np.ndarray, wanted: Slice) -> np.ndarray:
    """Mask of the items in a slice, by a hash of their ids; rows of one group stay together."""
    keys = [published(item_id) for item_id in item_ids]
    if task.documents:
        keys = [key.rpartition("-")[0] for key in keys]
    if task.rows_per_group > 1:
        keys = [f"{split}/{int(index) // task.rows_per_group}" for split, index in (key.split("/") for key in keys)]
    return part(np.array(keys, dtype=str), wanted)


def _rows(task: Task, source: Source, wanted: Slice, language: str, data_root: str | pathlib.Path | None) -> Rows:
    """A part of a published split as rows of the task: texts checked, labels mapped, item ids made."""
    with paused_garbage_collection():
        table = source.read(wanted.split, language, data_root)
    if set(table.fields) != set(task.fields):
        raise InputError(
            f"task {task.name!r}: its source has columns for {', '.join(table.fields)}, "
            f"expected its fields {', '.join(task.fields)}"
        )
    check_texts(table.fields, table.place)
    check_indices(table)
    prefix = "" if task.parallel or len(task.languages) == 1 else f"{language}-"
    ids = np.array([f"{task.name}/{wanted.split}/{prefix}{index}" for index in table.indices], dtype=object)
    fields = {name: table.fields[name] for name in task.fields}
    for name, pattern in task.patterns.items():
        fields[name] = [pattern.replace("{}", text) for text in fields[name]]
    labels, keep = kinds.kind(task.kind).read_labels(task, source.labels, table)
    rows = Rows(task.name, wanted.split, language, task.domain, ids, fields, labels, table.pool)
    # the part is taken together with the rows to keep, so that tasks which leave out different rows share their parts
    return rows.select(_part(task, ids, wanted) & keep)


@contextlib.contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Reading makes millions of objects in no cycle, which the collector would traverse again and again."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def check_indices(table: Table) -> None:
    """Refuse a published index that two rows have, naming the later one's place."""
    if len(set(table.indices)) < len(table.indices):
        seen: set[str] = set()
        for i, index in enumerate(table.indices):
            if index in seen:
                raise InputError(f"{table.place(i)}: index {index!r} stands there twice")
            seen.add(index)
