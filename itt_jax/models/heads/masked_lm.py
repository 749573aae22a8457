"""Masked language model."""

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.batch import Batch
from itt_jax.models.heads.head import Head
from itt_jax.models.heads.language import LanguageHead, LanguageKind
from itt_jax.models.layers import ACTIVATIONS, layer_norm, linear


class MaskedLMKind(LanguageKind):
    """Scores at the predicted positions."""

    version = 2  # 1 left out the hidden tokens of a row beyond its share plus two

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        activation = head.encoder.config.transform_activation
        return LanguageHead(head, rngs) if activation is None else TransformHead(head, activation, rngs)

    def places(self, head: Head, batch: Batch) -> Int[Array, "B P"] | None:
        return batch.by_row.get("positions")

    def read(self, head: Head, hidden: Float[Array, "B T D"], batch: Batch) -> Float[Array, "B P D"]:
        if "positions" not in batch.by_row:
            return hidden
        return jnp.take_along_axis(hidden, batch.by_row["positions"][..., None], axis=1)


class TransformHead(LanguageHead):
    """BERT's transform, a dense layer and a LayerNorm, before the scores."""

    def __init__(self, head: Head, activation: str, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        bias, deviation = config.transform_bias, config.transform_range
        self.dense = linear(
            config, config.width, config.width, head.encoder.dtype, rngs, bias=bias, deviation=deviation
        )
        self.dense.factors = head.encoder.factors
        self.norm = layer_norm(config, rngs)
        self.activation = activation
        super().__init__(head, rngs)

    def __call__(
        self, x: Float[Array, "B P D"], table: Float[Array, "V D"], key: PRNGKeyArray | None
    ) -> Float[Array, "B P V"]:
        x = self.norm(ACTIVATIONS[self.activation](self.dense(x))).astype(x.dtype)
        return super().__call__(x, table, key)


MASKED_LM = MaskedLMKind("masked_lm", form="masked_lm")
