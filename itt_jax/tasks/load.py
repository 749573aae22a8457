"""A task's rows, from whichever of its sources is at hand."""

import contextlib
import dataclasses
import functools
import gc
import math
import pathlib
from collections.abc import Callable, Iterator

import numpy as np

from itt_jax.data.answers import Answers
from itt_jax.data.rows import Rows
from itt_jax.data.sources import Source, Table
from itt_jax.data.sources.text import check_texts
from itt_jax.errors import InputError, unknown
from itt_jax.ragged import Ragged
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
    rows = Rows(task.name, wanted.split, language, task.domain, ids, fields, None)
    # the part is taken before rows are left out, so that tasks which leave out different rows share their parts
    keep = _part(task, ids, wanted)
    if table.labels is not None and task.kind == "token_classification":
        rows = dataclasses.replace(rows, labels=tags_of(task, source, table))
    elif task.kind == "retrieval":
        if (table.pool is None) == (not task.candidates):
            raise InputError(f"task {task.name!r}: its source has a pool of candidates, or the task names their fields")
        rows = dataclasses.replace(
            rows, labels=np.arange(len(rows), dtype=np.int32) if task.candidates else table.labels
        )
        rows = dataclasses.replace(rows, pool=table.pool)
    elif table.labels is not None and task.kind == "question_answering":
        if not isinstance(table.labels, Answers):
            raise InputError(f"task {task.name!r}: its source has no answers with their places; see LocalSquad, or Hub")
        rows = dataclasses.replace(rows, labels=table.labels)
    elif table.labels is not None and task.kind == "multilabel":
        rows = dataclasses.replace(rows, labels=label_sets_of(task, source, table))
    elif table.labels is not None:
        label, kind = (_score, np.float32) if task.kind == "regression" else (_class, np.int32)
        labels = [label(task, source, text, functools.partial(table.place, i)) for i, text in enumerate(table.labels)]
        rows = dataclasses.replace(rows, labels=np.array([found or 0 for found in labels], kind))
        keep &= np.array([found is not None for found in labels], bool)
    return rows.select(keep)


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


def tags_of(task: Task, source: Source, table: Table) -> Ragged:
    """The class of each word of each row.

    Raises:
        InputError: an empty word, more or fewer tags than words, or a tag outside the label space; with its place.
    """
    (texts,) = table.fields.values()
    words, tags = [text.split(" ") for text in texts], [label.split(" ") for label in table.labels]
    for i, (own, given) in enumerate(zip(words, tags, strict=True)):
        if not all(own):
            raise InputError(f"{table.place(i)}: word {own.index('') + 1} is empty")
        if len(own) != len(given):
            raise InputError(f"{table.place(i)}: {len(given)} tags, expected {len(own)}, one for each word")
    classes: dict[str, int] = {}
    for i, given in enumerate(tags):
        for k, tag in enumerate(given):
            if tag not in classes:
                place = f"{table.place(i)}, word {k + 1} ({words[i][k]!r})"
                found = _class(task, source, tag, lambda place=place: place)
                if found is None:
                    raise InputError(f"{place}: tag {tag!r} is to be left out, but every word needs a tag")
                classes[tag] = found
    return Ragged.of(([classes[tag] for tag in given] for given in tags), np.int32)


def label_sets_of(task: Task, source: Source, table: Table) -> np.ndarray:
    """Which classes each row has: bool [n, classes]; published are the labels with one space between them.

    A label that the source turns into None is left out, not its row.

    Raises:
        InputError: a label outside the label space, with its place.
    """
    found = np.zeros((len(table.labels), len(task.labels)), bool)
    for i, labels in enumerate(table.labels):
        classes = [_class(task, source, label, functools.partial(table.place, i)) for label in labels.split()]
        found[i, [index for index in classes if index is not None]] = True
    return found


def _class(task: Task, source: Source, label: str, place: Callable[[], str]) -> int | None:
    known = source.labels or {name: name for name in task.labels}
    if label not in known:
        expected = ", ".join(known)
        raise InputError(f"{place()}: label {label!r} is not of task {task.name!r}; expected {expected}")
    if known[label] is None:
        return None
    if known[label] not in task.labels:
        raise InputError(
            f"task {task.name!r}: a source turns {label!r} into {known[label]!r}, which is not of its labels"
        )
    return task.labels.index(known[label])


def _score(task: Task, source: Source, label: str, place: Callable[[], str]) -> float | None:
    text = source.labels.get(label, label)
    if text is None:
        return None
    low, high = task.score_range
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not low <= score <= high:
        raise InputError(f"{place()}: score {label!r}; expected a number from {low:g} to {high:g}")
    return score
