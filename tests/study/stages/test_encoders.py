"""Settings of an encoder that a study sets: they name its stages anew, and reach made and given encoders."""

import dataclasses
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from itt_jax import families
from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Recipe, Study, Target
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import export, make_encoder
from itt_jax.study.cost import sized_encoder
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.study.stages.given import Given, given_body, given_tables
from itt_jax.study.stages.pretrain import made_encoder
from tests.study.studies import STUDY

SPEC = EncoderSpec("bert", "bert", corpus=(Corpus("embedded", tuples=50),), pretraining=LanguageModel())


def root_id(spec):
    target = Target("t", "embedded_sentiment_legal", (), Recipe(steps=1), Recipe(steps=1))
    study = Study("s", (spec,), (target,), arms=("direct",), seeds=(0,), languages=("en",), evaluation_rows=4)
    return next(iter(make_plan(study, Material(study)).stages))


def test_the_rate_is_part_of_the_name():
    others = [dataclasses.replace(SPEC, attention_dropout=rate) for rate in (0.0, 0.1)]
    assert len({root_id(spec) for spec in (SPEC, *others)}) == 3


def test_the_rate_reaches_made_and_given_encoders(tmp_path):
    tokenizer = train_tokenizer(["one two three"] * 3, "bert", 60)
    assert made_encoder(SPEC, tokenizer).config.attention_dropout == 0.1
    assert made_encoder(dataclasses.replace(SPEC, attention_dropout=0.0), tokenizer).config.attention_dropout == 0
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=tokenizer.vocabulary_size)
    export(tmp_path, encoder, encoder.init(jax.random.key(0)))
    tokenizer.save(tmp_path)
    given = dataclasses.replace(SPEC, checkpoint=str(tmp_path), attention_dropout=0.0)
    assert given_body(given).encoder.config == dataclasses.replace(encoder.config, attention_dropout=0.0)


def test_a_checkpoint_that_changes_after_it_was_planned_with_is_refused(tmp_path):
    tokenizer = train_tokenizer(["one two three"] * 3, "bert", 60)
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=tokenizer.vocabulary_size)

    def write(key):
        export(tmp_path, encoder, encoder.init(jax.random.key(key)))
        tokenizer.save(tmp_path)

    write(0)
    spec = dataclasses.replace(SPEC, checkpoint=str(tmp_path))
    study = dataclasses.replace(STUDY, encoders=(spec,))
    material = Material(study)
    stage, workshop = Given(spec=spec).identified(material), SimpleNamespace(material=material)
    assert stage.body(workshop).encoder.config == encoder.config
    write(0)  # the same bytes, later
    stage.body(workshop)
    write(1)
    with pytest.raises(InputError, match=f"^{tmp_path}: has changed since the study was planned; run it again"):
        stage.body(workshop)


@pytest.mark.parametrize("family", [family.name for family in families.FAMILIES])
def test_an_encoder_of_every_family_is_made_for_its_tokenizer(family):
    tokenizer = train_tokenizer(["one two three"] * 3, family, 300)
    sizes = {"layers": 2, "width": 12, "heads": 2, "feed_forward": 20, "vocabulary_size": tokenizer.vocabulary_size}
    spec = EncoderSpec(family, family, **sizes, max_positions=64, corpus=(Corpus("embedded", tuples=50),))
    config = made_encoder(spec, tokenizer).config
    assert config == make_encoder(family, **sizes, max_positions=64, pad_id=tokenizer.pad_id).config
    assert (config.family, config.pad_id) == (family, tokenizer.pad_id) and tokenizer.mask_id is not None


@pytest.mark.slow
@pytest.mark.volume
def test_the_first_layers_of_a_checkpoint_are_kept(tmp_path):
    """The hidden states are those of the whole encoder after as many layers, and the id is another."""
    tokenizer = train_tokenizer(["one two three"] * 3, "bert", 60)
    encoder = make_encoder("bert", layers=3, width=8, heads=2, vocabulary_size=tokenizer.vocabulary_size)
    params = encoder.init(jax.random.key(0))
    export(tmp_path, encoder, params)
    tokenizer.save(tmp_path)
    whole = dataclasses.replace(SPEC, checkpoint=str(tmp_path), corpus=(), pretraining=None)
    kept = dataclasses.replace(whole, first_layers=2)
    body = given_body(kept)
    assert body.encoder.config == dataclasses.replace(encoder.config, layers=2) == given_tables(kept)[0]
    assert sized_encoder(kept).config.layers == 2
    assert jax.tree.structure(body.params) == jax.tree.structure(body.encoder.shapes())
    ids = np.array([[2, 5, 6, 3]])
    states = encoder(params, ids, all_layers=True)
    np.testing.assert_array_equal(body.encoder(body.params, ids), states[2])
    assert root_id(kept) != root_id(whole)
    with pytest.raises(InputError, match="first_layers: expected at most the checkpoint's 3, found 4"):
        given_body(dataclasses.replace(kept, first_layers=4))
