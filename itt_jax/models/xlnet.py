"""XLNet: the whole encoder, with permutation masks, the query stream of pretraining, and memories.

Source: Yang et al. 2019 (arXiv 1906.08237); numerics as `transformers.models.xlnet`.
"""

import dataclasses
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.errors import InputError, unknown
from itt_jax.models.attention import dropout, subkey
from itt_jax.models.bert import ACTIVATIONS, check_fields, embedding, layer_norm, linear
from itt_jax.models.layers import PLAIN, Execution, run_layers
from itt_jax.models.relative_attention import QueryBiases, RelativeAttention, Shared, sinusoids, stream_masks

PREFIX = "transformer"
_LAYER = "layer.{i}."
_BIASES = (("r_w_bias", "content_bias"), ("r_r_bias", "position_bias"), ("r_s_bias", "segment_bias"))
KEYS = (
    ("word_embedding.weight", "word.embedding", False),
    ("mask_emb", "mask_embedding", False),
    *(
        (f"{_LAYER}rel_attn.{theirs}", f"layers.{{i}}.attention.{ours}", False)
        for theirs, ours in (
            ("q", "query"),
            ("k", "key"),
            ("v", "value"),
            ("o", "output"),
            ("r", "position"),
            ("seg_embed", "segment_embedding"),
            ("layer_norm.weight", "norm.scale"),
            ("layer_norm.bias", "norm.bias"),
            *((theirs, f"biases.{ours}") for theirs, ours in _BIASES),
        )
    ),
    # Hugging Face keeps a copy a layer where all layers share one set (untie_r false).
    *((f"{_LAYER}rel_attn.{theirs}", f"biases.{ours}", False) for theirs, ours in _BIASES),
    *(
        (f"{_LAYER}ff.{theirs}", f"layers.{{i}}.{ours}", ours.endswith("kernel"))
        for theirs, ours in (
            ("layer_1.weight", "feed_up.kernel"),
            ("layer_1.bias", "feed_up.bias"),
            ("layer_2.weight", "feed_down.kernel"),
            ("layer_2.bias", "feed_down.bias"),
            ("layer_norm.weight", "output_norm.scale"),
            ("layer_norm.bias", "output_norm.bias"),
        )
    ),
)

# Hugging Face's name of each field; clamp_len is -1 there where it is None here.
_NAMES = {
    "vocabulary_size": "vocab_size",
    "width": "d_model",
    "layers": "n_layer",
    "heads": "n_head",
    "feed_forward": "d_inner",
    "activation": "ff_activation",
    "dropout": "dropout",
    "attention_type": "attn_type",
    "clamp_length": "clamp_len",
    "same_length": "same_length",
    "memory_length": "mem_len",
    "reuse_length": "reuse_len",
    "untied_biases": "untie_r",
    "summary_use_proj": "summary_use_proj",
    "summary_activation": "summary_activation",
    "summary_last_dropout": "summary_last_dropout",
    "initializer_range": "initializer_range",
    "layer_norm_epsilon": "layer_norm_eps",
    "pad_id": "pad_token_id",
}
# Other names that Hugging Face reads for the same field.
_ALIASES = {
    "n_token": "vocab_size",
    "hidden_size": "d_model",
    "num_attention_heads": "n_head",
    "num_hidden_layers": "n_layer",
}
# Values under which Hugging Face's model is the one written here; anything else would compute something different.
_REQUIRED = {
    "bi_data": (False, None),
    "tie_word_embeddings": (True, None),
    "summary_type": ("last",),
    "summary_proj_to_labels": (False, None),
    "summary_first_dropout": (0, None),
}


