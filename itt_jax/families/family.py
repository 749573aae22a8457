"""An encoder family: names and layouts as data, without JAX. The computation is in the module it names."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from itt_jax.families.config import EncoderConfig

Keys = tuple[tuple[str, str, bool], ...]
"""Rows (Hugging Face key, our dotted path, transpose), for both directions of checkpoint conversion.

"{i}" is a layer's number. transpose is True for matrices that PyTorch keeps as [out, in]. Rows whose path a Config's
model lacks (a pooler, a bias) are left out. A key that ends in "[k/n]" is the k-th (from 0) of n equal parts of a
tensor, cut along its first axis, which several of our parameters make up (queries, keys and values).
"""


SummaryPooling = Literal["summary", "mean", "late"]


@dataclasses.dataclass(frozen=True)
class Summary:
    """How a head turns hidden states into the input of its output layer.

    Attributes:
        layer: "pooler" is the encoder's pooler (dense and tanh), "dense" a dense layer of the head's own.
        activation: applied after "dense" or no layer.
        first_rate, last_rate: dropout rates before the layer and before the output layer.
        norm: whether a LayerNorm follows the activation. bias: whether "dense" has a bias.
        pooling: for heads on examples, what the layer reads: the summary token, or the "mean" of the example's tokens.
            "late": every token, and the outputs are averaged.
    """

    layer: Literal["pooler", "dense"] | None
    activation: str | None = "tanh"
    first_rate: float = 0.0
    last_rate: float = 0.0
    norm: bool = False
    bias: bool = True
    pooling: SummaryPooling = "summary"


@dataclasses.dataclass(frozen=True)
class HuggingFaceHead:
    """Hugging Face's head of one form (`models.heads.HeadKind.form`).

    Attributes:
        suffix: end of the class name ("ForSequenceClassification").
        keys: the head's own parameters.
        summary: the layers between hidden states and output, for a config. Heads on examples need it; a head on
            tokens without it has dropout at the config's `token_rate` (tags) or none (answers).
        also: suffixes of further classes whose checkpoints hold this head.
        leftovers: beginnings of other keys that checkpoints with this head may hold.
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
            can be read. "" is a checkpoint whose config names no class.
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
        sharding_rules: (regular expression on a parameter's path, mesh axis of each array axis; an array with fewer
            axes, such as the bias of a kernel, uses the last of them); exactly one rule matches each parameter.
        tokenizer: format of tokenizers trained for encoders made here (`data.vocabulary_training.FORMATS`).
        checkpoints: published encoders of the family, as the hub names them.
        reads_places: whether the model reads `EncoderInputs.places`.
    """

    name: str
    summary: str
    module: str
    Config: type[EncoderConfig]
    huggingface: HuggingFace
    language_model: str
    sharding_rules: tuple[tuple[str, tuple[str | None, ...]], ...]
    tokenizer: str
    checkpoints: tuple[str, ...] = ()
    reads_places: bool = False

    @property
    def fields(self) -> frozenset[str]:
        """Names of the Config's fields: the sizes and rates that `make_encoder` takes."""
        return frozenset(field.name for field in dataclasses.fields(self.Config))


def dense(theirs: str, ours: str) -> Keys:
    """Keys of a dense layer."""
    return ((f"{theirs}.weight", f"{ours}.kernel", True), (f"{theirs}.bias", f"{ours}.bias", False))


def joined(theirs: str, *ours: str) -> Keys:
    """Keys of a dense layer that Hugging Face keeps as one and we keep as several."""
    return tuple(
        (f"{theirs}.{name}[{k}/{len(ours)}]", f"{own}.{leaf}", transpose)
        for name, leaf, transpose in (("weight", "kernel", True), ("bias", "bias", False))
        for k, own in enumerate(ours)
    )


def norm(theirs: str, ours: str) -> Keys:
    """Keys of a LayerNorm."""
    return ((f"{theirs}.weight", f"{ours}.scale", False), (f"{theirs}.bias", f"{ours}.bias", False))
