"""The bench of attacks, small, with and without its peers. Nothing here is timed."""

import pytest

from itt_jax import bench
from itt_jax.bench import attack, attack_peers


@pytest.mark.slow
@pytest.mark.volume
def test_pytorch_answers_as_we_do_and_is_asked_as_often(small, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.setattr(attack_peers, "textattack_absent", lambda: "TextAttack is not installed")
    figures, text = bench.run("attack", small(sentences=6, sizes=("toy",)))
    (run,) = figures["runs"]
    ours, torch = run["sides"].values()
    assert run["rows"] == 6 and list(run["sides"]) == ["ours", "PyTorch, one row at a time"]
    assert (ours["queries"], ours["succeeded"]) == (torch["queries"], torch["succeeded"]) and ours["queries"] > 12
    assert torch["ratio"] == pytest.approx(ours["per_second"] / torch["per_second"]) and torch["equal_success"]
    assert figures["aims"] == [] and "TextAttack is not installed" in text and "ours / this" in text


@pytest.mark.slow
@pytest.mark.volume
def test_alone_there_are_our_figures(small, alone):
    figures, text = bench.run("attack", small(sentences=3))
    assert list(figures["runs"][0]["sides"]) == ["ours"] and "torch is not installed" in text


def test_success_rates_are_compared_within_sampling_error():
    assert attack.same_rate(32, 32, 64) and attack.same_rate(32, 40, 64) and not attack.same_rate(20, 44, 64)
    assert attack.same_rate(0, 0, 5) and attack.same_rate(64, 64, 64)
