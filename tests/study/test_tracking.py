"""Training curves: event files that TensorBoard reads, and runs of wandb (a stand-in for it)."""

import json
import pathlib
import sys
import types

import pytest

from itt_jax import main
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.study.tracking import Guarded, Tracking, curves

QUICKSTART = pathlib.Path(__file__).parents[2] / "configs" / "quickstart.py"
RECORD = {
    "id": "d1b9556d5e1092ed",
    "kind": "target",
    "encoder": "a/b",
    "targets": ["sentiment"],
    "arms": ["itt"],
    "seed": 3,
    "steps": 80,
    "wall_seconds": 60.0,
    "losses": [[50, 0.5], [80, 0.25]],
    "dev_history": [[40, 0.75], [80, None]],
    "learning_rate": 0.125,
    "tokens": 1000,
}
STUDY = {"name": "größer", "seeds": [3]}
NAME = "a/b, target sentiment, itt, seed 3, d1b9556d"


def test_curves_are_in_order_and_end_with_totals():
    assert list(curves(RECORD)) == [
        (40, {"dev": 0.75}),
        (50, {"loss": 0.5}),
        (80, {"loss": 0.25, "learning_rate": 0.125, "tokens": 1000, "wall_seconds": 60.0}),
    ]


def test_tensorboard_reads_what_is_written(tmp_path):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    (tracker,) = Tracking(tensorboard=True).trackers(Store(tmp_path), "mine")
    tracker.begin([RECORD], STUDY)
    (path,) = tmp_path.glob("tensorboard/stages/*/*")
    before = path.read_bytes()
    tracker.finished(RECORD, STUDY)  # it is there
    assert path.read_bytes() == before and path.parent.name == NAME.replace("/", "%2F")
    read = accumulators.EventAccumulator(str(path.parent)).Reload()
    found = {tag: [(event.step, event.value) for event in read.Scalars(tag)] for tag in read.Tags()["scalars"]}
    assert found["loss"] == [(50, 0.5), (80, 0.25)] and found["dev"] == [(40, 0.75)]
    assert found["learning_rate"] == [(80, 0.125)] and found["tokens"] == [(80, 1000.0)]
    first, last = (event.wall_time for event in read.Scalars("loss"))
    assert last - first == pytest.approx(60 * 30 / 80)
    (text,) = read.Tensors("config")
    config = json.loads(text.tensor_proto.string_val[0].decode().strip("`\n"))
    assert config == {
        "stage": {key: RECORD[key] for key in RECORD if key not in ("losses", "dev_history")},
        "study": STUDY,
    }

    for step, values in ((50, {"loss": 0.5, "tokens/s": 8.0, "left": 9.0}), (60, {}), (100, {"loss": 0.25})):
        tracker.live("1/2 bert", step, values)
    (path,) = tmp_path.glob("tensorboard/live/*/*")
    read = accumulators.EventAccumulator(str(path.parent)).Reload()
    assert sorted(read.Tags()["scalars"]) == ["live/loss", "live/tokens/s"]
    assert [(event.step, event.value) for event in read.Scalars("live/loss")] == [(50, 0.5), (100, 0.25)]


def test_wandb_gets_a_run_for_each_stage(tmp_path, monkeypatch):
    made = []

    def init(**about):
        run = types.SimpleNamespace(about=about, logged=[], ended=False)
        run.log = lambda values, step: run.logged.append((step, values))
        run.finish = lambda: setattr(run, "ended", True)
        made.append(run)
        return run

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    (tracker,) = Tracking(wandb="robust").trackers(Store(tmp_path), "mine")
    tracker.begin([RECORD], STUDY)
    tracker.live("1/2 bert", 50, {"loss": 0.5})
    assert not made
    tracker.finished(RECORD, STUDY)
    (run,) = made
    about = {"project": "robust", "group": "mine", "name": NAME, "id": RECORD["id"], "resume": "allow"}
    assert about.items() <= run.about.items() and run.about["config"]["study"] == STUDY
    assert run.logged == list(curves(RECORD)) and run.ended and not any(tmp_path.iterdir())


def test_a_login_that_fails_is_refused_before_any_work(tmp_path, monkeypatch, capsys):
    def login(verify):
        raise ConnectionError("no\nnetwork")

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(login=login))
    out = tmp_path / "out"
    assert main.main(["run", "--config", str(QUICKSTART), "--out", str(out), "--wandb", "robust"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "--wandb: cannot log in (ConnectionError: no network); run `wandb login`" in line and not out.exists()


def test_a_run_of_wandb_is_ended_though_logging_fails(tmp_path, monkeypatch):
    ended = []
    run = types.SimpleNamespace(log=lambda values, step: 1 / 0, finish=lambda: ended.append(True))
    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=lambda **about: run))
    said = []
    tracker = Guarded(Tracking(wandb="robust").trackers(Store(tmp_path), "mine"), said.append)
    for _ in range(2):
        tracker.finished(RECORD, STUDY)
    assert ended == [True, True]
    reason = "(ZeroDivisionError: division by zero)"
    assert said == [f"warning: no training curves of {NAME} for Wandb {reason}; they are not logged later"]


def test_wandb_that_is_not_installed_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(InputError, match="--wandb: wandb is not installed"):
        Tracking(wandb="robust").trackers(Store(tmp_path), "mine")
