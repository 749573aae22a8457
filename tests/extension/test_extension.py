"""Each axis grows by one file and one line: a study runs through toys that are defined outside the package.

conftest.py adds each toy to its tuple; nothing else in the package knows of them.
"""

import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest

from itt_jax import main, perturb, tasks
from itt_jax.analysis import analyse
from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.kinds import kind
from itt_jax.models import load_model, make_encoder, make_head
from itt_jax.report import write_report
from itt_jax.store import Store
from itt_jax.store.stages import find_stage
from itt_jax.study import describe
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.train import objectives, sharding
from itt_jax.train.checkpoint import save_checkpoint
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.optimizer import make_optimizer
from itt_jax.train.stage import TaskData, fine_tune
from itt_jax.train.step import summed_gradients
from tests.train.toy import step_of

pytestmark = pytest.mark.slow
ROUNDING = 2e-5  # of sums in another order, relative to the largest gradient
FORMS = (("clean", 0.0), ("stutter", 0.4), ("stutter", 1.0))


@pytest.fixture(scope="module")
def results(out) -> pd.DataFrame:
    return pd.read_parquet(out / "results.parquet")


@pytest.fixture(scope="module")
def last_stage(out) -> str:
    """The stage whose cells are those of the toy arm."""
    return find_stage(out, arm="dapt_then_itt").name


# --- Training


def redrawn(shapes, seed: int = 0):
    """Every parameter drawn: new biases are zero and would hide an error."""
    leaves, structure = jax.tree.flatten(shapes)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    return jax.tree.unflatten(
        structure, [0.2 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)]
    )


@pytest.fixture(scope="module")
def model(proverbs, data_root):
    """(head, examples, params): the toy head on the toy family, and the dev rows as the toy kind encodes them."""
    rows = tasks.load_rows(proverbs, "dev", "en", data_root)
    tokenizer = train_tokenizer(rows.fields["text"], "deep_sets", 120)
    examples = kind("ordinal").encode(proverbs, tokenizer, rows, 32)
    vocabulary = {"vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    encoder = make_encoder("deep_sets", layers=1, width=16, heads=1, feed_forward=32, **vocabulary)
    head = make_head(encoder, "cumulative", kind("ordinal").outputs(proverbs), "mean")
    return head, examples, redrawn({"encoder": encoder.shapes(), "heads": (head.shapes(),)})


def loss_and_gradient(head, params, batch):
    objective = objectives.named("small_heads").wrap(TaskObjective(head.encoder, head, 0, dropout=False))
    optimizer = make_optimizer(Recipe())
    step = jax.jit(lambda params, batch: summed_gradients(params, batch, jax.random.key(0), objective, optimizer))
    total, weight, gradients = step(params, step_of([batch]))
    return float(total / weight), jax.tree.map(lambda leaf: np.asarray(leaf / weight), gradients)


def test_packed_loss_and_gradient_equal_padded_and_a_plain_reference(model):
    head, examples, params = model
    indices = np.arange(4, 16)
    plan = packing.plan_rows(examples.lengths, len(indices), 32)
    packed = packing.pack_step(examples, indices, plan, len(indices))
    padded = packing.pad_step(examples, indices, 24, len(indices))
    assert packed.by_row["segment_ids"].max() > 1 and packed.row_shape[0] < padded.row_shape[0]
    found, expected = (loss_and_gradient(head, params, batch) for batch in (packed, padded))
    assert found[0] == pytest.approx(expected[0], rel=ROUNDING)
    assert found[0] == pytest.approx(reference_loss(params, examples, indices), rel=1e-4)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected[1]))
    for one, other in zip(jax.tree.leaves(found[1]), jax.tree.leaves(expected[1]), strict=True):
        np.testing.assert_allclose(one, other, atol=ROUNDING * largest, rtol=0)


def reference_loss(params, examples, indices) -> float:
    """The loss one example after the other, in float64 numpy."""
    from scipy.special import erf

    encoder, head = (jax.tree.map(np.float64, params[name]) for name in ("encoder", "heads"))
    layer, output, losses = encoder["layers"]["0"], head[0]["output"], []
    for index in indices:
        x = encoder["word"]["embedding"][examples.ids[slice(*examples.offsets[index : index + 2])]]
        both = np.concatenate([x, np.broadcast_to(x.mean(0), x.shape)], axis=1)
        inner = both @ layer["mlp_in"]["kernel"] + layer["mlp_in"]["bias"]
        inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
        x = x + inner @ layer["mlp_out"]["kernel"] + layer["mlp_out"]["bias"]
        x = (x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 1e-12)
        x = x * layer["norm"]["scale"] + layer["norm"]["bias"]
        logits = x.mean(0) @ output["kernel"] + output["bias"]
        signs = np.where(np.arange(len(logits)) < examples.labels[index], -1, 1)  # a yes is wanted below the label
        losses.append(np.logaddexp(0, signs * logits).sum())
    return float(np.mean(losses)) + 0.5 * sum(np.sum(leaf**2) for leaf in jax.tree.leaves(head))


