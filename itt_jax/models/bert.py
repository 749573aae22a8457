"""BERT (and so multilingual BERT): the whole encoder.

Source: Devlin et al. 2019 (arXiv 1810.04805); numerics as `transformers.models.bert`.
"""

import dataclasses
from typing import Any, ClassVar, Self

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.errors import InputError, unknown
from itt_jax.models.attention import Visibility, attention, dropout, segment_starts, subkey, visibility
from itt_jax.models.layers import PLAIN, Execution, run_layers

ACTIVATIONS = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_pytorch_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "relu": jax.nn.relu,
    "silu": jax.nn.silu,
    "swish": jax.nn.silu,
    "tanh": jnp.tanh,
}

PREFIX = "bert"
_LAYER = "encoder.layer.{i}."
KEYS = (
    ("embeddings.word_embeddings.weight", "embeddings.word.embedding", False),
    ("embeddings.position_embeddings.weight", "embeddings.position.embedding", False),
    ("embeddings.token_type_embeddings.weight", "embeddings.token_type.embedding", False),
    ("embeddings.LayerNorm.weight", "embeddings.norm.scale", False),
    ("embeddings.LayerNorm.bias", "embeddings.norm.bias", False),
    *(
        (f"{_LAYER}{theirs}.{name}", f"layers.{{i}}.{ours}.{leaf}", leaf == "kernel")
        for theirs, ours, weight in (
            ("attention.self.query", "query", "kernel"),
            ("attention.self.key", "key", "kernel"),
            ("attention.self.value", "value", "kernel"),
            ("attention.output.dense", "attention_output", "kernel"),
            ("attention.output.LayerNorm", "attention_norm", "scale"),
            ("intermediate.dense", "feed_up", "kernel"),
            ("output.dense", "feed_down", "kernel"),
            ("output.LayerNorm", "output_norm", "scale"),
        )
        for name, leaf in (("weight", weight), ("bias", "bias"))
    ),
    ("pooler.dense.weight", "pooler.kernel", True),
    ("pooler.dense.bias", "pooler.bias", False),
)

# Hugging Face's name of each field; `pooler` and `model_type` are not in this table.
_NAMES = {
    "vocabulary_size": "vocab_size",
    "width": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "feed_forward": "intermediate_size",
    "position_rows": "max_position_embeddings",
    "token_types": "type_vocab_size",
    "activation": "hidden_act",
    "dropout": "hidden_dropout_prob",
    "attention_dropout": "attention_probs_dropout_prob",
    "classifier_dropout": "classifier_dropout",
    "initializer_range": "initializer_range",
    "layer_norm_epsilon": "layer_norm_eps",
    "pad_id": "pad_token_id",
}
# Values under which Hugging Face's model is the one written here; anything else would compute something different.
_REQUIRED = {
    "position_embedding_type": ("absolute", None),
    "is_decoder": (False, None),
    "add_cross_attention": (False, None),
    "is_encoder_decoder": (False, None),
    "tie_word_embeddings": (True, None),
    "pruned_heads": ({}, None),
    "embedding_size": (None,),
}


