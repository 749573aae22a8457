"""Deep sets (Zaheer et al. 2017, arXiv 1703.06114): an encoder without attention or positions."""

import dataclasses
from typing import ClassVar

from itt_jax.families.config import EncoderConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Summary, dense, norm


@dataclasses.dataclass(frozen=True)
class DeepSetsConfig(EncoderConfig):
    """Sizes and rates of deep sets."""

    vocabulary_size: int = 30522
    width: int = 768
    layers: int = 12
    heads: int = 1
    feed_forward: int = 3072
    activation: str = "gelu"
    dropout: float = 0.1
    initializer_range: float = 0.02
    layer_norm_epsilon: float = 1e-12
    pad_id: int | None = 0
    model_type: str = "deep-sets"

    family: ClassVar[str] = "deep_sets"
    names: ClassVar[dict[str, str]] = {
        "vocabulary_size": "vocab_size",
        "width": "hidden_size",
        "layers": "num_hidden_layers",
        "heads": "num_attention_heads",
        "feed_forward": "intermediate_size",
        "activation": "hidden_act",
        "dropout": "hidden_dropout_prob",
        "initializer_range": "initializer_range",
        "layer_norm_epsilon": "layer_norm_eps",
        "pad_id": "pad_token_id",
        "model_type": "model_type",
    }

    @property
    def matmul_parameters(self) -> int:
        return self.layers * 3 * self.width * self.feed_forward

    @property
    def pair_flops(self) -> int:
        return 2 * self.layers * self.width

    @property
    def language_head_parameters(self) -> int:
        return self.width**2 + self.width * self.vocabulary_size


DEEP_SETS = Family(
    name="deep_sets",
    summary="Deep sets: each token sees the mean of its text, no positions, masked LM",
    module="tests.extension.toy_model",
    Config=DeepSetsConfig,
    huggingface=HuggingFace(
        model_types={"deep-sets": "DeepSets"},
        prefix="deep_sets",
        keys=(
            ("embeddings.weight", "word.embedding", False),
            *dense("layer.{i}.intermediate", "layers.{i}.mlp_in"),
            *dense("layer.{i}.output", "layers.{i}.mlp_out"),
            *norm("layer.{i}.LayerNorm", "layers.{i}.norm"),
        ),
        heads={
            "classification": HuggingFaceHead(
                "ForSequenceClassification", dense("classifier", "output"), lambda config: Summary(None, None)
            ),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM",
                (*dense("cls.dense", "dense"), *norm("cls.LayerNorm", "norm"), ("cls.bias", "bias", False)),
            ),
        },
        other_heads={},
        needs_pooler=(),
        tied={"cls.decoder.weight": "deep_sets.embeddings.weight"},
    ),
    language_model="masked_lm",
    sharding_rules=(
        (r"^encoder/word/", ()),
        (r"/layers/\d+/mlp_in/kernel$", (None, "model")),
        (r"/layers/\d+/mlp_in/bias$", ("model",)),
        (r"/layers/\d+/mlp_out/kernel$", ("model", None)),
        (r"/layers/\d+/(mlp_out/bias|norm/)", ()),
    ),
    tokenizer="wordpiece",
)
