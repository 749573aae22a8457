"""ELECTRA (Clark et al. 2020, arXiv 2003.10555), where word vectors are as wide as the layers."""

import dataclasses
from typing import ClassVar

from itt_jax.errors import InputError
from itt_jax.families.bert import BUFFERS, KEYS, SHARDING_RULES, BertConfig
from itt_jax.families.family import Family, HuggingFace, HuggingFaceHead, Summary, dense, norm


@dataclasses.dataclass(frozen=True)
class ElectraConfig(BertConfig):
    """Sizes and rates of an ELECTRA; as BERT's, without a pooler."""

    pooler: bool = False
    model_type: str = "electra"

    family: ClassVar[str] = "electra"
    supported: ClassVar[dict[str, tuple]] = {
        name: values for name, values in BertConfig.supported.items() if name != "embedding_size"
    }

    @classmethod
    def from_huggingface(cls, values):
        found = super().from_huggingface(values)
        if values.get("embedding_size") != found.width:
            raise InputError(
                f"embedding_size: expected hidden_size {found.width}, found {values.get('embedding_size')}"
            )
        return found

    def to_huggingface(self):
        return super().to_huggingface() | {"embedding_size": self.width}

    @property
    def transform_activation(self):
        return "gelu"  # whatever the layers use


def _dense(config):
    return Summary("dense", "gelu", first_rate=config.classifier_rate, last_rate=config.classifier_rate)


ELECTRA = Family(
    name="electra",
    summary="ELECTRA: BERT's layers without a pooler, masked LM",
    module="itt_jax.models.bert",
    Config=ElectraConfig,
    huggingface=HuggingFace(
        model_types={"electra": "Electra"},
        prefix="electra",
        keys=KEYS,
        heads={
            "classification": HuggingFaceHead(
                "ForSequenceClassification",
                (*dense("classifier.dense", "dense"), *dense("classifier.out_proj", "output")),
                _dense,
            ),
            "token_classification": HuggingFaceHead("ForTokenClassification", dense("classifier", "output")),
            "question_answering": HuggingFaceHead("ForQuestionAnswering", dense("qa_outputs", "output")),
            "masked_lm": HuggingFaceHead(
                "ForMaskedLM",
                (
                    *dense("generator_predictions.dense", "dense"),
                    *norm("generator_predictions.LayerNorm", "norm"),
                    ("generator_lm_head.bias", "bias", False),
                ),
            ),
        },
        other_heads={"ForPreTraining": ("discriminator_predictions.",)},
        needs_pooler=(),
        tied={"generator_lm_head.weight": f"electra.{KEYS[0][0]}"},
        buffers=BUFFERS,
    ),
    language_model="masked_lm",
    sharding_rules=SHARDING_RULES,
    tokenizer="wordpiece",
    reads_places=True,
)
