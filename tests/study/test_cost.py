"""Costs: only what is missing counts; checkpoints that are not kept need no lasting space."""

import dataclasses
import shutil

import jax
import numpy as np
import pytest

from itt_jax.config import Adversary, Perturbation, Recipe
from itt_jax.errors import InputError
from itt_jax.models import export, make_encoder
from itt_jax.store import Store
from itt_jax.study import describe
from itt_jax.study.cost import missing_cost, parameter_count, sized_encoder
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import make_plan
from tests.study.studies import INFERENCE, STUDY

STUDY_ITT = dataclasses.replace(
    STUDY, targets=(INFERENCE,), arms=("direct", "itt"), perturbations=(Perturbation("swap", (0.1,)),)
)


@pytest.fixture(scope="module")
def planned():
    material = Material(STUDY_ITT)
    return make_plan(STUDY_ITT, material), material


def test_only_what_is_missing_counts(planned, tmp_path):
    plan, material = planned
    store = Store(tmp_path)
    whole = missing_cost(plan, material, store)
    assert whole.training.keys() == plan.stages.keys() and whole.evaluation.keys() == plan.cells.keys()
    assert whole.cells == len(plan.all_cells()) and whole.flops > 0
    done = next(iter(plan.stages))
    store.write_record(done, {"id": done})
    store.checkpoint(done).mkdir()
    cell = plan.all_cells()[0].cell
    store.cells.write([({"cell": cell}, {"item_id": ["a"]})])
    rest = missing_cost(plan, material, store)
    assert rest.training == {name: flops for name, flops in whole.training.items() if name != done}
    assert rest.cells == whole.cells - 1 and rest.disk.kept < whole.disk.kept
    assert sum(rest.evaluation.values()) < sum(whole.evaluation.values())


def test_attacks_count_as_many_queries_as_they_took_on_other_models(tmp_path):
    study = dataclasses.replace(STUDY, seeds=(0, 1, 2), attacks=(Adversary("deepwordbug", budget=40, rows=4),))
    material, store = Material(study), Store(tmp_path)
    plan = make_plan(study, material)
    whole = missing_cost(plan, material, store)
    names = {f"attack deepwordbug, embedded_sentiment_legal {language}" for language in ("en", "de")}
    assert whole.attacks.keys() == whole.at_most == names and 0 < whole.queries <= 3 * 2 * 4 * 40
    english = next(name for name in names if name.endswith("en"))
    cell, *others = (cell for cell in plan.all_cells() if cell.attack and plan.attacked[cell.cell].work == english)
    own = plan.attacked[cell.cell]
    store.attack(own.run(cell.stage)).write_summary([{"queries": 5.0, "attacked": 3, "skipped": 1}])
    rest = missing_cost(plan, material, store)
    assert rest.at_most == names - {english}
    assert whole.queries - rest.queries == pytest.approx(own.queries + 2 * (own.queries - 16))
    one, other = (rest.attacks[english][found.stage] for found in (cell, others[0]))
    assert other / one == pytest.approx((16 + 8) / 8)  # of the finished one, only the cell's texts are to be predicted
    assert rest.attacks.keys() == names and rest.flops < whole.flops


def test_fewer_checkpoints_need_less_space(planned, tmp_path):
    plan, material = planned
    space = {}
    for saved in ("all", "target", "none"):
        study = dataclasses.replace(plan.study, save_checkpoints=saved)
        space[saved] = missing_cost(dataclasses.replace(plan, study=study), material, Store(tmp_path)).disk.kept
    one = 4 * parameter_count(sized_encoder(STUDY.encoders[0])) + 1e6
    assert space["all"] - space["target"] == pytest.approx(one)  # the intermediate stage
    assert space["target"] - space["none"] == pytest.approx(2 * one)