def test_a_recipe_names_what_a_stage_minimises(model, proverbs):
    head, examples, params = model
    task = TaskData("proverbs", head, examples, kind("ordinal"), len(proverbs.labels))
    given = {"encoder": params["encoder"], "head": params["heads"][0]}
    recipe = Recipe(steps=1, batch_size=8, max_length=32, dropout=False)
    plain, penalised = (
        fine_tune(head.encoder, [task], None, given, dataclasses.replace(recipe, objective=name), 1e-3, 0)
        for name in ("plain", "small_heads")
    )
    squares = sum(float(np.sum(np.square(leaf))) for leaf in jax.tree.leaves(given["head"]))
    assert penalised.losses[0][1] - plain.losses[0][1] == pytest.approx(0.5 * squares, rel=1e-5)
    with pytest.raises(InputError, match="unknown objective 'small_head'; did you mean 'small_heads'"):
        fine_tune(head.encoder, [task], None, given, dataclasses.replace(recipe, objective="small_head"), 1e-3, 0)


def test_every_parameter_of_the_family_has_one_sharding_rule(model):
    stack = jax.tree.map(lambda leaf: leaf[None], model[2])
    found = sharding.partition("deep_sets", stack, sharding.make_mesh())
    assert sum("model" in str(leaf.spec) for leaf in jax.tree.leaves(found["encoder"])) == 3


def test_a_checkpoint_of_the_family_goes_to_hugging_face_names_and_back(model, tmp_path):
    encoder = model[0].encoder
    head = make_head(encoder, "classification", 3)
    params = redrawn({"encoder": encoder.shapes(), "head": head.shapes()}, 1)
    save_checkpoint(tmp_path / "ours", encoder, params, head, ("a", "b", "c"))
    assert main.main(["export", str(tmp_path / "ours"), str(tmp_path / "hf")]) == 0
    found, _, exported, labels = load_model(tmp_path / "hf")
    assert found.config == encoder.config and labels == ("a", "b", "c")
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["architectures"] == [
        "DeepSetsForSequenceClassification"
    ]
    assert jax.tree.structure(exported) == jax.tree.structure(params)
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(exported), jax.tree.leaves(params), strict=True))


# --- The study


def test_the_arm_has_its_stages_in_order(study, data_root, out):
    plan = make_plan(study, Material(study, data_root))
    chains = {}
    for stage_id, cells in plan.cells.items():
        stage, chain = plan.stages[stage_id], []
        while stage:
            chain.insert(0, stage)
            stage = stage.parent
        chains |= {cell.arm: chain for cell in cells}
    kinds = {arm: [stage.kind for stage in chain] for arm, chain in chains.items()}
    assert kinds == {
        "direct": ["pretraining", "target"],
        "itt": ["pretraining", "intermediate", "target"],
        "dapt_then_itt": ["pretraining", "adaptation", "intermediate", "target"],
    }
    made = [json.loads(line).get("id") for line in (out / "log.jsonl").read_text().splitlines()]
    places = [made.index(stage.id) for stage in chains["dapt_then_itt"]]
    assert places == sorted(places)
    assert {stage.training[0].task for stage in chains["dapt_then_itt"][2:3]} == {"sayings"}


def test_the_plan_knows_its_cost_and_what_is_done(study, data_root, out, tmp_path):
    done, fresh = (describe(study, folder, data_root).as_dict() for folder in (out, tmp_path / "nowhere"))
    assert done["cells_done"] == done["cells"] == 18 and fresh["cells_done"] == 0
    assert all(row["flops_missing"] == 0 for row in done["stages"])
    assert all(row["flops_missing"] > 0 for row in fresh["stages"])


def test_the_metric_is_that_of_the_stored_predictions(out, results):
    assert set(results["metric"]) == {"rank_error"}
    for row in results.itertuples():
        cell = Store(out).read_cell(row.cell)
        by_hand = sum(abs(p - r) / 2 for p, r in zip(cell["prediction"], cell["label"], strict=True)) / 24
        assert row.value == pytest.approx(by_hand)
        yes = [sum(score > 0 for score in scores) for scores in cell["scores"]]
        assert yes == cell["prediction"].tolist() and row.n == len(cell) == 24
    labels = Store(out).read_cell(results["cell"][0])["label"].to_numpy()
    assert results["chance"][0] == pytest.approx(min(np.abs(labels - rank).mean() / 2 for rank in range(3)))


