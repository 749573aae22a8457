"""Workers with results folders of their own drain one plan through a shared folder."""

import os
import pathlib
import subprocess
import sys

import pandas as pd
import pytest

from itt_jax.monitor import Watcher
from itt_jax.store import Store
from tests.study.test_hosts import STUDY, stop, until

pytestmark = [pytest.mark.slow, pytest.mark.volume]

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 300
"""Patience with processes on a machine that is busy with other work."""


def started(folder: pathlib.Path, out: str, *options: str) -> subprocess.Popen:
    """A worker on the study of own.py, with two seeds."""
    command = [sys.executable, "-m", "itt_jax.main", "run", "--config", str(folder / "own.py"), "--json"]
    command += ["--set", "seeds=[0, 1]"]
    with (folder / f"{out}.err").open("a") as errors:
        return subprocess.Popen(
            [*command, "--out", str(folder / out), *options],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=os.environ | {"JAX_PLATFORMS": "cpu"},
        )


def test_two_workers_one_of_them_killed_make_the_results_of_one(tmp_path):
    """One is killed once it has made a stage, two share what is left, and the last one finds everything done."""
    (tmp_path / "own.py").write_text(STUDY)
    share = ["--share", f"file://{tmp_path / 'shared'}"]
    log = tmp_path / "one" / "log.jsonl"
    alone = started(tmp_path, "alone")
    workers = [started(tmp_path, "one", *share)]
    try:
        until(lambda: (log.is_file() and '"event": "stage"' in log.read_text()) or workers[0].poll() is not None)
        workers[0].kill()
        workers += [started(tmp_path, name, *share) for name in ("two", "three")]
        for process, name in zip([alone, *workers[1:]], ("alone", "two", "three"), strict=True):
            assert process.wait(SECONDS) == 0, (tmp_path / f"{name}.err").read_text()
        workers.append(started(tmp_path, "late", *share))
        assert workers[-1].wait(SECONDS) == 0, (tmp_path / "late.err").read_text()
    finally:
        stop([alone, *workers])
    status = Watcher(tmp_path / "one").look()  # which was killed
    cells = len(pd.read_parquet(tmp_path / "alone" / "results.parquet"))
    assert status.is_made and status.cells_done == status.cells == cells and status.stages_elsewhere > 0
    for name in ("two", "three", "late"):
        assert (tmp_path / name / "results.parquet").read_bytes() == (
            tmp_path / "alone" / "results.parquet"
        ).read_bytes()
        pd.testing.assert_frame_equal(
            pd.read_parquet(tmp_path / name / "domains.parquet"),
            pd.read_parquet(tmp_path / "alone" / "domains.parquet"),
        )
        assert Store(tmp_path / name).plan()["declared"]["target_stages"] == 0
    made = "".join((tmp_path / name / "log.jsonl").read_text() for name in ("one", "two", "three"))
    assert made.count('"event": "cells"') == 2
