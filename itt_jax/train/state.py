"""What changes from step to step, as one pytree; and stacks of such trees.

A stack is several runs of one shape on a leading axis [S] of every leaf. One run alone is a stack of one.
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
    """The numbers of a schedule. They are arrays, so that another learning rate or length needs no new program.

    Attributes:
        learning_rate: float32 [], the peak; embedding_factor: float32 [], its multiple for the embedding tables.
        steps, warmup: int32 [], of the whole stage and of its rise. In a stack each is [S].
    """

    learning_rate: jax.Array
    embedding_factor: jax.Array
    steps: jax.Array
    warmup: jax.Array

    @classmethod
    def create(cls, learning_rate: float, embedding_factor: float, steps: int, warmup: float) -> "Rates":
        """The rates of a stage of `steps` steps, the first ceil(warmup * steps) of which rise."""
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
        params: {"encoder": ..., "heads": (one per task, ...)}. optimizer: optax state. rates: see Rates.
        step: int32 [], steps done. finite: bool [], False from the first loss or gradient that is not finite.

    In a stack every leaf has a leading axis [S].
    """

    params: Params
    optimizer: Any
    rates: Rates
    step: jax.Array
    finite: jax.Array


def stacked(trees: Sequence[Any]) -> Any:
    """Trees of one structure and shape as one tree with a leading axis [S]; always a copy, as the step donates."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def member(tree: Any, index: int) -> Any:
    """One run's part of a stack; inside a program, for outside one each index is a program of its own."""
    # leaf[index] would put the index on the device: a transfer that nobody asked for.
    return jax.tree.map(lambda leaf: jax.lax.index_in_dim(leaf, index, keepdims=False), tree)
