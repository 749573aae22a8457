"""Tasks predicted by vectors of an encoder alone: cosines and ranks equal plain references, in every form."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy import stats

from itt_jax import tasks
from itt_jax.data.examples import assemble
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.retrieval import sentence_vectors
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import make_encoder
from itt_jax.models.embedder import Embedder

FIRST = [f"{who} {does} {what}" for who in ("Ada", "Omar") for does in ("reads", "wrote") for what in ("notes", "it")]
SECOND = [text.replace("Ada", "Mei") for text in FIRST[1:] + FIRST[:1]]
NOISE = {CLEAN_FORM: None, ("swap", 0.5, 0): None}
PREFIX = "query: "
EMBEDDERS = [Embedder(), Embedder("cls", None, PREFIX), Embedder("mean", 1, PREFIX)]


@pytest.fixture(scope="module")
def made():
    tokenizer = train_tokenizer([PREFIX + text for text in FIRST + SECOND] * 5, "bert", 90)
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary_size": tokenizer.vocabulary_size, "max_positions": 64}
    encoder = make_encoder("bert", pad_id=tokenizer.pad_id, **sizes)
    return encoder, {"encoder": jax.tree.map(lambda leaf: leaf * 4, encoder.init(jax.random.key(0)))}, tokenizer


def results(made, task, rows, embedder):
    encoder, params, tokenizer = made
    place, block = (task.name, "test", "en"), row_forms(task, rows, NOISE, 0)
    evaluator = Evaluator(tokenizer, 64, {place: block}, embedder)
    scores = evaluator.predict(encoder, None, params)
    return {key: (block.forms[key].fields, evaluator.cell(scores, place, key, task)) for key in NOISE}


def vectors(made, embedder, texts):
    """Of length 1, each text after the prefix."""
    encoder, params, tokenizer = made
    examples = assemble(tokenizer, [tokenizer.encode([embedder.prefix + text for text in texts])], 64)
    layer = 2 if embedder.layer is None else embedder.layer
    found = sentence_vectors(encoder, params["encoder"], examples, layer, embedder.pooling)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
def test_similarity_is_the_cosine_of_two_texts(made, embedder):
    task = dataclasses.replace(tasks.get("stsb"), metric="spearman")
    labels = np.linspace(0, 5, len(FIRST), dtype=np.float32)
    rows = Rows("stsb", "test", "en", "general", np.arange(len(FIRST)).astype(str), {}, labels)
    rows = dataclasses.replace(rows, fields={"sentence1": FIRST, "sentence2": SECOND})
    found = results(made, task, rows, embedder)
    for fields, cell in found.values():
        sides = [vectors(made, embedder, fields[name]) for name in task.fields]
        cosines = np.sum(sides[0] * sides[1], axis=1)
        np.testing.assert_allclose(cell.columns["prediction"], cosines, atol=1e-6)
        assert cell.figures["value"] == pytest.approx(stats.spearmanr(cosines, labels).statistic, abs=1e-9)
    (clean, _), (noisy, cell) = found.values()
    assert clean["sentence1"] == FIRST and noisy["sentence1"] != FIRST and cell.figures["token_change_rate"] > 0


@pytest.mark.parametrize("embedder", EMBEDDERS, ids=str)
def test_the_nearest_text_is_found_among_all(made, embedder):
    task = dataclasses.replace(tasks.get("tatoeba"), languages=("en",))
    labels = np.arange(len(FIRST), dtype=np.int32)
    rows = Rows("tatoeba", "test", "en", "general", labels.astype(str), {"text": SECOND, "english": FIRST}, labels)
    for fields, cell in results(made, task, rows, embedder).values():
        queries, candidates = (vectors(made, embedder, fields[name]) for name in ("english", "text"))
        best = (queries @ candidates.T).argmax(1)
        assert cell.columns["prediction"].tolist() == best.tolist()
        assert cell.figures["value"] == np.mean(best == labels)
