"""Retrieval: XTREME's figures on clean text, the perturbed side, pools in several languages."""

import dataclasses
import json

import jax
import numpy as np
import pandas as pd
import pytest

from itt_jax import kinds, main, tasks
from itt_jax.data.examples import assemble
from itt_jax.data.pools import Pool
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalBitext, LocalLines, LocalSentences
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.retrieval import scored_pairs
from itt_jax.kinds.forms import CLEAN_FORM, Form
from itt_jax.kinds.retrieval import Ranked
from itt_jax.metrics.ranking import (
    average_precision,
    pair_scores,
    pair_threshold,
    pairs_above,
    reciprocal_rank,
)
from itt_jax.models import make_encoder, make_head
from itt_jax.ragged import Ragged
from itt_jax.train.checkpoint import save_checkpoint
from itt_jax.train.predict import predict
from itt_jax.train.vectors import retrieval_layer, sentence_vectors
from tests.ranking import rankings_of, retrieval_accuracy

GERMAN = [
    f"{wer} {tut} {was}"
    for wer in ("Ada", "Omar", "Mei")
    for tut in ("liest", "schreibt")
    for was in ("Briefe", "Noten", "Listen")
]
ENGLISH = [
    f"{who} {does} {what}"
    for who in ("Ada", "Omar", "Mei")
    for does in ("reads", "writes")
    for what in ("letters", "grades", "lists")
]
NOISE = {CLEAN_FORM: None, ("swap", 0.3, 0): None}


@pytest.fixture(scope="module")
def made():
    tokenizer = train_tokenizer((GERMAN + ENGLISH) * 5, "bert", 120)
    encoder = make_encoder(
        "bert", vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id, layers=2, width=32, heads=2,
        feed_forward=64, max_positions=128,
    )  # fmt: skip
    return encoder, {"encoder": jax.tree.map(lambda leaf: leaf * 4, encoder.init(jax.random.key(0)))}, tokenizer


@pytest.fixture
def pairs(tmp_path):
    (tmp_path / "de.txt").write_text("\n".join(GERMAN) + "\n")
    (tmp_path / "en.txt").write_text("\n".join(ENGLISH) + "\n")
    source = LocalLines({"test": {"text": str(tmp_path / "{language}.txt"), "english": str(tmp_path / "en.txt")}})
    return tasks.Task(
        "pairs", "retrieval", ("text", "english"), (source,), languages=("de", "en"), candidates=("text",),
        editable=("text",),
    )  # fmt: skip


def vectors(made, texts):
    encoder, params, tokenizer = made
    examples = assemble(tokenizer, [tokenizer.encode(texts)], 64)
    return sentence_vectors(encoder, params["encoder"], examples, retrieval_layer(2))


def cells(made, task, rows):
    encoder, params, tokenizer = made
    place = (task.name, "test", rows.language)
    block = row_forms(task, rows, NOISE, 0)
    evaluator = Evaluator(tokenizer, 64, {place: block})
    scores = evaluator.predict(encoder, None, params)
    return block, {variant: evaluator.cell(scores, place, variant, task) for variant in NOISE}


def test_pairs_are_scored_as_tatoeba(made, pairs):
    rows = tasks.load_rows(pairs, "test", "de")
    block, found = cells(made, pairs, rows)
    for variant, result in found.items():
        assert block.forms[variant].fields["english"] == ENGLISH
        expected = retrieval_accuracy(vectors(made, ENGLISH), vectors(made, block.forms[variant].fields["text"]))
        assert result.figures["value"] == pytest.approx(expected)
        assert np.mean(result.columns["prediction"] == result.columns["label"]) == pytest.approx(expected)
    assert found[CLEAN_FORM].figures["chance"] == pytest.approx(1 / len(GERMAN))
    assert found[CLEAN_FORM].figures["n_changed"] == 0 < found["swap", 0.3, 0].figures["n_changed"]


