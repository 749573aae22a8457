"""Fine-tuning jobs, and the tasks and rows that they train on."""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from itt_jax.config import Recipe, content_id
from itt_jax.data.examples import Examples
from itt_jax.errors import InputError
from itt_jax.kinds import Kind
from itt_jax.kinds.kind import Gold
from itt_jax.metrics import Metric, metric
from itt_jax.models import Encoder, Head
from itt_jax.study.hardening import Hardening
from itt_jax.train.resume import Resume
from itt_jax.train.state import Params

DrawForms = Callable[[np.ndarray, np.ndarray], list[Examples]]
"""(Indices of examples, their epochs), int64 [n] each -> K sets of n examples, each with one form of every example."""


class RowsUnderAttack(Protocol):
    """The training rows of a task and an attack on them."""

    def attack(self, params: Params, indices: np.ndarray, number: int) -> tuple[dict[int, str], float]:
        """Attack a share of the rows of the examples `indices` in round `number`.

        Args:
            params: {"encoder", "head"} of one run, on the host.

        Returns:
            Row -> its text, for rows on which the attack succeeded; FLOPs of all queries.
        """

    def reader(self, texts: dict[int, str]) -> Callable[[np.ndarray], Examples]:
        """A function from indices to examples that reads these rows with these texts, and the others unchanged."""


@dataclasses.dataclass(frozen=True)
class TaskData:
    """The rows of one task, encoded for training or for selection on dev.

    Attributes:
        name: name of the task. Dev rows select with the head of the training task of the same name.
        kind: one of `kinds.KINDS`.
        classes: number of classes or candidates of an item; 1 for a score.
        gold: the reference for dev scores; None if the labels of the examples are enough.
        forms: draws the forms that replace the rows in training; determined by the rows, the hardening and the job's
            seed. None: the examples themselves.
        attacks: the rows as an attack sees them, if the job's hardening attacks them.
    """

    name: str
    head: Head
    examples: Examples
    kind: Kind
    classes: int
    gold: Gold | None = None
    forms: DrawForms | None = None
    attacks: RowsUnderAttack | None = None

    @property
    def expected(self) -> Gold:
        """The reference for dev scores."""
        return self.gold or self.kind.gold_of(self.examples)

    def check(self) -> None:
        """Raises InputError unless there are rows, with labels of the task's kind and tokens that the encoder has."""
        if self.examples.labels is None or not len(self.examples):
            raise InputError(f"{self.name}: no labelled rows")
        self.examples.check_fits(self.head.encoder.config)
        self.kind.check_examples(self.name, self.examples, self.classes)

    def digest(self) -> tuple[str, ...]:
        """Everything about the task that determines a stage's result."""
        found, own = hashlib.sha256(), self.examples
        for array in (own.ids, own.token_type_ids, own.fields, own.offsets, own.known_labels):
            found.update(np.ascontiguousarray(array).data)
        head = dataclasses.replace(self.head, encoder=self.head.encoder.plain)
        return self.name, self.kind.name, repr(head), found.hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Job:
    """One fine-tuning: all weights of the encoder and the head(s) are trained on `tasks`.

    Attributes:
        tasks: one task, or several; then each step is of one task, drawn in proportion to
            size ** (1 / recipe.temperature).
        dev: rows that are evaluated every `recipe.evaluate_every` steps and at the end, to select a checkpoint
            (recipe.keep). Its name must be that of a training task.
        params: {"encoder": ...}, with "head" to continue with a trained head (of a single task); other heads are
            initialised from the seed. Not changed, not donated.
        seed: determines new heads, order and dropout.
        directory: where the stage saves its resumable state; None: it cannot be resumed.
        metric: dev metric; default: the kind's own. NaN is recorded if it is undefined.
        hardening: changes the objective, and says how many forms of each example a step reads.
        is_lost: whether another worker has taken over the stage; its directory is then left to that worker.
    """

    tasks: Sequence[TaskData]
    dev: TaskData | None
    params: Params
    recipe: Recipe
    learning_rate: float
    seed: int
    directory: str | pathlib.Path | None = None
    metric: Metric | None = None
    hardening: Hardening | None = None
    is_lost: Callable[[], bool] = lambda: False

    @property
    def steps(self) -> int:
        """Total number of steps."""
        return total_steps(self.recipe, sum(task.examples.items for task in self.tasks))

    @property
    def dev_index(self) -> int:
        """Index of the task that `dev` belongs to."""
        return next((index for index, task in enumerate(self.tasks) if self.dev and task.name == self.dev.name), 0)

    @property
    def shape(self) -> tuple:
        """Equal for jobs that can train together: their tasks have equal kinds and heads; lengths may differ."""
        recipe = dataclasses.replace(self.recipe, steps=None, epochs=0.0, learning_rates=())
        tasks = tuple((task.head, task.kind, task.classes, task.examples.choices) for task in self.tasks)
        return tasks, recipe, self.dev is None, self.hardening

    def check(self) -> None:
        """Raises InputError for a job that cannot be trained; see `fine_tune_stack`."""
        if not self.tasks:
            raise InputError("a stage needs at least one task")
        for task in [*self.tasks, *([self.dev] if self.dev else [])]:
            task.check()
        names = [task.name for task in self.tasks]
        if self.dev and self.dev.name not in names:
            raise InputError(f"dev task {self.dev.name!r} is not trained; known: {', '.join(names)}")
        check_accumulation(self.recipe)

    @property
    def dev_task(self) -> TaskData:
        """The dev rows of a job that has some."""
        assert self.dev is not None
        return self.dev

    def dev_value(self, scores: np.ndarray) -> float:
        """Value of the dev metric for scores of the dev rows: higher is better, NaN if it is undefined."""
        kind = self.dev_task.kind
        return kind.dev_value(self.metric or metric(kind.dev_metric), scores, self.dev_task.expected)

    def resume(self, encoder: Encoder) -> Resume | None:
        """The stage's resumable state, identified by a digest of everything that determines its result."""
        if self.directory is None:
            return None
        tasks = [task.digest() for task in [*self.tasks, *([self.dev] if self.dev else [])]]
        inputs = (self.recipe, self.learning_rate, self.seed, *([self.hardening] if self.hardening else []))
        return Resume(pathlib.Path(self.directory), content_id([repr(encoder.plain), tasks, *inputs]), self.is_lost)


def total_steps(recipe: Recipe, rows: int) -> int:
    """Number of steps of a stage on `rows` training rows: the recipe's, or its epochs, rounded up to whole batches."""
    return recipe.steps if recipe.steps is not None else math.ceil(recipe.epochs * rows / recipe.batch_size)


def check_accumulation(recipe: Recipe) -> None:
    """Raises InputError unless microbatches have equally many examples."""
    if recipe.batch_size % recipe.accumulate:
        raise InputError(f"batch_size {recipe.batch_size} is not a multiple of accumulate {recipe.accumulate}")
