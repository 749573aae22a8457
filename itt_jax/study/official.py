"""Predictions of a store as folders of an official benchmark's layout, with the labels of the same rows.

    FOLDER/predictions/TASK/test-LANGUAGE.SUFFIX      see `score.layout`; of LEXTREME predictions/seed-N/TASK/...
    FOLDER/labels/TASK/test-LANGUAGE.SUFFIX

Written is one selection of cells: one model, arm, seed and form of the text. Rows that a perturbation left without the
right answer, and words that it dropped, stand on neither side.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from itt_jax import tasks
from itt_jax.errors import InputError, unknown
from itt_jax.score import benchmarks
from itt_jax.score.benchmarks import Benchmark, OfficialTask
from itt_jax.score.layout import write_labels, write_predictions
from itt_jax.store.folder import Store
from itt_jax.store.results import CLEAN_TEXT, read_cell, read_results

if TYPE_CHECKING:
    import pandas as pd

ONE_OF = ("model", "arm", "target", "seed", "perturbation", "severity", "replicate")
"""Columns of the results that a selection fixes."""
NUMBERING = "tatoeba: lines are row numbers of this store from 0; the official label files number sentences otherwise"


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written: task -> languages, the selection (column -> value), and what a reader must know."""

    folder: pathlib.Path
    selection: dict[str, Any]
    languages: dict[str, list[str]]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON knows it."""
        return dataclasses.asdict(self) | {"folder": str(self.folder)}

    def text(self) -> str:
        """Everything, to read."""
        lines = [f"{self.folder}: {', '.join(f'{name} {value}' for name, value in self.selection.items())}"]
        lines += [f"{task}: {' '.join(codes)}" for task, codes in self.languages.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def write_official(
    out: pathlib.Path, benchmark: str, folder: pathlib.Path, wanted: Mapping[str, Any] | None = None
) -> Written:
    """Write one selection of a store's cells as folders of predictions and labels.

    Args:
        out: results folder of `run` or `evaluate`. benchmark: "xtreme", "xtreme-r" or "lextreme".
        folder: a new or empty one.
        wanted: column of ONE_OF -> value. A perturbation that is not named is "clean"; another column may be left out
            where the store holds one value. Of LEXTREME all seeds are written unless one is named.

    Raises:
        InputError: no such store or benchmark, no task of the benchmark in it, a value that it has not, several values
            where one is needed, or a `folder` with files.
    """
    official = benchmarks.get(benchmark)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--write {folder}: holds files; expected a new or empty folder")
    frame = read_results(out)
    names = {benchmarks.catalogue_name(official, name): name for name in official.tasks}
    there = frame[frame["task"].isin(names)]
    if not len(there):
        held = ", ".join(sorted(set(frame["task"])))
        raise InputError(f"{out}: holds no task of {benchmark} ({', '.join(official.tasks)}); it has {held}")
    several = ("seed",) if official is benchmarks.LEXTREME else ()
    named = {name: value for name, value in (wanted or {}).items() if value is not None}
    there, selection = _selected(there, {"perturbation": CLEAN_TEXT} | named, out, several)
    about = _tasks_of(out)
    notes, languages = [], {}
    for row in there.sort_values(["task", "language", "seed"]).itertuples():
        task = official.tasks[names[row.task]]
        if row.language not in task.languages:
            notes.append(f"{task.name}: {row.language} is no language of {benchmark}; left out")
            continue
        cell = read_cell(out, row.cell, ("item_id", "prediction", "label", "applicable"))
        predictions, labels = _sides(task, about(row.task), row.language, cell[cell["applicable"].to_numpy(bool)])
        side = folder / "predictions" / (f"seed-{row.seed}" if several else "")
        write_predictions(side, benchmark, task.name, row.language, predictions)
        write_labels(folder / "labels", benchmark, task.name, row.language, labels)
        languages.setdefault(task.name, []).append(row.language)
        notes += [f"{task.name}: rows of {row.split!r}, not of the official test"] * (row.split != "test")
        gone = f"{row.n_not_applicable} of {len(cell)} rows have lost what is asked" * bool(row.n_not_applicable)
        gone = gone or f"{row.n_words_lost} words are dropped" * bool(row.n_words_lost)
        notes += [f"{task.name}: {row.language}: {gone}, so the official label files do not fit"] * bool(gone)
    languages = {name: list(dict.fromkeys(codes)) for name, codes in languages.items()}
    notes += _lacking(official, languages) + [NUMBERING] * ("tatoeba" in languages)
    return Written(folder, selection, languages, tuple(dict.fromkeys(notes)))


def _selected(
    frame: "pd.DataFrame", wanted: Mapping[str, Any], out: pathlib.Path, several: tuple[str, ...]
) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """The cells of one selection, and its columns' values; `several` may have more than one value."""
    for name, value in wanted.items():
        known = sorted(set(frame[name].tolist()))
        if value not in known:
            raise unknown(f"{name} in {out}:", value, known)
        frame = frame[frame[name] == value]
    selection = {}
    for name in ONE_OF:
        known = sorted(set(frame[name].tolist()))
        # a task belongs to a target, so several targets are one system's unless they share a task
        free = name in several or (name == "target" and not frame.duplicated(["task", "language", "seed"]).any())
        if len(known) > 1 and not free:
            raise InputError(f"{out}: several values of {name}: {', '.join(map(str, known))}; choose one with --{name}")
        if len(known) == 1:
            selection[name] = known[0]
    return frame, selection


