"""ModernBERT and mmBERT (Warner et al. 2024, arXiv 2412.13663; Marone et al. 2025, arXiv 2509.06888).

Names as `transformers.models.modernbert`; mmBERT is the same encoder with a multilingual vocabulary.
"""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.families.config import ACTIVATIONS, EncoderConfig, plain_rotary
from itt_jax.families.family import (
    Family,
    HuggingFace,
    HuggingFaceHead,
    Keys,
    Summary,
    SummaryPooling,
    dense,
    joined,
    norm,
)

_LAYER = "layers.{i}."
KEYS: Keys = (
    ("embeddings.tok_embeddings.weight", "embeddings.word.embedding", False),
    *norm("embeddings.norm", "embeddings.norm"),
    *norm(f"{_LAYER}attn_norm", f"{_LAYER}attention_norm"),
    *joined(f"{_LAYER}attn.Wqkv", *(f"{_LAYER}{name}" for name in ("query", "key", "value"))),
    *dense(f"{_LAYER}attn.Wo", f"{_LAYER}attention_output"),
    *norm(f"{_LAYER}mlp_norm", f"{_LAYER}mlp_norm"),
    *joined(f"{_LAYER}mlp.Wi", f"{_LAYER}mlp_in", f"{_LAYER}mlp_gate"),
    *dense(f"{_LAYER}mlp.Wo", f"{_LAYER}mlp_out"),
    *norm("final_norm", "final_norm"),
)
POOLINGS = ("cls", "mean")
FULL, SLIDING = "full_attention", "sliding_attention"
_THETAS = {"global_rope_theta": FULL, "local_rope_theta": SLIDING}


