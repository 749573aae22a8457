"""The bench of compilers' estimates, small and without compiling."""

import jax
import pytest

from itt_jax import bench
from itt_jax.accelerators import ACCELERATORS, Report, Topology
from itt_jax.accelerators.costs import Collective, Cost
from itt_jax.bench import compiled
from itt_jax.models.hardware import Hardware


@pytest.mark.slow
@pytest.mark.volume
def test_compile(monkeypatch, small):
    own = next(own for own in ACCELERATORS if own.name == "v5e")
    there = Topology("v5e:1x1", own, (1, 1), Hardware("tpu", tuple(jax.devices()[:1]), bytes=own.bytes))
    top = (Cost("fusion.7", "jit(step)/dot_general", "fusion", 2, 8e9, 1e6, 5000),)
    summed = (Collective("all-reduce", "f32", 3, 10, 40.0),)
    report = Report(1 << 20, 0, 1 << 19, 1e9, 1e8, 1e-3, 8e-4, 1e-5, 9000, summed, {"flash": 2}, top, 2.0)
    monkeypatch.setattr(compiled, "topology", lambda name: there)
    monkeypatch.setattr(compiled, "compiled_report", lambda request, found: report)
    figures, text = bench.run("compile", small())
    assert [row["kind"] for row in figures["rows"]] == ["training", "prediction"]
    step = figures["rows"][0]
    assert (step["topology"], step["bound"], step["collectives"]) == ("v5e:1x1", "bytes", ["3 all-reduce f32"])
    assert 0 < step["share"] < 1 and step["top"][0]["cycles"] == 5000
    assert "nothing has run" in text and "fusion.7" in text
