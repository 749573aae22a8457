"""The bench of training runs, small, with and without PyTorch. Nothing here is timed."""

import json

import numpy as np
import pytest

from itt_jax import bench
from itt_jax.bench import ours, torch_peer
from itt_jax.bench import train as train_bench
from itt_jax.bench.choices import Choice
from itt_jax.bench.workload import workload
from itt_jax.errors import InputError
from itt_jax.main import main


@pytest.fixture
def few(monkeypatch, ceilings):
    """Short streams."""
    monkeypatch.setattr(train_bench, "COUNTED_STEPS", 5)
    monkeypatch.setattr(train_bench, "STREAMED_STEPS", 1)
    monkeypatch.setattr(train_bench, "LANGUAGE_BATCHES", (8,))


@pytest.mark.slow
@pytest.mark.volume
def test_embedded_material_without_peers(few, alone, rounding, monkeypatch, capsys):
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)
    command = ["bench", "train", "--json", "--repeats", "1", "--steps", "1", "--sizes", "toy", "--encoders", "bert"]
    assert main(command) == 0
    figures = json.loads(capsys.readouterr().out)
    (run,) = figures["runs"]
    assert (run["encoder"], run["size"], run["data"]) == ("bert", "toy", "embedded")
    own = run["methods"][0]
    assert [row["dtype"] for row in run["methods"]] == ["float32", *(["bfloat16_products"] if rounding else [])]
    assert own["method"] == "ours" and own["examples_per_second"] > 0 and 0.5 < own["packing_efficiency"] <= 1
    assert own["ceiling_share"] < own["ceiling_share_positions"]
    assert run["ratios"] == [] and figures["peer"] == torch_peer.ABSENT
    assert len(figures["streams"]) == 2
    assert "CPU alone" in figures["device"]


@pytest.mark.slow
@pytest.mark.volume
def test_beside_pytorch(few, rounding, data_root, small):
    pytest.importorskip("torch")
    figures, text = bench.run("train", small(data_root=data_root, data=("xnli",)))
    (run,) = figures["runs"]
    names = ("ours", "dynamic padding", "length grouping", "padded to 128")
    found = [(row["method"], row["dtype"]) for row in run["methods"]]
    own, peers = [("ours", "float32")], [(name, "float32") for name in names[1:]]
    if rounding:
        own, peers = [*own, ("ours", "bfloat16_products")], [*peers, ("dynamic padding", "bfloat16")]
    assert found == own + peers
    assert [row["against"] for row in run["ratios"]] == [*names[1:], "each side's best"]
    shares = {row["method"]: row["packing_efficiency"] for row in run["methods"] if row["dtype"] == "float32"}
    assert shares["padded to 128"] < shares["dynamic padding"] < shares["ours"] and shares["length grouping"] > 0.9
    assert {row["aim"] for row in figures["aims"]} >= {"xnli: times dynamic padding", "xnli: times padded to 128"}
    assert "padded to 128" in text


@pytest.mark.slow
@pytest.mark.volume
def test_peer_sees_the_same_examples(data_root, small):
    pytest.importorskip("torch")
    work = workload(small(data_root=data_root), Choice("roberta", "toy", "xnli"))
    (batch,) = ours.batches_of(work, [3])
    trainer = ours.Trainer(work)
    peer = torch_peer.Peer(work.encoder, work.task.classes, work.tokenizer_folder)
    dataset = torch_peer.rows_of(work.task.examples)
    assert np.isfinite(peer.train(dataset, [batch], accumulate=2)) and np.isfinite(trainer.run([3]))
    lengths = work.task.examples.lengths
    counts = ours.padded_counts(work.encoder, lengths, [batch], None)
    assert counts.tokens == trainer.counts([3]).tokens == lengths[batch].sum()
    assert counts.positions == 32 * lengths[batch].max()
    assert peer.predict(dataset[:3]).shape == (3, 3)


@pytest.mark.slow
@pytest.mark.volume
def test_timed_steps_are_typical(small):
    work = workload(small(), Choice("bert", "toy", "embedded"))
    trainer = ours.Trainer(work)
    (chosen,) = ours.typical_steps(work, trainer, 1, 10)
    mean = trainer.counts(range(10)).positions / 10
    off = [abs(trainer.counts([step]).positions - mean) for step in range(10)]
    assert off[chosen] <= sorted(off)[5]


def test_length_grouping_is_spread_over_a_mega_batch():
    pytest.importorskip("torch")
    lengths = np.random.default_rng(0).integers(3, 100, 1000)
    batches = torch_peer.length_grouped(lengths, 8, 4)
    means = [lengths[batch].mean() for batch in batches]
    assert [len(batch) for batch in batches] == [8] * 4 and means == sorted(means, reverse=True)
    assert all(np.ptp(lengths[batch]) < 20 for batch in batches)


def test_wrong_requests(capsys, small):
    with pytest.raises(InputError, match="data sst2: --data-root is needed"):
        bench.run("train", small(data=("sst2",)))
    with pytest.raises(InputError, match="unknown encoders 'brt'; did you mean 'bert'"):
        bench.run("train", small(encoders=("brt",)))
    assert main(["bench", "train", "--steps", "0"]) == 2
    assert "--steps: found 0, expected at least 1" in capsys.readouterr().err
