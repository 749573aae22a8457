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
    with estimate.during("training", ["a"]):
        clock[0] += 20
    assert estimate.seconds() == (30 + 8) / (10 / 20)  # what has not been measured is as fast as what was
    with estimate.during("evaluation", ["a"]):
        clock[0] += 1
    assert estimate.seconds() == 30 / (10 / 20)


def test_a_stage_counts_while_it_runs_once_its_speed_is_known(clock):
    estimate = Estimate({"training": {"a": 10.0, "b": 10.0}}, rate=1.0)
    with estimate.during("training", ["a"]):
        clock[0] += 50
        estimate.reached(0.05)
        assert estimate.seconds() == 19.5
        estimate.reached(0.5)
        assert estimate.seconds() == 15 / (5 / 50)
        clock[0] += 30  # nothing was heard since, so that nothing is known of what was done
        estimate.reached(0.2)  # a detail of the same work
        assert estimate.seconds() == 15 / (5 / 80)


def test_attacks_count_in_full_until_one_is_timed_and_the_time_left_converges(clock):
    """An attack of 60 FLOPs at most takes 15 seconds on each of five models, because many rows end early."""
    models = "abcde"
    work = {"training": dict.fromkeys(models, 10.0), "attack x": dict.fromkeys(models, 60.0)}
    estimate, said = Estimate(work, rate=1.0, at_most={"attack x"}), []
    assert estimate.text() == "at most about 6 min left"  # 350 s
    for model in models:
        with estimate.during("training", [model]):
            clock[0] += 20
        said.append(estimate.seconds())
        with estimate.during("attack x", [model]):
            clock[0] += 15
            said.append(estimate.is_at_most())
        said.append(estimate.seconds())
    assert said[:3] == [(4 * 10 + 5 * 60) * 2, True, 4 * (20 + 15)]
    assert said[3:] == [4 * 35 - 20, False, 3 * 35, 3 * 35 - 20, False, 2 * 35, 50, False, 35, 15, False, 0]
    assert estimate.text() == ""


def test_work_of_which_nothing_was_left_is_not_timed(clock):
    estimate = Estimate({"training": {"a": 10.0}}, rate=1.0)
    for kind in ("training", "attack of another folder"):
        with estimate.during(kind, ["gone"]):
            clock[0] += 1000
    assert estimate.seconds() == 10


def test_workers_share_what_is_left():
    estimate = Estimate({"training": {"a": 600.0}, "evaluation": {"a": 0.0}}, rate=1.0)
    estimate.workers = 2
    assert (estimate.text(), estimate.seconds()) == ("about 5 min left with 2 workers", 600)
    estimate.drop(["a"])
    assert estimate.text() == ""


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