@dataclasses.dataclass(frozen=True)
class ModernBertConfig(EncoderConfig):
    """Sizes and rates of a ModernBERT; the defaults are Hugging Face's (ModernBERT-base).

    Attributes:
        max_positions: longest example in tokens that the encoder was made for; it has no position table.
        dropout: rate at the embeddings. attention_dropout: at attention probabilities and after the layer that follows
            them. mlp_dropout: inside the feed-forward layers. classifier_dropout: in front of classifiers.
        global_every: layers 0, global_every, 2 global_every ... see the whole example; the others see
            `local_attention` // 2 tokens on either side.
        global_theta, local_theta: bases of the rotary positions in the two kinds of layers.
        attention_bias, mlp_bias, classifier_bias, decoder_bias, norm_bias: whether these layers have biases.
        classifier_pooling: what classifiers read, "cls" or "mean".
        initializer_cutoff: initial weights are at most this many standard deviations from 0; None means 3.
    """

    vocabulary_size: int = 50368
    width: int = 768
    layers: int = 22
    heads: int = 12
    feed_forward: int = 1152
    max_positions: int = 8192
    activation: str = "gelu"
    dropout: float = 0.0
    attention_dropout: float = 0.0
    mlp_dropout: float = 0.0
    classifier_dropout: float = 0.0
    global_every: int = 3
    local_attention: int = 128
    global_theta: float = 160_000.0
    local_theta: float = 10_000.0
    attention_bias: bool = False
    mlp_bias: bool = False
    norm_bias: bool = False
    classifier_bias: bool = False
    decoder_bias: bool = True
    classifier_pooling: str = "cls"
    classifier_activation: str = "gelu"
    initializer_range: float = 0.02
    initializer_cutoff: float | None = 2.0
    layer_norm_epsilon: float = 1e-5
    pad_id: int | None = 50283

    family: ClassVar[str] = "modernbert"
    names: ClassVar[dict[str, str]] = {
        "vocabulary_size": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "max_positions": "max_position_embeddings",
        "activation": "hidden_activation",
        "dropout": "embedding_dropout",
        "attention_dropout": "attention_dropout",
        "mlp_dropout": "mlp_dropout",
        "classifier_dropout": "classifier_dropout",
        "global_every": "global_attn_every_n_layers",
        "local_attention": "local_attention",
        "global_theta": "global_rope_theta",
        "local_theta": "local_rope_theta",
        "attention_bias": "attention_bias",
        "mlp_bias": "mlp_bias",
        "norm_bias": "norm_bias",
        "classifier_bias": "classifier_bias",
        "decoder_bias": "decoder_bias",
        "classifier_pooling": "classifier_pooling",
        "classifier_activation": "classifier_activation",
        "initializer_range": "initializer_range",
        "initializer_cutoff": "initializer_cutoff_factor",
        "layer_norm_epsilon": "norm_eps",
        "pad_id": "pad_token_id",
    }
    supported: ClassVar[dict[str, tuple]] = {
        "tie_word_embeddings": (True, None),
        "is_decoder": (False, None),
        "rope_scaling": (None,),
        "head_dim": (None,),
        "pruned_heads": ({}, None),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier_activation not in ACTIVATIONS:
            raise unknown("classifier_activation", self.classifier_activation, ACTIVATIONS)
        if self.classifier_pooling not in POOLINGS:
            raise unknown("classifier_pooling", self.classifier_pooling, POOLINGS)
        for name in ("global_theta", "local_theta", "initializer_cutoff"):
            if getattr(self, name) == 0:
                raise InputError(f"{self.names[name]}: expected a number above 0, found 0")
        if self.width // self.heads % 2:
            raise InputError(
                f"hidden_size / num_attention_heads is {self.width // self.heads}; rotary positions need an even size"
            )

    @classmethod
    def from_huggingface(cls, values: Mapping[str, Any]) -> Self:
        """As `EncoderConfig.from_huggingface`, with the spellings of `transformers` 5 and of the hub.

        Version 5 has one dictionary of rotary positions, `rope_parameters`, and a list, `layer_types`; the hub has two
        thetas, where a local one of null is the global one, and `global_attn_every_n_layers`.
        """
        values = dict(values)
        if values.get("layer_types") is not None:
            values["global_attn_every_n_layers"] = _period(values["layer_types"], values)
        if values.get("sliding_window") is not None:
            values["local_attention"] = _doubled(values["sliding_window"])
        given = values.get("rope_parameters")
        if given is not None and not isinstance(given, Mapping):
            raise InputError(f"rope_parameters: expected a dictionary, found {given!r:.80}")
        for name, layer_type in _THETAS.items():
            own = plain_rotary((given or {}).get(layer_type), f"rope_parameters of {layer_type}")
            if own.get("rope_theta") is not None:
                values[name] = own["rope_theta"]
        if "local_rope_theta" in values and values["local_rope_theta"] is None:
            values["local_rope_theta"] = values.get("global_rope_theta", cls.global_theta)
        return super().from_huggingface(values)

    def to_huggingface(self) -> dict[str, Any]:
        thetas = {FULL: self.global_theta, SLIDING: self.local_theta}
        return super().to_huggingface() | {
            "model_type": "modernbert",
            "layer_types": layer_types(self.layers, self.global_every),
            "rope_parameters": {name: {"rope_type": "default", "rope_theta": theta} for name, theta in thetas.items()},
        }

    @property
    def window(self) -> int:
        """Largest distance of a key that a query of a sliding layer sees, in positions."""
        return self.local_attention // 2

    def sees_all(self, layer: int) -> bool:
        """Whether the tokens of a layer see the whole example."""
        return layer % self.global_every == 0

    @property
    def matmul_parameters(self) -> int:
        return self.layers * (4 * self.width**2 + 3 * self.width * self.feed_forward)

    @property
    def pair_flops(self) -> int:
        """For layers that see everything, and for short examples, where all layers do."""
        return 4 * self.layers * self.width

    def attention_flops(self, lengths: np.ndarray) -> float:
        """Each token of a sliding layer attends to the tokens of its window."""
        reach = np.minimum(self.window, np.maximum(lengths - 1, 0))
        near = np.sum(lengths * (2 * reach + 1) - reach * (reach + 1))
        everywhere = sum(self.sees_all(i) for i in range(self.layers))
        pairs = everywhere * np.square(lengths).sum() + (self.layers - everywhere) * near
        return float(4 * self.width * pairs)

    @property
    def language_head_parameters(self) -> int:
        return self.width**2 + self.width * self.vocabulary_size

    @property
    def transform_activation(self) -> str:
        return self.classifier_activation

    @property
    def transform_bias(self) -> bool:
        return self.classifier_bias

    @property
    def classifier_rate(self) -> float:
        return self.classifier_dropout

    @property
    def transform_range(self) -> float:
        """As for the layers that end at the residual stream."""
        return self.initializer_range / math.sqrt(2 * self.layers)

    @property
    def output_range(self) -> float:
        return self.width**-0.5


def layer_types(layers: int, global_every: int) -> list[str]:
    """Hugging Face's name of each layer's attention."""
    return [SLIDING if i % global_every else FULL for i in range(layers)]


def _period(found: Any, values: Mapping[str, Any]) -> int:
    """The `global_attn_every_n_layers` of a list of layer types.

    Raises:
        InputError: another pattern.
    """
    count = len(found) if isinstance(found, list) else 0
    for every in (values.get("global_attn_every_n_layers", ModernBertConfig.global_every), *range(1, count + 1)):
        if isinstance(every, int) and every > 0 and found == layer_types(count, every):
            return every
    raise InputError(
        f"layer_types: {found!r:.80} is not supported; expected {FULL!r} in every n-th layer from the first on, "
        f"{SLIDING!r} in the others"
    )


def _doubled(window: Any) -> Any:
    return 2 * window if isinstance(window, int) else window


def _head(config: Any) -> Summary:
    """The prediction head that every model with a head has."""
    pooling: SummaryPooling = "mean" if config.classifier_pooling == "mean" else "summary"
    return Summary(
        "dense",
        config.classifier_activation,
        last_rate=config.classifier_dropout,
        norm=True,
        bias=config.classifier_bias,
        pooling=pooling,
    )


_TRANSFORM = (*dense("head.dense", "dense"), *norm("head.norm", "norm"))
_CLASSIFIER = (*_TRANSFORM, *dense("classifier", "output"))
MODERNBERT = Family(
    name="modernbert",
    summary="ModernBERT and mmBERT: rotary positions, sliding windows, gated layers, masked LM",
    module="itt_jax.models.modernbert",
    Config=ModernBertConfig,
    huggingface=HuggingFace(
        model_types={"modernbert": "ModernBert"},
        prefix="model",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead("ForSequenceClassification", _CLASSIFIER, _head),
            "multiple_choice": HuggingFaceHead("ForMultipleChoice", _CLASSIFIER, _head),
            "token_classification": HuggingFaceHead("ForTokenClassification", _CLASSIFIER, _head),
            "question_answering": HuggingFaceHead("ForQuestionAnswering", _CLASSIFIER, _head),
            "masked_lm": HuggingFaceHead("ForMaskedLM", (*_TRANSFORM, ("decoder.bias", "bias", False))),
        },
        other_heads={},
        needs_pooler=(),
        tied={"decoder.weight": f"model.{KEYS[0][0]}"},
    ),
    language_model="masked_lm",
    sharding_rules=(
        (r"^encoder/(embeddings|final_norm)/", ()),
        (r"/layers/\d+/(query|key|value|mlp_in|mlp_gate)/(kernel|bias)$", (None, "model")),
        (r"/layers/\d+/(attention_output|mlp_out)/(kernel|bias)$", ("model", None)),
        (r"/layers/\d+/(attention_norm|mlp_norm)/", ()),
    ),
    tokenizer="byte_level_bpe",
    reads_places=True,
    checkpoints=(
        "jhu-clsp/mmBERT-base",
        "jhu-clsp/mmBERT-small",
        "answerdotai/ModernBERT-base",
        "answerdotai/ModernBERT-large",
    ),
)
