"""The bench of evaluation runs, small, with and without its peers. Nothing here is timed."""

import pytest

from itt_jax import bench
from itt_jax.bench import evaluate, ours, peers
from itt_jax.bench.choices import Choice
from itt_jax.bench.workload import workload


@pytest.fixture
def few(monkeypatch, ceilings):
    """Three operators at one severity."""
    monkeypatch.setattr(peers, "GRID", ("swap", "word_drop", "mixed"))
    monkeypatch.setattr(evaluate, "SEVERITIES", (0.2,))


@pytest.mark.slow
@pytest.mark.volume
def test_embedded_material_without_peers(few, alone, monkeypatch, small):
    figures, text = bench.run("evaluate", small(sentences=12))
    (run,) = figures["runs"]
    assert run["rows"] == 12 and run["inputs"] == 48 and 12 <= run["distinct"] <= 48
    assert set(run["ours"]["parts"]) == {"perturb", "encode", "predict"}
    assert "ratio" not in run and len(figures["aims"]) == 1 and "torch is not installed" in text


@pytest.mark.slow
@pytest.mark.volume
def test_beside_peers(few, rounding, data_root, monkeypatch, small):
    pytest.importorskip("torch")
    monkeypatch.setattr(peers, "installed", lambda: True)
    monkeypatch.setattr(peers, "augmenter", lambda *_: lambda texts: list(texts))
    figures, text = bench.run("evaluate", small(data_root=data_root, sentences=8))
    (run,) = figures["runs"]
    steps = [step["step"] for step in run["chain"]]
    assert steps[0] == "nlpaug + tokenizer + PyTorch"
    assert {"packing", "de-duplication"} <= set(steps) and ("bfloat16_products" in steps) == rounding
    assert ("peer_bfloat16" in run) == rounding
    assert run["ratio"] == pytest.approx(run["peer"]["seconds"] / run["ours"]["seconds"])
    assert "de-duplication" in text


@pytest.mark.slow
@pytest.mark.volume
def test_both_sides_read_as_many_rows(few, data_root, small):
    work = workload(small(data_root=data_root), Choice("bert", "toy", "sst2"), "test")
    grid = ours.PerturbedGrid(work, 10, peers.GRID, evaluate.SEVERITIES)
    assert [len(texts) for texts in grid.forms()] == [grid.inputs] == [40]
    assert sum(count for _, count in grid.padded_batches().values()) == 2
