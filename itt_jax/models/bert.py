"""BERT and multilingual BERT: the whole encoder.

Source: Devlin et al. 2019 (arXiv 1810.04805); numerics as `transformers.models.bert`.
"""

from typing import Any

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.errors import InputError
from itt_jax.families.bert import BertConfig
from itt_jax.families.config import EncoderConfig
from itt_jax.models.attention import AttentionMask, attention, segment_starts, taken
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import ACTIVATIONS, PLAIN, Execution, embedding, layer_norm, linear, run_layers


class Embeddings(nnx.Module):
    """Word, token-type and position embeddings, summed and normalised."""

    def __init__(self, config: BertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.word = embedding(config, config.vocabulary_size, rngs, config.pad_id)
        self.position = embedding(config, config.position_rows, rngs, config.position_pad)
        self.token_type = embedding(config, config.token_types, rngs)
        self.norm = layer_norm(config, rngs)
        self.rate, self.dtype = config.dropout, dtype

    def __call__(
        self, inputs: EncoderInputs, position_ids: Int[Array, "#B T"], key: PRNGKeyArray | None
    ) -> Float[Array, "B T D"]:
        ids, types, given = inputs.input_ids, inputs.token_type_ids, inputs.input_embeddings
        words = self.word(ids) if given is None else given
        types = self.token_type(jnp.zeros_like(ids) if types is None else types)
        x = self.norm(words + types + self.position(position_ids)).astype(self.dtype)
        return dropout(x, self.rate, key)


class PostNormLayer(nnx.Module):
    """One post-norm transformer layer without its attention."""

    def __init__(self, config: EncoderConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        width, inner = config.width, config.feed_forward
        self.query, self.key, self.value, self.attention_output = (
            linear(config, width, width, dtype, rngs) for _ in range(4)
        )
        self.mlp_in = linear(config, width, inner, dtype, rngs)
        self.mlp_out = linear(config, inner, width, dtype, rngs)
        self.attention_norm, self.output_norm = layer_norm(config, rngs), layer_norm(config, rngs)
        self.config, self.dtype = config, dtype

    def finished(
        self, x: Float[Array, "B T D"], context: Float[Array, "B T D"], key: PRNGKeyArray | None
    ) -> Float[Array, "B T D"]:
        """The rest of the layer, after its attention has given `context`."""
        config = self.config
        attended = dropout(self.attention_output(context), config.dropout, subkey(key, 1))
        x = self.attention_norm(x + attended).astype(self.dtype)
        fed = self.mlp_out(ACTIVATIONS[config.activation](self.mlp_in(x)))
        return self.output_norm(x + dropout(fed, config.dropout, subkey(key, 2))).astype(self.dtype)


class Layer(PostNormLayer):
    """One post-norm transformer layer."""

    config: BertConfig

    def __call__(
        self,
        x: Float[Array, "B T D"],
        mask: AttentionMask,
        key: PRNGKeyArray | None,
        backend: str = "auto",
        places: Int[Array, "B P"] | None = None,
    ) -> Float[Array, "B P D"]:
        config, own = self.config, taken(x, places)
        q, k, v = (
            project(given).reshape(*given.shape[:2], config.heads, -1)
            for project, given in ((self.query, own), (self.key, x), (self.value, x))
        )
        rate = config.attention_dropout
        context = attention(q, k, v, mask=mask.at(places), dropout_rate=rate, key=subkey(key, 0), backend=backend)
        return self.finished(own, context.reshape(own.shape), key)


class Model(nnx.Module):
    """The BERT encoder; called as `families.Family.module` describes."""

    def __init__(self, config: BertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config = config
        self.embeddings = Embeddings(config, dtype=dtype, rngs=rngs)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})
        if config.pooler:
            self.pooler = linear(config, config.width, config.width, dtype, rngs)

    def positions(self, inputs: EncoderInputs) -> Int[Array, "#B T"]:
        """Rows of the position table that the tokens read if none are given."""
        return positions(inputs.input_ids, inputs.segment_ids, self.config.position_rows)

    def __call__(
        self,
        inputs: EncoderInputs,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        inputs.refuse(self.config.family, "perm_mask", "target_mapping")
        position_ids = self.positions(inputs) if inputs.position_ids is None else inputs.position_ids
        x = self.embeddings(inputs, position_ids, subkey(key, 0))
        mask = AttentionMask.of(inputs.attention_mask, inputs.segment_ids)

        def step(layer: Layer, x: Array, key: PRNGKeyArray | None, places: Array | None = None) -> Array:
            return layer(x, mask, key, execution.backend(places), places)

        keys = [subkey(key, i + 1) for i in range(len(self.layers))]
        states = run_layers(self.layers, step, x, keys, execution, every_state=all_layers, places=inputs.places)
        return tuple(states) if all_layers else states[-1]


def positions(input_ids: Int[Array, "B T"], segment_ids: Int[Array, "B T"] | None, rows: int) -> Int[Array, "#B T"]:
    """0, 1, 2 ... from the start of the row, or of each segment; 0 for padding, which may exceed the table.

    Raises:
        InputError: an unpacked row is longer than the position table.
    """
    length = input_ids.shape[1]
    count = jnp.arange(length, dtype=jnp.int32)[None]
    if segment_ids is not None:
        return jnp.where(segment_ids > 0, count - segment_starts(segment_ids), 0)
    if length > rows:
        raise InputError(f"input of {length} tokens: the encoder's position table holds {rows}")
    return count


def word_embeddings(params: dict[str, Any]) -> Float[Array, "V D"]:
    """The table that input ids index."""
    return params["embeddings"]["word"]["embedding"]
