"""The base of every family's Config: sizes and rates of an encoder, checked, to Hugging Face's names and back."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from itt_jax.errors import InputError, unknown

ACTIVATIONS = (
    "gelu",
    "gelu_10",
    "gelu_accurate",
    "gelu_fast",
    "gelu_new",
    "gelu_python",
    "gelu_python_tanh",
    "gelu_pytorch_tanh",
    "hardswish",
    "leaky_relu",
    "linear",
    "mish",
    "quick_gelu",
    "relu",
    "relu2",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "tanh",
)
"""Activation functions without parameters, by transformers' names; `models.layers.ACTIVATIONS` computes them."""

MOST = 2**31 - 1
"""Largest count: ids and shapes are 32-bit numbers."""
MOST_LAYERS = 1000
"""Ten times those of the deepest published encoders; a program is compiled layer by layer."""
MOST_RATE = float(np.finfo(np.float32).max)

_EXPECTED: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "int | None": (int, type(None)),
    "float": (int, float),
    "float | None": (int, float, type(None)),
    "str": (str,),
    "bool": (bool,),
}


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """The base of every family's Config, with everything but its fields.

    Fields of every family: vocabulary_size, width, layers, heads, feed_forward, activation, dropout,
    initializer_range, layer_norm_epsilon, pad_id.

    Attributes:
        family: name of the family. names: Hugging Face's name of each field.
        supported: Hugging Face key -> the values with which Hugging Face's model is the one implemented here.
    """

    family: ClassVar[str]
    names: ClassVar[Mapping[str, str]]
    supported: ClassVar[Mapping[str, tuple]] = {}

    if TYPE_CHECKING:  # each family declares them, with its own defaults and in its own order
        vocabulary_size: int
        width: int
        layers: int
        heads: int
        feed_forward: int
        activation: str
        dropout: float
        initializer_range: float
        layer_norm_epsilon: float
        pad_id: int | None

    def __post_init__(self) -> None:
        """Checks types, counts and rates.

        Raises:
            InputError: a value that is invalid for an encoder, under Hugging Face's name.
        """
        for field in dataclasses.fields(self):
            value, name, expected = getattr(self, field.name), self.names.get(field.name, field.name), _type(field)
            if expected == "bool" and not isinstance(value, bool):
                raise InputError(f"{name}: expected true or false, found {value!r:.80}")
            if expected in _EXPECTED and (
                not isinstance(value, _EXPECTED[expected]) or (isinstance(value, bool) and expected != "bool")
            ):
                raise InputError(f"{name}: expected {expected}, found {value!r:.80}")
            if expected == "int" and field.name != "pad_id" and value < 1:
                raise InputError(f"{name}: expected a count of at least 1, found {value!r:.80}")
            most = MOST_LAYERS if field.name == "layers" else MOST
            if expected in ("int", "int | None") and value is not None and value > most:
                raise InputError(f"{name}: expected at most {most}, found {value!r:.80}")
            if field.name.endswith("dropout") and value is not None and not 0 <= value < 1:
                raise InputError(f"{name}: expected a rate in [0, 1), found {value!r:.80}")
            if expected == "float" and not 0 <= value <= MOST_RATE:
                raise InputError(f"{name}: expected a finite number of at least 0, found {value!r:.80}")
        if self.width % self.heads:
            width, heads = self.names["width"], self.names["heads"]
            raise InputError(f"{width} {self.width} is not a multiple of {heads} {self.heads}")
        if self.pad_id is not None and not 0 <= self.pad_id < self.vocabulary_size:
            raise InputError(f"pad_token_id: expected 0 to {self.vocabulary_size - 1}, found {self.pad_id!r:.80}")
        if self.activation not in ACTIVATIONS:
            raise unknown(self.names["activation"], self.activation, ACTIVATIONS)

    @classmethod
    def from_huggingface(cls, values: Mapping[str, Any]) -> Self:
        """The config in a Hugging Face config.json; fields it leaves out have Hugging Face's defaults.

        Raises:
            InputError: a value that this encoder does not support, under its key.
        """
        for name, supported in cls.supported.items():
            if name in values and values[name] not in supported:
                raise InputError(f"{name}: {values[name]!r:.80} is not supported; expected {supported[0]!r}")
        return cls(**{ours: values[theirs] for ours, theirs in cls.names.items() if theirs in values})

    def to_huggingface(self) -> dict[str, Any]:
        """This encoder's entries of a Hugging Face config.json."""
        return {theirs: getattr(self, ours) for ours, theirs in self.names.items()}

    @property
    def pooler(self) -> bool:
        """Whether the encoder owns a pooler; a field in families whose checkpoints may lack it."""
        return False

    @property
    def max_positions(self) -> int | None:
        """Longest example in tokens; None without a limit."""
        return None

    @property
    def token_types(self) -> int | None:
        """Rows of the table of token types; a field in families that have one. None: any id is read."""
        return None

    @property
    def matmul_parameters(self) -> int:
        """Number of encoder parameters that multiply every token (no tables, biases, norms, pooler)."""
        raise NotImplementedError

    @property
    def pair_flops(self) -> int:
        """FLOPs of attention, all layers, for each pair of tokens in which one may attend to the other."""
        raise NotImplementedError

    def attention_flops(self, lengths: np.ndarray) -> float:
        """FLOPs of attention, all layers, forward, over examples of `lengths` tokens (float64 [n])."""
        return float(self.pair_flops * np.square(lengths).sum())

    @property
    def language_head_parameters(self) -> int:
        """Number of parameters that multiply each predicted token beyond the encoder's forward pass."""
        raise NotImplementedError

    @classmethod
    def first_position(cls, pad_id: int | None) -> int:
        """Row of the position table, if the family has one, that an example's first token reads."""
        return 0

    @property
    def transform_activation(self) -> str | None:
        """Activation of the masked-LM head's transform; None if the head has no transform."""
        return self.activation

    @property
    def transform_bias(self) -> bool:
        """Whether the dense layer of the masked-LM head's transform has a bias."""
        return True

    @property
    def decoder_bias(self) -> bool:
        """Whether the scores of a language model have a bias."""
        return True

    @property
    def tied_embeddings(self) -> bool:
        """Whether a language model scores with the word embeddings; otherwise with a table of its own."""
        return True

    @property
    def norm_bias(self) -> bool:
        """Whether LayerNorms have a bias."""
        return True

    @property
    def initializer_cutoff(self) -> float | None:
        """Initial weights are at most this many standard deviations from 0; None: no limit."""
        return None

    @property
    def transform_range(self) -> float:
        """Standard deviation of the initial weights of dense layers in heads, except the output layer."""
        return self.initializer_range

    @property
    def output_range(self) -> float:
        """Standard deviation of the initial weights of a head's output layer."""
        return self.initializer_range

    @property
    def classifier_rate(self) -> float:
        """Dropout rate in front of the output layer of classifiers whose pooling is not "pretrained"."""
        return self.dropout

    @property
    def token_rate(self) -> float:
        """Dropout rate in front of the output layer of token classifiers."""
        return 0.0


def plain_rotary(given: Any, name: str) -> Mapping[str, Any]:
    """The settings of rotary positions in a Hugging Face config, {} if absent.

    Raises:
        InputError: not a dictionary, or positions that are scaled.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"{name}: expected a dictionary, found {given!r:.80}")
    kind = given.get("rope_type", given.get("type", "default"))
    if kind != "default":
        raise InputError(f"{name}: rope_type {kind!r:.80} is not supported; expected 'default'")
    return given


def _type(field: dataclasses.Field) -> str:
    """The annotation of a field, as text."""
    return field.type.__name__ if isinstance(field.type, type) else str(field.type)
