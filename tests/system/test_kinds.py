"""Studies of tagged words and of choices: a tiny encoder learns, tables are made, `evaluate` gives the same cells."""

import pytest

from itt_jax import main
from itt_jax.analysis import analyse
from itt_jax.config import Perturbation, Recipe, Study, Target
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study import describe, run
from tests.system.runs import assert_same_cells, checkpoint_of, encoder

pytestmark = pytest.mark.slow


def study(target: Target, length: int) -> Study:
    """One target, for a tiny encoder made on its training texts."""
    return Study(
        name="kinds",
        encoders=(encoder(f"task:{target.train}", 2000, pooling="max_mean", pair_features=True),),
        targets=(target,),
        arms=("direct", "itt", "shuffled_itt"),
        perturbations=(Perturbation("swap", (0.2,)), Perturbation("word_drop", (0.3,))),
        seeds=(0,),
        languages=("en", "de"),
        evaluation_rows=60,
        max_length=length,
    )


def target(name: str, train: str, length: int, **fields) -> Target:
    """A target that is learned, after an intermediate stage that only runs."""
    recipe = Recipe(steps=120, batch_size=32, learning_rates=(4e-3,), max_length=length, dropout=False)
    short = Recipe(steps=4, batch_size=16, learning_rates=(4e-3,), max_length=length)
    rows = {"intermediate_rows": 60, "dev_rows": 40}
    return Target(name, train=train, recipe=recipe, intermediate_recipe=short, **rows, **fields)


STUDIES = {
    "token_classification": study(
        target(
            "entities",
            "embedded_entities_general",
            24,
            evaluate=("embedded_entities_general", "embedded_entities_legal"),
            intermediate=("embedded_entities_medical",),
        ),
        24,
    ),
    "multiple_choice": study(
        target("causes", "embedded_causes_general", 64, intermediate=("embedded_causes_general",)), 64
    ),
}
PLACES = {"token_classification": 2 * 2, "multiple_choice": 2}  # tasks and languages


@pytest.fixture(scope="module", params=STUDIES)
def kind_run(request, tmp_path_factory):
    """(kind, study, out) of a whole run."""
    out = tmp_path_factory.mktemp(request.param) / "out"
    results = run(STUDIES[request.param], out, quiet=True)
    assert results.made == results.cells == 3 * PLACES[request.param] * 3
    return request.param, STUDIES[request.param], out


def test_a_tiny_encoder_is_above_chance_in_the_source_language(kind_run):
    _, _, out = kind_run
    results = read_results(out)
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
        pytest.skip("of tagged words")
    results = read_results(out)
    assert (results.query("perturbation != 'word_drop'")["n_words_lost"] == 0).all()
    dropped = results.query("perturbation == 'word_drop'")
    assert (dropped["n_words_lost"] > 0).all()
    clean = results.query("perturbation == 'clean'").iloc[0]
    for row in (clean, dropped.iloc[0]):
        cell = Store(out).read_cell(row["cell"], ("label", "prediction", "scores", "word"))
        assert sum(map(len, cell["label"])) == sum(map(len, cell["prediction"])) == sum(map(len, cell["scores"]))
    numbers = Store(out).read_cell(clean["cell"], ("word",))["word"]
    assert sum(map(len, numbers)) - sum(map(len, cell["word"])) == dropped.iloc[0]["n_words_lost"]


def test_evaluate_gives_the_cells_of_the_study(kind_run, tmp_path, capsys):
    _, study, out = kind_run
    task = study.targets[0].train
    arguments = ["--checkpoint", str(checkpoint_of(out, "direct")), "--task", task, "--rows", "60"]
    arguments += ["--perturbations", "swap:0.2", "word_drop:0.3", "--languages", "en", "de"]
    arguments += ["--max-length", str(study.max_length)]
    assert main.main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    columns = ["metric", "value", "chance", "n", "n_changed", "edit_rate"]
    assert_same_cells(tmp_path / "out", out, f"arm == 'direct' and task == {task!r}", columns)
