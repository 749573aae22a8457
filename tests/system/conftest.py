"""A tiny study on embedded material, run once."""

import pytest

TINY = """
from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target
from itt_jax.study.arms import Adapt, Arm, FineTune

# Padded rows of one shape, so that all fine-tunings of one task share a compiled program.
SHORT = Recipe(
    steps=6, batch_size=16, learning_rates=(1e-3, 5e-4), max_length=64, evaluate_every=3, packed=False,
)
DAPT_THEN_ITT = Arm(
    "dapt_then_itt", "language modelling on domain text, then itt", baseline="itt",
    stages=(Adapt("domain"), FineTune("intermediate"), FineTune("target")),
)
study = Study(
    name="tiny",
    encoders=(
        EncoderSpec(
            "bert", "bert", layers=1, width=16, heads=2, feed_forward=32, vocabulary_size=400,
            corpus=(Corpus("embedded", tuples=300),),
            pretraining=LanguageModel(
                recipe=Recipe(steps=4, learning_rates=(1e-3,), max_length=64, keep="last"),
                translation_share=0.5, initial_embeddings="parallel",
            ),
            pooling="max_mean", pair_features=True,
        ),
    ),
    targets=(
        Target(
            "inference", train="embedded_inference_medical",
            evaluate=("embedded_inference_medical", "embedded_inference_legal"),
            train_rows=40, intermediate=("embedded_inference_general", "embedded_inference_legal"),
            intermediate_rows=60, dev_rows=20, recipe=SHORT, intermediate_recipe=SHORT,
            domain_text=("embedded_inference_medical",), general_text=("embedded_inference_general",),
            adaptation=LanguageModel(recipe=Recipe(steps=3, learning_rates=(1e-3,), max_length=64, keep="last")),
        ),
    ),
    arms=(
        "direct", "itt", "multitask_itt", "matched_steps", "matched_compute", "shuffled_itt", "dapt", "dapt_control",
        "translate_train", DAPT_THEN_ITT,
    ),
    perturbations=(Perturbation("swap", (0.1, 0.3), replicates=2), Perturbation("keyboard", (0.2,))),
    seeds=(0, 1),
    languages=("en", "de"),
    evaluation_rows=24,
    max_length=64,
)
"""


@pytest.fixture(scope="session")
def tiny_config(tmp_path_factory):
    path = tmp_path_factory.mktemp("config") / "tiny.py"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def tiny_run(tiny_config, tmp_path_factory):
    """(study, out) after a whole run."""
    from itt_jax import config
    from itt_jax.study import run

    study = config.load(tiny_config)
    out = tmp_path_factory.mktemp("out") / "tiny"
    results = run(study, out, quiet=True)
    assert results.made == results.cells
    return study, out
