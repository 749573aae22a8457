"""Progress: a line at least every SAY_SECONDS whatever the run waits for, and estimates from the speed so far."""

import time

import pytest

from itt_jax.study import progress
from itt_jax.study.progress import Estimate, Progress, duration


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_before_anything_is_measured_the_expected_rate_counts():
    estimate = Estimate({"training": {"a": 60.0, "b": 40.0}, "evaluation": {"b": 20.0}}, rate=2.0)
    assert estimate.seconds() == 60
    estimate.keep(["b"])
    assert estimate.seconds() == 30


def test_the_speed_so_far_counts_for_each_kind_apart(clock):
    estimate = Estimate({"training": {"a": 10.0, "b": 30.0}, "evaluation": {"a": 8.0}}, rate=2.0)
    estimate.begin("training", ["a"])
    clock[0] += 20
    estimate.end(["a"])
    assert estimate.seconds() == 30 / (10 / 20) + 8 / 2


def test_a_stage_counts_while_it_runs_once_its_speed_is_known(clock):
    estimate = Estimate({"training": {"a": 10.0, "b": 10.0}}, rate=1.0)
    estimate.begin("training", ["a"])
    clock[0] += 50
    estimate.reached(0.05)
    assert estimate.seconds() == 20
    estimate.reached(0.5)
    assert estimate.seconds() == 15 / (5 / 50)


def test_a_log_has_a_line_however_long_nothing_is_told(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SAY_SECONDS", 0.2)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    with Progress() as shown:
        shown.at("2/9 bert, target nli, itt, seed 0", "reading rows")
        shown.estimate = Estimate({"training": {"a": 840.0}}, rate=1.0)
        time.sleep(0.5)
        shown.tell("step 40/300")
        time.sleep(0.3)
    lines = capsys.readouterr().err.splitlines()
    about = "2/9 bert, target nli, itt, seed 0"
    assert lines[0] == f"{about}: reading rows; about 14 min left"
    assert lines[-1] == f"{about}: step 40/300; about 14 min left"
    assert 3 <= len(lines) <= 4


def test_quiet_says_nothing(capsys, monkeypatch):
    monkeypatch.setattr(progress, "SAY_SECONDS", 0.0)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    with Progress(quiet=True) as shown:
        shown.at("x", "y")
        shown.say("z")
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_durations_are_readable():
    assert [duration(s) for s in (0, 40, 89, 840, 5000, 12600)] == ["0 s", "40 s", "89 s", "14 min", "83 min", "3.5 h"]
