"""Several real processes are one worker: one of them plans, claims and writes, and all train and evaluate."""

import dataclasses
import pathlib
import socket
import subprocess
import sys
import time

import pandas as pd
import pytest

from itt_jax import config
from itt_jax.errors import InputError
from itt_jax.study import hosts, run
from itt_jax.train import processes
from tests.study.studies import planned

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 300
"""Patience with processes on a machine that is busy with other work."""
STUDY = """
from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target

PLAIN = {"learning_rates": (1e-3,), "max_length": 64, "dropout": False}
study = Study(
    name="hosts",
    encoders=(
        EncoderSpec(
            "bert", "bert", layers=1, width=16, heads=2, feed_forward=32, vocabulary_size=400,
            corpus=(Corpus("embedded", tuples=60),),
            pretraining=LanguageModel(recipe=Recipe(steps=2, keep="last", **PLAIN)),
        ),
    ),
    targets=(
        Target(
            "inference", train="embedded_inference_medical",
            evaluate=("embedded_inference_medical", "embedded_inference_legal"), train_rows=40, dev_rows=20,
            recipe=Recipe(steps=4, batch_size=16, evaluate_every=2, packed=False, **PLAIN),
        ),
    ),
    arms=("direct",), perturbations=(Perturbation("swap", (0.2,)),), seeds=(0,), languages=("en",),
    evaluation_rows=24, max_length=64,
)
"""
# Six steps with sums in another order; scores differed by at most 3e-9.
ROUNDING = 1e-6


def started(folder: pathlib.Path, count: int, *command: str) -> list[subprocess.Popen]:
    """A script in each of several processes, with the arguments of `--distributed`; INDEX.out and INDEX.err."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    found = []
    for index in range(count):
        with (folder / f"{index}.out").open("w") as out, (folder / f"{index}.err").open("w") as err:
            place = [address, str(count), str(index)]
            found.append(subprocess.Popen([sys.executable, *command, *place], cwd=ROOT, stdout=out, stderr=err))
    return found


def stop(started: list[subprocess.Popen]) -> None:
    for process in started:
        process.kill()
        process.wait()


def until(condition, seconds=SECONDS) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.volume
def test_a_run_of_several_processes_survives_one_and_is_a_run_of_one(tmp_path):
    (tmp_path / "own.py").write_text(STUDY)
    out, log = tmp_path / "out", tmp_path / "out" / "log.jsonl"
    command = ["-m", "tests.study.host_run", str(tmp_path / "own.py"), str(out)]
    pair = started(tmp_path, 2, *command)
    try:
        until(lambda: log.is_file() or any(process.poll() is not None for process in pair))
        pair[1].kill()
        began = time.monotonic()
        assert pair[0].wait(SECONDS) == 1, (tmp_path / "0.err").read_text()
        assert time.monotonic() - began < 60
        assert (tmp_path / "0.err").read_text().endswith(f"{processes.ENDED}\n")
    finally:
        stop(pair)
    pair = started(tmp_path, 2, *command)
    try:
        for index, process in enumerate(pair):
            assert process.wait(SECONDS) == 0, (tmp_path / f"{index}.err").read_text()
    finally:
        stop(pair)
    assert "made 4 of 4" in (tmp_path / "0.out").read_text() and "made" not in (tmp_path / "1.out").read_text()
    assert sum('"event": "stage"' in line for line in log.read_text().splitlines()) == 2
    assert not list((out / "claims").iterdir())

    run(config.load(tmp_path / "own.py"), tmp_path / "alone", quiet=True)
    for name in ("results", "selection", "domains"):
        found, expected = (pd.read_parquet(folder / f"{name}.parquet") for folder in (out, tmp_path / "alone"))
        pd.testing.assert_frame_equal(found, expected, check_exact=False, atol=ROUNDING, rtol=0)
    for path in (tmp_path / "alone" / "cells").iterdir():
        own, expected = pd.read_parquet(out / "cells" / path.name), pd.read_parquet(path)
        pd.testing.assert_frame_equal(own, expected, check_exact=False, atol=ROUNDING, rtol=0)


JOINED = """
import sys, time
from itt_jax.train import processes
import jax
jax.config.update("jax_platforms", "cpu")
processes.join(sys.argv[1:])
assert processes.shared(lambda: ["é" * 400, 1.5]) == ["é" * 400, 1.5]
print("ready", flush=True)
time.sleep(100)
"""


@pytest.mark.slow
@pytest.mark.volume
def test_the_end_of_the_first_process_is_said_by_the_others(tmp_path):
    pair = started(tmp_path, 2, "-c", JOINED)
    try:
        until(lambda: "ready" in (tmp_path / "0.out").read_text() and "ready" in (tmp_path / "1.out").read_text())
        pair[0].kill()
        assert pair[1].wait(processes.HEARTBEAT_SECONDS) == 1
        assert (tmp_path / "1.err").read_text().endswith(f"\n{processes.ENDED}\n")
    finally:
        stop(pair)


@pytest.mark.parametrize(
    "place", [["x"], ["host", "2", "0"], ["host:1", "2", "2"], ["host:1", "two", "0"], ["h:1", "2"]]
)
def test_a_place_that_is_none_is_refused(place):
    with pytest.raises(InputError, match=r"--distributed: found '.*', expected ADDRESS:PORT of the first process"):
        processes._parsed(place)


def test_processes_with_other_plans_are_refused(monkeypatch):
    plan, other = planned(), planned(seeds=(1,))
    sent = []
    monkeypatch.setattr(hosts, "shared", lambda make: sent.append(make()) or sent[0])
    hosts.check_same(plan)
    hosts.check_same(dataclasses.replace(plan))
    with pytest.raises(InputError, match="process 0 of 1: plans other stages or cells than the first one"):
        hosts.check_same(other)
