"""What changes from update to update, as one pytree."""

import dataclasses
import math
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
        updates, warmup: int32 [], of the whole stage and of its rise.
    """

    learning_rate: jax.Array
    embedding_factor: jax.Array
    updates: jax.Array
    warmup: jax.Array

    @classmethod
    def create(cls, learning_rate: float, embedding_factor: float, updates: int, warmup: float) -> "Rates":
        """The rates of a stage of `updates` updates, the first ceil(warmup * updates) of which rise."""
        return cls(
            learning_rate=jnp.asarray(learning_rate, jnp.float32),
            embedding_factor=jnp.asarray(embedding_factor, jnp.float32),
            updates=jnp.asarray(updates, jnp.int32),
            warmup=jnp.asarray(math.ceil(warmup * updates), jnp.int32),
        )


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class TrainState:
    """Everything that an update reads and writes; donated to the step.

    Attributes:
        params: {"encoder": ..., "heads": (one per task, ...)}. optimizer: optax state. rates: see Rates.
        update: int32 [], updates done. finite: bool [], False from the first loss or gradient that is not finite.
    """

    params: Params
    optimizer: Any
    rates: Rates
    update: jax.Array
    finite: jax.Array
