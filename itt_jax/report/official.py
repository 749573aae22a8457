"""Exports a results folder's predictions, with the labels of the same rows, in the layout of an official benchmark.

    FOLDER/predictions/TASK/test-LANGUAGE.SUFFIX      see `score.layout`; for LEXTREME predictions/seed-N/TASK/...
    FOLDER/labels/TASK/test-LANGUAGE.SUFFIX

One selection of cells is written: one model, arm, seed and form of the text. Rows whose right answer a perturbation
removed, and words that it dropped, are left out of both sides.
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
from itt_jax.store.results import CLEAN_TEXT, read_results

if TYPE_CHECKING:
    import pandas as pd

ONE_OF = ("model", "arm", "target", "seed", "perturbation", "severity", "replicate")
"""Columns of the results that a selection fixes."""
NUMBERING = "tatoeba: lines are row numbers of these results, from 0; official label files number sentences differently"


@dataclasses.dataclass(frozen=True)
class Written:
    """The result of an export.

    Attributes:
        folder: where it is. selection: column -> value. languages: task -> languages. notes: caveats.
    """

    folder: pathlib.Path
    selection: dict[str, Any]
    languages: dict[str, list[str]]
    notes: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """All fields, as JSON values."""
        return dataclasses.asdict(self) | {"folder": str(self.folder)}

    def text(self) -> str:
        """All fields as text."""
        lines = [f"{self.folder}: {', '.join(f'{name} {value}' for name, value in self.selection.items())}"]
        lines += [f"{task}: {' '.join(codes)}" for task, codes in self.languages.items()]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def write_official(
    out: pathlib.Path, benchmark: str, folder: pathlib.Path, wanted: Mapping[str, Any] | None = None
) -> Written:
    """Write one selection of the cells in a results folder as folders of predictions and labels.

    Args:
        out: results folder of `run` or `evaluate`. benchmark: "xtreme", "xtreme-r" or "lextreme".
        folder: new or empty.
        wanted: column of ONE_OF -> value. The default perturbation is "clean"; another column may be omitted if the
            results hold one value. All seeds are written for LEXTREME unless one is chosen.

    Raises:
        InputError: no such results or benchmark, no task of the benchmark, an unknown value, several values where one
            is needed, or a `folder` with files.
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
    store, notes = Store(out), []
    languages: dict[str, list[str]] = {}
    for row in there.sort_values(["task", "language", "seed"]).itertuples():
        task = official.tasks[names[row.task]]
        if row.language not in task.languages:
            notes.append(f"{task.name}: {row.language} is no language of {benchmark}; left out")
            continue
        cell = store.read_cell(row.cell, ("item_id", "prediction", "label", "applicable"))
        predictions, labels = _sides(task, about(row.task), row.language, cell[cell["applicable"].to_numpy(bool)])
        side = folder / "predictions" / (f"seed-{row.seed}" if several else "")
        write_predictions(side, benchmark, task.name, row.language, predictions)
        write_labels(folder / "labels", benchmark, task.name, row.language, labels)
        languages.setdefault(task.name, []).append(row.language)
        notes += [f"{task.name}: rows of {row.split!r}, not of the official test"] * (row.split != "test")
        gone = f"{row.n_not_applicable} of {len(cell)} rows have lost their right answer" * bool(row.n_not_applicable)
        gone = gone or f"{row.n_words_lost} words are dropped" * bool(row.n_words_lost)
        notes += [f"{task.name}: {row.language}: {gone}, so the official label files do not fit"] * bool(gone)
    languages = {name: list(dict.fromkeys(codes)) for name, codes in languages.items()}
    notes += _lacking(official, languages) + [NUMBERING] * ("tatoeba" in languages)
    return Written(folder, selection, languages, tuple(dict.fromkeys(notes)))


def _selected(
    frame: "pd.DataFrame", wanted: Mapping[str, Any], out: pathlib.Path, several: tuple[str, ...]
) -> "tuple[pd.DataFrame, dict[str, Any]]":
    """The cells of one selection, and column -> value; columns in `several` may have more than one value."""
    for name, value in wanted.items():
        known = sorted(set(frame[name].tolist()))
        if value not in known:
            raise unknown(f"{name} in {out}:", value, known)
        frame = frame[frame[name] == value]
    selection = {}
    for name in ONE_OF:
        known = sorted(set(frame[name].tolist()))
        # Each task belongs to a target, so several targets are one system unless they share a task.
        free = name in several or (name == "target" and not frame.duplicated(["task", "language", "seed"]).any())
        if len(known) > 1 and not free:
            raise InputError(f"{out}: several values of {name}: {', '.join(map(str, known))}; choose one with --{name}")
        if len(known) == 1:
            selection[name] = known[0]
    return frame, selection


@dataclasses.dataclass(frozen=True)
class _About:
    """What the cells of a task do not hold: label names, and whether item ids begin with the language."""

    labels: tuple[str, ...]
    prefixed: bool


def _tasks_of(out: pathlib.Path) -> Callable[[str], _About]:
    """A function of a task's name; the study's own tasks precede the catalogue's."""
    study = Store(out).plan().get("study", {})
    own = {task["name"]: task for task in study.get("tasks", ())}

    def about(name: str) -> _About:
        """As the study defines the task, or else as the catalogue does."""
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
    """Class index -> what official files write: the label if they know it, else the official label of that index."""
    if not about.labels:
        return range(1 << 31)  # Tatoeba, where a class is the number of a sentence
    if not task.known or set(about.labels) <= set(task.known):
        return about.labels
    if len(about.labels) == len(task.known):
        return task.known
    raise InputError(
        f"task {task.name!r}: its labels {', '.join(about.labels)} are not the official {', '.join(task.known)}"
    )


def _published(item_id: str, language: str | None) -> str:
    """The published index of an item id, which is task/split/index or task/split/language-index."""
    index = str(item_id).split("/", 2)[-1]
    return index.removeprefix(f"{language}-") if language else index


def _lacking(official: Benchmark, languages: Mapping[str, list[str]]) -> list[str]:
    """Notes on languages that tasks lack, and on those that all tasks have."""
    wanted = {name: official.tasks[name].languages for name in languages}
    missing = {name: [code for code in wanted[name] if code not in languages[name]] for name in languages}
    notes = [f"{name}: not in {' '.join(codes)}" for name, codes in missing.items() if codes]
    every = dict.fromkeys(code for codes in languages.values() for code in codes)
    common = [code for code in every if not any(code in codes for codes in missing.values())]
    if notes and common:
        notes.append(f"to score these languages: score --languages {' '.join(common)}")
    return notes
