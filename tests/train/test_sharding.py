"""Rules cover every parameter; one update on eight devices equals the one on a single device."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.models import make_head
from itt_jax.train import sharding
from tests.train.toy import FAMILIES, tiny_encoder

ROUNDING = 2e-5  # relative to the largest gradient: float32 sums in another order
ROOT = pathlib.Path(__file__).parents[2]


def params(family):
    encoder = tiny_encoder(family)
    shapes = {"encoder": encoder.shapes(), "heads": (make_head(encoder, "classification", 2).shapes(),)}
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), shapes)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_one_rule(family):
    found = sharding.partition(family, params(family), sharding.make_mesh())
    kernels = [leaf for leaf in jax.tree.leaves(found["encoder"]) if "model" in str(leaf.spec)]
    assert len(kernels) >= 2 * 6


def test_what_no_rule_matches_and_what_rules_do_not_match_is_one_error():
    wrong = params("bert")
    wrong["encoder"]["extra"] = {"kernel": jax.ShapeDtypeStruct((2, 2), np.float32)}
    for layer in wrong["encoder"]["layers"].values():
        del layer["attention_norm"], layer["output_norm"]
    with pytest.raises(InputError) as error:
        sharding.partition("bert", wrong, sharding.make_mesh())
    assert "encoder/extra/kernel: matched by 0" in str(error.value)
    assert "output_norm" in str(error.value) and "matches nothing" in str(error.value)


def test_a_mesh_that_does_not_fit_says_so():
    with pytest.raises(InputError, match="needs 6 devices, found"):
        sharding.make_mesh(run=3, data=1, model=2)


def test_one_update_on_eight_devices_equals_one_device(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    started = {}
    for devices in (1, 8):
        command = [sys.executable, "-W", "error", "-m", "tests.train.sharded_step"]
        command += [str(tmp_path / f"{devices}.npz"), str(devices)]
        started[devices] = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    for process in started.values():
        _, errors = process.communicate()
        assert process.returncode == 0, errors[-3000:]
    found = {devices: np.load(tmp_path / f"{devices}.npz") for devices in started}
    assert set(found[1].files) == set(found[8].files)
    for family in FAMILIES:
        names = [name for name in found[1].files if name.startswith(family)]
        largest = max(np.abs(found[1][name]).max() for name in names if not name.endswith("loss"))
        for name in names:
            scale = found[1][name] if name.endswith("loss") else largest
            np.testing.assert_allclose(found[8][name], found[1][name], atol=ROUNDING * np.abs(scale), rtol=0)
