"""XLNet: the whole encoder, with permutation masks, the query stream of pretraining, and memories.

Source: Yang et al. 2019 (arXiv 1906.08237); numerics as `transformers.models.xlnet`.
"""

from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.errors import InputError
from itt_jax.families.xlnet import XlnetConfig
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.layers import ACTIVATIONS, PLAIN, Execution, embedding, layer_norm, linear, run_layers
from itt_jax.models.relative_attention import QueryBiases, RelativeAttention, Shared, sinusoids, stream_masks


class Layer(nnx.Module):
    """One post-norm layer: relative attention, then feed-forward, each on both streams."""

    def __init__(self, config: XlnetConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.attention = RelativeAttention(config, dtype=dtype, rngs=rngs)
        self.mlp_in = linear(config, config.width, config.feed_forward, dtype, rngs)
        self.mlp_out = linear(config, config.feed_forward, config.width, dtype, rngs)
        self.output_norm = layer_norm(config, rngs)
        self.config, self.dtype = config, dtype

    def __call__(
        self,
        content: Float[Array, "B T D"],
        query: Float[Array, "B P D"] | None,
        shared: Shared,
        biases: QueryBiases | None,
        memory: Float[Array, "B M D"] | None,
        key: PRNGKeyArray | None,
        backend: str = "auto",
        places: Int[Array, "B P"] | None = None,
    ) -> tuple[Float[Array, "B T D"], Float[Array, "B P D"] | None]:
        """Both streams after this layer; `biases` are the shared ones, None if each layer has its own."""
        biases = self.attention.biases if biases is None else biases
        content, query = self.attention(content, query, shared, biases, memory, subkey(key, 0), backend, places)
        content = self.feed_forward(content, subkey(key, 1))
        return content, None if query is None else self.feed_forward(query, subkey(key, 2))

    def feed_forward(self, x: Float[Array, "B T D"], key: PRNGKeyArray | None) -> Float[Array, "B T D"]:
        """Feed-forward with residual and LayerNorm."""
        rate = self.config.dropout
        inner = dropout(ACTIVATIONS[self.config.activation](self.mlp_in(x)), rate, subkey(key, 0))
        return self.output_norm(x + dropout(self.mlp_out(inner), rate, subkey(key, 1))).astype(self.dtype)


class Model(nnx.Module):
    """The XLNet encoder; called as `families.Family.module` describes.

    Without token_type_ids the segment term is left out, which is as if all tokens were of one type. Dropout of the
    position embeddings is drawn once for all rows: one draw per row, as in the original, would make every row project
    its own.
    """

    def __init__(self, config: XlnetConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config, self.dtype = config, dtype
        self.word = embedding(config, config.vocabulary_size, rngs)
        init = nnx.initializers.normal(config.initializer_range)
        self.mask_embedding = nnx.Param(init(rngs.params(), (1, 1, config.width)))
        if not config.untied_biases:
            self.biases = QueryBiases(config, rngs=rngs)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})

    def __call__(
        self,
        inputs: EncoderInputs,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        _, states = self._streams(inputs, None, key, execution, every_state=all_layers)
        return tuple(states) if all_layers else states[-1]

    def with_memories(
        self,
        inputs: EncoderInputs,
        mems: list[Float[Array, "B M D"]] | None,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        execution: Execution = PLAIN,
    ) -> tuple[Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...], list[Float[Array, "B M D"]]]:
        """(hidden states, memories for the next call): one memory per layer, without gradient.

        A memory has token type 0, and every position sees it.

        Raises:
            InputError: segment_ids are given (a memory would cross from one packed example to another), or mems are
                not one per layer, of one length and with the rows of input_ids.
        """
        inputs.refuse("XLNet with memories", "places")
        if inputs.segment_ids is not None:
            raise InputError("mems and segment_ids exclude each other: a row with memories holds one example")
        if mems is not None:
            self._check_memories(mems, inputs.input_ids.shape[0])
        contents, states = self._streams(inputs, mems, key, execution, every_state=True)
        old = mems or [None] * self.config.layers
        new = [self._remember(memory, x) for memory, x in zip(old, contents[:-1], strict=True)]
        return (tuple(states) if all_layers else states[-1]), new

    def _check_memories(self, mems: list[Float[Array, "B M D"]], rows: int) -> None:
        if len(mems) != self.config.layers:
            raise InputError(f"mems: found {len(mems)} arrays, expected one for each of {self.config.layers} layers")
        expected = (rows, mems[0].shape[1], self.config.width)
        for number, memory in enumerate(mems):
            if memory.shape != expected:
                raise InputError(f"mems: layer {number} has shape {memory.shape}, expected {expected}")

    def _remember(self, memory: Array | None, x: Float[Array, "B T D"]) -> Float[Array, "B M D"]:
        """The memory after x: the last memory_length of the old one and x's first reuse_length positions."""
        x = x[:, : self.config.reuse_length or None]
        if memory is not None:
            x = jnp.concatenate([memory.astype(x.dtype), x], axis=1)
        return jax.lax.stop_gradient(x[:, -(self.config.memory_length or 0) :])

    def _streams(
        self,
        inputs: EncoderInputs,
        mems: list[Float[Array, "B M D"]] | None,
        key: PRNGKeyArray | None,
        execution: Execution,
        *,
        every_state: bool,
    ) -> tuple[list[Array], list[Array]]:
        """The L + 1 states (only the last without every_state) of the content stream, and of the stream to return.

        The last state of the latter has gone through dropout.
        """
        inputs.refuse("XLNet, whose positions are relative,", "position_ids")
        rate, target_mapping = self.config.dropout, inputs.target_mapping
        given = inputs.input_embeddings
        content = (self.word(inputs.input_ids) if given is None else given).astype(self.dtype)
        content, query = dropout(content, rate, subkey(key, 0)), None
        if target_mapping is not None:
            shape = (*target_mapping.shape[:2], self.config.width)
            masks = jnp.broadcast_to(self.mask_embedding[...], shape).astype(self.dtype)
            query = dropout(masks, rate, subkey(key, 1))
        shared = self._shared(inputs, 0 if mems is None else mems[0].shape[1], key)
        biases = None if self.config.untied_biases else self.biases
        keys = [subkey(key, i + 4) for i in range(self.config.layers)]

        def step(layer: Layer, streams: tuple, given: tuple, places: Array | None = None) -> tuple:
            (content, query), (memory, key) = streams, given
            return layer(content, query, shared, biases, memory, key, execution.backend(places), places)

        own = list(zip(mems or [None] * len(keys), keys, strict=True))
        places = inputs.places
        streams = run_layers(
            self.layers, step, (content, query), own, execution, every_state=every_state, places=places
        )
        contents, queries = ([state[i] for state in streams] for i in range(2))
        states = contents if target_mapping is None else queries
        return contents, [*states[:-1], dropout(states[-1], rate, subkey(key, 3))]

    def _shared(self, inputs: EncoderInputs, memories: int, key: PRNGKeyArray | None) -> Shared:
        """The values that all layers read: relative positions, masks of both streams, comparison of token types."""
        config, both_ways = self.config, self.config.attention_type == "bi"
        length = inputs.input_ids.shape[1]
        positions = sinusoids(length, memories + length, config.width, both_ways=both_ways, clamp=config.clamp_length)
        content_mask, query_mask = stream_masks(
            length,
            memories,
            both_ways=both_ways,
            same_length=config.same_length,
            attention_mask=inputs.attention_mask,
            perm_mask=inputs.perm_mask,
            segment_ids=inputs.segment_ids,
        )
        same_type, types = None, inputs.token_type_ids
        if types is not None:
            keys = jnp.pad(types, ((0, 0), (memories, 0)))
            same_type = types[:, None, :, None] == keys[:, None, None, :]
        positions = dropout(jnp.asarray(positions), config.dropout, subkey(key, 2))
        mapping = None if inputs.target_mapping is None else inputs.target_mapping.astype(self.dtype)
        return Shared(positions, content_mask, query_mask, same_type, mapping)


def word_embeddings(params: dict[str, Any]) -> Float[Array, "V D"]:
    """The table that input ids index."""
    return params["word"]["embedding"]
