"""Studies of tagging and choice: a tiny encoder learns, every table is made, `evaluate` gives the same cells."""

import json

import pandas as pd
import pytest

from itt_jax import config, main
from itt_jax.analysis import analyse
from itt_jax.store import Store
from itt_jax.study import describe, run

STUDY = """
from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target

RECIPE = Recipe(steps=120, batch_size=32, learning_rates=(4e-3,), max_length=LENGTH, dropout=False)
SHORT = Recipe(steps=4, batch_size=16, learning_rates=(4e-3,), max_length=LENGTH)
study = Study(
    name="kinds",
    encoders=(
        EncoderSpec(
            "bert", "bert", layers=1, width=32, heads=2, feed_forward=64, vocabulary_size=2000,
            corpus=(CORPUS,), pooling="max_mean", pair_features=True,
        ),
    ),
    targets=(TARGET,),
    arms=("direct", "itt", "shuffled_itt"),
    perturbations=(Perturbation("swap", (0.2,)), Perturbation("word_drop", (0.3,))),
    seeds=(0,),
    languages=("en", "de"),
    evaluation_rows=60,
    max_length=LENGTH,
)
"""
TARGETS = {
    "token_classification": """Target(
        "entities", train="embedded_entities_general",
        evaluate=("embedded_entities_general", "embedded_entities_legal"),
        intermediate=("embedded_entities_medical",), intermediate_rows=60, dev_rows=40,
        recipe=RECIPE, intermediate_recipe=SHORT,
    )""",
    "multiple_choice": """Target(
        "causes", train="embedded_causes_general", intermediate=("embedded_causes_general",), intermediate_rows=60,
        dev_rows=40, recipe=RECIPE, intermediate_recipe=SHORT,
    )""",
}
CORPORA = {"token_classification": "task:embedded_entities_general", "multiple_choice": "task:embedded_causes_general"}
LENGTHS = {"token_classification": 24, "multiple_choice": 64}
PLACES = {"token_classification": 2 * 2, "multiple_choice": 2}  # tasks and languages


@pytest.fixture(scope="module", params=TARGETS)
def kind_run(request, tmp_path_factory):
    """(kind, study, out) of a whole run."""
    folder = tmp_path_factory.mktemp(request.param)
    text = STUDY.replace("TARGET,", TARGETS[request.param] + ",").replace("LENGTH", str(LENGTHS[request.param]))
    (folder / "config.py").write_text(text.replace("CORPUS", f'Corpus("{CORPORA[request.param]}")'))
    study = config.load(folder / "config.py")
    results = run(study, folder / "out", quiet=True)
    assert results.made == results.cells == 3 * PLACES[request.param] * 3
    return request.param, study, folder / "out"


def test_a_tiny_encoder_is_above_chance_in_the_source_language(kind_run):
    _, _, out = kind_run
    results = pd.read_parquet(out / "results.parquet")
    home = results.query("language == 'en' and perturbation == 'clean' and in_domain and arm == 'direct'").iloc[0]
    assert home["value"] > home["chance"] + 0.2, home[["value", "chance"]]
    noisy = results.query("language == 'en' and perturbation == 'swap' and in_domain and arm == 'direct'").iloc[0]
    assert noisy["value"] < home["value"]


def test_the_analysis_has_every_table_and_agrees_with_the_store(kind_run):
    kind, study, out = kind_run
    analysis = analyse(out)
    assert not analysis.cells["differs"].any() and len(analysis.cells) == 9 * PLACES[kind]
    assert len(analysis.primary) and len(analysis.interactions) and len(analysis.gaps)
    assert (analysis.cells["ci_low"] <= analysis.cells["value"]).all()
    described = describe(study, out).as_dict()
    assert described["cells_done"] == described["cells"] == 9 * PLACES[kind]


def test_words_that_were_dropped_take_their_tags_along(kind_run):
    kind, _, out = kind_run
    if kind != "token_classification":
        pytest.skip("of tagging")
    results = pd.read_parquet(out / "results.parquet")
    assert (results.query("perturbation != 'word_drop'")["n_words_lost"] == 0).all()
    dropped = results.query("perturbation == 'word_drop'")
    assert (dropped["n_words_lost"] > 0).all()
    clean = results.query("perturbation == 'clean'").iloc[0]
    for row in (clean, dropped.iloc[0]):
        cell = pd.read_parquet(out / "cells" / f"{row['cell']}.parquet")
        assert sum(map(len, cell["label"])) == sum(map(len, cell["prediction"])) == sum(map(len, cell["scores"]))
    numbers = pd.read_parquet(out / "cells" / f"{clean['cell']}.parquet")["word"]
    assert sum(map(len, numbers)) - sum(map(len, cell["word"])) == dropped.iloc[0]["n_words_lost"]


def test_evaluate_gives_the_cells_of_the_study(kind_run, tmp_path, capsys):
    kind, study, out = kind_run
    plan = json.loads((out / "plan.json").read_text())
    stage = next(r for r in plan["stages_done"] if r["kind"] == "target" and r["arm"] == "direct")
    task = study.targets[0].train
    arguments = ["--checkpoint", str(Store(out).checkpoint(stage["id"])), "--task", task, "--rows", "60"]
    arguments += ["--perturbations", "swap:0.2", "word_drop:0.3", "--languages", "en", "de"]
    arguments += ["--max-length", str(LENGTHS[kind])]
    assert main.main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    keys = ["language", "perturbation", "severity", "metric", "value", "chance", "n", "n_changed", "edit_rate"]
    ours = pd.read_parquet(tmp_path / "out" / "results.parquet")[keys]
    expected = pd.read_parquet(out / "results.parquet").query("arm == 'direct' and task == @task")[keys]
    order = ["language", "perturbation"]
    pd.testing.assert_frame_equal(
        ours.sort_values(order).reset_index(drop=True), expected.sort_values(order).reset_index(drop=True)
    )
