"""BERT and multilingual BERT (Devlin et al. 2019, arXiv 1810.04805); names as `transformers.models.bert`."""

import dataclasses
from typing import Any, ClassVar

from itt_jax.errors import InputError
from itt_jax.families.config import EncoderConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Keys, Summary, dense, norm

_LAYER = "encoder.layer.{i}."
KEYS: Keys = (
    ("embeddings.word_embeddings.weight", "embeddings.word.embedding", False),
    ("embeddings.position_embeddings.weight", "embeddings.position.embedding", False),
    ("embeddings.token_type_embeddings.weight", "embeddings.token_type.embedding", False),
    *norm("embeddings.LayerNorm", "embeddings.norm"),
    *dense(f"{_LAYER}attention.self.query", "layers.{i}.query"),
    *dense(f"{_LAYER}attention.self.key", "layers.{i}.key"),
    *dense(f"{_LAYER}attention.self.value", "layers.{i}.value"),
    *dense(f"{_LAYER}attention.output.dense", "layers.{i}.attention_output"),
    *norm(f"{_LAYER}attention.output.LayerNorm", "layers.{i}.attention_norm"),
    *dense(f"{_LAYER}intermediate.dense", "layers.{i}.mlp_in"),
    *dense(f"{_LAYER}output.dense", "layers.{i}.mlp_out"),
    *norm(f"{_LAYER}output.LayerNorm", "layers.{i}.output_norm"),
    *dense("pooler.dense", "pooler"),
)
SHARDING_RULES = (
    (r"^encoder/(embeddings|pooler)/", ()),
    (r"/layers/\d+/(query|key|value|mlp_in)/kernel$", (None, "model")),
    (r"/layers/\d+/(query|key|value|mlp_in)/bias$", ("model",)),
    (r"/layers/\d+/(attention_output|mlp_out)/kernel$", ("model", None)),
    (r"/layers/\d+/(attention_output|mlp_out)/bias$", ()),
    (r"/layers/\d+/(attention_norm|output_norm)/", ()),
)
BUFFERS = ("embeddings.position_ids", "embeddings.token_type_ids")
"""Constants: 0, 1, 2 ... and zeros."""


@dataclasses.dataclass(frozen=True)
class BertConfig(EncoderConfig):
    """Sizes and rates of a BERT; the defaults are bert-base-uncased.

    Attributes:
        position_rows: rows of the position table.
        classifier_dropout: dropout rate of sequence and token classifiers; None means `dropout`.
        pooler: whether the encoder owns the pooler that pooling "pretrained" reads.
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
    names: ClassVar[dict[str, str]] = {
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
        "model_type": "model_type",
    }
    supported: ClassVar[dict[str, tuple]] = {
        "position_embedding_type": ("absolute", None),
        "is_decoder": (False, None),
        "add_cross_attention": (False, None),
        "is_encoder_decoder": (False, None),
        "tie_word_embeddings": (True, None),
        "pruned_heads": ({}, None),
        "embedding_size": (None,),
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_positions < 1:
            raise InputError(
                f"max_position_embeddings {self.position_rows}: no room for a token, as positions are counted from "
                f"{self.first_position(self.pad_id)}"
            )

    @property
    def position_pad(self) -> int | None:
        """Row of the position table that the padding token reads, initialised with zeros; None if it has none."""
        return None

    @property
    def max_positions(self) -> int:
        return self.position_rows - self.first_position(self.pad_id)

    @property
    def matmul_parameters(self) -> int:
        return self.layers * (4 * self.width**2 + 2 * self.width * self.feed_forward)

    @property
    def pair_flops(self) -> int:
        return 4 * self.layers * self.width

    @property
    def language_head_parameters(self) -> int:
        return self.width**2 + self.width * self.vocabulary_size

    @property
    def classifier_rate(self) -> float:
        return self.dropout if self.classifier_dropout is None else self.classifier_dropout

    @property
    def token_rate(self) -> float:
        return self.classifier_rate


def pooled(config: Any) -> Summary:
    """The encoder's pooler, then dropout at the classifiers' rate."""
    return Summary("pooler", last_rate=config.classifier_rate)


_TRANSFORM = "cls.predictions.transform."
BERT = Family(
    name="bert",
    summary="BERT and mBERT: absolute positions, segment types, masked LM",
    module="itt_jax.models.bert",
    Config=BertConfig,
    huggingface=HuggingFace(
        model_types={"bert": "Bert"},
        prefix="bert",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead("ForSequenceClassification", dense("classifier", "output"), pooled),
            "multiple_choice": HuggingFaceHead("ForMultipleChoice", dense("classifier", "output"), pooled),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "question_answering": HuggingFaceHead("ForQuestionAnswering", dense("qa_outputs", "output")),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM",
                (
                    *dense(f"{_TRANSFORM}dense", "dense"),
                    *norm(f"{_TRANSFORM}LayerNorm", "norm"),
                    ("cls.predictions.bias", "bias", False),
                ),
                also=("ForPreTraining",),
                # Published BERTs are named ForMaskedLM and still carry the next-sentence head of pretraining.
                leftovers=("cls.seq_relationship.",),
            ),
        },
        other_heads={"ForPreTraining": ("cls.",), "ForNextSentencePrediction": ("cls.",), "LMHeadModel": ("cls.",)},
        needs_pooler=("ForSequenceClassification", "ForMultipleChoice", "ForNextSentencePrediction", "ForPreTraining"),
        tied={
            "cls.predictions.decoder.weight": f"bert.{KEYS[0][0]}",
            "cls.predictions.decoder.bias": "cls.predictions.bias",
        },
        buffers=BUFFERS,
    ),
    language_model="masked_lm",
    sharding_rules=SHARDING_RULES,
    tokenizer="wordpiece",
    reads_places=True,
    checkpoints=(
        "google-bert/bert-base-multilingual-cased",
        "google-bert/bert-base-uncased",
        "sentence-transformers/LaBSE",
        "sentence-transformers/all-MiniLM-L6-v2",
    ),
)