def test_a_trained_head_gives_the_vectors_and_other_heads_do_not(made, pairs):
    encoder, params, tokenizer = made
    rows, place = tasks.load_rows(pairs, "test", "de"), ("pairs", "test", "de")
    evaluator = Evaluator(tokenizer, 64, {place: row_forms(pairs, rows, {CLEAN_FORM: None}, 0)})
    dual = make_head(encoder, "embedding", encoder.width)
    own = params | {"head": dual.init(jax.random.key(1))}
    found = evaluator.predict(encoder, dual, own)[place][CLEAN_FORM]
    sides = [
        predict(encoder, dual, own, assemble(tokenizer, [tokenizer.encode(side)], 64)) for side in (ENGLISH, GERMAN)
    ]
    np.testing.assert_allclose(found.cosines[:, 0], (sides[0] @ sides[1].T).max(1), atol=1e-5)
    other = make_head(encoder, "classification", 2)
    without, beside = (
        evaluator.predict(encoder, head, params | {"head": head.init(jax.random.key(1))} if head else params)
        for head in (None, other)
    )
    np.testing.assert_array_equal(without[place][CLEAN_FORM].cosines, beside[place][CLEAN_FORM].cosines)
    assert not np.allclose(found.cosines, without[place][CLEAN_FORM].cosines, atol=1e-3)


def test_copies_are_found(made, pairs):
    _, found = cells(made, pairs, tasks.load_rows(pairs, "test", "en"))
    assert found[CLEAN_FORM].figures["value"] == 1 and found["swap", 0.3, 0].figures["value"] < 1


def test_a_part_of_the_rows_is_searched_alone(made, pairs):
    rows = tasks.limit(tasks.load_rows(pairs, "test", "en"), 7)
    _, found = cells(made, pairs, rows)
    assert found[CLEAN_FORM].columns["label"].tolist() == list(range(7))
    assert found[CLEAN_FORM].figures["value"] == 1 and np.shape(found[CLEAN_FORM].columns["ranking"]) == (7, 7)


def test_files_of_different_lengths_are_refused(pairs, tmp_path):
    (tmp_path / "de.txt").write_text("Ada\n")
    with pytest.raises(InputError, match=r"en\.txt: 18 lines, expected 1 as in .*de\.txt"):
        tasks.load_rows(pairs, "test", "de")


def test_a_pool_is_searched_in_every_language(made, tmp_path):
    for language, texts in (("de", GERMAN), ("en", ENGLISH)):
        context = ". ".join(texts) + "."
        ends = np.cumsum([len(text) + 2 for text in texts])
        breaks = [[int(end) - len(text) - 2, int(end) - 1] for text, end in zip(texts, ends, strict=True)]
        questions = [
            {"id": f"q{i}", "question": text, "answers": [{"text": text[:3], "answer_start": breaks[i][0]}]}
            for i, text in enumerate(texts)
        ]
        paragraph = {"context": context, "qas": questions, "sentence_breaks": breaks}
        (tmp_path / f"{language}.json").write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    source = LocalSentences(
        {"test": str(tmp_path / "{language}.json")}, languages={code: code for code in ("en", "de", "fr")}
    )
    task = tasks.Task(
        "sentences", "retrieval", ("question",), (source,), metric="map_at_20", languages=("en", "de"), parallel=True
    )
    rows = {language: tasks.load_rows(task, "test", language) for language in ("en", "de")}
    assert rows["en"].pool is rows["de"].pool and len(rows["en"].pool) == 36
    encoder, params, tokenizer = made
    fields = [tokenizer.encode(texts) for texts in rows["de"].pool.fields.values()]
    pool = sentence_vectors(encoder, params["encoder"], assemble(tokenizer, fields, 64), retrieval_layer(2))
    _, found = cells(made, task, rows["de"])
    queries = vectors(made, GERMAN)
    unit = [own / np.linalg.norm(own, axis=1, keepdims=True) for own in (queries, pool)]
    expected = rankings_of(unit[0] @ unit[1].T, 20)
    scores = [average_precision(own.tolist(), {i, 18 + i}, 20) for i, own in enumerate(expected)]
    np.testing.assert_allclose(found[CLEAN_FORM].columns["item_value"], scores, atol=1e-6)
    assert found[CLEAN_FORM].figures["value"] == pytest.approx(np.mean(scores))
    assert found[CLEAN_FORM].columns["label"][3] == ["en_1_3", "de_1_3"]
    assert all(len(set(own)) == 20 for own in found[CLEAN_FORM].columns["prediction"])


def test_tasks_that_do_not_fit_are_one_line(pairs):
    with pytest.raises(InputError, match="metric of retrieval task 'pairs': 'map_at_20'"):
        tasks.Task(**{**vars(pairs), "metric": "map_at_20"})
    with pytest.raises(InputError, match="needs either a source with a pool of candidates, or candidate fields"):
        tasks.load_rows(tasks.Task(**{**vars(pairs), "candidates": (), "metric": "mrr_at_20"}), "test", "de")


