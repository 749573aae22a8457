"""Parallel texts by name: corpora, and the translations of a task's rows."""

import pathlib
from collections.abc import Iterable, Sequence

from itt_jax.data import embedded
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.sources.tatoeba import tatoeba
from itt_jax.tasks.catalog import get
from itt_jax.tasks.load import has_rows, load_rows
from itt_jax.tasks.task import Task

EMBEDDED_TUPLES = 20_000


def load_parallel(
    source: str,
    languages: Sequence[str] = (),
    data_root: str | pathlib.Path | None = None,
    tuples: int | None = None,
    own_tasks: Iterable[Task] = (),
) -> ParallelTexts:
    """Tuples of translations, without duplicates.

    Args:
        source: "embedded"; "tatoeba" (pairs with English; pairs with one English side form one tuple); or a task, as
            "stsb_multi_mt", "xnli/dev[0%:70%]" or "task:sst2" (split train unless one is given): each field of each row
            is a tuple, in all languages if the task is parallel, in one language if it is not.
        languages: those wanted; empty for all that the source has.
        tuples: at most this many, chosen by a stable hash.
        own_tasks: tasks of the study, which precede the catalogue's.

    Raises:
        InputError: an unknown source, missing files, or a source that has none of the languages.
    """
    if source == "embedded":
        entries = embedded.parallel(EMBEDDED_TUPLES if tuples is None else tuples)
        texts: dict[str, list[str | None]] = {code: [entry[code] for entry in entries] for code in embedded.LANGUAGES}
        found = ParallelTexts("embedded", tuple(embedded.LANGUAGES), texts)
    elif source == "tatoeba":
        found = tatoeba(languages, data_root)
    else:
        found = _translations(source, languages, data_root, own_tasks)
    return found.distinct(languages, tuples)


def _translations(
    source: str, languages: Sequence[str], data_root: str | pathlib.Path | None, own_tasks: Iterable[Task]
) -> ParallelTexts:
    """The fields of a task's rows in the languages that the split has."""
    name, _, split = source.removeprefix("task:").partition("/")
    task, split = get(name, own_tasks), split or "train"
    wanted = [code for code in (languages or task.languages) if has_rows(task, split, code, data_root)]
    # With no language left, reading the source language raises the error that says why.
    rows = {code: load_rows(task, split, code, data_root) for code in wanted or [task.source_language]}
    return ParallelTexts.of_rows(source, rows)
