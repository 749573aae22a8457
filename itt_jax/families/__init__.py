"""Encoder families: one file each, and one line in FAMILIES. No JAX here."""

from collections.abc import Mapping
from typing import Any

from itt_jax.errors import unknown
from itt_jax.families.bert import BERT
from itt_jax.families.config import EncoderConfig
from itt_jax.families.deberta import DEBERTA
from itt_jax.families.eurobert import EUROBERT
from itt_jax.families.family import Family
from itt_jax.families.modernbert import MODERNBERT
from itt_jax.families.roberta import ROBERTA
from itt_jax.families.xlnet import XLNET

__all__ = ["FAMILIES", "EncoderConfig", "Family", "family", "family_of_model_type", "from_huggingface"]

FAMILIES: tuple[Family, ...] = (BERT, ROBERTA, XLNET, MODERNBERT, EUROBERT, DEBERTA)


def family(name: str) -> Family:
    """The family of a name.

    Raises:
        InputError: no such family.
    """
    found = next((family for family in FAMILIES if family.name == name), None)
    if found is None:
        raise unknown("encoder family", name, [family.name for family in FAMILIES])
    return found


def family_of_model_type(model_type: object) -> Family:
    """The family of a Hugging Face model_type ("xlm-roberta").

    Raises:
        InputError: no family has it.
    """
    found = next((family for family in FAMILIES if model_type in tuple(family.huggingface.model_types)), None)
    if found is None:
        raise unknown(
            "model_type", model_type, [name for family in FAMILIES for name in family.huggingface.model_types]
        )
    return found


def from_huggingface(values: Mapping[str, Any]) -> EncoderConfig:
    """The config of a Hugging Face config.json, of any family.

    Raises:
        InputError: no family has its model_type, or a value that the encoder does not support.
    """
    return family_of_model_type(values.get("model_type")).Config.from_huggingface(values)
