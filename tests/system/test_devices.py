"""A run that goes on with another number of devices, amid a stage and between stages: the same results to rounding."""

import json
import pathlib
import subprocess
import sys

import pandas as pd
import pyarrow.parquet as pq
import pytest

from itt_jax import config
from itt_jax.report.provenance import machines
from itt_jax.store import Store
from itt_jax.study import run
from tests.study.test_hosts import ROUNDING, SECONDS, STUDY
from tests.train.toy import killed_after

pytestmark = [pytest.mark.slow, pytest.mark.volume]

ROOT = pathlib.Path(__file__).parents[2]
TWO_SEEDS = """
import dataclasses
(target,) = study.targets
recipe = dataclasses.replace(target.recipe, checkpoint_every=2)
study = dataclasses.replace(study, seeds=(0, 1), targets=(dataclasses.replace(target, recipe=recipe, evaluate=()),))
"""
KILLED = 2 + 3
"""Steps of the encoder and of the first target stage, of 4, whose state after 2 is saved."""
ON_TWO = f"""
import sys
import jax
jax.config.update("jax_num_cpu_devices", 2)
from itt_jax import config
from itt_jax.study import run
from tests.train.toy import killed_after
study = config.load(sys.argv[1])
run(study, sys.argv[2], quiet=True)
with killed_after({KILLED}):
    run(study, sys.argv[3], quiet=True)
"""


def test_a_run_goes_on_with_another_number_of_devices(tmp_path, caplog):
    """From one device to two, and from two to one; the encoder is made before, the second seed's stage after."""
    (tmp_path / "own.py").write_text(STUDY + TWO_SEEDS)
    study, alone, up, down = config.load(tmp_path / "own.py"), *(tmp_path / name for name in ("alone", "up", "down"))
    run(study, alone, quiet=True)
    with killed_after(KILLED):
        run(study, up, quiet=True)
    command = [sys.executable, "-c", ON_TWO, *map(str, (tmp_path / "own.py", up, down))]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS)
    assert ended.returncode == 0, ended.stderr
    assert not caplog.messages
    run(study, down, quiet=True)

    plan = Store(alone).plan()
    one = plan["stages_done"][0]["device"]
    two = one.replace("1 x", "2 x")
    for out, before, after, said in ((up, one, two, ended.stderr), (down, two, one, caplog.text)):
        assert f"resume-2: trained with {before} until here, and from here with {after}\n" in said
        encoder, first, second = [Store(out).record(stage["id"]) for stage in plan["stages"]]
        assert [own["device"] for own in (encoder, first, second)] == [before, after, after]
        assert [(own["steps"], own["device"]) for own in first["interrupted"]] == [(2, before)]
        assert "interrupted" not in encoder and "interrupted" not in second
        assert {line.partition(";")[0] for line in machines(Store(out).plan())} == {f"device: {one}", f"device: {two}"}
        for cell in Store(alone).cells.ids():
            found, expected = Store(out).read_cell(cell), Store(alone).read_cell(cell)
            pd.testing.assert_frame_equal(found, expected, check_exact=False, atol=ROUNDING, rtol=0)
            made_with = pq.read_metadata(Store(out).cells.file(cell)).metadata[b"provenance"]
            assert json.loads(made_with)["device"] == after
        for name in ("results", "selection"):
            found, expected = (pd.read_parquet(folder / f"{name}.parquet") for folder in (out, alone))
            pd.testing.assert_frame_equal(found, expected, check_exact=False, atol=ROUNDING, rtol=0)
