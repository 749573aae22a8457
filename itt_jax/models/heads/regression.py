"""One number per example."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Params
from itt_jax.models.heads.by_example import ExampleKind, weighted
from itt_jax.models.heads.head import Head


class RegressionKind(ExampleKind):
    """A score; squared error."""

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E 1"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        return weighted(jnp.square(outputs[:, 0] - batch.by_example["labels"]), batch.by_example["weights"])

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        return jnp.sum(batch.by_example["weights"] * jnp.square(outputs - others)[:, 0])


REGRESSION = RegressionKind("regression", form="classification", problem_type="regression")
