"""One class per example."""

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Params
from itt_jax.models.heads.by_example import ExampleKind, weighted
from itt_jax.models.heads.head import Head, symmetric_divergence


class ClassificationKind(ExampleKind):
    """Logits of the classes; cross-entropy."""

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E classes"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch.by_example["labels"])
        return weighted(losses, batch.by_example["weights"])

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        return jnp.sum(batch.by_example["weights"] * symmetric_divergence(outputs, others))


CLASSIFICATION = ClassificationKind("classification", form="classification", labels=True)
