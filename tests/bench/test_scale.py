"""The benches of scaling and of starting run, small. Nothing here is timed."""

import pytest

from itt_jax import bench
from itt_jax.bench import Request, scale, start


def test_the_model_counts_a_ring():
    found = {"device_flops": 5e11, "parameters": 1000, "collectives": {"all-reduce": {"count": 1, "bytes": 800}}}
    one = scale.predicted(found, flops=1e12, link=1400, memory=14_000)
    assert one == {"computing": 1.0, "adamw": 2.0, "communicating": 1.0, "ratio": 0.25}


@pytest.mark.slow
@pytest.mark.volume
def test_devices_that_share_rows_sum_gradients_alone(monkeypatch):
    monkeypatch.setattr(scale, "SLICE", 2)
    found = scale.cost((1, 8), ["", "bert", "toy", "embedded"])
    (kind,) = found["collectives"]
    assert kind == "all-reduce"
    assert found["collectives"][kind]["bytes"] == pytest.approx(4 * found["parameters"], rel=0.02)
    assert 0 < found["chips"]["TPU v5e"]["ratio"] < 1


@pytest.mark.slow
@pytest.mark.volume
def test_processes_train_together(monkeypatch):
    monkeypatch.setattr(scale, "PROCESSES", (2,))
    (row,) = scale.processes(Request(repeats=1, steps=1), ["", "bert", "toy", "embedded"])
    assert row["processes"] == 2 and 0.5 < row["loss"] < 2 and row["ratio"] == 1.0


@pytest.mark.slow
@pytest.mark.volume
def test_start(monkeypatch, small):
    figures, text = bench.run("start", small())
    assert figures["help"]["help"] > 0
    (run,) = figures["first"]
    assert set(run["cold"]) == set(run["warm"]) == {*start.PARTS, "to the first step"}
    assert "cold / warm" in text
