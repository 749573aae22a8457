"""Whole runs: every arm, the grid, continuing, killing, and what the store holds."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from itt_jax import config, main, perturb, tasks
from itt_jax.analysis import analyse
from itt_jax.data.contamination import digests
from itt_jax.errors import InputError
from itt_jax.evaluate.distance import vocabulary_divergence
from itt_jax.monitor import Watcher
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.study import describe, run, stages
from itt_jax.study.material import Material
from itt_jax.study.plan import make_plan
from itt_jax.study.stages.workshop import Workshop
from itt_jax.train.checkpoint import load_checkpoint
from tests.system.runs import assert_same_cells, checkpoint_of

pytestmark = pytest.mark.slow  # whole studies

ARMS, SEEDS, TASKS, LANGUAGES, FORMS = 10, 2, 2, 2, 6


def test_grid_is_complete(tiny_run):
    _, out = tiny_run
    results = pd.read_parquet(out / "results.parquet")
    assert len(results) == ARMS * SEEDS * TASKS * LANGUAGES * FORMS
    keys = ["model", "arm", "task", "language", "perturbation", "severity", "replicate", "seed"]
    assert not results.duplicated(keys).any()
    assert not results["cell"].duplicated().any()
    on_dev_rows = pd.read_parquet(out / "selection.parquet")
    assert len(on_dev_rows) == ARMS * SEEDS * TASKS * LANGUAGES and set(on_dev_rows["split"]) == {"dev"}
    kept = [*results["cell"], *on_dev_rows["cell"]]
    assert sorted(Store(out).cells.ids()) == sorted(kept)
    places = TASKS * LANGUAGES * 2  # with those of dev rows
    assert len(list((out / "cells").glob("*.parquet"))) == ARMS * SEEDS * places
    assert set(results["n"]) == {24}
    clean = results.query("perturbation == 'clean'")
    assert clean[["n_changed", "edit_rate", "token_change_rate"]].eq(0).all(axis=None)
    assert (results.query("perturbation != 'clean'")["edit_rate"] > 0).all()
    assert results.groupby("language")["source_language"].first().to_dict() == {"de": False, "en": True}
    assert results.groupby("domain")["in_domain"].first().to_dict() == {"legal": False, "medical": True}


def test_cells_hold_what_was_predicted(tiny_run):
    _, out = tiny_run
    results = pd.read_parquet(out / "results.parquet")
    row = results.query("perturbation == 'swap' and severity == 0.3 and language == 'de'").iloc[0]
    cell = Store(out).read_cell(row["cell"])
    made_with = json.loads(pq.read_metadata(Store(out).cells.file(row["cell"])).metadata[b"provenance"])
    assert {"device", "precision"} < set(made_with) and "code" in made_with["versions"]
    rows = tasks.limit(tasks.load_rows(tasks.get(row["task"]), "test", "de"), 24)
    assert list(cell["item_id"]) == list(rows.item_ids)
    assert list(cell["label"]) == list(rows.labels)
    assert np.array_equal(cell["prediction"], np.argmax(np.stack(cell["scores"]), axis=1))
    assert row["value"] == pytest.approx(np.mean(cell["prediction"] == cell["label"]))
    changed = np.zeros(24, bool)
    for field, texts in rows.fields.items():
        noisy = perturb.perturb(
            texts, "swap", 0.3, "de", 0, ids=list(rows.item_ids), field=field, replicate=row["replicate"]
        )
        changed |= np.array([a != b for a, b in zip(texts, noisy, strict=True)])
    assert list(cell["changed"]) == list(changed)


def test_noise_is_the_same_for_every_model_and_arm(tiny_run):
    _, out = tiny_run
    results = pd.read_parquet(out / "results.parquet")
    by_form = results.groupby(["task", "language", "perturbation", "severity", "replicate"])
    assert (by_form[["n_changed", "edit_rate"]].nunique() == 1).all(axis=None)


def test_second_run_does_nothing(tiny_run):
    study, out = tiny_run
    tables = {path: path.read_bytes() for path in out.glob("*.parquet")}
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.parquet") if path not in tables}
    log = (out / "log.jsonl").read_text()
    assert run(study, out, quiet=True).made == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (out / "log.jsonl").read_text() == log
    assert {path: path.read_bytes() for path in tables} == tables
    assert {"results.parquet", "selection.parquet", "clusters.parquet"} <= {path.name for path in tables}


def test_plan_counts_what_is_done(tiny_run):
    study, out = tiny_run
    described = describe(study, out).as_dict()
    assert described["cells_done"] == described["cells"] == ARMS * SEEDS * TASKS * LANGUAGES * FORMS
    status = Watcher(out).look()
    assert status.is_made and status.cells_done == described["cells"]
    assert all(row["done"] == row["stages"] and row["flops_missing"] == 0 for row in described["stages"])
    fresh = describe(study, out.parent / "nowhere").as_dict()
    assert fresh["cells_done"] == 0 and all(row["flops_missing"] > 0 for row in fresh["stages"])
    assert not (out.parent / "nowhere").exists()


def test_arms_are_what_they_say(tiny_run):
    _, out = tiny_run
    records = Store(out).plan()["stages_done"]
    kinds = [record["kind"] for record in records]
    # direct's stage, on the same rows and recipe, is also the first of matched_steps; the study's own arm shares dapt's
    assert kinds.count("pretraining") == 1
    assert kinds.count("adaptation") == 2 * SEEDS
    assert kinds.count("intermediate") + kinds.count("target") == (ARMS + 4) * SEEDS
    assert {record["steps"] for record in records if record["arms"] == ["itt"]} == {6}
    assert all(record["learning_rate"] in (1e-3, 5e-4) for record in records if "learning_rate" in record)
    adaptations = [record["arms"] for record in records if record["kind"] == "adaptation"]
    assert sorted(adaptations) == [["dapt", "dapt_then_itt"]] * SEEDS + [["dapt_control"]] * SEEDS
    evaluated = [pair["arm"] for record in records for pair in record["evaluated_as"]]
    assert len(evaluated) == ARMS * SEEDS and {"dapt_then_itt", "direct", "matched_steps"} < set(evaluated)


def test_every_trained_stage_is_checked_on_dev_rows(tiny_run):
    _, out = tiny_run
    records = [record for record in Store(out).plan()["stages_done"] if record["used_by"]]
    assert all(record["dev_checks"] for record in records)
    several = [record for record in records if len(record["dev_checks"]) == 2]
    assert {tuple(record["arms"]) for record in several} == {("multitask_itt",)}
    losses = [check for record in records for check in record["dev_checks"] if check["metric"] == "loss"]
    assert len(losses) == 2 * SEEDS and all(check["dev"] > 0 for check in losses)
    assert {record["labels"] for record in records if record["arms"] == ["shuffled_itt"]} == {"own", "shuffled"}
    checks = analyse(out, smallest_effect=0.02).checks.set_index(["arm", "stage"])
    assert not checks.loc[("shuffled_itt", "intermediate"), "must_learn"].any()
    assert set(checks["seeds"]) == {SEEDS}


def test_flops_are_known_before_training_and_matched_to_half_a_step(tiny_run):
    study, out = tiny_run
    store, material = Store(out), Material(study)
    workshop, plan = Workshop(store, material, print), make_plan(study, material)
    root, *trained = plan.stages.values()
    counted = {stage.id: store.record(stage.id)["flops"] for stage in trained}
    body = root.body(workshop)
    assert {stage.id: stage.flops(workshop, body) for stage in trained} == pytest.approx(counted)
    controls = [stage for stage in trained if isinstance(stage, stages.MatchedFineTuning)]
    assert len(controls) == SEEDS
    for stage in controls:
        wanted, steps = sum(counted[own.id] for own in stage.matched), store.record(stage.id)["steps"]
        assert steps > 6 and abs(counted[stage.id] - wanted) <= 0.6 * counted[stage.id] / steps


def test_an_own_arm_is_analysed_by_its_own_baseline(tiny_run):
    _, out = tiny_run
    analysis = analyse(out, smallest_effect=0.02)
    assert {arm.name: arm.role for arm in analysis.arms}["dapt_then_itt"] == "treatment"
    pairs = set(zip(analysis.primary["arm"], analysis.primary["baseline"], strict=True))
    assert pairs == {
        ("itt", "matched_steps"),
        ("multitask_itt", "matched_steps"),
        ("dapt", "dapt_control"),
        ("translate_train", "direct"),
        ("dapt_then_itt", "itt"),
    }


def test_evaluate_gives_the_cells_of_the_study(tiny_run, tmp_path):
    _, out = tiny_run
    arguments = ["--perturbations", "swap:0.1,0.3", "keyboard:0.2", "--languages", "en", "de", "--rows", "24"]
    arguments += ["--task", "embedded_inference_medical", "--max-length", "64", "--out", str(tmp_path / "out")]
    assert main.main(["evaluate", "--checkpoint", str(checkpoint_of(out, "itt")), *arguments]) == 0
    where = "arm == 'itt' and seed == 0 and replicate == 0 and task == 'embedded_inference_medical'"
    assert_same_cells(tmp_path / "out", out, where, ["value", "n_changed", "edit_rate", "token_change_rate"])
    assert (Store(tmp_path / "out").report / "index.html").is_file()


def test_checkpoints_remember_what_they_saw(tiny_run):
    _, out = tiny_run
    seen = load_checkpoint(checkpoint_of(out, "itt")).seen
    task = tasks.get("embedded_inference_medical")
    trained = digests(tasks.limit(tasks.load_rows(task, "train", "en"), 40))
    for own, found in ((trained.fields, seen.fields), (trained.inputs, seen.inputs)):
        assert np.isin(own, found).mean() > 0.5  # all but those that are evaluated
    assert not seen.overlaps(digests(tasks.load_rows(task, "test", "de")), "any_field")


def test_killed_run_goes_on_and_gives_the_same_bytes(tiny_run, tiny_config, tmp_path):
    study, whole = tiny_run
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "itt_jax.main", "run", "--config", str(tiny_config), "--out", str(out), "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    deadline = time.time() + 300
    while time.time() < deadline and process.poll() is None:
        if (out / "cells").is_dir() and len(list((out / "cells").glob("*.parquet"))) > 5:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path.name: path.read_bytes() for path in (out / "cells").glob("*.parquet")}
    assert 5 < len(done) < len(list((whole / "cells").glob("*.parquet")))
    run(study, out, quiet=True)
    assert all((out / "cells" / name).read_bytes() == content for name, content in done.items())
    for path in [*(whole / "cells").iterdir(), whole / "results.parquet", whole / "selection.parquet"]:
        assert (out / path.relative_to(whole)).read_bytes() == path.read_bytes(), path.name


def test_stages_of_a_cache_give_the_same_bytes(tiny_run, tmp_path, capsys):
    """Files of cells are named by the checksum of their bytes."""
    study, whole = tiny_run
    cache, store, out = StageCache(tmp_path / "cache", "float32"), Store(whole), tmp_path / "out"
    for record in store.records():
        cache.add(record["id"], record, store.checkpoint(record["id"]))
    small = dataclasses.replace(study, arms=("direct", "itt"), seeds=(1,))
    assert describe(small, out, cache=cache.folder).cached[0] == 4
    assert run(small, out, cache=cache.folder).made > 0
    assert capsys.readouterr().err.count("taken from the cache") == 4
    names, known = ({path.name for path in (own / "cells").glob("*.parquet")} for own in (out, whole))
    assert names and names <= known


def test_out_of_another_study_is_refused(tiny_run, tiny_config):
    _, out = tiny_run
    other = config.load(tiny_config, ["name=other", "encoders.bert.seed=5"])
    with pytest.raises(InputError, match="holds study 'tiny', with which study 'other' has no stage in common"):
        run(other, out, quiet=True)


def test_distances_between_domains_are_stored(tiny_run):
    """Both domains' rows in each language are told apart by their words and by the pretrained encoder."""
    study, out = tiny_run
    table = Store(out).tables.distances()
    assert table[["model", "target", "domain", "task", "language"]].to_numpy().tolist() == [
        ["bert", "inference", "legal", "embedded_inference_legal", language] for language in study.languages
    ]
    rows = [
        tasks.limit(tasks.load_rows(tasks.get(f"embedded_inference_{d}"), "test", "de"), 24)
        for d in ("medical", "legal")
    ]
    texts = [[" ".join(own) for own in zip(*side.fields.values(), strict=True)] for side in rows]
    assert table["vocabulary_divergence"].iloc[1] == pytest.approx(vocabulary_divergence(*texts, "de"))
    assert table["proxy_a_distance"].between(0, 2).all()
    assert (table["rows"] == 24).all()


