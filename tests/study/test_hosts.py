"""Several real processes are one worker: one of them plans, claims and writes, and all train and evaluate."""

import pathlib
import re
import socket
import subprocess
import sys
import time

import jax
import pandas as pd
import pytest

from itt_jax import config
from itt_jax.errors import InputError
from itt_jax.store import Store
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
    alone = Store(tmp_path / "alone")
    assert alone.cells.ids() == Store(out).cells.ids()
    for cell in alone.cells.ids():
        own, expected = Store(out).read_cell(cell), alone.read_cell(cell)
        pd.testing.assert_frame_equal(own, expected, check_exact=False, atol=ROUNDING, rtol=0)


JOINED = """
import sys, time
from jax.experimental import multihost_utils
from itt_jax.train import processes
import jax
jax.config.update("jax_platforms", "cpu")
for name in ("broadcast_one_to_all", "process_allgather", "sync_global_devices"):
    delattr(multihost_utils, name)  # these wait on devices
processes.join(sys.argv[1:])
index, large = int(sys.argv[3]), ["é" * processes.PART_BYTES, 1.5]
processes.POLL_MILLISECONDS = 100
assert processes.shared(lambda: time.sleep(1) or large) == large
assert processes.gathered([index]) == [[0], [1]] and processes.smallest((1 << 40) - index) == (1 << 40) - 1
assert processes.first_then_others(lambda: index) == index
print("ready", flush=True)
if index:
    processes.shared(list)
time.sleep(100)
"""


@pytest.mark.slow
@pytest.mark.volume
def test_the_end_of_the_first_process_is_said_by_the_others_that_wait_for_it(tmp_path):
    def ready() -> bool:
        return all("ready" in (tmp_path / f"{index}.out").read_text() for index in range(2))

    pair = started(tmp_path, 2, "-c", JOINED)
    try:
        until(lambda: ready() or any(process.poll() is not None for process in pair))
        assert ready(), (tmp_path / "1.err").read_text()
        pair[0].kill()
        assert pair[1].wait(processes.HEARTBEAT_SECONDS) == 1
        assert (tmp_path / "1.err").read_text().endswith(f"{processes.ENDED}\n")
    finally:
        stop(pair)


DIFFERENT = """
import sys
from itt_jax import main
from itt_jax.study import hosts
from itt_jax.train import processes
import jax
jax.config.update("jax_platforms", "cpu")
command = lambda options: processes.join(place) or hosts.check_same(hosts.installation(2 + int(place[2]), ()))
place, sys.argv[1:], main.run.run = sys.argv[1:], ["run"], command
main.run_and_exit()
"""


@pytest.mark.slow
@pytest.mark.volume
def test_every_process_says_what_differs(tmp_path):
    pair = started(tmp_path, 2, "-c", DIFFERENT)
    try:
        for index, process in enumerate(pair):
            assert process.wait(SECONDS) == 2
            line = (
                "error: process 1 of 2: --stack: found 3, and 2 in the first process; expected the same on every host"
            )
            assert (tmp_path / f"{index}.err").read_text() == f"{line}\n"
    finally:
        stop(pair)


@pytest.mark.parametrize(
    "place", [["x"], ["host", "2", "0"], ["host:1", "2", "2"], ["host:1", "two", "0"], ["h:1", "2"]]
)
def test_a_place_that_is_none_is_refused(place):
    with pytest.raises(InputError, match=r"--distributed: found '.*', expected ADDRESS:PORT of the first process"):
        processes._parsed(place)


def test_errors_that_the_end_of_another_process_may_cause_wait_for_its_notice(monkeypatch):
    slept = []
    monkeypatch.setattr(processes.time, "sleep", slept.append)
    barrier = TimeoutError("INTERNAL: Barrier failed [type.googleapis.com/tensorflow.CoordinationServiceError='']")
    wrapped = ValueError("not saved")
    wrapped.__cause__ = barrier
    for number, error in enumerate((barrier, wrapped, RuntimeError("Gloo all-reduce failed")), 1):
        processes.await_notice(error)
        assert slept == [processes.HEARTBEAT_SECONDS + processes.NOTICE_SECONDS] * number
    processes.await_notice(ValueError("our own"))
    assert len(slept) == 3


FACTS = hosts.installation(None, (3, 5))
OTHER_INPUTS = {"rows of toy/test/en": {"digest": "1"}}


@pytest.mark.parametrize(
    ("other", "found"),
    [
        (hosts.installation(None, ()), "number of seeds at each look: found (), and (3, 5)"),
        (FACTS | {"version of jax": "0.1"}, f"version of jax: found 0.1, and {jax.__version__}"),
        (FACTS | {"code of itt_jax": "0.1.0 (12)"}, r"code of itt_jax: found 0.1.0 (12), and 0.1.0 ("),
    ],
)
def test_processes_that_differ_are_refused(monkeypatch, other, found):
    monkeypatch.setattr(hosts, "gathered", lambda own: [own, own, other])
    with pytest.raises(InputError, match=re.escape(f"process 2 of 3: {found}")):
        hosts.check_same(FACTS)


def test_processes_with_other_plans_or_data_are_refused(monkeypatch):
    first = hosts.described(planned(), {"rows of toy/test/en": {"digest": "0"}})
    monkeypatch.setattr(hosts, "gathered", lambda own: [first, own])
    hosts.check_same(hosts.described(planned(), {"rows of toy/test/en": {"digest": "0", "rows": 3}}))
    for other, field in (
        (hosts.described(planned(seeds=(1,)), OTHER_INPUTS), "config"),
        (hosts.described(planned(), OTHER_INPUTS), "rows of toy/test/en"),
        (hosts.described(planned(), {}), "rows of toy/test/en"),
    ):
        with pytest.raises(InputError, match=f"process 1 of 2: {field}: found .* in the first process"):
            hosts.check_same(other)
