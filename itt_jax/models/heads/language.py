"""The heads of language models, and their modules: scores of every vocabulary entry."""

from typing import ClassVar

import jax.numpy as jnp
import optax
from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from itt_jax.batch import Batch
from itt_jax.models.encoder import Encoder, Params
from itt_jax.models.heads.by_example import weighted
from itt_jax.models.heads.head import Head, HeadKind
from itt_jax.models.layers import initializer
from itt_jax.models.products import product


class LanguageKind(HeadKind):
    """A kind of head that scores the vocabulary, with the word embeddings or a table of its own as its last matrix."""

    language: ClassVar[bool] = True

    def fixed_outputs(self, encoder: Encoder) -> int:
        return encoder.config.vocabulary_size

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        return LanguageHead(head, rngs)

    def shared(self, head: Head, encoder_params: Params) -> Float[Array, "V D"] | None:
        return head.encoder.word_embeddings(encoder_params) if head.encoder.config.tied_embeddings else None

    def loss(self, head: Head, params: Params, outputs: Array, batch: Batch, choices: int) -> tuple[Array, Array]:
        """Cross-entropy of the predicted tokens."""
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch.by_row["targets"])
        return weighted(losses, batch.by_row["weights"])


class LanguageHead(nnx.Module):
    """Products with a table of words, and a bias."""

    def __init__(self, head: Head, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        if not config.tied_embeddings:
            shape = (config.vocabulary_size, config.width)
            self.table = nnx.Param(initializer(config, config.output_range)(rngs.params(), shape, jnp.float32))
        if config.decoder_bias:
            self.bias = nnx.Param(jnp.zeros(config.vocabulary_size, jnp.float32))
        self.tied, self.biased = config.tied_embeddings, config.decoder_bias
        self.factors = head.encoder.factors

    def __call__(
        self, x: Float[Array, "B T D"], table: Float[Array, "V D"] | None, key: PRNGKeyArray | None
    ) -> Float[Array, "B T V"]:
        table = table if self.tied else self.table[...]
        scores = product("BTD,VD->BTV", x, table, factors=self.factors, dtype=jnp.float32)
        return scores + self.bias[...] if self.biased else scores