def test_temporary_states_count_once_and_are_not_kept(planned, tmp_path):
    plan, material = planned
    store, one = Store(tmp_path), 4 * parameter_count(sized_encoder(STUDY.encoders[0])) + 1e6
    short = missing_cost(plan, material, store).disk
    assert short.temporary == 0 and short.peak == short.kept
    recipe = Recipe(steps=20, checkpoint_every=5, learning_rates=(1e-3, 1e-4))
    stages = {
        name: dataclasses.replace(stage, recipe=recipe) if stage.kind == "target" else stage
        for name, stage in plan.stages.items()
    }
    long = dataclasses.replace(plan, stages=stages)
    disk = missing_cost(long, material, store).disk
    # The states of two rates, and the second version of one; two targets train one after the other.
    assert disk.kept == short.kept and disk.temporary == pytest.approx(3 * 4 * one)
    last = list(stages)[-1]
    cells = sum(
        5e3 + 30 * len(material.rows(Selection(*cell.place, 5))) for cell in (*plan.cells[last], *plan.signal[last])
    )
    assert disk.peak == pytest.approx(disk.kept - one - cells + disk.temporary)
    for done in list(stages)[:1] + [name for name, stage in stages.items() if stage.kind == "intermediate"]:
        store.write_record(done, {"id": done})
        store.checkpoint(done).mkdir()
    assert missing_cost(long, material, store).disk.temporary == pytest.approx(3 * 4 * one)
    assert missing_cost(long, material, store, together=2).disk.temporary == pytest.approx(5 * 4 * one)
    disk = missing_cost(long, material, store).disk
    state = store.stage(last) / "rate-0.001" / "resume-5"
    state.mkdir(parents=True)
    (state / "tree").write_bytes(bytes(10**5))
    assert missing_cost(long, material, store).disk.peak == pytest.approx(disk.peak - 10**5)


def test_a_checkpoint_that_is_not_kept_takes_space_until_its_children_are_made(planned, tmp_path):
    plan, material = planned
    one = 4 * parameter_count(sized_encoder(STUDY.encoders[0])) + 1e6
    study = dataclasses.replace(plan.study, save_checkpoints="target")
    disk = missing_cost(dataclasses.replace(plan, study=study), material, Store(tmp_path)).disk
    assert disk.temporary == pytest.approx(one)  # the intermediate stage's
    study = dataclasses.replace(plan.study, save_checkpoints="none")
    assert missing_cost(dataclasses.replace(plan, study=study), material, Store(tmp_path)).disk.temporary < 2.5 * one


def test_every_learning_rate_costs(planned):
    plan, material = planned
    stage = next(stage for stage in plan.stages.values() if stage.kind == "target")
    twice = dataclasses.replace(stage, recipe=dataclasses.replace(stage.recipe, learning_rates=(1e-3, 1e-4)))
    assert twice.training_tokens(material) == 2 * stage.training_tokens(material)
    assert (stage.resumable_runs, twice.resumable_runs) == (0, 0)
    long = Recipe(steps=2000, checkpoint_every=500, learning_rates=(1e-3, 1e-4))
    assert dataclasses.replace(stage, recipe=long).resumable_runs == 2


def test_a_plan_says_how_long_the_controls_for_compute_are(tmp_path):
    study = dataclasses.replace(STUDY_ITT, arms=("direct", "itt", "matched_compute"), seeds=(0, 1))
    described = describe(study, tmp_path / "out")
    (own,) = described.matched
    assert (own.encoder, own.target, own.arm) == ("bert", "inference", "matched_compute")
    assert own.target_steps < own.steps < 4 * own.target_steps and own.flops > 0
    (line,) = [line for line in described.text().splitlines() if "matched_compute" in line]
    assert f"about {own.steps:,} steps (the target stage alone: {own.target_steps:,})" in line
    assert described.as_dict()["matched_compute"] == [dataclasses.asdict(own)]


def test_the_size_of_a_given_checkpoint_is_known(tmp_path):
    encoder = make_encoder("bert", layers=1, width=16, heads=2, feed_forward=32, vocabulary_size=50)
    params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), encoder.shapes())
    export(tmp_path, encoder, params)
    spec = dataclasses.replace(STUDY.encoders[0], checkpoint=str(tmp_path))
    assert parameter_count(sized_encoder(spec)) == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_a_disk_that_is_too_small_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10**9, 10**9 - 10**5, 10**5))
    with pytest.raises(InputError, match=r"has 100 kB free, expected .* MB"):
        describe(STUDY_ITT, tmp_path / "out")
    assert not list(tmp_path.iterdir())
