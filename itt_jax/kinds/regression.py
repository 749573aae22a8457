"""A score for a text or a pair of texts."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from itt_jax.data.rows import Rows
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.kinds.kind import Kind, Published, TaskLike
from itt_jax.reading.text import parse_number


class Regression(Kind):
    """Labels are scores float32 [n] within the task's `score_range`; predictions are unbounded scores.

    An encoder without a head predicts the similarity of two texts by the cosine of their vectors.
    """

    name = "regression"
    summary = "a score for a text or a pair of texts"
    head = "regression"
    dev_metric = "spearman"
    token_noise = True
    named_outputs = False
    table_metric = "spearman"

    def check(self, task: TaskLike) -> None:
        """Raises InputError for a task with labels or an empty score_range."""
        if task.labels or not task.score_range[0] < task.score_range[1]:
            raise InputError(f"task {task.name!r}: regression needs a score_range and no labels")

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """Scores."""
        return ("score",)

    def label_space(self, task: TaskLike) -> str:
        """One space for all scores."""
        return "score"

    def label_summary(self, task: TaskLike) -> str:
        """The range of scores."""
        return f"{task.score_range[0]:g} to {task.score_range[1]:g}"

    def table_settings(self, table: Table) -> dict[str, Any]:
        """The range of the scores.

        Raises:
            InputError: a label is not a finite number, or all are equal.
        """
        numbers = [_number(label) for label in table.label_texts]
        if wrong := [i for i, number in enumerate(numbers) if not math.isfinite(number)]:
            found = table.label_texts[wrong[0]]
            raise InputError(f"{table.place(wrong[0])}: score {found!r:.80}; expected a number such as 0.5")
        if len(set(numbers)) == 1:
            raise InputError(
                f"{table.place(0)}: score {numbers[0]:g}, as in all {len(numbers):,} rows; expected scores that differ"
            )
        return {"score_range": (min(numbers, default=0.0), max(numbers, default=1.0))}

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """Scores float32 [n].

        Raises:
            InputError: a label is not a number in the range; the message names its place.
        """
        keep = np.ones(len(table.indices), bool)
        if table.labels is None:
            return None, keep
        scores = [
            _score(task, published, text, functools.partial(table.place, i)) for i, text in enumerate(table.label_texts)
        ]
        keep = np.array([score is not None for score in scores], bool)
        return np.array([score or 0 for score in scores], np.float32), keep

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The scores."""
        return [f"{label:g}" for label in rows.labels_as(np.ndarray).tolist()]

    def check_labels(self, name: str, labels: np.ndarray, classes: int) -> None:
        """Raises InputError unless labels are numbers [n]."""
        if labels.dtype == bool or labels.ndim > 1:
            raise InputError(f"{name}: scores [n] expected, found labels {labels.dtype} {labels.shape}")

    def needs_head(self, task: TaskLike) -> bool:
        """Not for pairs of texts, whose metrics are correlations and ignore the scale of cosines."""
        return len(task.fields) != 2

    def decode(self, scores: Any) -> Any:
        """The one output: float32 [n]."""
        return scores[:, 0]


def _score(task: TaskLike, published: Published, label: str, place: Callable[[], str]) -> float | None:
    text = published.get(label, label)
    if text is None:
        return None
    low, high = task.score_range
    score = _number(str(text))
    if not low <= score <= high:
        raise InputError(f"{place()}: score {label!r:.80}; expected a number from {low:g} to {high:g}")
    return score


def _number(text: str) -> float:
    """The number in a text; NaN if it is not a number."""
    try:
        return parse_number(text)
    except ValueError:
        return math.nan
