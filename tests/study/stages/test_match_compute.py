"""The control for compute: as many FLOPs as the stages of another arm, counted before any of them trains."""

import dataclasses

import pytest

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Recipe, Target
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.store import Store
from itt_jax.study import arms, stages
from itt_jax.study.material import Material, Selection
from itt_jax.study.stages import Place, Pretraining
from itt_jax.study.stages.pretrain import made_encoder
from itt_jax.study.stages.workshop import Body, Workshop
from tests.study.studies import INFERENCE, STUDY

MATERIAL = Material(STUDY)
SHORT = Recipe(steps=40, batch_size=8, max_length=64, evaluate_every=20)
LONG = Recipe(steps=70, batch_size=8, learning_rates=(1e-3, 1e-4), max_length=64, evaluate_every=30)
TARGETS = (
    # Inference, of two texts, after sentiment, of one, and the other way round.
    dataclasses.replace(INFERENCE, recipe=LONG, intermediate_recipe=SHORT),
    Target(
        "sentiment",
        train="embedded_sentiment_medical",
        intermediate=("embedded_inference_general", "embedded_sentiment_general"),
        train_rows=50,
        recipe=SHORT,
        intermediate_recipe=LONG,
        domain_text=("embedded_sentiment_medical",),
        adaptation=LanguageModel(recipe=Recipe(steps=12, batch_size=8, learning_rates=(1e-3,), max_length=48)),
    ),
)
TREATMENTS = ("itt", "multitask_itt", "dapt", "translate_train", "freelb")


def encoder(family: str) -> tuple[EncoderSpec, Body]:
    """A small encoder that is not trained."""
    spec = EncoderSpec(family, family, layers=1, width=8, vocabulary_size=300, corpus=(Corpus("embedded", tuples=20),))
    texts = MATERIAL.texts(Selection("embedded_inference_general", "train", "en", 30))
    tokenizer = train_tokenizer(texts, family, 300)
    return spec, Body(made_encoder(spec, tokenizer), {}, tokenizer)


def place(spec: EncoderSpec, target: Target, arm: arms.Arm, seed: int = 3) -> Place:
    return Place(spec, target, arm, seed, Pretraining(spec=spec, id="root"), MATERIAL)


@pytest.mark.slow
@pytest.mark.volume
def test_a_plan_knows_about_how_long_the_control_is(tmp_path):
    """From characters alone, within 10 %, for a vocabulary of usual size."""
    spec, _ = encoder("bert")
    tasks = ("embedded_inference_general", "embedded_sentiment_general", "embedded_sentiment_medical")
    texts = [text for task in tasks for text in MATERIAL.texts(Selection(task, "train", "en"))]
    tokenizer = train_tokenizer(texts, "bert", 3000)
    body = Body(made_encoder(dataclasses.replace(spec, width=64, vocabulary_size=3000), tokenizer), {}, tokenizer)
    workshop, control = Workshop(Store(tmp_path), MATERIAL, lambda *about: None), arms.arm("matched_compute")
    for target in TARGETS:
        (own,) = stages.chain(control.stages, place(spec, target, control))
        assert own.about_steps(MATERIAL) == pytest.approx(own.resolved(workshop, body).steps, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_the_control_of_every_treatment_has_its_flops_within_one_percent(family, target, tmp_path):
    spec, body = encoder(family)
    workshop = Workshop(Store(tmp_path), MATERIAL, lambda *about: None)
    drawn = (
        ("worst_of_4",) if (family, target.name) == ("bert", "sentiment") else ()
    )  # its forms are drawn to be counted
    for name in (*TREATMENTS, *drawn):
        treatment = arms.arm(name)
        control = arms.compute_control(treatment, f"{name}_compute")
        (own,) = stages.chain(control.stages, place(spec, target, control))
        theirs = stages.chain(treatment.stages, place(spec, target, treatment))
        wanted = sum(stage.flops(workshop, body) for stage in theirs)
        assert own.flops(workshop, body) == pytest.approx(wanted, rel=0.01)
        recipe, base = own.resolved(workshop, body), target.recipe
        assert recipe.steps > base.steps or name == "translate_train"
        assert -(-recipe.steps // recipe.evaluate_every) == -(-base.steps // base.evaluate_every)
        kept = {"steps": base.steps, "evaluate_every": base.evaluate_every}
        assert dataclasses.replace(recipe, **kept) == base  # warm-up and decay are shares of the steps