@dataclasses.dataclass(frozen=True)
class BertConfig:
    """Sizes and rates of a BERT; the defaults are bert-base-uncased.

    Attributes:
        position_rows: of the position table. pooler: the encoder owns the pooler that "pretrained" pooling reads.
        classifier_dropout: of the sequence and token classifiers; None means `dropout`.
    """

    vocabulary_size: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    position_rows: int = 512
    token_types: int = 2
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    classifier_dropout: float | None = None
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-12
    pad_id: int | None = 0
    pooler: bool = True
    model_type: str = "bert"

    family: ClassVar[str] = "bert"
    model_types: ClassVar[tuple[str, ...]] = ("bert",)

    def __post_init__(self) -> None:
        check_fields(self, _NAMES)
        if self.width % self.heads:
            raise InputError(f"hidden_size {self.width} is not a multiple of num_attention_heads {self.heads}")
        if self.activation not in ACTIVATIONS:
            raise unknown("hidden_act", self.activation, ACTIVATIONS)

    @property
    def max_positions(self) -> int:
        return self.position_rows

    @classmethod
    def from_huggingface(cls, values: dict[str, Any]) -> Self:
        """The config of a Hugging Face config.json; what it leaves out has Hugging Face's default.

        Raises:
            InputError: a value that this encoder does not support, named with its key.
        """
        if values.get("model_type") not in cls.model_types:
            raise unknown("model_type", values.get("model_type"), cls.model_types)
        for name, supported in _REQUIRED.items():
            if name in values and values[name] not in supported:
                raise InputError(f"{name}: {values[name]!r} is not supported; expected {supported[0]!r}")
        found = {ours: values[theirs] for ours, theirs in _NAMES.items() if theirs in values}
        return cls(**found, model_type=values["model_type"])

    def to_huggingface(self) -> dict[str, Any]:
        """What a Hugging Face config.json says of this encoder."""
        return {theirs: getattr(self, ours) for ours, theirs in _NAMES.items()} | {"model_type": self.model_type}


def check_fields(config: Any, names: dict[str, str]) -> None:
    """Raises InputError for a field of the wrong type or a count below 1; names it as Hugging Face does."""
    kinds = {"int": int, "float": (int, float), "str": str, "int | None": (int, type(None))}
    kinds |= {"float | None": (int, float, type(None))}
    for field in dataclasses.fields(config):
        value, name = getattr(config, field.name), names.get(field.name, field.name)
        expected = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
        if expected not in kinds and str(field.type) in kinds:
            expected = str(field.type)
        if expected in kinds and (not isinstance(value, kinds[expected]) or isinstance(value, bool)):
            raise InputError(f"{name}: expected {expected}, found {value!r}")
        if expected == "int" and field.name != "pad_id" and value < 1:
            raise InputError(f"{name}: expected a count of at least 1, found {value!r}")
        if field.name.endswith("dropout") and value is not None and not 0 <= value < 1:
            raise InputError(f"{name}: expected a rate in [0, 1), found {value!r}")


def linear(config: Any, inputs: int, outputs: int, dtype: Any, rngs: nnx.Rngs) -> nnx.Linear:
    """A dense layer, initialised as Hugging Face does: normal(initializer_range), bias 0."""
    kernel_init = nnx.initializers.normal(config.initializer_range)
    return nnx.Linear(inputs, outputs, kernel_init=kernel_init, dtype=dtype, rngs=rngs)


def embedding(config: Any, rows: int, dtype: Any, rngs: nnx.Rngs, zero_row: int | None = None) -> nnx.Embed:
    """An embedding table of the encoder's width; the padding token's row starts at 0."""

    def init(key: PRNGKeyArray, shape: tuple[int, ...], dtype: Any) -> Array:
        table = nnx.initializers.normal(config.initializer_range)(key, shape, dtype)
        return table if zero_row is None else table.at[zero_row].set(0)

    return nnx.Embed(rows, config.width, embedding_init=init, dtype=dtype, rngs=rngs)


def layer_norm(config: Any, rngs: nnx.Rngs) -> nnx.LayerNorm:
    """LayerNorm in float32; the variance as the mean of squared deviations, which E[x^2] - E[x]^2 loses to rounding."""
    epsilon = config.layer_norm_epsilon
    return nnx.LayerNorm(config.width, epsilon=epsilon, use_fast_variance=False, dtype=jnp.float32, rngs=rngs)


class Embeddings(nnx.Module):
    """Word, token-type and position embeddings, summed and normalised."""

    def __init__(self, config: BertConfig, *, dtype: Any, rngs: nnx.Rngs, position_pad: int | None = None) -> None:
        self.word = embedding(config, config.vocabulary_size, dtype, rngs, config.pad_id)
        self.position = embedding(config, config.position_rows, dtype, rngs, position_pad)
        self.token_type = embedding(config, config.token_types, dtype, rngs)
        self.norm = layer_norm(config, rngs)
        self.rate, self.dtype = config.dropout, dtype

    def __call__(
        self,
        input_ids: Int[Array, "B T"],
        token_type_ids: Int[Array, "B T"] | None,
        position_ids: Int[Array, "#B T"],
        input_embeddings: Float[Array, "B T D"] | None,
        key: PRNGKeyArray | None,
    ) -> Float[Array, "B T D"]:
        words = self.word(input_ids) if input_embeddings is None else input_embeddings.astype(self.dtype)
        types = self.token_type(jnp.zeros_like(input_ids) if token_type_ids is None else token_type_ids)
        x = self.norm(words + types + self.position(position_ids)).astype(self.dtype)
        return dropout(x, self.rate, key)


