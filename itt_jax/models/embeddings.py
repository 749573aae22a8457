"""Word embeddings of families without positions and types in their input."""

from typing import Any

from flax import nnx
from jaxtyping import Array, Float, PRNGKeyArray

from itt_jax.models.dropout import dropout
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import embedding, layer_norm


class Embeddings(nnx.Module):
    """Word embeddings, normalised."""

    def __init__(self, config: Any, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.word = embedding(config, config.vocabulary_size, rngs, config.pad_id)
        self.norm = layer_norm(config, rngs)
        self.rate, self.dtype = config.dropout, dtype

    def __call__(self, inputs: EncoderInputs, key: PRNGKeyArray | None) -> Float[Array, "B T D"]:
        given = inputs.input_embeddings
        words = self.word(inputs.input_ids) if given is None else given
        return dropout(self.norm(words).astype(self.dtype), self.rate, key)
