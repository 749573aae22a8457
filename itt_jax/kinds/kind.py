"""The base of every kind of task: how labels are read, and rows encoded, perturbed, predicted and scored.

Data flow in training: a source's table -> `read_labels` -> rows -> `encode` -> examples -> scores -> `decode` ->
predictions -> metric. In evaluation: rows in many forms (`follow`) -> `inputs`, each distinct text once -> scores ->
`cell`, the value and the stored columns of one form.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from itt_jax.data.examples import Examples, prepare
from itt_jax.data.rows import Rows
from itt_jax.data.table import Table
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError, listed
from itt_jax.kinds.forms import Form, FormKey, Inputs, numbered, whole_inputs
from itt_jax.metrics import Metric, metric

Published = Mapping[str, str | None]
"""Published label -> the task's label, or None to leave it out; empty if published labels are the task's."""


class TaskLike(Protocol):
    """The attributes of a task (`tasks.Task`) that kinds read."""

    @property
    def name(self) -> str: ...

    @property
    def fields(self) -> tuple[str, ...]: ...

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def score_range(self) -> tuple[float, float]: ...

    @property
    def metric(self) -> str: ...

    @property
    def candidates(self) -> tuple[str, ...]: ...


@dataclasses.dataclass(frozen=True)
class Gold:
    """The reference for dev scores.

    Attributes:
        labels: as `Rows.labels`. names: label names. language: ISO 639-1 code of the rows.
        examples, fields: the predicted examples and the fields of their rows, for kinds that decode with them.
    """

    labels: Any
    names: tuple[str, ...] = ()
    language: str = ""
    examples: Examples | None = None
    fields: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)


class Kind:
    """A kind of task. This base has one class and one example per row: a text or a pair of texts.

    Attributes:
        name: as tasks and configs name it. summary: one line.
        head: the kind of head that is trained (`models.heads`).
        dev_metric: selects checkpoints in a stage that names no metric.
        layout: layout of training examples: "whole" (one for each row), "words" (labels for words), "windows" (parts of
            a long context) or "groups" (consecutive examples form an item).
        pools: whether the head reads one vector of each example, so that a study's choice of pooling applies.
        by_vectors: whether predictions always compare vectors of texts, so that no head is needed.
        token_noise: whether noise on token ids is defined for it.
        named_outputs: whether the outputs of its head are the task's labels.
        table_metric: metric of a task that is made from one table (`evaluate --task-file`); empty if one column of a
            table cannot hold the labels.
    """

    name: str
    summary: str
    head: str
    dev_metric: str = "accuracy"
    layout: str = "whole"
    pools: bool = True
    by_vectors: bool = False
    token_noise: bool = False
    named_outputs: bool = True
    table_metric: str = ""

    def __repr__(self) -> str:
        return f"<kind {self.name}>"

    # --- What a task of this kind is

    version: int = 1
    """Raised when the same rows give other examples, or the same scores other predictions; stages and cells are then
    made again."""

    def check(self, task: TaskLike) -> None:
        """Raises InputError if the fields or labels of a task do not fit the kind."""
        if len(task.labels) < 2:
            raise InputError(f"task {task.name!r}: {self.name} needs at least two labels, found {task.labels}")

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """Forms that predictions may have; a task may use the metrics of these forms (`Metric.outcomes`)."""
        return ("class",)

    def label_space(self, task: TaskLike) -> str:
        """Id of the label space; tasks of one space may be evaluated with each other's heads."""
        return "|".join(task.labels)

    def label_summary(self, task: TaskLike) -> str:
        """The labels in one line, for people."""
        return ", ".join(task.labels)

    # --- Labels

    def distinct_labels(self, published: Sequence[str]) -> list[str]:
        """The class names in a column of labels, each once, in order of occurrence."""
        return list(dict.fromkeys(published))

    def table_settings(self, table: Table) -> dict[str, Any]:
        """Fields of a task that follow from the published labels of its one table.

        Raises:
            InputError: a label that cannot be of the kind; the message names its place.
        """
        return {}

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """The labels of a table's rows, or None if the split has none; and bool [n], the rows to keep.

        Raises:
            InputError: an unknown label; the message names its place.
        """
        keep = np.ones(len(table.indices), bool)
        if table.labels is None:
            return None, keep
        labels = [
            class_index(task, published, text, functools.partial(table.place, i))
            for i, text in enumerate(table.label_texts)
        ]
        keep = np.array([label is not None for label in labels], bool)
        return np.array([label or 0 for label in labels], np.int32), keep

    def join(self, parts: Sequence[Any]) -> Any:
        """Concatenated labels."""
        return np.concatenate(parts)

    def label_bytes(self, labels: Any) -> bytes:
        """Bytes that differ if the labels of the same rows differ."""
        return np.ascontiguousarray(labels).tobytes()

    def shuffle(self, task: TaskLike, rows: Rows, seed: int) -> Rows:
        """Rows with unrelated labels, for a control: the same labels in another order."""
        return dataclasses.replace(rows, labels=permuted(rows.labels_as(np.ndarray), seed))

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The label of each row in words, for people to judge."""
        return [task.labels[label] for label in rows.labels_as(np.ndarray).tolist()]

    def file_format(self, task: TaskLike) -> str:
        """Name of the format in which benchmarks exchange its predictions (`score.formats`)."""
        return "labels"

    # --- Training

    def encode(self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """The examples of clean rows, with labels if the rows have them."""
        return prepare(tokenizer, rows, max_length)

    def encode_form(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, form: Form, max_length: int
    ) -> tuple[Examples, np.ndarray]:
        """The examples of a form of `rows` to train on, and int64 [n + 1], the first example of each row."""
        examples = self.encode(task, tokenizer, dataclasses.replace(rows, fields=form.fields), max_length)
        return examples, self.parts(rows, examples)

    def parts(self, rows: Rows, examples: Examples) -> np.ndarray:
        """int64 [n + 1]: the first of the examples of each clean row."""
        return np.arange(len(rows) + 1) * examples.choices

    def encoding_key(self, task: TaskLike) -> list:
        """Everything on which `encode` depends besides rows, tokenizer and length."""
        return [self.name, list(task.fields)]

    def outputs(self, task: TaskLike) -> int:
        """Outputs of the task's head."""
        return self.classes(task)

    def classes(self, task: TaskLike) -> int:
        """The number of classes, choices or candidates of an item; 1 for a score."""
        return max(1, len(task.labels))

    def reads_pairs(self, task: TaskLike) -> bool:
        """Whether every example is a pair of texts, which a head may compare."""
        return len(task.fields) == 2

    def check_examples(self, name: str, examples: Examples, classes: int) -> None:
        """Raises InputError, naming task `name`, if examples or their labels are not of this kind."""
        if layout_of(examples) != self.layout:
            raise InputError(f"{name}: {self.name} on examples made for another kind")
        if examples.choices not in (1, classes):
            raise InputError(f"{name}: {self.name} of {classes} on items of {examples.choices} examples")
        if examples.labels is None:
            raise InputError(f"{name}: examples without labels")
        self.check_labels(name, examples.labels, classes)

    def check_labels(self, name: str, labels: np.ndarray, classes: int) -> None:
        """The part of `check_examples` that concerns labels."""
        check_classes(name, labels, classes)

    def gold(self, task: TaskLike, rows: Rows, examples: Examples) -> Gold:
        """The reference for scores of the examples of `rows`."""
        return Gold(rows.labels, task.labels, rows.language)

    def gold_of(self, examples: Examples) -> Gold:
        """The same from only the labels of the examples, for kinds where these suffice."""
        return Gold(examples.known_labels[:: examples.choices])

    def dev_value(self, measure: Metric, scores: np.ndarray, gold: Gold) -> float:
        """The metric of dev scores, negated if lower values are better.

        NaN, which never selects a checkpoint, if a score is not finite or the metric is undefined (the correlation of a
        constant).

        Args:
            scores: as `train.predict` returns them.

        Raises:
            InputError: no row counts.
        """
        if not np.isfinite(scores).all():
            return math.nan
        items = self.dev_items(measure, scores, gold)
        return measure.sign * measure.value(items) if measure.defined(items) else math.nan

    def dev_items(self, measure: Metric, scores: np.ndarray, gold: Gold) -> np.ndarray:
        """The metric's statistic [n, ...] of the dev rows that count; arguments as `dev_value`.

        Raises:
            InputError: no row counts.
        """
        items = measure.statistic(self.dev_predictions(scores, gold), gold.labels, gold.names, gold.language)
        items = items[measure.applicable(gold.labels)]
        if not len(items):
            raise InputError(f"{measure.name}: no dev row counts")
        return items

    def dev_predictions(self, scores: np.ndarray, gold: Gold) -> Any:
        """Predictions from scores, as metrics take them."""
        return self.decode(scores)

    # --- Evaluation

    def aligned_fields(self, task: TaskLike) -> tuple[str, ...]:
        """Fields whose labels have positions, so moves of their codepoints must be tracked."""
        return ()

    def editable(self, rows: Rows, field: str) -> list[np.ndarray] | None:
        """For each row a bool mask of the codepoints of a field that a perturbation may edit; None for all."""
        return None

    def follow(
        self,
        task: TaskLike,
        rows: Rows,
        fields: Mapping[str, list[str]],
        sources: Mapping[str, Sequence[np.ndarray]],
        changed: np.ndarray,
        edit_rate: float,
    ) -> Form:
        """A form of the rows, with the new positions of their labels.

        Args:
            fields: all texts in this form.
            sources: perturbed aligned field -> for each text, the clean codepoint that each of its codepoints comes
                from, -1 for none (`PerturbedTexts.sources`). Empty for clean text.
            changed, edit_rate: as in `Form`.
        """
        return Form(dict(fields), changed, edit_rate)

    def inputs(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, forms: Mapping[FormKey, Form], max_length: int
    ) -> Inputs:
        """The distinct inputs among all forms."""
        distinct, index = numbered({key: self.texts(task, form.fields) for key, form in forms.items()})
        return whole_inputs(tokenizer, distinct, index, max_length, rows.language)

    def needs_head(self, task: TaskLike) -> bool:
        """Whether a task can only be predicted by a head; otherwise vectors of its texts can be compared."""
        return not self.by_vectors

    def sides(self, task: TaskLike) -> tuple[tuple[str, ...], ...]:
        """The fields of each text of a row that has a vector: here each field is one."""
        return tuple((name,) for name in task.fields)

    def compared_inputs(
        self,
        task: TaskLike,
        tokenizer: Tokenizer,
        rows: Rows,
        forms: Mapping[FormKey, Form],
        max_length: int,
        prefix: str = "",
    ) -> Inputs:
        """The distinct texts among all forms, to be compared by their vectors: index [n, number of sides].

        Args:
            prefix: precedes every text.
        """
        sides = self.sides(task)
        texts = {
            key: [own for names in sides for own in zip(*(form.fields[name] for name in names), strict=True)]
            for key, form in forms.items()
        }
        distinct, index = numbered(texts)
        index = {key: own.reshape(len(sides), -1).T for key, own in index.items()}
        distinct = [(prefix + first, *others) for first, *others in distinct]
        return whole_inputs(tokenizer, distinct, index, max_length, rows.language)

    def texts(self, task: TaskLike, fields: Mapping[str, list[str]]) -> Iterable[tuple[str, ...]]:
        """The texts of every example, row by row."""
        return zip(*fields.values(), strict=True)

    def decode(self, scores: Any) -> Any:
        """Predictions from a head's outputs [n, K]: here the best class, int32 [n]."""
        return np.argmax(scores, axis=1).astype(np.int32)

    def cell(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[float, np.ndarray, dict[str, Any]]:
        """One cell.

        Args:
            scores: scores of the distinct inputs; from vectors, form -> `Ranked`, `Mined` or cosines [n, 1].
            key: names the form.

        Returns:
            value: value of the metric, 0 if no row counts.
            applicable: bool [n], the rows that count.
            columns: n values or lists each: "prediction", "label", "scores", and the columns that the metric records.
        """
        measure = metric(task.metric)
        predictions, labels, columns = self.predicted(task, rows, form, inputs, scores, key)
        columns |= measure.record(predictions, labels, task.labels, rows.language)
        applicable = measure.applicable(labels)
        if form.applicable is not None:
            applicable = applicable & form.applicable
        items = measure.read(columns)[applicable]
        value = measure.value(items) if len(items) else 0.0
        return value, applicable, {name: _listed(own) for name, own in columns.items()}

    def predicted(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Predictions and labels of one form, as metrics take them, and their columns; arguments as `cell`."""
        found = inputs.scores_of(scores, key)
        predictions = self.decode(found)
        return predictions, rows.labels, {"prediction": predictions, "scores": list(found), "label": rows.labels}


def _listed(column: Any) -> Any:
    """A column of n values or lists."""
    return list(column) if isinstance(column, np.ndarray) and column.ndim > 1 else column


def class_index(
    task: TaskLike, published: Published, label: str, place: Callable[[], str], written: str = ""
) -> int | None:
    """The index of a published label among the task's labels, or None to leave it out.

    Args:
        written: the label as it is in the file, if the source converted it.

    Raises:
        InputError: the label is unknown; the message begins with `place`.
    """
    known = published or {name: name for name in task.labels}
    named = f"{written!r:.80} (read as {label!r:.80})" if written not in ("", label) else f"{label!r:.80}"
    if label not in known:
        hint = "; a source's labels can map published labels to these"
        if label in published.values():
            hint = "; its source's labels map published labels to class names, not the reverse"
        elif published:
            hint = "; its source's labels must name every label, with None to leave rows out"
        raise InputError(f"{place()}: label {named} is unknown in task {task.name!r}; expected {listed(known)}{hint}")
    if known[label] is None:
        return None
    if known[label] not in task.labels:
        raise InputError(
            f"{place()}: the source of task {task.name!r} maps label {named} to {known[label]!r:.80}, "
            f"which is not one of its labels: {listed(task.labels)}"
        )
    return task.labels.index(known[label])


def permuted(labels: np.ndarray, seed: int) -> np.ndarray:
    """Labels [n, ...] in another order."""
    return np.random.default_rng([seed, 0x5EED]).permutation(labels)


def layout_of(examples: Examples) -> str:
    """The layout of examples, by its name in `Kind.layout`."""
    if examples.windows is not None:
        return "windows"
    if examples.anchors is not None:
        return "words"
    return "groups" if examples.choices > 1 else "whole"


def check_classes(name: str, labels: np.ndarray, classes: int, lowest: int = 0) -> None:
    """Raises InputError unless labels are class indices [n] from `lowest` (-1: no class) to classes - 1."""
    if labels.dtype == bool or labels.ndim > 1:
        raise InputError(f"{name}: class indices [n] expected, found labels {labels.dtype} {labels.shape}")
    if not (lowest <= labels.min() and 0 <= labels.max() < classes):
        raise InputError(f"{name}: labels from {labels.min()} to {labels.max()}, expected 0 to {classes - 1}")
