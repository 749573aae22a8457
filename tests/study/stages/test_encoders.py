"""Attention dropout set by a study: it names the encoder's stages anew, and reaches made and given encoders."""

import dataclasses

import jax

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Recipe, Study, Target
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.models import export, make_encoder
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.study.stages.given import given_body
from itt_jax.study.stages.pretrain import made_encoder

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
