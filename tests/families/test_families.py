"""Families are data: looked up at call time, complete, and in agreement with the modules they name."""

import re
import subprocess
import sys

import jax
import numpy as np
import pytest

from itt_jax import families
from itt_jax.errors import InputError
from itt_jax.families.config import ACTIVATIONS
from itt_jax.models import layers, make_encoder
from itt_jax.models.heads import HEAD_KINDS
from itt_jax.train.optimizer import path_name

ABSENT = {"eurobert": {"question_answering", "multiple_choice"}}  # Hugging Face has no such class
NAMES = [family.name for family in families.FAMILIES]


def test_no_family_needs_jax():
    code = "import sys, itt_jax.families; print('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_names_and_model_types_are_looked_up_when_asked(monkeypatch):
    assert families.family("roberta").Config is families.from_huggingface({"model_type": "xlm-roberta"}).__class__
    with pytest.raises(InputError, match="pad_token_id: expected int, found None"):
        make_encoder("roberta", max_positions=8, pad_id=None)
    with pytest.raises(InputError, match="unknown encoder family 'brt'; did you mean 'bert'"):
        families.family("brt")
    with pytest.raises(InputError, match="unknown model_type 'xlmroberta'; did you mean 'xlm-roberta'"):
        families.from_huggingface({"model_type": "xlmroberta"})
    monkeypatch.setattr(families, "FAMILIES", (families.family("xlnet"),))
    with pytest.raises(InputError, match="known: xlnet"):
        families.family("bert")


@pytest.mark.parametrize("name", NAMES)
def test_configs_go_to_hugging_face_and_back(name):
    config = families.family(name).Config(width=96, layers=3, heads=6, vocabulary_size=77, dropout=0.25, pad_id=3)
    assert families.from_huggingface(config.to_huggingface()) == config


@pytest.mark.parametrize("name", NAMES)
def test_matmul_parameters_are_those_of_the_module(name):
    """Tables are looked up, biases and norms are added or multiplied once a token, poolers see one token an example."""
    encoder = make_encoder(name, layers=3, width=24, heads=4, feed_forward=50, vocabulary_size=30, pad_id=3)
    not_multiplied = re.compile(r"embedding|bias|scale|pooler")
    counted = sum(
        int(np.prod(leaf.shape))
        for path, leaf in jax.tree.leaves_with_path(encoder.shapes())
        if not not_multiplied.search(re.sub(r"^embeddings/", "", path_name(path)))
    )
    assert encoder.config.matmul_parameters == counted


@pytest.mark.parametrize("name", NAMES)
def test_every_head_of_a_family_has_a_kind_and_every_kind_a_head(name):
    family = families.family(name)
    forms = {
        kind.form for kind in HEAD_KINDS if kind.form and (not kind.language or kind.name == family.language_model)
    }
    heads = family.huggingface.heads
    assert forms - set(heads) == ABSENT.get(name, set())
    by_example = {kind.form for kind in HEAD_KINDS if kind.by_example and kind.form}
    assert {form for form in by_example & set(heads) if heads[form].summary} == by_example & set(heads)


def test_activations_are_the_functions_that_there_are():
    assert set(ACTIVATIONS) == set(layers.ACTIVATIONS)
