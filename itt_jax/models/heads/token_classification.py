"""A class for each token (of a word, its anchor)."""

import jax
import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Params
from itt_jax.models.heads.by_token import TokenHead
from itt_jax.models.heads.head import Head, HeadKind, symmetric_divergence


class TokenClassificationKind(HeadKind):
    """Logits of the classes at each token; cross-entropy over the tokens that have a label."""

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        return TokenHead(head, head.encoder.config.token_rate, rngs)

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "B T classes"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        labelled = (batch.by_row["labels"] >= 0).astype(outputs.dtype)
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, jnp.maximum(batch.by_row["labels"], 0))
        return jnp.sum(labelled * losses), jnp.sum(labelled)

    def item_losses(
        self, head: Head, params: Params, outputs: Float[Array, "B T classes"], batch: Batch, choices: int
    ) -> Float[Array, " E"]:
        """The mean over the labelled tokens of each example."""
        labels, index = batch.by_row["labels"].ravel(), batch.by_row["example_ids"].ravel()
        labelled = (labels >= 0).astype(outputs.dtype)
        flat = outputs.reshape(-1, outputs.shape[-1])
        losses = labelled * optax.softmax_cross_entropy_with_integer_labels(flat, jnp.maximum(labels, 0))
        slots = batch.slots
        total, count = (jax.ops.segment_sum(values, index, slots + 1)[:slots] for values in (losses, labelled))
        return total / jnp.maximum(count, 1)

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        """Over the tokens that have a label."""
        return jnp.sum((batch.by_row["labels"] >= 0) * symmetric_divergence(outputs, others))


TOKEN_CLASSIFICATION = TokenClassificationKind("token_classification", form="token_classification", labels=True)