def test_the_source_and_the_operator_reach_the_cell(out, results, data_root):
    for row in results.query("perturbation == 'stutter' and arm == 'dapt_then_itt'").itertuples():
        lines = (data_root / "proverbs" / f"test-{row.language}.txt").read_text(encoding="utf-8").splitlines()
        texts, labels = zip(*(line.removesuffix("]").split(" [") for line in lines), strict=True)
        ids = [f"proverbs/test/{row.language}-{i}" for i in range(24)]
        (variant,) = perturb.variants(list(texts), "stutter", [row.severity], row.language, 0, ids=ids, field="text")
        cell = Store(out).read_cell(row.cell)
        assert cell["item_id"].tolist() == ids
        assert cell["label"].tolist() == [("poor", "fair", "good").index(label) for label in labels]
        assert cell["changed"].tolist() == [a != b for a, b in zip(texts, variant.texts, strict=True)]
        assert row.n_changed == cell["changed"].sum() > 0
        assert row.edit_rate == pytest.approx(variant.edits.sum() / variant.clusters.sum())
    everywhere = results.query("severity == 1")
    assert (everywhere["n_changed"] == 24).all() and (everywhere["token_change_rate"] > 0).all()


def test_the_grid_is_complete(results):
    keys = ["arm", "language", "perturbation", "severity"]
    expected = {
        (arm, language, *form)
        for arm in ("direct", "itt", "dapt_then_itt")
        for language in ("en", "de")
        for form in FORMS
    }
    assert set(results[keys].itertuples(index=False, name=None)) == expected and len(results) == len(expected)


# --- Analysis, report, evaluate, list


def test_the_arm_is_compared_with_its_baseline_and_lower_is_better(out, results):
    analysis = analyse(out)
    pairs = set(analysis.primary[["arm", "baseline"]].itertuples(index=False, name=None))
    assert pairs == {("itt", "direct"), ("dapt_then_itt", "itt")}  # the catalogue's baseline of itt is not in the study
    gains = analysis.gains.query("arm == 'dapt_then_itt' and baseline == 'itt' and language != 'all'")
    values = results.set_index(["arm", "language", "perturbation", "severity"])["value"]
    compared = 0
    for row in gains.dropna(subset="severity").itertuples():
        place = (row.language, row.perturbation, row.severity)
        assert row.estimate == pytest.approx(values["itt", *place] - values["dapt_then_itt", *place])
        compared += 1
    assert compared >= 4


def test_the_report_shows_arm_and_metric(out):
    page = write_report(out).read_text(encoding="utf-8")
    assert "language modelling on domain text, the intermediate task, then the target" in page
    assert "dapt_then_itt" in page and "rank_error" in page and "stutter" in page


def test_evaluate_gives_the_cells_of_the_study(out, results, last_stage, data_root, tmp_path):
    arguments = ["--perturbations", "stutter:0.4,1.0", "--max-length", "32", "--data-root", str(data_root)]
    checkpoint = str(Store(out).checkpoint(last_stage))
    command = ["evaluate", "--checkpoint", checkpoint, "--task", "proverbs", "--out", str(tmp_path / "out")]
    assert main.main([*command, *arguments]) == 0
    keys = ["language", "perturbation", "severity"]
    figures = ["metric", "value", "chance", "n", "n_changed", "edit_rate", "token_change_rate"]
    tables = [pd.read_parquet(tmp_path / "out" / "results.parquet"), results.query("arm == 'dapt_then_itt'")]
    found, expected = (table.sort_values(keys)[keys + figures].reset_index(drop=True) for table in tables)
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("listed", "name"),
    [
        ("models", "deep_sets"),
        ("tasks", "proverbs"),
        ("kinds", "ordinal"),
        ("metrics", "rank_error"),
        ("perturbations", "stutter"),
        ("arms", "dapt_then_itt"),
    ],
)
def test_it_is_listed(proverbs, capsys, listed, name):
    assert main.main(["list", listed, "--json"]) == 0
    row = next(row for row in json.loads(capsys.readouterr().out) if row["name"] == name)
    assert row["summary"]
    assert main.main(["list", listed]) == 0
    assert name in capsys.readouterr().out