def test_two_targets_that_train_alike_share_the_stage_and_keep_their_cells(tiny_config, tmp_path):
    study = config.load(tiny_config, ['arms=["direct"]', "seeds=0", "perturbations=[]"])
    first = dataclasses.replace(study.targets[0], train_split="train[0%:90%]", dev_split="train[90%:]")
    other = dataclasses.replace(first, name="on dev", test_split="dev", evaluate=(first.train,))
    results = run(dataclasses.replace(study, targets=(first, other)), tmp_path / "out", quiet=True).to_pandas()
    assert results.groupby("target")["split"].unique().map(list).to_dict() == {"inference": ["test"], "on dev": ["dev"]}
    assert results["cell"].is_unique and len(results) == 6


def test_stages_that_train_alike_train_together_where_asked(tiny_run, tmp_path):
    """A stack makes the same stages and cells under the same names; its runs share one stream of evaluation.

    This run also writes a trace.
    """
    study, whole = tiny_run
    out = tmp_path / "stacked"
    chosen = dataclasses.replace(study, arms=("direct", "itt", "matched_steps"))
    results = run(chosen, out, quiet=True, stack=4, profile=True)
    assert any(path.is_file() for path in (out / "profile").rglob("*"))
    assert results.made == results.cells
    ids = set(Store(out).cells.ids())
    assert ids and ids <= Store(whole).cells.ids()
    records = Store(out).plan()["stages_done"]
    tuned = [record for record in records if record["kind"] in ("target", "intermediate")]
    assert tuned and all(record["stack"] == 4 for record in tuned)  # two seeds, two learning rates
    assert {record["id"] for record in tuned} <= {path.name for path in (whole / "stages").iterdir()}
