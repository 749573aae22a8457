"""Several workers drain one plan on one results folder, and one of them is killed amid its work."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from itt_jax import config
from itt_jax.store import Store
from itt_jax.store.claims import Claim
from itt_jax.study import run
from tests.study.test_hosts import SECONDS, STUDY, stop, until

pytestmark = [pytest.mark.slow, pytest.mark.volume]

ROOT = pathlib.Path(__file__).parents[2]
THREE_SEEDS_UNDER_ATTACK = """
import dataclasses
from itt_jax.config import Adversary
targets = (dataclasses.replace(study.targets[0], evaluate=()),)
study = dataclasses.replace(study, targets=targets, seeds=(0, 1, 2), attacks=(Adversary("deepwordbug", rows=4),))
"""
WORKER = """
import sys
from itt_jax import config
from itt_jax.study import run
run(config.load(sys.argv[1]), sys.argv[2])
"""


def started(folder: pathlib.Path, number: int) -> subprocess.Popen:
    """A worker on the study of own.py, without the report; NUMBER.log has what it says."""
    command = [sys.executable, "-c", WORKER, str(folder / "own.py"), str(folder / "out")]
    with (folder / f"{number}.log").open("w") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)


def killed_inside_a_claim(workers: list[subprocess.Popen], out: pathlib.Path) -> subprocess.Popen:
    """SIGKILL the first worker that holds the claim of a target stage; returns it."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        done = {record["id"] for record in Store(out).records()}
        for path in (out / "claims").glob("[!.]*") if done else ():  # once the encoder is made
            worker = next((own for own in workers if own.pid == holder(path)), None)
            if worker is None or path.name in done:
                continue
            worker.send_signal(signal.SIGSTOP)
            until(lambda pid=worker.pid: state(pid) == "T")
            if holder(path) == worker.pid:  # which cannot free it now, nor does anybody take it over
                worker.kill()
                return worker
            worker.send_signal(signal.SIGCONT)
        ended = [number for number, worker in enumerate(workers) if worker.poll() is not None]
        assert not ended, (out.parent / f"{ended[0]}.log").read_text()
        time.sleep(0.02)
    raise AssertionError("no worker held a claim")


def holder(path: pathlib.Path) -> int | None:
    """The process that holds a claim."""
    with contextlib.suppress(FileNotFoundError):
        claim = Claim.read(path.read_bytes())
        return claim and claim.pid


def state(pid: int) -> str:
    """The state of a process; T for one that is stopped."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def written(out: pathlib.Path) -> dict[pathlib.Path, int]:
    """When each record, file of cells and part of an attack was written."""
    found = [path for name in ("stages/*/record.json", "cells/*.parquet", "attacks/*/*") for path in out.glob(name)]
    return {path: path.stat().st_mtime_ns for path in found}


def test_four_workers_one_of_them_killed_inside_a_claim_make_the_results_of_one(tmp_path):
    (tmp_path / "own.py").write_text(STUDY + THREE_SEEDS_UNDER_ATTACK)
    study, alone, out = config.load(tmp_path / "own.py"), tmp_path / "alone", tmp_path / "out"
    run(study, alone, quiet=True)
    workers = [started(tmp_path, number) for number in range(4)]
    try:
        killed = killed_inside_a_claim(workers, out)
        before = written(out)
        for number, worker in enumerate(workers):
            expected = -signal.SIGKILL if worker is killed else 0
            assert worker.wait(SECONDS) == expected, (tmp_path / f"{number}.log").read_text()
    finally:
        stop(workers)

    after = written(out)
    assert before and {path: after[path] for path in before} == before  # nothing is made twice
    events = Store(out).events()[0]
    for event, name in (("stage", "id"), ("cells", "stage")):
        stages = [own[name] for own in events if own["event"] == event]
        assert len(stages) == len(set(stages)) > 0
    for path in [*alone.glob("cells/*"), *alone.glob("*.parquet")]:
        assert (out / path.relative_to(alone)).read_bytes() == path.read_bytes(), path.name
    assert len(list((out / "cells").iterdir())) == len(list((alone / "cells").iterdir()))

    left = list(out.rglob(".*"))
    assert all(f".{killed.pid}." in path.name for path in left)
    for path in left:
        for own in (path, *path.rglob("*")):
            os.utime(own, (0, 0))
    assert run(study, out, quiet=True).made == 0
    assert not list(out.rglob(".*")) and not list((out / "claims").iterdir())
    assert (out / "results.parquet").read_bytes() == (alone / "results.parquet").read_bytes()
