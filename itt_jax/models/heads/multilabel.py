"""Any number of classes per example."""

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Params
from itt_jax.models.heads.by_example import ExampleKind, weighted
from itt_jax.models.heads.head import Head


class MultilabelKind(ExampleKind):
    """A logit for each class; the mean over classes of the binary cross-entropies, as in Hugging Face."""

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E classes"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        losses = optax.sigmoid_binary_cross_entropy(outputs, batch.by_example["labels"].astype(outputs.dtype)).mean(-1)
        return weighted(losses, batch.by_example["weights"])

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        """The mean over classes, as for the loss."""
        apart = (jax.nn.sigmoid(outputs) - jax.nn.sigmoid(others)) * (outputs - others)
        return jnp.sum(batch.by_example["weights"] * apart.mean(-1))


MULTILABEL = MultilabelKind("multilabel", form="classification", problem_type="multi_label_classification", labels=True)
