"""The file formats in which benchmarks exchange predictions and labels: one object each.

    labels       one label a line (.tsv)
    choices      one JSON object a line, its "label" is 0 or 1 (.jsonl)
    label_sets   one JSON list of labels a line (.jsonl)
    tags         one tag a line, an empty line after each sentence (.tsv)
    answers      predictions: {question id: answer}; labels: SQuAD's form (.json)
    pairs        a source id, a tab, a target id (.tsv)
    rankings     predictions: {query id: [candidate ids, best first]}; labels: {query id: [right id]} (.json)

A kind of task names the one in which its predictions are written (`Kind.file_format`).
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.metrics import metric
from itt_jax.metrics.answers import span_scores
from itt_jax.metrics.entities import entity_macro_f1, entity_scores
from itt_jax.metrics.ranking import K, mean_average_precision_at, pair_scores
from itt_jax.reading.text import parse_json
from itt_jax.score.reading import read_answers, read_lines, read_mapping, read_right_ids

Names = Sequence[str] | range
"""Class index -> its name in files."""


class Format:
    """One file format.

    Attributes:
        name: as `Kind.file_format` names it. suffix: ending of its files.
        by_id: whether predictions are found by the ids of the labels, so that one may be missing and scores 0.
        figure: the metric that goes into a benchmark's averages. tagged: whether it depends on a tagging convention.
    """

    name: str
    suffix: str
    by_id: bool = False
    figure: str = "accuracy"
    tagged: bool = False

    def read(self, path: pathlib.Path, known: Sequence[str]) -> Any:
        """A file of predictions, as `text` takes them.

        Args:
            known: the labels that are allowed; empty if any are.

        Raises:
            InputError: the file is malformed; the message names it, and the line if there is one.
        """
        raise NotImplementedError

    def read_labels(self, path: pathlib.Path, known: Sequence[str]) -> Any:
        """A file of labels; arguments and errors as `read`."""
        return self.read(path, known)

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """The content of a file of predictions.

        Raises:
            InputError: the format cannot hold them; the message names `path`.
        """
        raise NotImplementedError

    def labels_text(self, labels: Any, path: pathlib.Path) -> str:
        """The content of a file of labels; errors as `text`."""
        return self.text(labels, path)

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """Predictions and labels, as `text` takes them, from the rows of a stored cell.

        Args:
            ids: published ids of the rows. prediction, label: the cell's columns.
        """
        raise NotImplementedError

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Metric -> value in [0, 1] of one language.

        Args:
            protocol: normalisation of answers, see `metrics.answers`.
            tagging: convention of entity F1, see `metrics.entities`.

        Raises:
            InputError: numbers of items differ, or there is none.
        """
        raise NotImplementedError

    def macro_f1(self, predictions: Any, labels: Any, known: Sequence[str]) -> float:
        """LEXTREME's metric of one language, in [0, 1], for formats of classes."""
        raise InputError(f"macro-F1 is not defined for {self.name}")

    def averaged(self, means: Mapping[str, float]) -> float:
        """The one figure of a task, from the means of its metrics over languages."""
        return means[self.figure]


