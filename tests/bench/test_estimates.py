"""Aims by compilers' estimates, from figures given to the bench instead of a compiler's."""

import jax
import pytest

from itt_jax import bench
from itt_jax.accelerators import Report, Topology
from itt_jax.accelerators.topologies import parsed
from itt_jax.bench import estimates
from itt_jax.models.hardware import Hardware


@pytest.mark.slow
@pytest.mark.volume
def test_estimates(monkeypatch, small):
    """A program of n layers takes 1 + 2 n ms in one roofline, 2 + 4 n ms in the other and 1.5 + 3 n million cycles."""
    made = []

    def described_as(name):
        accelerator, sizes = parsed(name)
        devices = tuple(jax.devices()[:1])
        return Topology(name, accelerator, sizes, Hardware("tpu", devices, bytes=accelerator.bytes))

    def reported(request, there):
        encoder = request.static.get("encoder") or request.static["objective"].encoder
        made.append(n := encoder.config.layers)
        cost = 1e-3 * (1 + 2 * n)
        cycles = int(1.5e9 * cost)
        return Report(1 << 20, 0, 0, 0.0, 0.0, 2 * cost, 0.0, 0.0, cycles, (), {}, (), 0.0, main_seconds=cost)

    monkeypatch.setattr(estimates, "topology", described_as)
    monkeypatch.setattr(estimates, "compiled_report", reported)
    monkeypatch.setattr(estimates, "ROWS", 2)
    monkeypatch.setitem(estimates.SIZES, "deep", {"layers": 12, "width": 16, "heads": 2})
    monkeypatch.setattr(estimates, "TWO_LAYERS", {"layers": 2, "width": 16, "heads": 2})
    figures, text = bench.run("estimates", small(sizes=("toy", "deep"), topologies=("v5e:1x1",)))
    deep = [row for row in figures["rows"] if row["size"] == "deep" and row["layers"] == 12]
    assert {*made} == {1, 2, 4} and len(deep) == len(estimates.PROGRAMS)
    for row in deep:
        assert row["main"] == pytest.approx(25e-3) == row["cycled"] and row["all"] == pytest.approx(50e-3)
    step = deep[0]  # rows of 128 tokens: products with parameters, and attention; of the last layer less
    forward = 12 * (2 * (4 * 16**2 + 2 * 16 * 64) * 128 + 4 * 16 * 128**2)
    forward *= 1 - 10 / 12 * (127 / 128) / 12
    assert step["flops"] == pytest.approx(3 * 64 * forward)
    assert estimates.shares_of(step)["main"] == pytest.approx(3 * 64 * forward / 25e-3 / 197e12)
    small_step = next(aim for aim in figures["aims"] if "deep" in aim["aim"] and aim["aim"].endswith("moving state"))
    parameters = deep[-1]["parameters"]
    assert small_step["value"] == pytest.approx(25e-3 * 819e9 / (24 * parameters)) and not small_step["met"]
    stack = figures["aims"][-1]
    assert stack["value"] == 1 and stack["met"] and "nothing has run" in text
