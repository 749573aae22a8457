"""A task from one table that the command line names: the columns of its texts and of its label."""

import pathlib
from collections.abc import Sequence
from typing import Any

from itt_jax import kinds
from itt_jax.data.sources import LocalFiles
from itt_jax.data.sources.files import FileFormat
from itt_jax.data.sources.values import Columns
from itt_jax.errors import InputError, unknown
from itt_jax.perturb import LANGUAGES
from itt_jax.tasks.label_names import table_labels
from itt_jax.tasks.task import Task

FORMATS: dict[str, FileFormat] = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}


def table_task(
    path: pathlib.Path,
    text: Sequence[str],
    label: str,
    kind: str = "classification",
    language: str = "en",
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    quoted: bool | None = None,
    header: bool | None = None,
    outputs: int,
    names: Sequence[str] | None = None,
    given: str | None = None,
    metric: str | None = None,
) -> Task:
    """The task of a table with a header, csv, tsv, jsonl or parquet by its suffix, for the head of a checkpoint.

    The task has the table's name; its fields have the names of their columns, and its one split is "test".

    Args:
        text: one column or two.
        delimiter, encoding, quoted, header: as in `LocalFiles`; None: the usual value for the suffix. With a
            delimiter, a table with another suffix is read as csv.
        outputs, names, given: outputs of the head, as in `label_names.table_labels`.
        metric: None takes the kind's.

    Raises:
        InputError: an unknown suffix, a missing file or column, or labels that are not those of the head.
    """
    format, reading = _format(path, delimiter, encoding, quoted, header)
    if len(set(text)) != len(text) or len(text) > 2:
        raise InputError(f"--text: expected one column or two, found {' '.join(text)!r:.80}")
    own = kinds.kind(kind)
    if not own.table_metric:
        raise unknown("kind of a table in --kind:", kind, [one.name for one in kinds.KINDS if one.table_metric])
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)

    columns: Columns = {name: _column(name, header) for name in text}

    def source(labels: dict[str, str]) -> LocalFiles:
        paths = {"test": str(path.absolute())}
        return LocalFiles(paths, format, columns, _column(label, header), {**labels}, **reading)

    table = source({}).read("test", language)
    published = table.label_texts
    if empty := [i for i, one in enumerate(published) if not one.strip()]:
        more = f", as in {len(empty) - 1} other rows" * (len(empty) > 1)
        raise InputError(f"{table.place(empty[0])}: column {label!r}: expected a label, found none{more}; remove them")
    labels: tuple[str, ...] = ()
    read_as: dict[str, str] = {}
    settings = own.table_settings(table)
    if own.named_outputs:
        labels, read_as = table_labels(own.distinct_labels(published), outputs, names, given)
    note = f"Labels of the table: {', '.join(f'{one} = {name}' for one, name in read_as.items())}." * bool(read_as)
    return Task(
        path.stem,
        kind,
        tuple(text),
        (source(read_as),),
        labels,
        metric=metric or own.table_metric,
        languages=(language,),
        source_language=language,
        note=note,
        **settings,
    )


def _format(
    path: pathlib.Path, delimiter: str | None, encoding: str | None, quoted: bool | None, header: bool | None
) -> tuple[FileFormat, dict[str, Any]]:
    """The format of a table, and the arguments of `LocalFiles` with which it is read."""
    format = FORMATS.get(path.suffix.lower())
    if delimiter and format in (None, "tsv"):
        format = "csv"
    if format is None:
        raise InputError(
            f"--task-file {path}: expected a name that ends in {', '.join(FORMATS)}, or --delimiter for another one"
        )
    given = {"delimiter": delimiter, "encoding": encoding, "quoted": quoted, "header": header}
    given = {name: value for name, value in given.items() if value is not None}
    read = {"csv": set(given), "tsv": {"encoding", "quoted", "header"}, "jsonl": {"encoding"}, "parquet": set()}[format]
    if other := next((name for name in given if name not in read), None):
        raise InputError(f"--{other} does not go with {format}, the format of --task-file {path}")
    return format, given


def _column(name: str, header: bool | None) -> str | int:
    """A column by name, or by number in a table without a header.

    Raises:
        InputError: not a number.
    """
    if header is not False:
        return name
    if not name.isdecimal():
        raise InputError(f"--no-header: expected numbers of columns, from 0, found {name!r:.80}")
    return int(name)
