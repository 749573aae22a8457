"""The loss of a task."""

import dataclasses

import jax

from itt_jax.batch import Batch
from itt_jax.models import Encoder, Head, apply_model
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True)
class TaskObjective:
    """The loss of one task's head.

    Attributes:
        index: the task's place in params["heads"]; without the task's name, tasks of one shape share a program.
        choices: number of examples per item.
    """

    encoder: Encoder
    head: Head
    index: int
    dropout: bool
    choices: int = 1

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights, float32 []; the batch is as `Head.loss` reads it."""
        own = {"encoder": params["encoder"], "head": params["heads"][self.index]}
        outputs = apply_model(self.encoder, self.head, own, batch, key=key if self.dropout else None)
        return self.head.loss(own, outputs, batch, self.choices)
