"""RoBERTa and XLM-R: BERT's layers, with positions counted from the padding id.

Source: Liu et al. 2019 (arXiv 1907.11692), Conneau et al. 2020 (arXiv 1911.02116); names as
`transformers.models.roberta` and `transformers.models.xlm_roberta`.
"""

import dataclasses
from typing import Any, ClassVar

from itt_jax.errors import InputError
from itt_jax.families.bert import BUFFERS, KEYS, SHARDING_RULES, BertConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Summary, dense, norm


@dataclasses.dataclass(frozen=True)
class RobertaConfig(BertConfig):
    """Sizes and rates of a RoBERTa; the defaults are those of Hugging Face's RobertaConfig.

    Attributes:
        position_rows: rows of the position table; the longest example has pad_id + 1 tokens fewer.
        model_type: "roberta" or "xlm-roberta": one encoder, two names.
    """

    vocabulary_size: int = 50265
    pad_id: int = 1
    model_type: str = "roberta"

    family: ClassVar[str] = "roberta"

    @classmethod
    def first_position(cls, pad_id: int | None) -> int:
        if pad_id is None:
            raise InputError("pad_token_id: expected int, found None; positions are counted from it")
        return pad_id + 1

    @property
    def position_pad(self) -> int:
        return self.pad_id

    @property
    def transform_activation(self) -> str:
        return "gelu"  # whatever the layers use


def _dense(config: Any) -> Summary:
    return Summary("dense", first_rate=config.classifier_rate, last_rate=config.classifier_rate)


def _pooled(config: Any) -> Summary:
    # Unlike the family's other classifiers, this one uses the hidden states' rate.
    return Summary("pooler", last_rate=config.dropout)


ROBERTA = Family(
    name="roberta",
    summary="RoBERTa and XLM-R: absolute positions after the padding id, masked LM",
    module="itt_jax.models.roberta",
    Config=RobertaConfig,
    huggingface=HuggingFace(
        model_types={"roberta": "Roberta", "xlm-roberta": "XLMRoberta"},
        prefix="roberta",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead(
                "ForSequenceClassification",
                (*dense("classifier.dense", "dense"), *dense("classifier.out_proj", "output")),
                _dense,
            ),
            "multiple_choice": HuggingFaceHead("ForMultipleChoice", dense("classifier", "output"), _pooled),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "question_answering": HuggingFaceHead("ForQuestionAnswering", dense("qa_outputs", "output")),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM",
                (
                    *dense("lm_head.dense", "dense"),
                    *norm("lm_head.layer_norm", "norm"),
                    ("lm_head.bias", "bias", False),
                ),
            ),
        },
        other_heads={"ForCausalLM": ("lm_head.",)},
        needs_pooler=("ForMultipleChoice",),
        tied={"lm_head.decoder.weight": f"roberta.{KEYS[0][0]}", "lm_head.decoder.bias": "lm_head.bias"},
        buffers=BUFFERS,
    ),
    language_model="masked_lm",
    sharding_rules=SHARDING_RULES,
    tokenizer="byte_level_bpe",
    reads_places=True,
    checkpoints=(
        "FacebookAI/xlm-roberta-base",
        "FacebookAI/roberta-base",
        "intfloat/multilingual-e5-base",
        "BAAI/bge-m3",
        "facebook/xlm-v-base",
    ),
)