@dataclasses.dataclass(frozen=True)
class _About:
    """What a task's cells leave open: class names, and whether item ids begin with the language."""

    labels: tuple[str, ...]
    prefixed: bool


def _tasks_of(out: pathlib.Path) -> Callable[[str], _About]:
    """A function from the names of the store's tasks: a study's own come before the catalogue's."""
    study = Store(out).plan().get("study", {})
    own = {task["name"]: task for task in study.get("tasks", ())}

    def about(name: str) -> _About:
        if name in own:
            labels, languages, parallel = (own[name][field] for field in ("labels", "languages", "parallel"))
        else:
            task = tasks.get(name)
            labels, languages, parallel = task.labels, task.languages, task.parallel
        return _About(tuple(labels), not parallel and len(languages) > 1)

    return about


def _sides(task: OfficialTask, about: _About, language: str, cell: "pd.DataFrame") -> tuple[Any, Any]:
    """Predictions and labels as `score.layout` takes them."""
    ids = [_published(item, language if about.prefixed else None) for item in cell["item_id"]]
    return task.format.from_cell(ids, cell["prediction"].tolist(), cell["label"].tolist(), _names(task, about))


def _names(task: OfficialTask, about: _About) -> "tuple[str, ...] | range":
    """Class index -> what the official files write: the name where they know it, otherwise the index itself."""
    if not about.labels:
        return range(1 << 31)  # of Tatoeba, where a class is a sentence's number
    if not task.known or set(about.labels) <= set(task.known):
        return about.labels
    if len(about.labels) == len(task.known):
        return task.known
    raise InputError(
        f"task {task.name!r}: its labels {', '.join(about.labels)} are not the official {', '.join(task.known)}"
    )


def _published(item_id: str, language: str | None) -> str:
    """The published index in an item id, task/split/index or task/split/language-index."""
    index = str(item_id).split("/", 2)[-1]
    return index.removeprefix(f"{language}-") if language else index


def _lacking(official: Benchmark, languages: Mapping[str, list[str]]) -> list[str]:
    """Notes on languages that a task was not evaluated in, and on those that all of its tasks were."""
    wanted = {name: official.tasks[name].languages for name in languages}
    missing = {name: [code for code in wanted[name] if code not in languages[name]] for name in languages}
    notes = [f"{name}: not in {' '.join(codes)}" for name, codes in missing.items() if codes]
    every = dict.fromkeys(code for codes in languages.values() for code in codes)
    common = [code for code in every if not any(code in codes for codes in missing.values())]
    if notes and common:
        notes.append(f"to score what is there: score --languages {' '.join(common)}")
    return notes
