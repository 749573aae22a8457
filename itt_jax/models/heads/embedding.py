"""A vector per example: a dual encoder's, like `BertForRetrieval` in XTREME-R's code."""

from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from itt_jax import families
from itt_jax.batch import Batch
from itt_jax.families.family import Summary
from itt_jax.models.encoder import Encoder, Params
from itt_jax.models.heads.by_example import ExampleKind, SummaryLayers
from itt_jax.models.heads.head import Head

SCALE = 100.0
"""Initial factor of the cosines (XTREME-R's code)."""


class EmbeddingKind(ExampleKind):
    """Vectors of length 1; cross-entropy over scaled cosines, with the other candidates of the batch as negatives."""

    poolings: ClassVar[tuple[str, ...]] = ("pretrained", "cls", "mean")
    pairs: ClassVar[bool] = False

    def summary(self, head: Head) -> Summary:
        """The family's pooler, as in XTREME-R's code; without one, the summary token's hidden state."""
        has_pooler = "pooler" in families.family(head.encoder.family).fields
        return Summary("pooler" if head.pooling == "pretrained" and has_pooler else None, None)

    def fixed_outputs(self, encoder: Encoder) -> int:
        return encoder.width

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        return EmbeddingHead(head, self.summary(head), rngs)

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E D"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        """Item i has its query at 2 i and its candidate at 2 i + 1; only queries are classified."""
        queries, candidates, used = outputs[0::2], outputs[1::2], batch.by_example["weights"][0::2]
        logits = params["head"]["scale"] * queries @ candidates.T
        logits = jnp.where(used[None, :] > 0, logits, -jnp.inf)
        losses = jax.nn.logsumexp(logits, axis=1) - jnp.diagonal(logits)
        return jnp.sum(used * jnp.where(used > 0, losses, 0)), jnp.sum(used)


class EmbeddingHead(SummaryLayers):
    """[E, D] pooled hidden states to vectors of length 1. "scale" is trained: the factor of cosines in the loss."""

    def __init__(self, head: Head, summary: Summary, rngs: nnx.Rngs) -> None:
        super().__init__(head, summary, rngs)
        self.scale = nnx.Param(jnp.full((), SCALE, jnp.float32))

    def __call__(
        self, x: Float[Array, "*E D"], pooler: Params | None, key: PRNGKeyArray | None
    ) -> Float[Array, "*E D"]:
        x = self.summarised(x, pooler, key)
        return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, axis=-1, keepdims=True), 1e-24))


EMBEDDING = EmbeddingKind("embedding")
