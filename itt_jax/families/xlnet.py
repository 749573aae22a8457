"""XLNet (Yang et al. 2019, arXiv 1906.08237); names as `transformers.models.xlnet`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from itt_jax.errors import InputError, unknown
from itt_jax.families.config import ACTIVATIONS, EncoderConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Keys, Summary, dense, norm

_LAYER = "layer.{i}."
_BIASES = (("r_w_bias", "content_bias"), ("r_r_bias", "position_bias"), ("r_s_bias", "segment_bias"))
KEYS: Keys = (
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
    # If all layers share one set (untie_r false), Hugging Face keeps a copy in each.
    *((f"{_LAYER}rel_attn.{theirs}", f"biases.{ours}", False) for theirs, ours in _BIASES),
    *dense(f"{_LAYER}ff.layer_1", "layers.{i}.mlp_in"),
    *dense(f"{_LAYER}ff.layer_2", "layers.{i}.mlp_out"),
    *norm(f"{_LAYER}ff.layer_norm", "layers.{i}.output_norm"),
)


@dataclasses.dataclass(frozen=True)
class XlnetConfig(EncoderConfig):
    """Sizes and rates of an XLNet; the defaults are Hugging Face's (xlnet-large-cased).

    Attributes:
        attention_type: "bi", or "uni": a token sees only itself and earlier tokens.
        clamp_length: longer relative distances are treated as this one; None: no limit.
        same_length: with "uni", every token sees the same number of keys: the memory moves with it.
        memory_length: hidden states kept between calls of `with_memories`; None or 0 keeps all.
        reuse_length: number of first positions of a call that enter the memory; None or 0: all.
        untied_biases: each layer has its own three query biases; otherwise all layers share one set.
        summary_use_proj, summary_activation, summary_last_dropout: dense layer, activation (None: none) and dropout
            between an example's last token and the classifier.
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
    names: ClassVar[dict[str, str]] = {
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
    aliases: ClassVar[dict[str, str]] = {
        "n_token": "vocab_size",
        "hidden_size": "d_model",
        "num_attention_heads": "n_head",
        "num_hidden_layers": "n_layer",
    }
    """Other keys that Hugging Face reads for the same fields."""
    supported: ClassVar[dict[str, tuple]] = {
        "bi_data": (False, None),
        "tie_word_embeddings": (True, None),
        "summary_type": ("last",),
        "summary_proj_to_labels": (False, None),
        "summary_first_dropout": (0, None),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width % 2:
            raise InputError(f"d_model {self.width} is odd; half of it holds the sines of a position, half the cosines")
        if self.summary_activation and self.summary_activation not in ACTIVATIONS:
            raise unknown("summary_activation", self.summary_activation, ACTIVATIONS)
        if self.attention_type not in ("bi", "uni"):
            raise unknown("attn_type", self.attention_type, ("bi", "uni"))
        for name, least in (("memory_length", 0), ("reuse_length", 0), ("clamp_length", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{self.names[name]}: expected at least {least}, found {value!r:.80}")

    @classmethod
    def from_huggingface(cls, values: Mapping[str, Any]) -> Self:
        """As `EncoderConfig.from_huggingface`; clamp_len -1 there is None here.

        Biases are untied whatever untie_r says: `transformers` ignores it, and its checkpoints hold biases of every
        layer.
        """
        values = {cls.aliases.get(name, name): value for name, value in values.items()}
        if isinstance(values.get("clamp_len"), int) and values["clamp_len"] <= 0:
            values["clamp_len"] = None
        config = super().from_huggingface(values)
        if values.get("d_head") not in (None, config.width // config.heads):
            raise InputError(f"d_head: {values['d_head']!r:.80} is not supported; expected d_model / n_head")
        return dataclasses.replace(config, untied_biases=True)

    def to_huggingface(self) -> dict[str, Any]:
        values = super().to_huggingface() | {"model_type": "xlnet", "d_head": self.width // self.heads}
        return values | {"clamp_len": -1 if self.clamp_length is None else self.clamp_length}

    @property
    def matmul_parameters(self) -> int:
        return self.layers * (5 * self.width**2 + 2 * self.width * self.feed_forward)

    @property
    def pair_flops(self) -> int:
        """Relative positions add scores; the projection of their table is counted once a token."""
        return 6 * self.layers * self.width

    @property
    def language_head_parameters(self) -> int:
        """The query stream passes each predicted token through all layers once more."""
        return self.matmul_parameters + self.width * self.vocabulary_size


def _summary(config: Any) -> Summary:
    return Summary(
        "dense" if config.summary_use_proj else None, config.summary_activation, last_rate=config.summary_last_dropout
    )


_SUMMARY = (*dense("sequence_summary.summary", "dense"), *dense("logits_proj", "output"))
XLNET = Family(
    name="xlnet",
    summary="XLNet: relative positions, permutation LM in two streams, memories",
    module="itt_jax.models.xlnet",
    Config=XlnetConfig,
    huggingface=HuggingFace(
        model_types={"xlnet": "XLNet"},
        prefix="transformer",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead("ForSequenceClassification", _SUMMARY, _summary),
            "multiple_choice": HuggingFaceHead("ForMultipleChoice", _SUMMARY, _summary),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "question_answering": HuggingFaceHead("ForQuestionAnsweringSimple", dense("qa_outputs", "output")),
            "permuted_lm": HuggingFaceHead("LMHeadModel", (("lm_loss.bias", "bias", False),)),
        },
        other_heads={"ForQuestionAnswering": ("start_logits.", "end_logits.", "answer_class.")},
        needs_pooler=(),
        tied={"lm_loss.weight": f"transformer.{KEYS[0][0]}"},
    ),
    language_model="permuted_lm",
    sharding_rules=(
        (r"^encoder/(word|mask_embedding)\b", ()),
        # [D, N, H]: split over heads
        (r"/attention/(query|key|value|position|output)$", (None, "model")),
        (r"/attention/segment_embedding$", (None, "model")),
        (r"/attention/biases/", ("model",)),
        (r"/attention/norm/", ()),
        (r"/layers/\d+/mlp_in/kernel$", (None, "model")),
        (r"/layers/\d+/mlp_in/bias$", ("model",)),
        (r"/layers/\d+/mlp_out/kernel$", ("model", None)),
        (r"/layers/\d+/mlp_out/bias$", ()),
        (r"/layers/\d+/output_norm/", ()),
    ),
    tokenizer="unigram",
    reads_places=True,
    checkpoints=("xlnet/xlnet-base-cased",),
)