@dataclasses.dataclass(frozen=True)
class XlnetConfig:
    """Sizes and rates of an XLNet; the defaults are Hugging Face's (xlnet-large-cased).

    Attributes:
        attention_type: "bi", or "uni" where a token sees only itself and what precedes it.
        clamp_length: relative distances beyond it count as it; None: no limit.
        same_length: with "uni", every token sees equally many keys: the memory moves with it.
        memory_length: hidden states kept between calls of `with_memories`; None or 0 keeps all.
        reuse_length: only so many first positions of a call enter the memory; None or 0: all.
        untied_biases: each layer has its own three query biases; else all share one set.
        summary_use_proj, summary_activation, summary_last_dropout: the dense layer, the activation (None: none) and
            the dropout between an example's last token and the classifier.
    """

    vocabulary_size: int = 32000
    width: int = 1024
    layers: int = 24
    heads: int = 16
    feed_forward: int = 4096
    activation: str = "gelu"
    dropout: float = 0.1
    attention_type: str = "bi"
    clamp_length: int | None = None
    same_length: bool = False
    memory_length: int | None = 512
    reuse_length: int | None = None
    untied_biases: bool = True
    summary_use_proj: bool = True
    summary_activation: str | None = "tanh"
    summary_last_dropout: float = 0.1
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-12
    pad_id: int | None = 5

    family: ClassVar[str] = "xlnet"
    model_types: ClassVar[tuple[str, ...]] = ("xlnet",)
    max_positions: ClassVar[None] = None
    pooler: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_fields(self, _NAMES)
        if self.width % self.heads:
            raise InputError(f"d_model {self.width} is not a multiple of n_head {self.heads}")
        if self.width % 2:
            raise InputError(f"d_model {self.width} is odd; half of it holds the sines of a position, half the cosines")
        if self.activation not in ACTIVATIONS:
            raise unknown("ff_activation", self.activation, ACTIVATIONS)
        if self.summary_activation and self.summary_activation not in ACTIVATIONS:
            raise unknown("summary_activation", self.summary_activation, ACTIVATIONS)
        if self.attention_type not in ("bi", "uni"):
            raise unknown("attn_type", self.attention_type, ("bi", "uni"))
        for name in ("same_length", "untied_biases", "summary_use_proj"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"{_NAMES[name]}: expected true or false, found {getattr(self, name)!r}")
        for name, least in (("memory_length", 0), ("reuse_length", 0), ("clamp_length", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{_NAMES[name]}: expected at least {least}, found {value!r}")

    @classmethod
    def from_huggingface(cls, values: dict[str, Any]) -> Self:
        """The config of a Hugging Face config.json; what it leaves out has Hugging Face's default.

        Raises:
            InputError: a value that this encoder does not support, named with its key.
        """
        if values.get("model_type") not in cls.model_types:
            raise unknown("model_type", values.get("model_type"), cls.model_types)
        values = {_ALIASES.get(name, name): value for name, value in values.items()}
        for name, supported in _REQUIRED.items():
            if name in values and values[name] not in supported:
                raise InputError(f"{name}: {values[name]!r} is not supported; expected {supported[0]!r}")
        found = {ours: values[theirs] for ours, theirs in _NAMES.items() if theirs in values}
        if isinstance(found.get("clamp_length"), int) and found["clamp_length"] <= 0:
            found["clamp_length"] = None
        config = cls(**found)
        if values.get("d_head") not in (None, config.width // config.heads):
            raise InputError(f"d_head: {values['d_head']!r} is not supported; expected d_model / n_head")
        return config

    def to_huggingface(self) -> dict[str, Any]:
        """What a Hugging Face config.json says of this encoder."""
        values = {theirs: getattr(self, ours) for ours, theirs in _NAMES.items()}
        values["clamp_len"] = -1 if self.clamp_length is None else self.clamp_length
        return values | {"model_type": "xlnet", "d_head": self.width // self.heads}


class Layer(nnx.Module):
    """One post-norm layer: relative attention, then feed-forward, each on both streams."""

    def __init__(self, config: XlnetConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.attention = RelativeAttention(config, dtype=dtype, rngs=rngs)
        self.feed_up = linear(config, config.width, config.feed_forward, dtype, rngs)
        self.feed_down = linear(config, config.feed_forward, config.width, dtype, rngs)
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
    ) -> tuple[Float[Array, "B T D"], Float[Array, "B P D"] | None]:
        """Both streams after this layer; `biases` are the shared ones, None where each layer has its own."""
        biases = self.attention.biases if biases is None else biases
        content, query = self.attention(content, query, shared, biases, memory, subkey(key, 0), backend)
        content = self.feed_forward(content, subkey(key, 1))
        return content, None if query is None else self.feed_forward(query, subkey(key, 2))

    def feed_forward(self, x: Float[Array, "B T D"], key: PRNGKeyArray | None) -> Float[Array, "B T D"]:
        """Feed-forward with residual and LayerNorm."""
        rate = self.config.dropout
        inner = dropout(ACTIVATIONS[self.config.activation](self.feed_up(x)), rate, subkey(key, 0))
        return self.output_norm(x + dropout(self.feed_down(inner), rate, subkey(key, 1))).astype(self.dtype)


class Model(nnx.Module):
    """The XLNet encoder; arguments as `itt_jax.models.encoder.Encoder.__call__`, and

    perm_mask [B, T, T]: 1 where position i must not see position j.
    target_mapping [B, P, T]: one-hot rows naming the positions to predict. With it, the query stream, which does not
        see the token it predicts, is what is returned: [B, P, D]. Rows of one example name different positions (the
        queries of two that share one would be summed, as in Hugging Face's); a row of zeros is an empty place.

    Without token_type_ids the segment term is left out, which differs from giving zeros. Dropout of the position
    embeddings is drawn once for all rows: one per row, as in the original, would make every row project its own.
    """

    def __init__(self, config: XlnetConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config, self.dtype = config, dtype
        self.word = embedding(config, config.vocabulary_size, dtype, rngs)
        init = nnx.initializers.normal(config.initializer_range)
        self.mask_embedding = nnx.Param(init(rngs.params(), (1, 1, config.width)))
        if not config.untied_biases:
            self.biases = QueryBiases(config, rngs=rngs)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})

    def __call__(
        self, input_ids: Int[Array, "B T"], *args: Any, all_layers: bool = False, **options: Any
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        _, states = self._streams(input_ids, *args, mems=None, every_state=all_layers, **options)
        return tuple(states) if all_layers else states[-1]

    def with_memories(
        self,
        input_ids: Int[Array, "B T"],
        attention_mask: Int[Array, "B T"] | None = None,
        token_type_ids: Int[Array, "B T"] | None = None,
        position_ids: Int[Array, "B T"] | None = None,
        segment_ids: Int[Array, "B T"] | None = None,
        *,
        mems: list[Float[Array, "B M D"]] | None = None,
        all_layers: bool = False,
        **options: Any,
    ) -> tuple[Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...], list[Float[Array, "B M D"]]]:
        """(hidden states, memories for the next call): one memory a layer, without gradient.

        A memory has token type 0, and every position sees it.

        Raises:
            InputError: segment_ids are given (a memory would cross from one packed example to another), or mems are
                not one a layer, all of one length and of the rows of input_ids.
        """
        if segment_ids is not None:
            raise InputError("mems and segment_ids exclude each other: a row with memories holds one example")
        if mems is not None:
            self._check_memories(mems, input_ids.shape[0])
        contents, states = self._streams(
            input_ids, attention_mask, token_type_ids, position_ids, mems=mems, every_state=True, **options
        )
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
        """The memory after x: what was kept, then x's first reuse_length positions; the last memory_length of it."""
        x = x[:, : self.config.reuse_length or None]
        if memory is not None:
            x = jnp.concatenate([memory.astype(x.dtype), x], axis=1)
        return jax.lax.stop_gradient(x[:, -(self.config.memory_length or 0) :])

    def _streams(
        self,
        input_ids: Int[Array, "B T"],
        attention_mask: Int[Array, "B T"] | None = None,
        token_type_ids: Int[Array, "B T"] | None = None,
        position_ids: Int[Array, "B T"] | None = None,
        segment_ids: Int[Array, "B T"] | None = None,
        *,
        mems: list[Array] | None,
        every_state: bool,
        key: PRNGKeyArray | None = None,
        input_embeddings: Float[Array, "B T D"] | None = None,
        perm_mask: Float[Array, "B T T"] | None = None,
        target_mapping: Float[Array, "B P T"] | None = None,
        execution: Execution = PLAIN,
    ) -> tuple[list[Array], list[Array]]:
        """L + 1 states (one without every_state) of the content stream, and of the stream that is returned.

        The last of these has gone through dropout.
        """
        if position_ids is not None:
            raise InputError("position_ids: XLNet has relative positions only, and takes none")
        rate = self.config.dropout
        content = self.word(input_ids) if input_embeddings is None else input_embeddings.astype(self.dtype)
        content, query = dropout(content, rate, subkey(key, 0)), None
        if target_mapping is not None:
            target_mapping = target_mapping.astype(self.dtype)
            shape = (*target_mapping.shape[:2], self.config.width)
            query = dropout(jnp.broadcast_to(self.mask_embedding[...].astype(self.dtype), shape), rate, subkey(key, 1))
        memories = 0 if mems is None else mems[0].shape[1]
        shared = self._shared(
            content.shape[1], memories, attention_mask, token_type_ids, segment_ids, perm_mask, target_mapping, key
        )
        biases = None if self.config.untied_biases else self.biases
        keys = [subkey(key, i + 4) for i in range(self.config.layers)]

        def step(layer: Layer, streams: tuple, given: tuple) -> tuple:
            memory, key = given
            return layer(*streams, shared, biases, memory, key, execution.attention)

        inputs = list(zip(mems or [None] * len(keys), keys, strict=True))
        streams = run_layers(self.layers, step, (content, query), inputs, execution, every_state=every_state)
        contents, queries = ([state[i] for state in streams] for i in range(2))
        states = contents if target_mapping is None else queries
        return contents, [*states[:-1], dropout(states[-1], rate, subkey(key, 3))]

    def _shared(
        self,
        length: int,
        memories: int,
        attention_mask: Int[Array, "B T"] | None,
        token_type_ids: Int[Array, "B T"] | None,
        segment_ids: Int[Array, "B T"] | None,
        perm_mask: Float[Array, "B T T"] | None,
        target_mapping: Float[Array, "B P T"] | None,
        key: PRNGKeyArray | None,
    ) -> Shared:
        """What all layers read: relative positions, masks of both streams, comparison of token types."""
        config, both_ways = self.config, self.config.attention_type == "bi"
        positions = sinusoids(length, memories + length, config.width, both_ways=both_ways, clamp=config.clamp_length)
        content_mask, query_mask = stream_masks(
            length,
            memories,
            both_ways=both_ways,
            same_length=config.same_length,
            attention_mask=attention_mask,
            perm_mask=perm_mask,
            segment_ids=segment_ids,
        )
        same_type = None
        if token_type_ids is not None:
            keys = jnp.pad(token_type_ids, ((0, 0), (memories, 0)))
            same_type = token_type_ids[:, None, :, None] == keys[:, None, None, :]
        positions = dropout(jnp.asarray(positions, self.dtype), config.dropout, subkey(key, 2))
        return Shared(positions, content_mask, query_mask, same_type, target_mapping)


def word_embeddings(params: dict[str, Any]) -> Float[Array, "V D"]:
    """The table that input ids index."""
    return params["word"]["embedding"]


Config = XlnetConfig