class LabelsFormat(Format):
    """One label a line; predictions are a sequence of labels."""

    name = "labels"
    suffix = "tsv"

    def read(self, path: pathlib.Path, known: Sequence[str]) -> list[str] | list[int]:
        """The lines."""
        lines = read_lines(path)
        for number, label in enumerate(lines, start=1):
            _check(label, known, path, number)
        return lines

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """One label a line."""
        return "".join(f"{_cell(label, path)}\n" for label in predictions)

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """Names of classes."""
        return [names[i] for i in prediction], [names[i] for i in label]

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Accuracy."""
        if len(predictions) != len(labels):
            raise InputError(f"found {len(predictions)} labels, expected {len(labels)}")
        if not labels:
            raise InputError("nothing to score")
        return {"accuracy": sum(a == b for a, b in zip(predictions, labels, strict=True)) / len(labels)}

    def macro_f1(self, predictions: Any, labels: Any, known: Sequence[str]) -> float:
        """Over the classes that occur."""
        number = {label: i for i, label in enumerate(known)}
        found, right = (np.array([number[own] for own in side]) for side in (predictions, labels))
        return metric("macro_f1").score(found, right)


class ChoicesFormat(LabelsFormat):
    """One JSON object a line; predictions are a sequence of 0 or 1."""

    name = "choices"
    suffix = "jsonl"

    def read(self, path: pathlib.Path, known: Sequence[str]) -> list[int]:
        """The numbers."""
        choices = []
        for number, line in enumerate(read_lines(path), start=1):
            try:
                choice = parse_json(line, f"{path}, line {number}")["label"]
            except (InputError, KeyError, TypeError) as error:
                raise InputError(
                    f"{path}, line {number}: expected a JSON object with a label, found {line!r:.80}"
                ) from error
            _check(choice, known, path, number)
            choices.append(int(choice))
        return choices

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """One JSON object a line."""
        return "".join(json.dumps({"label": int(choice)}) + "\n" for choice in predictions)


class LabelSetsFormat(Format):
    """One JSON list of labels a line; predictions are a sequence of such lists."""

    name = "label_sets"
    suffix = "jsonl"

    def read(self, path: pathlib.Path, known: Sequence[str]) -> list[list[str]]:
        """The lists."""
        sets = []
        for number, line in enumerate(read_lines(path), start=1):
            try:
                labels = parse_json(line, f"{path}, line {number}")
            except InputError:
                labels = None
            if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
                raise InputError(f"{path}, line {number}: expected a JSON list of labels, found {line!r:.80}")
            for label in labels:
                _check(label, known, path, number)
            sets.append(labels)
        return sets

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """One list a line."""
        return "".join(
            json.dumps([str(label) for label in labels], ensure_ascii=False) + "\n" for labels in predictions
        )

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """Lists of names."""
        return _named(prediction, names), _named(label, names)

    def macro_f1(self, predictions: Any, labels: Any, known: Sequence[str]) -> float:
        """Over all classes."""
        found, right = (np.array([[label in own for label in known] for own in side]) for side in (predictions, labels))
        return metric("label_macro_f1").score(found, right)


class TagsFormat(Format):
    """One tag a line, an empty line after each sentence; predictions are a sequence of sentences of tags."""

    name = "tags"
    suffix = "tsv"
    figure = "f1"
    tagged = True

    def read(self, path: pathlib.Path, known: Sequence[str]) -> list[list[str]]:
        """The sentences."""
        sentences: list[list[str]] = [[]]
        for number, line in enumerate(read_lines(path), start=1):
            if line:
                _check(line, known, path, number, "tag")
                sentences[-1].append(line)
            else:
                sentences.append([])
        return [sentence for sentence in sentences if sentence]

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """One tag a line, sentence after sentence."""
        if not all(len(tags) for tags in predictions):
            raise InputError(f"{path}: a sentence without tags cannot be written")
        return "".join("".join(f"{_cell(tag, path)}\n" for tag in tags) + "\n" for tags in predictions)

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """Sentences of names."""
        return _named(prediction, names), _named(label, names)

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Precision, recall and F1 of entities."""
        return entity_scores(labels, predictions, tagging)

    def macro_f1(self, predictions: Any, labels: Any, known: Sequence[str]) -> float:
        """Over the types of entities that occur."""
        return entity_macro_f1(labels, predictions)