class Layer(nnx.Module):
    """One post-norm transformer layer."""

    def __init__(self, config: BertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        width, inner = config.width, config.feed_forward
        self.query, self.key, self.value, self.attention_output = (
            linear(config, width, width, dtype, rngs) for _ in range(4)
        )
        self.feed_up = linear(config, width, inner, dtype, rngs)
        self.feed_down = linear(config, inner, width, dtype, rngs)
        self.attention_norm, self.output_norm = layer_norm(config, rngs), layer_norm(config, rngs)
        self.config, self.dtype = config, dtype

    def __call__(
        self, x: Float[Array, "B T D"], visible: Visibility, key: PRNGKeyArray | None, backend: str = "auto"
    ) -> Float[Array, "B T D"]:
        config = self.config
        heads = (*x.shape[:2], config.heads, config.width // config.heads)
        q, k, v = (project(x).reshape(heads) for project in (self.query, self.key, self.value))
        rate = config.attention_dropout
        context = attention(q, k, v, visible=visible, dropout_rate=rate, key=subkey(key, 0), backend=backend)
        attended = dropout(self.attention_output(context.reshape(x.shape)), config.dropout, subkey(key, 1))
        x = self.attention_norm(x + attended).astype(self.dtype)
        fed = self.feed_down(ACTIVATIONS[config.activation](self.feed_up(x)))
        return self.output_norm(x + dropout(fed, config.dropout, subkey(key, 2))).astype(self.dtype)


class Model(nnx.Module):
    """The BERT encoder; arguments as `itt_jax.models.encoder.Encoder.__call__`."""

    def __init__(self, config: BertConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config = config
        self.embeddings = Embeddings(config, dtype=dtype, rngs=rngs)
        self.layers = nnx.Dict({str(i): Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})
        if config.pooler:
            self.pooler = linear(config, config.width, config.width, dtype, rngs)

    def __call__(
        self,
        input_ids: Int[Array, "B T"],
        attention_mask: Int[Array, "B T"] | None = None,
        token_type_ids: Int[Array, "B T"] | None = None,
        position_ids: Int[Array, "B T"] | None = None,
        segment_ids: Int[Array, "B T"] | None = None,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        input_embeddings: Float[Array, "B T D"] | None = None,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        if position_ids is None:
            position_ids = positions(input_ids, segment_ids, self.config.position_rows)
        x = self.embeddings(input_ids, token_type_ids, position_ids, input_embeddings, subkey(key, 0))
        return through_layers(self.layers, x, visibility(attention_mask, segment_ids), key, all_layers, execution)


def through_layers(
    layers: nnx.Dict,
    x: Float[Array, "B T D"],
    visible: Visibility,
    key: PRNGKeyArray | None,
    all_layers: bool,
    execution: Execution,
) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
    """x through every layer in order; with all_layers, x and each layer's output."""

    def step(layer: Layer, x: Float[Array, "B T D"], key: PRNGKeyArray | None) -> Float[Array, "B T D"]:
        return layer(x, visible, key, execution.attention)

    keys = [subkey(key, i + 1) for i in range(len(layers))]
    states = run_layers(layers, step, x, keys, execution, every_state=all_layers)
    return tuple(states) if all_layers else states[-1]


def positions(input_ids: Int[Array, "B T"], segment_ids: Int[Array, "B T"] | None, rows: int) -> Int[Array, "#B T"]:
    """0, 1, ... from the row's start, or from each segment's; 0 for padding, of which a row may hold more than `rows`.

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


Config = BertConfig
