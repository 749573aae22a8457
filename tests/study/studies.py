"""A study on embedded material that plans in a moment, and variations of it."""

import dataclasses

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Recipe, Study, Target, validate
from itt_jax.study.joining import Joined
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, make_plan

ADAPTATION = LanguageModel(recipe=Recipe(steps=3, learning_rates=(1e-3,), max_length=64, keep="last"))

STUDY = Study(
    name="small",
    encoders=(EncoderSpec("bert", "bert", corpus=(Corpus("embedded", tuples=50),)),),
    targets=(
        Target(
            "sentiment",
            train="embedded_sentiment_legal",
            recipe=Recipe(steps=1),
            intermediate_recipe=Recipe(steps=1),
        ),
    ),
    arms=("direct",),
    seeds=(0,),
    languages=("en", "de"),
    evaluation_rows=5,
)

INFERENCE = Target(
    "inference",
    train="embedded_inference_medical",
    intermediate=("embedded_sentiment_general", "embedded_inference_general"),
    recipe=Recipe(epochs=2, batch_size=8, max_length=64),
    intermediate_recipe=Recipe(epochs=1, batch_size=8, max_length=64),
    train_rows=20,
    intermediate_rows=40,
    dev_rows=10,
    domain_text=("embedded_inference_medical",),
    general_text=("embedded_inference_general",),
    adaptation=ADAPTATION,
)
"""A target that every arm can run on."""


def planned(**changes) -> Plan:
    """The plan of STUDY with some fields changed."""
    study = dataclasses.replace(STUDY, **changes)
    validate(study)
    return make_plan(study, Material(study))


def joined(plan: Plan) -> Joined:
    """A plan as a worker takes it, without what is only shown."""
    return Joined(None, plan, rows=[], inputs={}, changes=[], cost=None)
