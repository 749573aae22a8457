"""A task from one table that the command line names: the columns of its texts and of its label."""

import contextlib
import math
import pathlib
from collections.abc import Iterator, Sequence

from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError, unknown
from itt_jax.perturb import LANGUAGES
from itt_jax.tasks.label_names import table_labels
from itt_jax.tasks.task import Task

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
METRICS = {"classification": "accuracy", "regression": "spearman", "token_classification": "entity_f1"}
"""Kind of task -> its metric; the kinds that one column of labels is enough for."""


def table_task(
    path: pathlib.Path,
    text: Sequence[str],
    label: str,
    kind: str = "classification",
    language: str = "en",
    *,
    outputs: int,
    names: Sequence[str] | None = None,
    given: str | None = None,
    metric: str | None = None,
) -> Task:
    """The task of a table with a header, csv, tsv, jsonl or parquet by its suffix, for the head of a checkpoint.

    The task has the table's name; its fields have the names of their columns, and its one split is "test".

    Args:
        text: one column or two. outputs, names, given: of the head, as in `label_names.table_labels`.
        metric: None takes that of the kind.

    Raises:
        InputError: an unknown suffix, a missing file or column, or labels that are not those of the head.
    """
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise InputError(f"--task-file {path}: expected a name that ends in {', '.join(FORMATS)}")
    if len(set(text)) != len(text) or len(text) > 2:
        raise InputError(f"--text: expected one column or two, found {' '.join(text)!r:.80}")
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)

    def source(labels: dict[str, str] | None = None) -> LocalFiles:
        return LocalFiles({"test": str(path.absolute())}, format, {name: name for name in text}, label, labels or {})

    published = source().read("test", language).labels
    about = {"languages": (language,), "source_language": language, "metric": metric or METRICS[kind]}
    if kind == "regression":
        numbers = list(_numbers(published))
        low, high = min(numbers, default=0.0), max(numbers, default=1.0)
        return Task(path.stem, kind, tuple(text), (source(),), score_range=(low, high), **about)
    parts = (part for one in published for part in (one.split(" ") if kind == "token_classification" else [one]))
    labels, read_as = table_labels(list(dict.fromkeys(parts)), outputs, names, given)
    note = f"Labels of the table: {', '.join(f'{own} = {name}' for own, name in read_as.items())}." * bool(read_as)
    return Task(path.stem, kind, tuple(text), (source(read_as),), labels, note=note, **about)


def _numbers(labels: Sequence[str]) -> Iterator[float]:
    """The labels that are finite numbers; the task refuses the others with their places."""
    for label in labels:
        with contextlib.suppress(ValueError):
            if math.isfinite(number := float(label)):
                yield number
