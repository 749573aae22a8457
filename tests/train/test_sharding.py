"""Sharding rules cover every parameter; a step on eight devices equals the step on one."""

import json
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
    encoder = tiny_encoder(family, layers=2)
    shapes = {"encoder": encoder.shapes(), "heads": (make_head(encoder, "classification", 2).shapes(),)}
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((1, *leaf.shape), leaf.dtype), shapes)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_has_one_rule(family):
    found = sharding.partition(family, params(family), sharding.make_mesh())
    kernels = [leaf for leaf in jax.tree.leaves(found["encoder"]) if "model" in str(leaf.spec)]
    assert len(kernels) >= 2 * 6


def test_unmatched_parameters_and_unused_rules_are_one_error():
    wrong = params("bert")
    wrong["encoder"]["extra"] = {"kernel": jax.ShapeDtypeStruct((2, 2), np.float32)}
    for layer in wrong["encoder"]["layers"].values():
        del layer["attention_norm"], layer["output_norm"]
    with pytest.raises(InputError) as error:
        sharding.partition("bert", wrong, sharding.make_mesh())
    assert "encoder/extra/kernel: matched by 0" in str(error.value)
    assert "output_norm" in str(error.value) and "matches nothing" in str(error.value)


def test_a_mesh_of_another_size_is_an_error():
    with pytest.raises(InputError, match="needs 6 devices, found"):
        sharding.make_mesh(run=3, data=1, model=2)


@pytest.fixture(scope="module")
def sharded(tmp_path_factory):
    """Results of a process with eight devices, by layout: arrays of "mesh" and "alone", and its collectives."""
    target = tmp_path_factory.mktemp("sharded") / "found.npz"
    command = [sys.executable, "-W", "error", "-m", "tests.train.sharded_step", str(target)]
    done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    found = dict(np.load(target))
    said = json.loads(str(found.pop("said")))
    return found, said


@pytest.mark.slow
@pytest.mark.volume
def test_steps_and_scores_on_eight_devices_equal_one_device(sharded):
    found, said = sharded
    for number in range(len(said)):
        names = [name for name in found if name.startswith(f"{number}/alone/")]
        largest = max(np.abs(found[name]).max() for name in names if "/params/" in name)
        assert largest > 1e-2  # about the largest gradient, clipped
        for name in names:
            scale = largest if "/params/" in name else np.abs(found[name]).max()
            other = found[name.replace("/alone/", "/mesh/")]
            np.testing.assert_allclose(other, found[name], atol=ROUNDING * scale, rtol=0, err_msg=name)


@pytest.mark.slow
@pytest.mark.volume
def test_no_device_holds_more_than_its_part_of_checkpoints(sharded):
    held = {name.removeprefix("held/"): value for name, value in sharded[0].items() if name.startswith("held/")}
    assert held["right"] and (held["read"] == held["before"]).all()
    assert (held["after"] - held["before"] == held["one"]).all()
    assert (np.diff(held["during"], axis=0) >= 0).all() and (held["during"] <= held["after"]).all()


@pytest.mark.slow
@pytest.mark.volume
def test_the_collectives_of_a_step(sharded):
    """Axis "run" has none. One layer of width 32, 16 examples per step."""
    _, said = sharded
    by_run, by_data, *mixed, bert, xlnet, modernbert, eurobert, deberta = said
    assert by_run["collectives"] == []
    pooled = 4 * (16 + 1) * (2 * 32 + 32 + 1)  # sums, maxima and counts of each example's tokens
    for one in (by_data, *mixed):  # the gradient once, and pooling over rows on other devices
        assert all(own["kind"] == "all-reduce" and own["axes"] == ["data"] for own in one["collectives"])
        assert len(one["collectives"]) <= 3
        total = sum(sum(own["bytes"]) for own in one["collectives"])
        assert one["gradient_bytes"] <= total <= one["gradient_bytes"] + pooled
    # A layer's two sums forward; backward one for each kernel that reads what devices share, as the compiler does not
    # add first. Also the squares of the gradient's norm. Two of DeBERTa's kernels read its table of positions too.
    families = ((bert, 1, 4, 0), (xlnet, 1, 4, 0), (modernbert, 2, 5, 0), (eurobert, 1, 5, 0), (deberta, 1, 4, 2))
    for one, layers, kernels, tables in families:
        assert all(own["kind"] == "all-reduce" and own["axes"] in (["data"], ["model"]) for own in one["collectives"])
        over_model = [size for own in one["collectives"] if own["axes"] == ["model"] for size in own["bytes"]]
        sums = [size for size in over_model if size > 4]
        assert sums.count(one["activation_bytes"]) == layers * (2 + kernels) == len(sums) - tables
        over_data = sum(sum(own["bytes"]) for own in one["collectives"] if own["axes"] == ["data"])
        shifted = tables * 4 * 2 * 32 * 32  # gradients by relative position, twice as many as a row has tokens
        # Kernels are split in two; embeddings are not.
        assert over_data <= 0.8 * one["gradient_bytes"] + pooled + shifted
