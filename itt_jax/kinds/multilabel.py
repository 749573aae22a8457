"""Any number of classes for a text or a pair of texts."""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.data.rows import Rows
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.kinds.forms import Form, FormKey, Inputs
from itt_jax.kinds.kind import Kind, Published, TaskLike, class_index


class Multilabel(Kind):
    """Labels are bool [n, classes]; predictions are log-odds float32 [n, classes], positive for predicted labels.

    Published labels of one row are separated by spaces, so label names contain none.
    """

    name = "multilabel"
    summary = "any number of classes for a text or a pair of texts"
    head = "multilabel"
    dev_metric = "label_micro_f1"
    token_noise = True

    def check(self, task: TaskLike) -> None:
        """Raises InputError for fewer than two labels, or a space in one of them."""
        super().check(task)
        if any(len(label.split()) != 1 for label in task.labels):
            raise InputError(f"task {task.name!r}: multilabel names cannot contain spaces, found {task.labels}")

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """Sets of labels."""
        return ("label_set",)

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """The classes of each row: bool [n, classes]. A label that maps to None is left out, its row kept.

        Raises:
            InputError: an unknown label; the message names its place.
        """
        keep = np.ones(len(table.indices), bool)
        if table.labels is None:
            return None, keep
        found = np.zeros((len(table.labels), len(task.labels)), bool)
        for i, labels in enumerate(table.label_texts):
            place = functools.partial(table.place, i)
            classes = [class_index(task, published, label, place) for label in labels.split()]
            found[i, [index for index in classes if index is not None]] = True
        return found, keep

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The names of each row's labels."""
        return [" | ".join(np.array(task.labels)[own].tolist()) for own in rows.labels_as(np.ndarray)]

    def file_format(self, task: TaskLike) -> str:
        """Lists of labels."""
        return "label_sets"

    def check_labels(self, name: str, labels: np.ndarray, classes: int) -> None:
        """Raises InputError unless labels are bool [n, classes]."""
        if labels.dtype != bool or labels.shape[1:] != (classes,):
            raise InputError(f"{name}: bool [n, {classes}] expected, found labels {labels.dtype} {labels.shape}")

    def decode(self, scores: Any) -> Any:
        """The scores, by which metrics may rank."""
        return scores

    def predicted(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Columns hold lists: indices of predicted and of right classes, and all scores."""
        found, labels = inputs.scores_of(scores, key), rows.labels_as(np.ndarray)
        return found, labels, {"prediction": _true(found > 0), "label": _true(labels), "scores": list(found)}


def _true(decisions: np.ndarray) -> Sequence[np.ndarray]:
    """For each row of bool [n, classes], the indices of its true entries."""
    return [np.flatnonzero(own) for own in decisions]
