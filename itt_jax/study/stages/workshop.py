"""What the stages of one run share: the results folder, the material, and data kept in memory between stages."""

import dataclasses
from collections.abc import Callable, Hashable

from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.models import Encoder
from itt_jax.models.hardware import hardware
from itt_jax.store import Store
from itt_jax.study.material import Material
from itt_jax.study.precision import computed_as
from itt_jax.tasks import Task
from itt_jax.tasks.inputs import kept_examples
from itt_jax.train.jobs import TaskData
from itt_jax.train.precision import Arithmetic, training_arithmetic
from itt_jax.train.processes import first_then_others

MOST_TOGETHER = 64
"""Maximum number of stages claimed together on an accelerator; its memory limits how many train at once."""


@dataclasses.dataclass(frozen=True)
class Body:
    """An encoder with its parameters and tokenizer, as a stage starts from it and leaves it."""

    encoder: Encoder
    params: dict
    tokenizer: Tokenizer


class Workshop:
    """What the stages of one run share.

    Args:
        progress: called with (steps done, steps, {"loss" or "dev": value, ...}).
        stack: maximum number of fine-tunings trained together; None lets memory decide.
    """

    def __init__(self, store: Store, material: Material, progress: Callable, stack: int | None = None):
        self.store, self.material, self.progress, self.stack = store, material, progress, stack
        self._bodies: dict[str, Body] = {}
        self._data: dict[Hashable, TaskData] = {}

    @property
    def most_together(self) -> int:
        """Maximum number of stages that train together."""
        return most_together(self.stack)

    @property
    def arithmetic(self) -> Arithmetic:
        """The arithmetic of training."""
        return training_arithmetic(self.material.study.precision)

    def body(self, stage_id: str, load: Callable[[], Body]) -> Body:
        """The body of a stage as it is trained; the most recent one is kept."""
        if stage_id not in self._bodies:
            body = load()
            self._bodies = {stage_id: dataclasses.replace(body, encoder=self.trained(body.encoder))}
        return self._bodies[stage_id]

    def trained(self, encoder: Encoder) -> Encoder:
        """The encoder as the study computes it in training."""
        return computed_as(encoder, self.material.study, self.arithmetic)

    def examples(self, task: Task, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """The examples of a task's rows; their tokens are kept in the results folder and memory-mapped."""
        return first_then_others(lambda: kept_examples(self.store.tokens, task, tokenizer, rows, max_length))

    def data(self, key: Hashable, make: Callable[[], TaskData]) -> TaskData:
        """Task data: the same object for the same key, by which a stack recognises data that its runs share."""
        if key not in self._data:
            self._data[key] = make()
        return self._data[key]


def most_together(stack: int | None) -> int:
    """Maximum number of stages that train together on the devices; `stack` is the user's choice or None."""
    return stack or (1 if hardware().platform == "cpu" else MOST_TOGETHER)
