"""DeBERTa-v3 and mDeBERTa-v3 (He et al. 2021, arXiv 2111.09543); names as `transformers.models.deberta_v2`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from itt_jax.errors import InputError, unknown
from itt_jax.families.config import ACTIVATIONS, EncoderConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Keys, Summary, dense, norm

_LAYER = "encoder.layer.{i}."
KEYS: Keys = (
    ("embeddings.word_embeddings.weight", "embeddings.word.embedding", False),
    *norm("embeddings.LayerNorm", "embeddings.norm"),
    ("encoder.rel_embeddings.weight", "relative.embedding", False),
    *norm("encoder.LayerNorm", "relative_norm"),
    *dense(f"{_LAYER}attention.self.query_proj", "layers.{i}.query"),
    *dense(f"{_LAYER}attention.self.key_proj", "layers.{i}.key"),
    *dense(f"{_LAYER}attention.self.value_proj", "layers.{i}.value"),
    *dense(f"{_LAYER}attention.output.dense", "layers.{i}.attention_output"),
    *norm(f"{_LAYER}attention.output.LayerNorm", "layers.{i}.attention_norm"),
    *dense(f"{_LAYER}intermediate.dense", "layers.{i}.mlp_in"),
    *dense(f"{_LAYER}output.dense", "layers.{i}.mlp_out"),
    *norm(f"{_LAYER}output.LayerNorm", "layers.{i}.output_norm"),
)
_LEFT_OUT = {  # key -> the value of version 3, and Hugging Face's default
    "relative_attention": (True, False),
    "position_biased_input": (False, True),
    "share_att_key": (True, False),
    "norm_rel_ebd": ("layer_norm", "none"),
    "type_vocab_size": (0, 0),
    "conv_kernel_size": (0, 0),
    "legacy": (True, True),
    "tie_word_embeddings": (True, True),
}


@dataclasses.dataclass(frozen=True)
class DebertaConfig(EncoderConfig):
    """Sizes and rates of a DeBERTa of version 3; the defaults are DeBERTa-v3-base's.

    Attributes:
        max_positions: longest example in tokens; it has no position table.
        max_relative_positions: distances from this one on share a bucket; None means max_positions.
        position_buckets: distances up to half of this number have an embedding each; longer ones share as many
            embeddings, one for each step of their logarithm. None: every distance has its own.
        pooler_dropout, pooler_activation: in front of and after the dense layer of classifiers.
        classifier_dropout: rate in front of their output layer; None means `dropout`.
    """

    vocabulary_size: int = 128100
    width: int = 768
    layers: int = 12
    heads: int = 12
    feed_forward: int = 3072
    max_positions: int = 512
    max_relative_positions: int | None = None
    position_buckets: int | None = 256
    activation: str = "gelu"
    dropout: float = 0.1
    attention_dropout: float = 0.1
    pooler_dropout: float = 0.0
    pooler_activation: str = "gelu"
    classifier_dropout: float | None = None
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-7
    pad_id: int | None = 0

    family: ClassVar[str] = "deberta"
    names: ClassVar[dict[str, str]] = {
        "vocabulary_size": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "max_positions": "max_position_embeddings",
        "max_relative_positions": "max_relative_positions",
        "position_buckets": "position_buckets",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
        "attention_dropout": "attention_probs_dropout_prob",
        "pooler_dropout": "pooler_dropout",
        "pooler_activation": "pooler_hidden_act",
        "classifier_dropout": "cls_dropout",
        "initializer_range": "initializer_range",
        "layer_norm_epsilon": "layer_norm_eps",
        "pad_id": "pad_token_id",
    }
    defaults: ClassVar[dict[str, Any]] = {
        "hidden_size": 1536,
        "num_hidden_layers": 24,
        "num_attention_heads": 24,
        "intermediate_size": 6144,
        "position_buckets": -1,
    }
    """Hugging Face's defaults, where they differ from version 3's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pooler_activation not in ACTIVATIONS:
            raise unknown("pooler_hidden_act", self.pooler_activation, ACTIVATIONS)
        for name in ("max_relative_positions", "position_buckets"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name}: expected at least 1, found {value!r:.80}")

    @classmethod
    def from_huggingface(cls, values: Mapping[str, Any]) -> Self:
        """As `EncoderConfig.from_huggingface`; attention other than version 3's is refused, by its key."""
        for name, (needed, default) in _LEFT_OUT.items():
            found = values.get(name, default)
            if found != needed:
                raise InputError(f"{name}: {found!r:.80} is not supported; expected {needed!r}")
        kinds = values.get("pos_att_type")
        kinds = kinds.split("|") if isinstance(kinds, str) else kinds
        if not isinstance(kinds, list) or sorted(str(kind).strip().lower() for kind in kinds) != ["c2p", "p2c"]:
            raise InputError(f"pos_att_type: {values.get('pos_att_type')!r:.80} is not supported; expected 'p2c|c2p'")
        values = cls.defaults | dict(values)
        for name in ("max_relative_positions", "position_buckets"):
            if isinstance(values.get(name), int) and values[name] < 1:
                values[name] = None
        config = super().from_huggingface(values)
        sizes = {"embedding_size": config.width, "pooler_hidden_size": config.width}
        sizes |= {"attention_head_size": config.width // config.heads}
        for name, expected in sizes.items():
            if values.get(name) not in (None, expected):
                raise InputError(f"{name}: {values[name]!r:.80} is not supported; expected {expected}")
        return config

    def to_huggingface(self) -> dict[str, Any]:
        values = super().to_huggingface() | {name: needed for name, (needed, _) in _LEFT_OUT.items()}
        for name in ("max_relative_positions", "position_buckets"):
            values[name] = -1 if values[name] is None else values[name]
        return values | {"model_type": "deberta-v2", "pos_att_type": ["p2c", "c2p"]}

    @property
    def largest_distance(self) -> int:
        """Distances from this one on share a bucket."""
        return self.max_positions if self.max_relative_positions is None else self.max_relative_positions

    @property
    def span(self) -> int:
        """Half the number of rows of the table of relative positions."""
        return self.largest_distance if self.position_buckets is None else self.position_buckets

    @property
    def matmul_parameters(self) -> int:
        return self.layers * (4 * self.width**2 + 2 * self.width * self.feed_forward)

    @property
    def pair_flops(self) -> int:
        """Counts content and two terms of relative positions, but not the projections of their table."""
        return 8 * self.layers * self.width

    @property
    def language_head_parameters(self) -> int:
        return self.width**2 + self.width * self.vocabulary_size

    @property
    def token_rate(self) -> float:
        return self.dropout


def _context(config: Any) -> Summary:
    """Hugging Face's ContextPooler, which the head owns."""
    last = config.dropout if config.classifier_dropout is None else config.classifier_dropout
    return Summary("dense", config.pooler_activation, first_rate=config.pooler_dropout, last_rate=last)


_CLASSIFIER = (*dense("pooler.dense", "dense"), *dense("classifier", "output"))
_TRANSFORM = "cls.predictions.transform."
# Heads of pretraining in the files of the authors, which name no class.
_PRETRAINING = ("lm_predictions.", "mask_predictions.")
DEBERTA = Family(
    name="deberta",
    summary="DeBERTa-v3 and mDeBERTa-v3: disentangled relative positions in logarithmic buckets, masked LM",
    module="itt_jax.models.deberta",
    Config=DebertaConfig,
    huggingface=HuggingFace(
        model_types={"deberta-v2": "DebertaV2"},
        prefix="deberta",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead("ForSequenceClassification", _CLASSIFIER, _context),
            "multiple_choice": HuggingFaceHead("ForMultipleChoice", _CLASSIFIER, _context),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "question_answering": HuggingFaceHead("ForQuestionAnswering", dense("qa_outputs", "output")),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM",
                (
                    *dense(f"{_TRANSFORM}dense", "dense"),
                    *norm(f"{_TRANSFORM}LayerNorm", "norm"),
                    ("cls.predictions.bias", "bias", False),
                ),
                leftovers=_PRETRAINING,
            ),
        },
        other_heads={"": _PRETRAINING, "Model": _PRETRAINING},
        needs_pooler=(),
        tied={
            "cls.predictions.decoder.weight": f"deberta.{KEYS[0][0]}",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        buffers=("embeddings.position_ids", "embeddings.position_embeddings.weight"),
    ),
    language_model="masked_lm",
    sharding_rules=(
        (r"^encoder/(embeddings|relative|relative_norm)/", ()),
        (r"/layers/\d+/(query|key|value|mlp_in)/(kernel|bias)$", (None, "model")),
        (r"/layers/\d+/(attention_output|mlp_out)/(kernel|bias)$", ("model", None)),
        (r"/layers/\d+/(attention_norm|output_norm)/", ()),
    ),
    tokenizer="wordpiece",
    reads_places=True,
    checkpoints=(
        "microsoft/mdeberta-v3-base",
        "microsoft/deberta-v3-base",
        "microsoft/deberta-v3-large",
    ),
)
