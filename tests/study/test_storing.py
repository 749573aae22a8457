"""Scores that are not finite: their own cells are not written, neighbours keep their scores, and the row is named."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import main, tasks
from itt_jax.config import Perturbation
from itt_jax.data.examples import prepare
from itt_jax.errors import NotFiniteError
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study import evaluation as evaluations
from itt_jax.study.evaluation import evaluate_checkpoint
from itt_jax.study.predictor import load_predictor
from itt_jax.study.request import Evaluation
from itt_jax.train.predict import predict
from itt_jax.train.vectors import sentence_vectors
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")
ROWS = 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return untrained(tmp_path_factory.mktemp("checkpoint") / "untrained", TASK)


@pytest.fixture(scope="module")
def spoiled(checkpoint):
    """A model with one embedding that is not a number, its sound twin, and which test rows have that token."""
    sound = load_predictor(checkpoint, TASK)
    rows = tasks.limit(tasks.load_rows(TASK, "test", "en"), ROWS)
    examples = prepare(sound.tokenizer, rows, 32)
    counts = np.zeros(sound.tokenizer.vocabulary_size, int)
    for i in range(len(examples)):
        counts[np.unique(examples.ids[examples.offsets[i] : examples.offsets[i + 1]])] += 1
    token = int(np.flatnonzero((counts > 0) & (counts < ROWS // 2))[0])
    parts = np.split(examples.ids, examples.offsets[1:-1])
    own = jax.tree.map(np.array, sound.params)
    own["encoder"]["embeddings"]["word"]["embedding"][token] = np.nan
    return dataclasses.replace(sound, params=own), sound, rows, examples, np.array([token in part for part in parts])


def test_neighbours_in_a_packed_row_keep_their_scores(spoiled):
    bad, sound, _, examples, has_token = spoiled
    assert 0 < has_token.sum() < len(has_token)
    found, expected = (predict(own.encoder, own.head, own.params, examples) for own in (bad, sound))
    assert np.array_equal(np.isfinite(found).all(axis=1), ~has_token)
    np.testing.assert_allclose(found[~has_token], expected[~has_token], rtol=0, atol=1e-6)
    vectors, right = (sentence_vectors(own.encoder, own.params["encoder"], examples, 1) for own in (bad, sound))
    assert np.array_equal(np.isfinite(vectors).all(axis=1), ~has_token)
    np.testing.assert_allclose(vectors[~has_token], right[~has_token], rtol=0, atol=1e-6)


def test_a_cell_with_such_a_score_is_not_written(spoiled, checkpoint, tmp_path, monkeypatch):
    bad, _, rows, _, has_token = spoiled
    monkeypatch.setattr(evaluations, "load_predictor", lambda *about: bad)
    asked = Evaluation(checkpoint, TASK.name, (Perturbation("delete", (0.9,)),), ("en",), rows=ROWS, max_length=32)
    first = str(rows.item_ids[np.flatnonzero(has_token)[0]])
    message = (
        rf"embedded_sentiment_legal/test/en, clean 0.0: the score of row '{first}'.* is not finite: parameters of "
    )
    with pytest.raises(NotFiniteError, match=message) as error:
        evaluate_checkpoint(asked, tmp_path / "out")
    assert "encoder/embeddings/word/embedding" in str(error.value) and "stage " in str(error.value)
    cells = Store(tmp_path / "out").cells.ids()
    kept = read_results(tmp_path / "out")["perturbation"].tolist() if cells else []
    assert len(cells) == len(kept) and "clean" not in kept
    arguments = ["evaluate", "--checkpoint", str(checkpoint), "--task", TASK.name, "--languages", "en", "--rows", "12"]
    more = ["--max-length", "32", "--perturbations", "swap:0.1", "--out", str(tmp_path / "again")]
    assert main.main([*arguments, *more]) == 1
