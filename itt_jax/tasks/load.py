"""A task's rows, from the first of its sources that is available."""

import contextlib
import dataclasses
import gc
import pathlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from itt_jax import kinds
from itt_jax.data.rows import Rows
from itt_jax.data.sources import Source, Table
from itt_jax.data.sources.paths import NO_ROOT
from itt_jax.errors import InputError, unknown
from itt_jax.reading.text import check_texts
from itt_jax.tasks.splits import Slice, hold_out_sentences, parse, part, published
from itt_jax.tasks.task import Task


def load_rows(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Rows:
    """The rows of a split, or of a slice of one ("dev[0%:70%]"), in one language.

    With a data root, local files are read; without one, the hub, then TFDS. Item ids are task/split/index, with the
    published split and index; if the task is not parallel, the language precedes the index.

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
        left_out = ", ".join(f"{count} of {label!r:.80}" for label, count in rows.left_out.items())
        why = f"; its source's labels leave out {left_out}" if left_out else ""
        raise InputError(f"task {task.name!r}, split {split!r}, language {language!r}: no rows{why}")
    return rows


def has_rows(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> bool:
    """Whether an available source offers that split, or slice of one, in that language; nothing is read."""
    wanted = parse(split)
    if language not in task.languages:
        return False
    return any(_offers(task, source, wanted.split, language) for source in _available(task, data_root))


def count_rows(
    task: Task,
    split: str,
    language: str,
    data_root: str | pathlib.Path | None = None,
    read: dict[tuple[int, str, str], list[str]] | None = None,
) -> int:
    """The number of rows that `load_rows` returns; reads texts and labels only if they decide which rows count.

    Args:
        read: keeps the indices of published splits between calls for one task.

    Raises:
        InputError: as `load_rows`, for the data that is read.
    """
    wanted = parse(split)
    source = _choose(task, wanted.split, language, data_root)
    if task.held_out_sentences or None in source.labels.values():
        return len(load_rows(task, split, language, data_root))
    inner = parse(source.slices.get(wanted.split, wanted.split))
    key, read = (id(source), inner.split, language), {} if read is None else read
    if key not in read:
        with paused_garbage_collection():
            read[key] = source.indices(inner.split, language, data_root)
    ids = _item_ids(task, inner.split, language, read[key])
    ids = ids[_part(task, ids, inner)]
    return int(_part(task, ids, wanted).sum())


def files_of(task: Task, split: str, language: str, data_root: str | pathlib.Path | None = None) -> str:
    """The files that `load_rows` reads, for people; "" if the rows are not in files. Raises as `load_rows`."""
    wanted = parse(split).split
    source = _choose(task, wanted, language, data_root)
    return source.where(parse(source.slices.get(wanted, wanted)).split, language)


def identifying(task: Task, rows: Rows) -> Rows:
    """The rows with only the fields that identify them, which are searched for contamination."""
    return dataclasses.replace(rows, fields={name: rows.fields[name] for name in task.identifying_fields})


def _available(task: Task, data_root: str | pathlib.Path | None) -> list[Source]:
    """Local sources if there is a data root or nothing else, otherwise the others."""
    local = [source for source in task.sources if source.local]
    remote = [source for source in task.sources if not source.local]
    return local if local and (data_root or not remote) else remote


def _offers(task: Task, source: Source, split: str, language: str | None = None) -> bool:
    named = split in source.all_splits or (split == "dev" and task.held_out_sentences > 0)
    return named and (language is None or not source.languages or language in source.languages)


def _choose(task: Task, split: str, language: str, data_root: str | pathlib.Path | None) -> Source:
    """The first available source that has this split in this language."""
    sources = [source for source in _available(task, data_root) if _offers(task, source, split)]
    if not sources:
        known = {name for source in _available(task, data_root) for name in source.all_splits}
        error = unknown(f"{task.name} split", split, known)
        if any(_offers(task, source, split) for source in task.sources):
            raise InputError(f"{error}; local files have it: {NO_ROOT}")
        raise error
    for source in sources:
        if _offers(task, source, split, language):
            return source
    have = sorted({code for source in sources for code in source.languages})
    raise InputError(f"task {task.name!r}, split {split!r}: no language {language!r}; it has {', '.join(have)}")


def _published(task: Task, source: Source, split: str, language: str, data_root: str | pathlib.Path | None) -> Rows:
    """A whole split: a published one, or the slice of one that the source gives this name."""
    if task.held_out_sentences and split in ("train", "dev"):
        rows = _rows(task, source, Slice("train"), language, data_root)
        train, dev = hold_out_sentences(tuple(rows.fields[task.fields[0]]), task.held_out_sentences)
        return rows.select(train if split == "train" else dev)
    return _rows(task, source, parse(source.slices.get(split, split)), language, data_root)


def documents(item_ids: np.ndarray) -> list[str]:
    """The document that each row is part of, without the task."""
    return [published(item_id).rpartition("-")[0] for item_id in item_ids]


def _part(task: Task, item_ids: np.ndarray, wanted: Slice) -> np.ndarray:
    """bool [n]: the items in a slice, chosen by a hash of their ids; rows of one group stay together."""
    keys = documents(item_ids) if task.documents else [published(item_id) for item_id in item_ids]
    if task.rows_per_group > 1:
        keys = [f"{split}/{int(index) // task.rows_per_group}" for split, index in (key.split("/") for key in keys)]
    return part(np.array(keys, dtype=str), wanted)


def _rows(task: Task, source: Source, wanted: Slice, language: str, data_root: str | pathlib.Path | None) -> Rows:
    """A slice of a published split as rows of the task: texts checked, labels mapped, item ids made."""
    with paused_garbage_collection():
        table = source.read(wanted.split, language, data_root)
    if set(table.fields) != set(task.fields):
        raise InputError(
            f"task {task.name!r}: its source has columns for {', '.join(table.fields)}, "
            f"expected its fields {', '.join(task.fields)}"
        )
    check_texts(table.fields, table.place)
    check_indices(table)
    _check_documents(task, source, table)
    ids = _item_ids(task, wanted.split, language, table.indices)
    fields = {name: table.fields[name] for name in task.fields}
    for name, pattern in task.patterns.items():
        fields[name] = [pattern.replace("{}", text) for text in fields[name]]
    labels, keep = kinds.kind(task.kind).read_labels(task, source.labels, table)
    # Slices are taken from all published rows, so tasks that leave out different rows have the same slices.
    inside = _part(task, ids, wanted)
    left_out = _left_out(source, table, inside & ~keep)
    rows = Rows(task.name, wanted.split, language, task.domain, ids, fields, labels, table.pool, left_out)
    return rows.select(inside & keep)


def _item_ids(task: Task, split: str, language: str, indices: Sequence[str]) -> np.ndarray:
    """Item ids of rows of a published split: object [n]."""
    prefix = "" if task.parallel or len(task.languages) == 1 else f"{language}-"
    return np.array([f"{task.name}/{split}/{prefix}{index}" for index in indices], dtype=object)


def _left_out(source: Source, table: Table, rows: np.ndarray) -> dict[str, int]:
    """Published labels that map to None -> how many of `rows`, bool [n], have them."""
    found: Counter[str] = Counter()
    if not rows.any():
        return {}
    written = table.written or table.label_texts
    for i in np.flatnonzero(rows).tolist():
        label = written[i]
        parts = (label,) if label in source.labels else dict.fromkeys(label.split(" "))
        found.update(part for part in parts if part in source.labels and source.labels[part] is None)
    return dict(found)


def _check_documents(task: Task, source: Source, table: Table) -> None:
    """Raises InputError unless the source names the rows' documents if and only if the task uses them."""
    if source.document is not None and not task.documents:
        raise InputError(
            f"task {task.name!r}: its source names documents (document={source.document!r}); set documents=True, "
            "so that slices of splits keep each in one piece"
        )
    if task.documents and not all("-" in index for index in table.indices):
        i = next(i for i, index in enumerate(table.indices) if "-" not in index)
        raise InputError(
            f"{table.place(i)}: task {task.name!r} has documents=True, but index {table.indices[i]!r:.80} names no "
            "document; name the column or mark of documents in its source (document=...)"
        )


@contextlib.contextmanager
def paused_garbage_collection() -> Iterator[None]:
    """Pauses the collector: reading makes millions of objects without cycles, which it would traverse repeatedly."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def check_indices(table: Table) -> None:
    """Raises InputError for a published index that occurs twice, naming the place of the second."""
    if len(set(table.indices)) < len(table.indices):
        seen: set[str] = set()
        for i, index in enumerate(table.indices):
            if index in seen:
                raise InputError(f"{table.place(i)}: index {index!r} occurs twice")
            seen.add(index)
