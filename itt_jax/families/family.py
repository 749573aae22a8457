"""An encoder family: names and layouts as data, without JAX. The computation is in the module it names."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from itt_jax.families.config import EncoderConfig

Keys = tuple[tuple[str, str, bool], ...]
"""Rows (Hugging Face key, our dotted path, transpose), for both directions of checkpoint conversion.

"{i}" is a layer's number. transpose is True for matrices that PyTorch keeps as [out, in]. Rows whose path a Config's
model lacks (a pooler) are left out.
"""


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a head with pooling "pretrained" turns an example's summary token into the input of its output layer.

    Attributes:
        layer: "pooler" is the encoder's pooler (dense and tanh), "dense" a dense layer of the head's own.
        activation: applied after "dense" or no layer.
        first_rate, last_rate: dropout rates before the layer and before the output layer.
    """

    layer: Literal["pooler", "dense"] | None
    activation: str | None = "tanh"
    first_rate: float = 0.0
    last_rate: float = 0.0


@dataclasses.dataclass(frozen=True)
class HuggingFaceHead:
    """Hugging Face's head of one form (`models.heads.HeadKind.form`).

    Attributes:
        suffix: end of the class name ("ForSequenceClassification").
        keys: the head's own parameters.
        summary: of heads on examples: the layers between summary token and output, for a config.
        also: suffixes of further classes whose checkpoints hold this head, with `leftovers`: beginnings of other keys
            that checkpoints with this head may hold.
    """

    suffix: str
    keys: Keys
    summary: Callable[[Any], Summary] | None = None
    also: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class HuggingFace:
    """The names under which `transformers` saves a family.

    Attributes:
        model_types: model_type of config.json -> what class names begin with. The first is the default.
        prefix: precedes the encoder's keys in a model with a head.
        keys: the encoder's parameters; the first row is the word embeddings.
        heads: form of head -> its names.
        other_heads: suffixes of classes whose head is not implemented -> beginnings of the head's keys. Their encoders
            can be read.
        needs_pooler: suffixes of classes that always have a pooler; elsewhere a checkpoint may lack it.
        tied: keys that may repeat a shared tensor -> the key of that tensor.
        buffers: encoder keys that old releases saved and that hold no parameter.
    """

    model_types: Mapping[str, str]
    prefix: str
    keys: Keys
    heads: Mapping[str, HuggingFaceHead]
    other_heads: Mapping[str, tuple[str, ...]]
    needs_pooler: tuple[str, ...]
    tied: Mapping[str, str]
    buffers: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Family:
    """An encoder family.

    Attributes:
        name: as in configs ("bert"). summary: one line for `list models`.
        module: dotted path of the module with `word_embeddings(params) -> [V, D]` and the nnx.Module
            `Model(config, *, dtype, rngs)`, called with (inputs: models.inputs.EncoderInputs, *, key, all_layers,
            execution). Its layers are in an nnx.Dict keyed "0", "1", ...
        Config: sizes and rates of an encoder.
        huggingface: names of checkpoints.
        language_model: kind of head of the pretraining objective ("masked_lm" or "permuted_lm").
        sharding_rules: (regular expression on a parameter's path, mesh axis of each array axis); exactly one rule
            matches each parameter of the encoder.
        tokenizer: format of tokenizers trained for encoders made here (`data.vocabulary_training.FORMATS`).
    """

    name: str
    summary: str
    module: str
    Config: type[EncoderConfig]
    huggingface: HuggingFace
    language_model: str
    sharding_rules: tuple[tuple[str, tuple[str | None, ...]], ...]
    tokenizer: str

    @property
    def fields(self) -> frozenset[str]:
        """Names of the Config's fields: the sizes and rates that `make_encoder` takes."""
        return frozenset(field.name for field in dataclasses.fields(self.Config))


def dense(theirs: str, ours: str) -> Keys:
    """Keys of a dense layer."""
    return ((f"{theirs}.weight", f"{ours}.kernel", True), (f"{theirs}.bias", f"{ours}.bias", False))


def norm(theirs: str, ours: str) -> Keys:
    """Keys of a LayerNorm."""
    return ((f"{theirs}.weight", f"{ours}.scale", False), (f"{theirs}.bias", f"{ours}.bias", False))
