"""The benches of stacks and of utilisation run, small. Nothing here is timed."""

import pytest

from itt_jax import bench
from itt_jax.bench import stack, utilisation


@pytest.mark.slow
@pytest.mark.volume
def test_stack(monkeypatch, small):
    monkeypatch.setattr(stack, "RUNS", 2)
    figures, text = bench.run("stack", small())
    (row,) = figures["rows"]
    assert row["runs"] == 2 and row["ratio"] > 0 and 0.5 < row["packing_efficiency_stacked"] <= 1
    assert stack.CPU_NOTE in text


@pytest.mark.slow
@pytest.mark.volume
def test_utilisation(monkeypatch, ceilings, small):
    monkeypatch.setattr(utilisation, "LENGTHS", (16,))
    monkeypatch.setattr(utilisation, "CPU_TOKENS", 64)
    figures, text = bench.run("utilisation", small())
    assert [row["kind"] for row in figures["rows"]] == ["training", "inference"]
    assert all(row["rows"] == 4 and 0 < row["ratio"] < 1 for row in figures["rows"])
    assert "CPU alone" in text and utilisation.CPU_NOTE in text


def test_aims_of_accelerators():
    row = {"kind": "training", "length": 128, "ratio": 0.4}
    rows = [row | {"kind": kind, "length": length} for kind in utilisation.AIMS for length in utilisation.LENGTHS]
    assert [aim["met"] for aim in utilisation.aims(rows)] == [False] * 4
    assert [aim["target"] for aim in stack.aims([{"size": "tiny", "ratio": 4.0}, {"size": "base", "ratio": 1.0}])] == [
        3,
        1.5,
    ]
