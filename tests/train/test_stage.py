"""Whole stages: they learn, resume to the same bits, keep the best, mix tasks, and report what went wrong."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import files, kinds
from itt_jax.config import Recipe
from itt_jax.data.order import step_indices
from itt_jax.errors import InputError
from itt_jax.metrics import metric
from itt_jax.train import loop, resume
from itt_jax.train.counters import mixture
from itt_jax.train.flops import forward_flops
from itt_jax.train.jobs import total_steps
from itt_jax.train.predict import predict
from itt_jax.train.resume import Resume, forget_resume, interrupted_at
from itt_jax.train.stage import fine_tune
from tests.train.toy import FAMILIES, killed_after, same, tiny_encoder, toy_task

RECIPE = Recipe(steps=60, batch_size=16, max_length=32, evaluate_every=20, checkpoint_every=25)


@pytest.fixture(scope="module")
def bert():
    encoder = tiny_encoder("bert")
    return encoder, {"encoder": encoder.init(jax.random.key(0))}, toy_task(encoder, 300), toy_task(encoder, 100, 1)


@pytest.fixture(scope="module")
def uninterrupted(bert):
    encoder, params, task, dev = bert
    return fine_tune(encoder, [task], dev, params, RECIPE, 3e-3, seed=3)


def test_a_stage_learns_and_leaves_its_input_alone(bert, uninterrupted):
    encoder, params = bert[:2]
    losses = [loss for _, loss in uninterrupted.losses]
    assert losses[-1] < 0.75 * losses[0]
    assert max(score for _, score in uninterrupted.dev_history) > 0.75
    assert same(params, {"encoder": encoder.init(jax.random.key(0))})
    assert [step for step, _ in uninterrupted.dev_history] == [20, 40, 60]
    assert uninterrupted.steps == 60 and not uninterrupted.diverged


def test_the_best_dev_evaluation_is_kept(bert, uninterrupted):
    encoder, _, task, dev = bert
    best = max(score for _, score in uninterrupted.dev_history)
    assert dict(uninterrupted.dev_history)[uninterrupted.best_step] == best
    scores = predict(encoder, task.head, uninterrupted.params, dev.examples)
    assert metric("accuracy").score(scores.argmax(1), dev.examples.labels) == best


def test_counts_are_of_real_tokens(bert, uninterrupted):
    encoder, _, task, _ = bert
    lengths = np.concatenate([task.examples.lengths[step_indices(300, 16, 3, step)] for step in range(60)])
    assert uninterrupted.tokens == lengths.sum()
    assert uninterrupted.flops == pytest.approx(3 * forward_flops(encoder, lengths))
    assert 0.5 < uninterrupted.packing_efficiency <= 1
    # 4 D D of attention and 2 D F of feed-forward
    assert tiny_encoder("bert").config.matmul_parameters == 4 * 32 * 32 + 2 * 32 * 64


@pytest.mark.parametrize("killed_at", [10, 41])
def test_a_killed_stage_resumes_to_the_same_bits(bert, uninterrupted, tmp_path, killed_at):
    encoder, params, task, dev = bert
    with killed_after(killed_at):
        fine_tune(encoder, [task], dev, params, RECIPE, 3e-3, 3, directory=tmp_path)
    told = []
    resumed = fine_tune(
        encoder, [task], dev, params, RECIPE, 3e-3, 3, tmp_path, progress=lambda *about: told.append(about)
    )
    first = 1 if killed_at == 10 else 26
    assert [done for done, _, values in told if not values] == list(range(first, 61))  # every step
    assert next(done for done, _, values in told if values) == (20 if killed_at == 10 else 40)
    assert same(resumed.params, uninterrupted.params)
    whole, again = dataclasses.asdict(uninterrupted), dataclasses.asdict(resumed)
    for name in ("params", "heads", "seconds", "compile_seconds"):
        del whole[name], again[name]
    assert whole == again
    assert [path.name for path in tmp_path.iterdir()] == ["resume-50"]
    assert interrupted_at(tmp_path) == 50
    forget_resume(tmp_path)
    assert not list(tmp_path.iterdir()) and interrupted_at(tmp_path) is None


@pytest.mark.slow
def test_a_stage_that_ran_out_of_memory_goes_on_with_remat(bert, tmp_path):
    encoder, params, task, dev = bert
    with killed_after(41):
        fine_tune(encoder, [task], dev, params, RECIPE, 3e-3, 3, directory=tmp_path)
    told, lean = [], dataclasses.replace(encoder, remat=True, scan_layers=True)
    task, dev = (dataclasses.replace(own, head=dataclasses.replace(own.head, encoder=lean)) for own in (task, dev))
    fine_tune(lean, [task], dev, params, RECIPE, 3e-3, 3, tmp_path, progress=lambda *about: told.append(about))
    assert told[0][0] == 26


def test_a_worker_that_lost_its_stage_saves_nothing(tmp_path):
    Resume(tmp_path, "own").save(5, {"x": np.zeros(1)}, {})
    lost = Resume(tmp_path, "own", lambda: True)
    lost.save(10, {"x": np.zeros(1)}, {})
    lost.save_round(1, {})
    assert interrupted_at(tmp_path) == 5 and lost.round(1) is None


def test_the_state_of_another_stage_is_refused(bert, tmp_path):
    encoder, params, task, dev = bert
    Resume(tmp_path, "another").save(5, {"x": np.zeros(1)}, {})
    with pytest.raises(InputError, match="belongs to another stage"):
        fine_tune(encoder, [task], dev, params, RECIPE, 3e-3, 3, tmp_path)


def test_records_of_states_that_are_not_ours_are_named(bert, tmp_path, monkeypatch):
    encoder, params, task, dev = bert
    state = Resume(tmp_path / "a", "own")
    for record, message in (("[]", "expected a JSON object"), ("{", "not JSON"), ("{}", "belongs to another stage")):
        state.save(5, {"x": np.zeros(1)}, {})
        (tmp_path / "a" / "resume-5" / "record.json").write_text(record)
        files.write_manifest(tmp_path / "a" / "resume-5")
        with pytest.raises(InputError, match=f"resume-5.*{message}"):
            state.record()
    monkeypatch.setattr(Resume, "record", lambda self: (5, {"grafted": 1}))
    with pytest.raises(InputError, match=r"resume-5/record.json: .*'grafted'; remove it"):
        fine_tune(encoder, [task], dev, params, RECIPE, 3e-3, 3, directory=tmp_path)


@pytest.mark.parametrize("damage", ["flipped", "no manifest"])
def test_a_damaged_state_is_removed_and_said(tmp_path, caplog, damage):
    state = Resume(tmp_path, "own")
    state.save(5, {"x": np.zeros(1)}, {"losses": [1.0]})
    assert state.record() == (5, {"losses": [1.0]}) and not caplog.messages
    name = "record.json" if damage == "flipped" else files.MANIFEST
    path = tmp_path / "resume-5" / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2")) if damage == "flipped" else path.unlink()
    assert state.record() is None and not list(tmp_path.iterdir())
    (line,) = caplog.messages
    assert line.startswith(f"{tmp_path / 'resume-5'}") and line.endswith("removed, and its steps are trained again")


def test_a_state_of_other_devices_or_versions_goes_on_and_is_named(tmp_path, caplog, monkeypatch):
    def on(device, code, jax="0.10"):
        own = {"device": device, "versions": {"code": code, "jax": jax}}
        monkeypatch.setattr(resume, "made_with", lambda: own)
        return own

    state, first = Resume(tmp_path, "own"), on("1 x cpu", "a1 (commit 1)")
    state.save(5, {"x": np.zeros(1)}, {})
    on("1 x cpu", "a1 (commit 2, with changes)")  # in files that make no results
    assert state.record() == (5, {}) and not caplog.messages
    second = on("2 x cpu", "a1 (commit 1)")
    _, record = state.record()
    state.save(10, {"x": np.zeros(1)}, record)
    on("2 x cpu", "b2", "0.11")
    assert state.record()[1] == {"interrupted": [{"steps": 5, **first}, {"steps": 10, **second}]}
    lines = [line.removeprefix(f"{tmp_path}/resume-") for line in caplog.messages]
    assert lines[0] == "5: trained with 1 x cpu until here, and from here with 2 x cpu"
    before, after = "2 x cpu, code a1 (commit 1), jax 0.10", "2 x cpu, code b2, jax 0.11"
    assert lines[1:] == [f"10: trained with {before} until here, and from here with {after}"]


def test_only_numbered_folders_are_states(tmp_path):
    (tmp_path / "resume-old").mkdir()
    assert interrupted_at(tmp_path) is None and Resume(tmp_path, "own").record() is None


@pytest.mark.parametrize("content", ["", "[]", '{"fingerprint": "own"}', '{"fingerprint": "own", "rec'])
def test_a_damaged_round_counts_as_none(tmp_path, content):
    resume = Resume(tmp_path, "own")
    assert resume.round(1) is None
    resume.save_round(1, {"flops": 1.0})
    assert resume.round(1) == {"flops": 1.0}
    (tmp_path / "attacked-1.json").write_text(content)
    assert resume.round(1) is None


def test_a_loss_that_is_not_finite_is_reported(bert):
    encoder, params, task, dev = bert
    broken = jax.tree.map(lambda leaf: leaf * np.float32(np.inf), params)
    result = fine_tune(encoder, [task], dev, broken, dataclasses.replace(RECIPE, steps=20), 3e-3, 0)
    assert result.diverged and result.steps == 20


@pytest.mark.slow
def test_frozen_embeddings_stay(bert):
    encoder, params, task, _ = bert
    recipe = dataclasses.replace(RECIPE, steps=5, embedding_learning_rate=0.0, packed=False, dropout=False)
    found = fine_tune(encoder, [task], None, params, recipe, 1e-2, 0).params["encoder"]
    for table in ("word", "position", "token_type"):
        assert same(found["embeddings"][table], params["encoder"]["embeddings"][table])
    assert not same(found["embeddings"]["norm"], params["encoder"]["embeddings"]["norm"])


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES[1:])
def test_every_family_learns_regression_padded_in_microbatches(family):
    encoder = tiny_encoder(family)
    task, dev = (toy_task(encoder, 200, seed, regression=True) for seed in (0, 1))
    recipe = dataclasses.replace(
        RECIPE, steps=100, packed=False, accumulate=2, evaluate_every=0, warmup=0.0, dropout=False
    )
    result = fine_tune(encoder, [task], dev, {"encoder": encoder.init(jax.random.key(0))}, recipe, 3e-3, 0)
    assert result.dev_history[0][0] == 100 and result.dev_history[0][1] > 0.6


def test_a_batch_left_on_the_host_is_refused(bert, monkeypatch):
    encoder, params, task, _ = bert
    monkeypatch.setattr(loop, "place_batch", lambda batch, mesh, share: batch)
    with pytest.raises(RuntimeError, match="Disallowed host-to-device transfer"):
        fine_tune(encoder, [task], None, params, RECIPE, 3e-3, 0)


@pytest.mark.slow
def test_several_tasks_share_the_encoder(bert):
    encoder, params, task, dev = bert
    score = dataclasses.replace(toy_task(encoder, 100, 2, regression=True), name="score")
    heard = []
    recipe = dataclasses.replace(RECIPE, steps=30, keep="last", packed=False, dropout=False)
    result = fine_tune(encoder, [score, task], dev, params, recipe, 3e-3, 0, progress=lambda *args: heard.append(args))
    assert set(result.heads) == {"score", "toy"} and same(result.params["head"], result.heads["toy"])
    assert result.best_step == 30 and heard


def test_tasks_are_drawn_in_proportion_by_counters():
    draws, before = mixture([900, 100], 1.0, seed=0, steps=4000)
    assert abs(np.mean(draws == 0) - 0.9) < 0.02
    assert np.array_equal(before[draws == 1], np.arange(np.sum(draws == 1)))
    flat, _ = mixture([900, 100], 2.0, seed=0, steps=4000)
    assert abs(np.mean(flat == 0) - 0.75) < 0.03  # 30 to 10
    assert np.array_equal(mixture([900, 100], 1.0, 0, 100)[0], draws[:100])
    assert not np.array_equal(mixture([900, 100], 1.0, 1, 100)[0], draws[:100])


def test_epochs_give_the_number_of_steps_where_the_recipe_has_none():
    assert total_steps(Recipe(epochs=2.5, batch_size=32), 100) == 8
    assert total_steps(Recipe(steps=7), 100) == 7


def test_an_undefined_dev_score_is_never_selected(bert, monkeypatch):
    encoder, params, task, dev = bert
    found = iter([np.nan, -0.3, np.nan, -0.4])
    monkeypatch.setattr(kinds.Kind, "dev_value", lambda *_: next(found))
    recipe = dataclasses.replace(RECIPE, steps=8, evaluate_every=2)
    result = fine_tune(encoder, [task], dev, params, recipe, 3e-3, 0)
    assert result.best_step == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 1}, "labels from 0 to 1, expected 0 to 0"),
        ({"kind": kinds.kind("question_answering")}, "question_answering on examples made for another kind"),
        ({"kind": kinds.kind("token_classification")}, "token_classification on examples made for another kind"),
    ],
)
def test_bad_tasks_are_one_line(bert, change, message):
    encoder, params, task, _ = bert
    with pytest.raises(InputError, match=message):
        fine_tune(encoder, [dataclasses.replace(task, **change)], None, params, RECIPE, 1e-3, 0)


def test_bad_stages_are_one_line(bert):
    encoder, params, task, dev = bert
    with pytest.raises(InputError, match="at least one task"):
        fine_tune(encoder, [], None, params, RECIPE, 1e-3, 0)
    with pytest.raises(InputError, match="dev task 'other' is not trained"):
        fine_tune(encoder, [task], dataclasses.replace(dev, name="other"), params, RECIPE, 1e-3, 0)
    with pytest.raises(InputError, match="not a multiple of accumulate"):
        fine_tune(encoder, [task], dev, params, dataclasses.replace(RECIPE, accumulate=3), 1e-3, 0)
