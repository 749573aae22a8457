"""The interface of objectives, and those that a recipe names."""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import jax

from itt_jax.batch import Batch
from itt_jax.train.state import Params


class Objective(Protocol):
    """A loss: a pure function of parameters, one microbatch and a key.

    Objectives are hashable, and equal objectives share a compiled step. The step divides the gradient of the sum of
    losses by the sum of weights, over all microbatches. An objective may wrap another, for example to call it on
    several perturbed versions of the parameters or the batch.
    """

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights, float32 [].

        Args:
            params: {"encoder": ..., "heads": (one per task, ...)}.
            batch: one microbatch, without leading axes. key: dropout key.
        """


@dataclasses.dataclass(frozen=True)
class NamedObjective:
    """An objective that recipes can name.

    Attributes:
        name: name in recipes. summary: one line.
        wrap: function from the stage's own objective to the one that is minimised in its place.
        version: raised when the same step would give another result, so that stages are made again.
    """

    name: str
    summary: str
    wrap: Callable[[Objective], Objective]
    version: int = 1


PLAIN = NamedObjective("plain", "the loss of the task's head or the language model, as it is", lambda own: own)
