"""Which tasks have their files under a data root, and how many rows they have there."""

import dataclasses
import pathlib

from itt_jax.data.sources import Embedded
from itt_jax.errors import AbsentError, InputError
from itt_jax.tasks.load import count_rows, has_rows
from itt_jax.tasks.task import Task


@dataclasses.dataclass(frozen=True)
class Presence:
    """The rows of a task under a data root.

    Attributes:
        rows: split -> language -> number of rows. errors: errors in files that are present.
    """

    task: Task
    rows: dict[str, dict[str, int]]
    errors: tuple[str, ...]


def presence(task: Task, data_root: pathlib.Path) -> Presence:
    """Counts the rows of a task's local files; absent ones have no entry."""
    sources = [source for source in task.sources if source.local and not isinstance(source, Embedded)]
    rows: dict[str, dict[str, int]] = {}
    errors: list[str] = []
    read: dict[tuple[int, str, str], list[str]] = {}
    held_out = ("dev",) if sources and task.held_out_sentences else ()
    for split in dict.fromkeys((*(split for source in sources for split in source.all_splits), *held_out)):
        for language in task.languages:
            if not has_rows(task, split, language, data_root):
                continue
            try:
                rows.setdefault(split, {})[language] = count_rows(task, split, language, data_root, read)
            except AbsentError:
                continue
            except InputError as error:
                errors.append(str(error))
    return Presence(task, {split: own for split, own in rows.items() if own}, tuple(dict.fromkeys(errors)))
