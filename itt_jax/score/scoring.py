"""Score folders of predictions as the official script of XTREME and XTREME-R does."""

import dataclasses
import difflib
import pathlib
from collections.abc import Sequence

from itt_jax.errors import InputError, unknown
from itt_jax.metrics import entities
from itt_jax.score import benchmarks, lareqa, layout, lextreme, multichecklist
from itt_jax.score.benchmarks import Benchmark, OfficialTask
from itt_jax.score.scores import Average, Scores

OFFICIAL_TAGGING = "seqeval-0.0.12"
"""The convention behind XTREME's own expected scores; its installer does not pin seqeval."""


def score(
    benchmark: str,
    predictions: str | pathlib.Path | None,
    labels: str | pathlib.Path,
    tagging: str = OFFICIAL_TAGGING,
    languages: Sequence[str] = (),
) -> Scores:
    """Score predictions in the official layout (see `layout`); all figures are in percent.

    A task that both folders have is scored on all of its languages; other tasks are reported as absent.

    Args:
        benchmark: "xtreme", "xtreme-r", "lextreme" (see `lextreme`) or "multichecklist" (`labels` is then the file of
            templates).
        tagging: the convention of entity F1, see `metrics.entities`; LEXTREME has its own.
        languages: the only languages to score; empty means all, as the benchmark requires.

    Raises:
        InputError: an unknown benchmark, no task, or a file that is missing, malformed, or does not match the file of
            labels; the message names it.
    """
    if tagging not in entities.CONVENTIONS:
        raise unknown("tagging convention", tagging, entities.CONVENTIONS)
    if benchmark not in benchmarks.NAMES:
        raise unknown("benchmark", benchmark, benchmarks.NAMES)
    if predictions is None:
        raise InputError("no predictions to score: give their folder (--predictions)")
    if benchmark == benchmarks.MULTICHECKLIST:
        if languages:
            raise InputError(
                "multichecklist is scored in the languages that have predictions; --languages is not allowed"
            )
        return multichecklist.score(pathlib.Path(predictions), pathlib.Path(labels))
    official, notes = _in_languages(benchmarks.get(benchmark), languages)
    folders = pathlib.Path(predictions), pathlib.Path(labels)
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder")
    if benchmark == benchmarks.LEXTREME.name:
        return lextreme.score(official, *folders, notes)
    notes += _strangers(official, folders[0])
    there = [task for task in official.tasks.values() if all((folder / task.name).is_dir() for folder in folders)]
    notes += [
        f"{task.name}: has predictions but no labels; not scored"
        for task in official.tasks.values()
        if task not in there and (folders[0] / task.name).is_dir()
    ]
    if not there:
        raise InputError(
            f"{folders[0]}: holds no task of {benchmark} that has labels; known: {', '.join(official.tasks)}"
        )
    found = {task.name: _score_task(task, *folders, tagging, notes) for task in there}
    return _summary(official, found, tagging, notes)


def _in_languages(official: Benchmark, languages: Sequence[str]) -> tuple[Benchmark, list[str]]:
    """The benchmark restricted to these languages (empty: all), and notes on the restriction."""
    if not languages:
        return official, []
    known = {code for task in official.tasks.values() for code in task.languages}
    if strange := [code for code in languages if code not in known]:
        raise unknown(f"language of {official.name}", strange[0], known)
    left = {
        name: dataclasses.replace(task, languages=tuple(code for code in task.languages if code in languages))
        for name, task in official.tasks.items()
    }
    tasks = {name: task for name, task in left.items() if task.languages}
    note = f"languages: {' '.join(languages)} only, so no figure here is the benchmark's own"
    return dataclasses.replace(official, tasks=tasks), [note]


def write_questions(benchmark: str, templates: str | pathlib.Path, folder: str | pathlib.Path) -> list[pathlib.Path]:
    """Write the questions of a generated benchmark in SQuAD's form; returns the files, one for each language.

    Raises:
        InputError: the benchmark is not "multichecklist", or as `multichecklist.write_questions`.
    """
    if benchmark != benchmarks.MULTICHECKLIST:
        found = f"found --benchmark {benchmark}"
        raise InputError(f"questions are written for multichecklist only, {found}; predictions are from a --store")
    return multichecklist.write_questions(templates, folder)


def _strangers(official: Benchmark, folder: pathlib.Path) -> Sequence[str]:
    """Notes on folders of predictions that belong to no task."""
    tasks = benchmarks.get(official.name).tasks
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name not in tasks)
    near = {name: difflib.get_close_matches(name, tasks, n=1) for name in names}
    return [
        f"folder {name!r} is not a task of {official.name}"
        + (f"; did you mean {near[name][0]!r}?" if near[name] else "")
        for name in names
    ]


def _score_task(
    task: OfficialTask, predictions: pathlib.Path, labels: pathlib.Path, tagging: str, notes: list[str]
) -> dict[str, dict[str, float]]:
    """Language -> metric -> value in percent; caveats are added to `notes`."""
    every = {}
    if task.name == "lareqa":
        every = lareqa.right_answers(labels, task.languages, benchmarks.XTREME_R.tasks["lareqa"].languages)
    unanswered = 0
    found = {}
    for language in task.languages:
        predicted = layout.read_predictions(predictions, task, language)
        gold = every[language] if every else layout.read_labels(labels, task, language)
        try:
            values = task.format.scores(predicted, gold, protocol=task.protocol, language=language, tagging=tagging)
        except InputError as error:
            raise InputError(f"{predictions / task.file(language)}: {error}") from error
        found[language] = {metric: 100 * value for metric, value in values.items()}
        if task.format.by_id:
            unanswered += sum(id not in predicted for id in gold)
    if unanswered:
        notes.append(f"{task.name}: {unanswered} items have no prediction and score 0")
    return found


def _summary(
    official: Benchmark, languages: dict[str, dict[str, dict[str, float]]], tagging: str, notes: list[str]
) -> Scores:
    tasks = {name: _means(list(by_language.values())) for name, by_language in languages.items()}
    figures = {name: official.tasks[name].format.averaged(means) for name, means in tasks.items()}

    def average(names: Sequence[str]) -> Average | None:
        wanted = [name for name in names if name in figures or name not in official.optional]
        return Average.over({name: figures[name] for name in wanted}) if set(wanted) <= set(figures) else None

    groups = {group: average(names) for group, names in official.groups.items()}
    every = benchmarks.get(official.name).tasks
    overall = average(tuple(every))
    absent = tuple(name for name in every if name not in figures)
    if any(official.tasks[name].format.tagged for name in figures):
        notes.append(f"entity F1 by the rules of {tagging}; --tagging offers {' and '.join(entities.CONVENTIONS)}")
    for name in official.optional:
        if name in absent and overall:
            notes.append(f"{name} is left out of the average and of its group: the official script cannot score it")
    if overall is None:
        lacking = ", ".join(name for name in absent if name not in official.optional)
        notes.append(f"no average of {official.name}: it needs {lacking}")
    return Scores(
        benchmark=official.name,
        languages=languages,
        tasks=tasks,
        figures=figures,
        groups={group: found for group, found in groups.items() if found},
        overall=overall,
        absent=absent,
        notes=(*notes, *official.notes),
    )


def _means(by_language: list[dict[str, float]]) -> dict[str, float]:
    return {metric: sum(row[metric] for row in by_language) / len(by_language) for metric in by_language[0]}
