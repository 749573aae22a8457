"""EuroBERT (Boizard et al. 2025, arXiv 2503.05500); names as `transformers.models.eurobert`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from itt_jax.errors import InputError, unknown
from itt_jax.families.config import EncoderConfig, plain_rotary
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Keys, Summary, SummaryPooling, dense

_LAYER = "layers.{i}."
KEYS: Keys = (
    ("embed_tokens.weight", "word.embedding", False),
    *(
        row
        for theirs, ours in (("q", "query"), ("k", "key"), ("v", "value"), ("o", "attention_output"))
        for row in dense(f"{_LAYER}self_attn.{theirs}_proj", f"{_LAYER}{ours}")
    ),
    *(
        row
        for theirs, ours in (("gate", "mlp_in"), ("up", "mlp_gate"), ("down", "mlp_out"))
        for row in dense(f"{_LAYER}mlp.{theirs}_proj", f"{_LAYER}{ours}")
    ),
    (f"{_LAYER}input_layernorm.weight", f"{_LAYER}attention_norm.scale", False),
    (f"{_LAYER}post_attention_layernorm.weight", f"{_LAYER}mlp_norm.scale", False),
    ("norm.weight", "final_norm.scale", False),
)
POOLINGS: Mapping[str, SummaryPooling] = {"late": "late", "mean": "mean", "bos": "summary"}
"""classifier_pooling -> `Summary.pooling`."""


@dataclasses.dataclass(frozen=True)
class EuroBertConfig(EncoderConfig):
    """Sizes and rates of a EuroBERT; the defaults are Hugging Face's.

    Attributes:
        key_value_heads: heads of keys and values, each shared by heads / key_value_heads heads of queries; None: as
            many as queries have.
        max_positions: longest example in tokens that the encoder was made for; it has no position table.
        dropout: rate of attention probabilities; nothing else is dropped.
        theta: base of the rotary positions.
        attention_bias: whether the layers of attention have biases. mlp_bias: whether the feed-forward layers and the
            language model's scores do.
        classifier_pooling: what classifiers read: "bos", the first token; "mean", the mean of all; "late", each token,
            and the scores are averaged.
        tied_embeddings: whether the language model scores with the word embeddings.
    """

    vocabulary_size: int = 128256
    width: int = 768
    layers: int = 12
    heads: int = 12
    key_value_heads: int | None = None
    feed_forward: int = 3072
    max_positions: int = 8192
    activation: str = "silu"
    dropout: float = 0.0
    theta: float = 10_000.0
    attention_bias: bool = False
    mlp_bias: bool = False
    classifier_pooling: str = "late"
    tied_embeddings: bool = False
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-5
    pad_id: int | None = 128001

    family: ClassVar[str] = "eurobert"
    names: ClassVar[dict[str, str]] = {
        "vocabulary_size": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "key_value_heads": "num_key_value_heads",
        "feed_forward": "intermediate_size",
        "max_positions": "max_position_embeddings",
        "activation": "hidden_act",
        "dropout": "attention_dropout",
        "theta": "rope_theta",
        "attention_bias": "attention_bias",
        "mlp_bias": "mlp_bias",
        "classifier_pooling": "classifier_pooling",
        "tied_embeddings": "tie_word_embeddings",
        "initializer_range": "initializer_range",
        "layer_norm_epsilon": "rms_norm_eps",
        "pad_id": "pad_token_id",
    }
    supported: ClassVar[dict[str, tuple]] = {"is_decoder": (False, None), "rope_scaling": (None,)}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.classifier_pooling not in POOLINGS:
            raise unknown("classifier_pooling", self.classifier_pooling, POOLINGS)
        if self.theta == 0:
            raise InputError("rope_theta: expected a number above 0, found 0")
        if self.head_size % 2:
            raise InputError(
                f"hidden_size / num_attention_heads is {self.head_size}; rotary positions need an even number"
            )
        if self.shared_heads < 1 or self.heads % self.shared_heads:
            raise InputError(
                f"num_key_value_heads: expected a divisor of num_attention_heads {self.heads}, found "
                f"{self.key_value_heads}"
            )

    @classmethod
    def from_huggingface(cls, values: Mapping[str, Any]) -> Self:
        """As `EncoderConfig.from_huggingface`; theta is in `rope_parameters` (`transformers` 5) or `rope_theta`."""
        own = plain_rotary(values.get("rope_parameters"), "rope_parameters")
        theta = own.get("rope_theta", values.get("rope_theta"))
        values = {name: value for name, value in values.items() if name != "rope_theta"}
        config = super().from_huggingface(values if theta is None else values | {"rope_theta": theta})
        if values.get("head_dim") not in (None, config.head_size):
            raise InputError(
                f"head_dim: {values['head_dim']!r:.80} is not supported; expected hidden_size / num_attention_heads"
            )
        return config

    def to_huggingface(self) -> dict[str, Any]:
        return super().to_huggingface() | {
            "model_type": "eurobert",
            "head_dim": self.head_size,
            "rope_parameters": {"rope_type": "default", "rope_theta": self.theta},
        }

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.width // self.heads

    @property
    def shared_heads(self) -> int:
        """Number of heads of keys and values."""
        return self.heads if self.key_value_heads is None else self.key_value_heads

    @property
    def decoder_bias(self) -> bool:
        return self.mlp_bias

    @property
    def transform_activation(self) -> None:
        return None

    @property
    def matmul_parameters(self) -> int:
        attention = 2 * self.width**2 + 2 * self.width * self.shared_heads * self.head_size
        return self.layers * (attention + 3 * self.width * self.feed_forward)

    @property
    def pair_flops(self) -> int:
        return 4 * self.layers * self.width

    @property
    def language_head_parameters(self) -> int:
        return self.width * self.vocabulary_size


def _pooled(config: Any) -> Summary:
    return Summary("dense", "gelu", pooling=POOLINGS[config.classifier_pooling])


EUROBERT = Family(
    name="eurobert",
    summary="EuroBERT: rotary positions, heads that share keys and values, gated layers, masked LM",
    module="itt_jax.models.eurobert",
    Config=EuroBertConfig,
    huggingface=HuggingFace(
        model_types={"eurobert": "EuroBert"},
        prefix="model",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead(
                "ForSequenceClassification", (*dense("dense", "dense"), *dense("classifier", "output")), _pooled
            ),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM", (("lm_head.weight", "table", False), ("lm_head.bias", "bias", False))
            ),
        },
        other_heads={},
        needs_pooler=(),
        tied={"lm_head.weight": f"model.{KEYS[0][0]}"},
    ),
    language_model="masked_lm",
    sharding_rules=(
        (r"^encoder/(word|final_norm)/", ()),
        (r"/layers/\d+/(query|key|value|mlp_in|mlp_gate)/(kernel|bias)$", (None, "model")),
        (r"/layers/\d+/(attention_output|mlp_out)/(kernel|bias)$", ("model", None)),
        (r"/layers/\d+/(attention_norm|mlp_norm)/", ()),
    ),
    tokenizer="byte_level_bpe",
    reads_places=True,
    checkpoints=(
        "EuroBERT/EuroBERT-210m",
        "EuroBERT/EuroBERT-610m",
        "EuroBERT/EuroBERT-2.1B",
    ),
)
