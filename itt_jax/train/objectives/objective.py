"""What an objective is, and how a recipe names one."""

import dataclasses
from collections.abc import Callable
from typing import Protocol

import jax

from itt_jax.batch import Batch
from itt_jax.train.state import Params


class Objective(Protocol):
    """A hashable loss: parameters, one microbatch and a key in; sum of weighted losses and sum of weights out."""

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]: ...


@dataclasses.dataclass(frozen=True)
class NamedObjective:
    """An objective that a recipe may name.

    Attributes:
        name: as recipes name it. summary: one line.
        wrap: the stage's own objective -> the one to minimise in its place.
    """

    name: str
    summary: str
    wrap: Callable[[Objective], Objective]


PLAIN = NamedObjective("plain", "the loss of the task's head or the language model, as it is", lambda own: own)
