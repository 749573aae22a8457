"""A task from one table that the command line names: the columns of its texts and of its label."""

import pathlib
from collections.abc import Sequence

from itt_jax import kinds
from itt_jax.data.sources import LocalFiles
from itt_jax.errors import InputError, unknown
from itt_jax.perturb import LANGUAGES
from itt_jax.tasks.label_names import table_labels
from itt_jax.tasks.task import Task

FORMATS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}


def table_task(
    path: pathlib.Path,
    text: Sequence[str],
    label: str,
    kind: str = "classification",
    language: str = "en",
    *,
    quoted: bool | None = None,
    outputs: int,
    names: Sequence[str] | None = None,
    given: str | None = None,
    metric: str | None = None,
) -> Task:
    """The task of a table with a header, csv, tsv, jsonl or parquet by its suffix, for the head of a checkpoint.

    The task has the table's name; its fields have the names of their columns, and its one split is "test".

    Args:
        text: one column or two. quoted: as `LocalFiles`.
        outputs, names, given: of the head, as in `label_names.table_labels`.
        metric: None takes that of the kind.

    Raises:
        InputError: an unknown suffix, a missing file or column, or labels that are not those of the head.
    """
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise InputError(f"--task-file {path}: expected a name that ends in {', '.join(FORMATS)}")
    if len(set(text)) != len(text) or len(text) > 2:
        raise InputError(f"--text: expected one column or two, found {' '.join(text)!r:.80}")
    own = kinds.kind(kind)
    if not own.table_metric:
        raise unknown("kind of a table in --kind:", kind, [one.name for one in kinds.KINDS if one.table_metric])
    if language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)

    def source(labels: dict[str, str] | None = None) -> LocalFiles:
        return LocalFiles(
            {"test": str(path.absolute())}, format, {name: name for name in text}, label, labels or {}, quoted=quoted
        )

    published = source().read("test", language).labels
    about = {"languages": (language,), "source_language": language, "metric": metric or own.table_metric}
    about |= own.table_settings(published)
    labels, read_as = (), {}
    if own.named_outputs:
        labels, read_as = table_labels(own.distinct_labels(published), outputs, names, given)
    note = f"Labels of the table: {', '.join(f'{one} = {name}' for one, name in read_as.items())}." * bool(read_as)
    return Task(path.stem, kind, tuple(text), (source(read_as),), labels, note=note, **about)
