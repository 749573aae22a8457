"""The train state, one pytree of everything that changes from step to step; and stacks of such trees.

A stack holds several runs of one shape on a leading axis [S] of every leaf. A single run is a stack of one.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

Params = dict[str, Any]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Rates:
    """The numbers of a schedule, as arrays, so that other learning rates and lengths share one program.

    Attributes:
        learning_rate: the peak, float32 []. embedding_factor: factor on it for the embedding tables, float32 [].
        steps, warmup: total steps and warm-up steps, int32 []. In a stack each is [S].
    """

    learning_rate: jax.Array
    embedding_factor: jax.Array
    steps: jax.Array
    warmup: jax.Array

    @classmethod
    def create(cls, learning_rate: float, embedding_factor: float, steps: int, warmup: float) -> "Rates":
        """The schedule of a stage of `steps` steps; the first ceil(warmup * steps) are the warm-up."""
        return cls(
            learning_rate=jnp.asarray(learning_rate, jnp.float32),
            embedding_factor=jnp.asarray(embedding_factor, jnp.float32),
            steps=jnp.asarray(steps, jnp.int32),
            warmup=jnp.asarray(math.ceil(warmup * steps), jnp.int32),
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that a step reads and writes; donated to the step.

    Attributes:
        params: {"encoder": ..., "heads": (one per task, ...)}. optimizer: optax state. rates: the schedule.
        step: steps done, int32 []. finite: False from the first loss or gradient that is not finite, bool [].

    In a stack every leaf has a leading axis [S].
    """

    params: Params
    optimizer: Any
    rates: Rates
    step: jax.Array
    finite: jax.Array


def stacked(trees: Sequence[Any]) -> Any:
    """Trees of one structure and shape as one tree with a leading axis [S]; always a copy, as the step donates it."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def member(tree: Any, index: int) -> Any:
    """One run's part of a stack, for use inside a program; outside, every index would compile a program."""
    # leaf[index] would transfer the index to the device.
    return jax.tree.map(lambda leaf: jax.lax.index_in_dim(leaf, index, keepdims=False), tree)
