"""The official folder layout of predictions and labels, both ways: FOLDER/TASK/test-LANGUAGE.SUFFIX (see `formats`).

LAReQA has no official files. Ours: predictions are rankings of the candidates of each question. A candidate is a
sentence of any language, its id LANGUAGE_PARAGRAPH_SENTENCE as in the published code (paragraphs of a file count from
1, sentences of a paragraph from 0). Labels are XQuAD-R's published files, named LANGUAGE.json or test-LANGUAGE.json;
or, as they are written here, {question id: [right ids, of every language]}.
"""

import pathlib
from typing import Any

from itt_jax.errors import InputError, unknown
from itt_jax.score import benchmarks
from itt_jax.score.benchmarks import OfficialTask


def read_predictions(folder: pathlib.Path, task: OfficialTask, language: str) -> Any:
    """A language's predictions, as `write_predictions` takes them.

    Raises:
        InputError: the file is missing or malformed; the message names it, and the line if there is one.
    """
    return task.format.read(_existing(folder, task, language), task.known)


def read_labels(folder: pathlib.Path, task: OfficialTask, language: str) -> Any:
    """A language's labels, as `write_labels` takes them; errors as `read_predictions`."""
    return task.format.read_labels(_existing(folder, task, language), task.known)


def write_predictions(
    folder: str | pathlib.Path, benchmark: str, task: str, language: str, predictions: Any
) -> pathlib.Path:
    """Write a language's predictions in the official layout; returns the file.

    Args:
        predictions: in the form of the task's format (see the classes of `formats`).

    Raises:
        InputError: an unknown benchmark, task or language; predictions that the format cannot hold.
    """
    official = _task(benchmark, task, language)
    path = pathlib.Path(folder) / official.file(language)
    return _written(path, official.format.text(predictions, path))


def write_labels(folder: str | pathlib.Path, benchmark: str, task: str, language: str, labels: Any) -> pathlib.Path:
    """Write a language's labels as `read_labels` takes them; returns the file. Errors as `write_predictions`."""
    official = _task(benchmark, task, language)
    path = pathlib.Path(folder) / official.file(language)
    return _written(path, official.format.labels_text(labels, path))


def _written(path: pathlib.Path, text: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def _existing(folder: pathlib.Path, task: OfficialTask, language: str) -> pathlib.Path:
    path = folder / task.file(language)
    if not path.is_file():
        codes = " ".join(task.languages)
        raise InputError(f"{path}: no such file; {task.name} is scored on all of its languages: {codes}")
    return path


def _task(benchmark: str, task: str, language: str) -> OfficialTask:
    tasks = benchmarks.get(benchmark).tasks
    if task not in tasks:
        raise unknown(f"task of {benchmark}", task, tasks)
    if language not in tasks[task].languages:
        raise unknown(f"language of {task}", language, tasks[task].languages)
    return tasks[task]