@pytest.mark.slow
def test_evaluate_reads_an_encoder_without_a_head(made, data_root, tmp_path, capsys):
    encoder, params, tokenizer = made
    save_checkpoint(tmp_path / "checkpoint", encoder, params, tokenizer=tokenizer)
    arguments = ["--checkpoint", str(tmp_path / "checkpoint"), "--data-root", str(data_root), "--rows", "15"]
    arguments += ["--perturbations", "swap:0.2", "--languages", "de", "th"]
    for task, languages in (("tatoeba", ["de", "th"]), ("lareqa", ["de"])):
        wanted = [*arguments, "--task", task, "--out", str(tmp_path / task)]
        wanted = wanted if len(languages) == 2 else [part for part in wanted if part != "th"]
        assert main.main(["evaluate", *wanted]) == 0, capsys.readouterr().err
        results = pd.read_parquet(tmp_path / task / "results.parquet")
        assert len(results) == 2 * len(languages) and (results["n"] == 15).all()
        assert results["value"].between(0, 1).all()


def test_pairs_are_mined_as_bucc(made, tmp_path):
    """Copies among other sentences: clean text is mined well, and the counts of rows add up to the F1."""
    first = {f"de-{i}": text for i, text in enumerate([*ENGLISH[:12], *GERMAN[12:], GERMAN[12]])}
    second = {f"en-{i}": text for i, text in enumerate(ENGLISH[:15])}
    gold = {(f"de-{i}", f"en-{i}") for i in range(12)}
    for name, lines in (("de", first.items()), ("en", second.items()), ("gold", sorted(gold))):
        (tmp_path / f"de-en.test.{name}").write_text("".join(f"{a}\t{b}\n" for a, b in lines))
    paths = ({"test": str(tmp_path / f"{{language}}-en.test.{side}")} for side in ("{language}", "en", "gold"))
    task = tasks.Task("bitext", "retrieval", ("text",), (LocalBitext(*paths),), metric="mining_f1", languages=("de",))
    rows = tasks.load_rows(task, "test", "de")
    assert len(rows) == 19 and rows.item_ids[3] == "bitext/test/de-3" and len(rows.pool) == 15
    _, found = cells(made, task, rows)
    vector = vectors(made, [*first.values(), *second.values()])
    mined = scored_pairs(first, second, (vector[:19], vector[19:]))
    expected = pair_scores(pairs_above(mined, pair_threshold(mined, gold)), gold)
    clean = found[CLEAN_FORM]
    assert clean.figures["value"] == pytest.approx(expected["f1"]) and expected["f1"] > 0.8
    correct, predicted, actual = (clean.columns[name].sum() for name in ("correct", "predicted", "actual"))
    assert 2 * correct / (predicted + actual) == pytest.approx(expected["f1"])
    assert clean.columns["label"][0] == ["en-0"] and clean.columns["label"][15] == []
    assert found["swap", 0.3, 0].figures["value"] < clean.figures["value"]
    (tmp_path / "de-en.test.gold").write_text("de-1\ten-99\n")
    with pytest.raises(InputError, match=r"gold, line 1: found 'de-1\\ten-99', expected an id of each set"):
        tasks.load_rows(task, "test", "de")


@pytest.mark.parametrize("name", ["map_at_20", "mrr_at_20"])
def test_rankings_of_a_pool(name):
    """Every row has a score beside its ranking; the value is their mean."""
    random = np.random.default_rng(0)
    right = [random.choice(40, random.integers(1, 4), replace=False) for _ in range(30)]
    indices = np.stack([random.permutation(40)[:20] for _ in right])
    pool = Pool(tuple(f"Q{i}" for i in range(40)), ("en",) * 40, {"text": [f"t{i}" for i in range(40)]})
    rows = Rows("found", "test", "en", "general", np.arange(30).astype(str), {}, Ragged.of(right, np.int64), pool)
    task = dataclasses.replace(tasks.get("lareqa"), metric=name)
    form, ranked = Form({}, np.zeros(30, bool), 0.0), Ranked(np.zeros((30, 20), np.float32), indices)
    value, applicable, columns = kinds.kind("retrieval").cell(task, rows, form, None, {CLEAN_FORM: ranked}, CLEAN_FORM)
    score = {"map_at_20": average_precision, "mrr_at_20": reciprocal_rank}[name]
    expected = [score(own, gold, 20) for own, gold in zip(columns["prediction"], columns["label"], strict=True)]
    assert columns["item_value"].tolist() == expected and applicable.all()
    assert value == pytest.approx(np.mean(expected)) and 0 < value < 1