class AnswersFormat(Format):
    """Predictions are {question id: answer}, labels {question id: right answers}, in a file of SQuAD's form."""

    name = "answers"
    suffix = "json"
    by_id = True

    def read(self, path: pathlib.Path, known: Sequence[str]) -> dict[str, str]:
        """The answers."""
        return read_mapping(path, str, "a string")

    def read_labels(self, path: pathlib.Path, known: Sequence[str]) -> dict[str, list[str]]:
        """The right answers."""
        return read_answers(path)

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """A JSON object."""
        return _by_id(predictions)

    def labels_text(self, labels: Any, path: pathlib.Path) -> str:
        """SQuAD's form with what scoring reads: ids and answers, no contexts."""
        questions = [{"id": str(id), "answers": [{"text": text} for text in texts]} for id, texts in labels.items()]
        content = {"data": [{"paragraphs": [{"qas": questions}]}]}
        return json.dumps(content, ensure_ascii=False, indent=1) + "\n"

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """By id."""
        return dict(zip(ids, prediction, strict=True)), dict(zip(ids, label, strict=True))

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Exact match and token F1."""
        return span_scores(predictions, labels, protocol, language)

    def averaged(self, means: Mapping[str, float]) -> float:
        """The mean of both."""
        return (means["exact_match"] + means["f1"]) / 2


class RankingsFormat(Format):
    """Predictions are {query id: candidate ids, best first}, labels {query id: [right id]}."""

    name = "rankings"
    suffix = "json"
    by_id = True
    figure = f"map@{K}"

    def read(self, path: pathlib.Path, known: Sequence[str]) -> dict[str, list[str]]:
        """The rankings."""
        found = read_mapping(path, list, "a list of ids")
        for query, ids in found.items():
            if strange := [id for id in ids if not isinstance(id, str)]:
                raise InputError(f"{path}: {query!r}: expected a list of ids, found {strange[0]!r} in it")
        return found

    def read_labels(self, path: pathlib.Path, known: Sequence[str]) -> dict[str, list[str]]:
        """The first right id of each query."""
        return {query: ids[:1] for query, ids in read_right_ids(path).items()}

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """A JSON object."""
        return _by_id(predictions)

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """By id."""
        return dict(zip(ids, prediction, strict=True)), dict(zip(ids, label, strict=True))

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Mean average precision."""
        rankings = [predictions.get(id, []) for id in labels]
        return {self.figure: mean_average_precision_at(rankings, list(labels.values()), K)}


class PairsFormat(Format):
    """A source id, a tab and a target id a line; predictions are a sequence of such pairs."""

    name = "pairs"
    suffix = "tsv"
    figure = "f1"

    def read(self, path: pathlib.Path, known: Sequence[str]) -> list[tuple[str, str]]:
        """The pairs."""
        pairs = []
        for number, line in enumerate(read_lines(path), start=1):
            cells = line.split("\t")
            if len(cells) != 2:
                raise InputError(f"{path}, line {number}: expected two ids with a tab between, found {line!r:.80}")
            pairs.append((cells[0], cells[1]))
        return pairs

    def text(self, predictions: Any, path: pathlib.Path) -> str:
        """One pair a line."""
        return "".join("\t".join(_cell(id, path) for id in pair) + "\n" for pair in predictions)

    def from_cell(self, ids: Sequence[str], prediction: Sequence, label: Sequence, names: Names) -> tuple[Any, Any]:
        """The pairs of rows that have a candidate."""
        found = [(id, own) for id, own in zip(ids, prediction, strict=True) if own]
        return found, [(id, one) for id, own in zip(ids, label, strict=True) for one in own]

    def scores(self, predictions: Any, labels: Any, *, protocol: str, language: str, tagging: str) -> dict[str, float]:
        """Precision, recall and F1."""
        return pair_scores(predictions, labels)


FORMATS: tuple[Format, ...] = (
    LabelsFormat(),
    ChoicesFormat(),
    LabelSetsFormat(),
    TagsFormat(),
    AnswersFormat(),
    PairsFormat(),
    RankingsFormat(),
)


def format_named(name: str) -> Format:
    """The format of that name.

    Raises:
        InputError: there is none.
    """
    found = next((own for own in FORMATS if own.name == name), None)
    if found is None:
        raise unknown("file format", name, [own.name for own in FORMATS])
    return found


def _check(label: str | int, known: Sequence[str], path: pathlib.Path, line: int, what: str = "label") -> None:
    if known and str(label) not in known:
        raise InputError(f"{path}, line {line}: {unknown(what, label, known)}")


def _named(lists: Sequence, names: Names) -> list[list[str]]:
    return [[names[i] for i in own] for own in lists]


def _by_id(values: Mapping[str, Any]) -> str:
    plain = {str(id): own if isinstance(own, str) else [str(one) for one in own] for id, own in values.items()}
    return json.dumps(plain, ensure_ascii=False, indent=1) + "\n"


def _cell(value: object, path: pathlib.Path) -> str:
    text = str(value)
    if not text or text != text.strip() or any(mark in text for mark in "\t\n\r"):
        raise InputError(f"{path}: {text!r} cannot be written as one cell of a line")
    return text
