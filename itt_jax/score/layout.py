"""The official folder layout of predictions and labels, both ways: FOLDER/TASK/test-LANGUAGE.SUFFIX.

By kind of task:

    labels    one label a line (.tsv)
    choices   one JSON object a line, its "label" is 0 or 1 (.jsonl)
    sets      one JSON list of labels a line (.jsonl)
    tags      one tag a line, an empty line after each sentence (.tsv)
    spans     predictions: {question id: answer}; labels: SQuAD's form (.json)
    pairs     a source id, a tab, a target id (.tsv)
    ranking   predictions: {query id: [candidate ids, best first]}; labels: {query id: [right id]} (.json)

LAReQA has no official files. Ours: predictions are a ranking as above, of question ids; a candidate is a sentence of
any language, its id LANGUAGE_PARAGRAPH_SENTENCE as in the published code (paragraphs of a file count from 1, sentences
of a paragraph from 0). Labels are XQuAD-R's published files, named LANGUAGE.json or test-LANGUAGE.json; or, as they are
written here, {question id: [right ids, of every language]}.
"""

import json
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from itt_jax.errors import InputError, unknown
from itt_jax.score import benchmarks
from itt_jax.score.benchmarks import OfficialTask


def read_predictions(folder: pathlib.Path, task: OfficialTask, language: str) -> Any:
    """A language's predictions: what `write_predictions` takes for a task of that kind.

    Raises:
        InputError: the file is missing or malformed; the message names it, and the line where there is one.
    """
    path = _existing(folder, task, language)
    if task.kind == "spans":
        return read_mapping(path, str, "a string")
    if task.kind == "ranking":
        found = read_mapping(path, list, "a list of ids")
        for query, ids in found.items():
            if strange := [id for id in ids if not isinstance(id, str)]:
                raise InputError(f"{path}: {query!r}: expected a list of ids, found {strange[0]!r} in it")
        return found
    return _READERS[task.kind](path, task)


def read_labels(folder: pathlib.Path, task: OfficialTask, language: str) -> Any:
    """A language's labels: as predictions, but {question id: [right answers]} for spans.

    Raises:
        InputError: as `read_predictions`.
    """
    path = _existing(folder, task, language)
    if task.kind == "spans":
        return read_answers(path)
    if task.kind == "ranking":
        return {query: ids[:1] for query, ids in read_right_ids(path).items()}
    return _READERS[task.kind](path, task)


def read_right_ids(path: pathlib.Path) -> dict[str, list[str]]:
    """Query id -> ids of its right candidates, of a JSON file.

    Raises:
        InputError: another form, or a query without a right candidate.
    """
    found = read_mapping(path, list, "a list with the right id")
    for query, ids in found.items():
        if not ids or not all(isinstance(id, str) for id in ids):
            raise InputError(f"{path}: {query!r} has no right id")
    return {query: [id.strip() for id in ids] for query, ids in found.items()}


def write_predictions(
    folder: str | pathlib.Path, benchmark: str, task: str, language: str, predictions: Any
) -> pathlib.Path:
    """Write a language's predictions in the official layout; returns the file.

    Args:
        predictions: by the task's kind: labels, a sequence of labels; choices, of 0 or 1; sets, of lists of labels;
            tags, of sentences of tags; spans, {question id: answer}; pairs, a sequence of (source id, target id);
            ranking, {query id: ids}.

    Raises:
        InputError: an unknown benchmark, task or language; predictions that the layout cannot hold.
    """
    official = _task(benchmark, task, language)
    path = pathlib.Path(folder) / official.file(language)
    if official.kind in ("spans", "ranking"):
        text = json.dumps(_plain(predictions), ensure_ascii=False, indent=1) + "\n"
    elif official.kind == "choices":
        text = "".join(json.dumps({"label": int(choice)}) + "\n" for choice in predictions)
    elif official.kind == "sets":
        text = "".join(
            json.dumps([str(label) for label in labels], ensure_ascii=False) + "\n" for labels in predictions
        )
    elif official.kind == "tags":
        text = "".join("".join(f"{_cell(tag, path)}\n" for tag in _sentence(tags, path)) + "\n" for tags in predictions)
    elif official.kind == "pairs":
        text = "".join("\t".join(_cell(id, path) for id in pair) + "\n" for pair in predictions)
    else:
        text = "".join(f"{_cell(label, path)}\n" for label in predictions)
    return _written(path, text)


def write_labels(folder: str | pathlib.Path, benchmark: str, task: str, language: str, labels: Any) -> pathlib.Path:
    """Write a language's labels as `read_labels` takes them; returns the file.

    Args:
        labels: as `write_predictions`, but {question id: right answers} for spans, whose file is in SQuAD's form with
            what scoring reads alone: ids and answers, no contexts.

    Raises:
        InputError: as `write_predictions`.
    """
    official = _task(benchmark, task, language)
    if official.kind != "spans":
        return write_predictions(folder, benchmark, task, language, labels)
    questions = [{"id": str(id), "answers": [{"text": text} for text in texts]} for id, texts in labels.items()]
    content = {"data": [{"paragraphs": [{"qas": questions}]}]}
    text = json.dumps(content, ensure_ascii=False, indent=1) + "\n"
    return _written(pathlib.Path(folder) / official.file(language), text)


