"""The bench of lengths, small. Nothing here is timed."""

import json

import numpy as np
import pytest

from itt_jax.bench import lengths, ours
from itt_jax.main import main

SIZES = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16}


@pytest.fixture
def short(monkeypatch):
    """A quarter of the lengths."""
    for name, tokens in (("MEAN", 64), ("DEVIATION", 16), ("LONGEST", 128)):
        monkeypatch.setattr(lengths, name, tokens)


@pytest.mark.parametrize("count", [1, 7, 500])
def test_drawn_lengths_are_as_many_tokens_as_full_rows(count):
    drawn = lengths.drawn(count)
    assert drawn.sum() == 256 * count and drawn.min() >= 1 and drawn.max() <= 512
    assert count < 500 or drawn.std() == pytest.approx(64, rel=0.1)


@pytest.mark.slow
@pytest.mark.volume
def test_packed_and_padded_examples_have_the_same_scores(short):
    predictor = ours.Predictor("roberta", SIZES)
    examples = predictor.examples(lengths.drawn(40))
    packed, padded = predictor.packed(examples), predictor.padded(examples)
    assert packed.shape == (40, 2) and np.ptp(packed, axis=0).min() > 1e-3
    np.testing.assert_allclose(packed, padded, atol=1e-5)


@pytest.mark.slow
@pytest.mark.volume
def test_every_way(short, capsys):
    command = "bench lengths --json --repeats 1 --sentences 640 --sizes toy --encoders mmbert".split()
    assert main(command) == 0
    figures = json.loads(capsys.readouterr().out)
    (run,) = figures["runs"]
    first, second, packed, padded = run["ways"]
    assert (run["encoder"], run["layers"], run["feed_forward"], figures["tokens"]) == ("mmbert", 3, 24, 640 * 64)
    assert first["packing_efficiency"] == second["packing_efficiency"] == 1 > packed["packing_efficiency"] > 0.9
    positions = sum(32 * 16 * -(-batch.max() // 16) for batch in lengths.drawn(640).reshape(20, 32))
    assert padded["packing_efficiency"] == pytest.approx(640 * 64 / positions)
    assert run["packed"]["64"] == pytest.approx(first["seconds"] / packed["seconds"])
    assert run["padded"]["128"] == pytest.approx(second["seconds"] / padded["seconds"])
    assert [aim["target"] for aim in figures["aims"]] == [lengths.AIM] * 2
    assert "padded to the longest of 32" in lengths.text(figures | {"repeats": 1})
    assert main([*command[:-1], "bert"]) == 2
    assert "unknown encoders 'bert'" in capsys.readouterr().err
