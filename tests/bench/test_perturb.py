"""The bench runs, small, with and without data and peers, and says what it leaves out. Nothing here is timed."""

import json

import pytest

from itt_jax import bench
from itt_jax.bench import measure, peers, tokens
from itt_jax.bench import perturb as perturb_bench
from itt_jax.bench import survival as survival_bench
from itt_jax.errors import InputError
from itt_jax.main import main
from itt_jax.perturb import CATALOG, perturb
from itt_jax.perturb.engine import line_ids
from itt_jax.perturb.noise import hash_strings
from itt_jax.perturb.text import from_strings, to_strings


@pytest.fixture
def few(monkeypatch):
    """Three operators in place of the catalogue, and a short stream."""
    chosen = {name: CATALOG[name] for name in ("swap", "invisible", "word_drop")}
    monkeypatch.setattr(perturb_bench, "CATALOG", chosen)
    monkeypatch.setattr(survival_bench, "CATALOG", chosen)
    monkeypatch.setattr(perturb_bench, "STREAMED", 2)


def test_embedded_material_without_peers(few, monkeypatch, capsys):
    monkeypatch.setattr(peers, "installed", lambda: False)
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)
    assert main(["bench", "perturb", "--json", "--repeats", "1", "--sentences", "50"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["material"]["name"].startswith("embedded sentences")
    assert figures["material"]["sentences"] == 50
    assert [row["operator"] for row in figures["operators"]] == ["swap", "invisible", "word_drop"]
    assert all(row[kind]["per_second"] > 0 for row in figures["operators"] for kind in ("codepoints", "text"))
    assert figures["nlpaug"] == peers.ABSENT
    assert figures["token_ids"] == figures["survival"] == tokens.NO_TOKENIZERS
    assert figures["memory"]["sentences"] == 100
    assert 10 < figures["memory"]["peak_mib"] < 1024
    assert len(figures["aims"]) == 3
    assert peers.ABSENT in perturb_bench.text(figures)


@pytest.mark.slow
@pytest.mark.volume
def test_real_material(few, data_root, monkeypatch):
    monkeypatch.setattr(tokens, "TOKENIZERS", ("bert-base-multilingual-cased", "xlm-roberta-base"))
    monkeypatch.setattr(tokens, "OPERATORS", ("swap",))
    monkeypatch.setattr(survival_bench, "TOKENIZERS", ("bert-base-uncased", "roberta-base"))
    monkeypatch.setattr(survival_bench, "SHARE", 0.5)
    monkeypatch.setattr(peers, "OPERATORS", ("swap", "word_drop"))
    monkeypatch.setattr(peers, "installed", lambda: True)
    monkeypatch.setattr(peers, "augmenter", lambda *_: lambda texts: texts)
    figures, text = bench.run("perturb", bench.Request(data_root, 1, 100))
    assert len(figures["material"]["languages"]) == 10
    assert len(figures["token_ids"]) == 2
    assert all(row["new_chunks_per_sentence"] > 0 and 0 < row["ratio_ceiling"] for row in figures["token_ids"])
    shares = {row["operator"]: row["share"] for row in figures["survival"]}
    assert shares["invisible"]["bert-base-uncased"] == 0  # its normaliser takes control and format characters away
    assert shares["invisible"]["roberta-base"] == 1
    assert [row["operator"] for row in figures["nlpaug"]] == ["swap", "word_drop"]
    assert "share of the ceiling" in text and "bert-base-uncased" in text


def test_codepoints_are_those_of_the_public_function():
    texts = [f"The patient slept well {i} nights." for i in range(30)]
    hashes = hash_strings(line_ids(1, len(texts)))
    for name in ("swap", "word_drop"):
        parts = perturb_bench.edited(CATALOG[name], "en", from_strings(texts), hashes, 0.3)
        found = [text for output, *_ in parts for text in to_strings(output)]
        assert found == perturb(texts, name, 0.3, "en")


def test_wrong_requests(capsys):
    with pytest.raises(InputError, match="unknown bench 'pertub'; did you mean 'perturb'"):
        bench.run("pertub", bench.Request())
    assert main(["bench", "perturb", "--repeats", "0"]) == 2
    assert "--repeats: found 0, expected at least 1" in capsys.readouterr().err


def test_works_take_turns():
    order = []
    timings = measure.alternating({"a": lambda: order.append("a"), "b": lambda: order.append("b")}, 3)
    assert order == ["a", "b"] * 3
    assert timings["a"].rates(1)["per_second"] > 0


def test_peak_memory_is_that_of_the_child():
    small, large = (measure.peak_memory(f"held = bytearray({size} << 20)\n") for size in (1, 200))
    assert 150 < large - small < 250


def test_table():
    assert measure.table(["name", "rate"], [["a", 1234567.0], ["bc", 0.12345], ["d", None]]) == (
        "name       rate\na     1,234,567\nbc        0.123\nd             -"
    )