def _written(path: pathlib.Path, text: str) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read_json(path: pathlib.Path) -> Any:
    """A JSON file in which no object has a key twice.

    Raises:
        InputError: unreadable, unparsable, or a duplicate key.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))
            raise InputError(f"{path}: {twice!r} is there twice")
        return found

    try:
        return json.loads(_text(path), object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON: {error.msg}") from error


def read_mapping(path: pathlib.Path, of: type, expected: str) -> dict[str, Any]:
    """A JSON object whose values are all of one type, in words `expected`.

    Raises:
        InputError: as `read_json`, or another form.
    """
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object by id, found {type(found).__name__}")
    for key, value in found.items():
        if not isinstance(value, of):
            raise InputError(f"{path}: {key!r}: expected {expected}, found {type(value).__name__}")
    return found


def read_articles(path: pathlib.Path) -> list[dict]:
    """The paragraphs of a file in SQuAD's form, in order.

    Raises:
        InputError: the file has another form.
    """
    return articles_of(read_json(path), path)


def articles_of(content: Any, path: pathlib.Path) -> list[dict]:
    """The paragraphs of what stands in that file, as `read_articles`."""
    articles = content.get("data") if isinstance(content, dict) else content
    try:
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        for question in (question for paragraph in paragraphs for question in paragraph["qas"]):
            texts = [answer["text"] for answer in question["answers"]]
            if not texts or not all(isinstance(text, str) for text in [question["id"], *texts]):
                raise InputError(f"{path}: question {question['id']!r} has no answer, or one that is no text")
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not SQuAD's form: data, paragraphs, qas, answers, text ({error})") from error
    return paragraphs


def read_answers(path: pathlib.Path) -> dict[str, list[str]]:
    """Question id -> right answers, of a file in SQuAD's form.

    Raises:
        InputError: another form, a question without an answer, or an id twice.
    """
    found: dict[str, list[str]] = {}
    for question in (question for paragraph in read_articles(path) for question in paragraph["qas"]):
        if question["id"] in found:
            raise InputError(f"{path}: question id {question['id']!r} is there twice")
        found[question["id"]] = [answer["text"] for answer in question["answers"]]
    if not found:
        raise InputError(f"{path}: no questions")
    return found


def _text(path: pathlib.Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text: {error}") from error


def _lines(path: pathlib.Path) -> list[str]:
    """Lines without surrounding space; empty ones at the end are left out."""
    return [line.strip() for line in _text(path).rstrip().split("\n")] if _text(path).strip() else []


def _labels(path: pathlib.Path, task: OfficialTask) -> list[str]:
    lines = _lines(path)
    for number, label in enumerate(lines, start=1):
        if task.known and label not in task.known:
            raise InputError(f"{path}, line {number}: {unknown('label', label, task.known)}")
    return lines


def _choices(path: pathlib.Path, task: OfficialTask) -> list[int]:
    choices = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            choice = json.loads(line)["label"]
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise InputError(f"{path}, line {number}: expected a JSON object with a label, found {line!r}") from error
        if str(choice) not in task.known:
            raise InputError(f"{path}, line {number}: {unknown('label', choice, task.known)}")
        choices.append(int(choice))
    return choices


def _sets(path: pathlib.Path, task: OfficialTask) -> list[list[str]]:
    sets = []
    for number, line in enumerate(_lines(path), start=1):
        try:
            labels = json.loads(line)
        except json.JSONDecodeError:
            labels = None
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise InputError(f"{path}, line {number}: expected a JSON list of labels, found {line!r}")
        for label in labels:
            if label not in task.known:
                raise InputError(f"{path}, line {number}: {unknown('label', label, task.known)}")
        sets.append(labels)
    return sets


def _tags(path: pathlib.Path, task: OfficialTask) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(_lines(path), start=1):
        if line:
            if task.known and line not in task.known:
                raise InputError(f"{path}, line {number}: {unknown('tag', line, task.known)}")
            sentences[-1].append(line)
        else:
            sentences.append([])
    return [sentence for sentence in sentences if sentence]


def _pairs(path: pathlib.Path, task: OfficialTask) -> list[tuple[str, str]]:
    pairs = []
    for number, line in enumerate(_lines(path), start=1):
        cells = line.split("\t")
        if len(cells) != 2:
            raise InputError(f"{path}, line {number}: expected two ids with a tab between, found {line!r}")
        pairs.append((cells[0], cells[1]))
    return pairs


_READERS = {"labels": _labels, "choices": _choices, "sets": _sets, "tags": _tags, "pairs": _pairs}


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


def _plain(predictions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        str(id): value if isinstance(value, str) else [str(item) for item in value] for id, value in predictions.items()
    }


def _sentence(tags: Sequence[str], path: pathlib.Path) -> Iterable[str]:
    if not len(tags):
        raise InputError(f"{path}: a sentence without tags cannot be written")
    return tags


def _cell(value: object, path: pathlib.Path) -> str:
    text = str(value)
    if not text or text != text.strip() or any(mark in text for mark in "\t\n\r"):
        raise InputError(f"{path}: {text!r} cannot be written as one cell of a line")
    return text
