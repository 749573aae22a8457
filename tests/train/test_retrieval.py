"""Training a dual encoder: the loss is the published one, and a tiny encoder learns which texts belong together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.kinds import kind
from itt_jax.kinds.retrieval import side_by_side
from itt_jax.models import apply_model, make_encoder, make_head
from itt_jax.models.heads.embedding import SCALE
from itt_jax.train.checkpoint import load_checkpoint, save_checkpoint
from itt_jax.train.jobs import TaskData
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.ranking import retrieval_accuracy
from tests.train.toy import BERT_FIRST, loss_and_gradient, own_params

NUMBERS = ["one", "two", "three", "four", "five", "six"]
FIRST = [f"{a} and {b}" for a in NUMBERS for b in NUMBERS[:4]]
SECOND = ["".join("IVXLCD"[NUMBERS.index(word)] for word in text.split(" and ")) + " in Roman" for text in FIRST]


def made(family: str, layers: int):
    tokenizer = train_tokenizer((FIRST + SECOND) * 3, family, 80 if family in ("bert", "xlnet") else 300)
    sizes = {"layers": layers, "width": 32, "heads": 2, "feed_forward": 64, "max_positions": 64}
    encoder = make_encoder(family, pad_id=tokenizer.pad_id, vocabulary_size=tokenizer.vocabulary_size, **sizes)
    fields = [[tokenizer.encode(texts) for texts in side] for side in ([FIRST], [SECOND, FIRST])]
    examples = side_by_side(*(assemble(tokenizer, side, 40) for side in fields))
    return encoder, TaskData("pairs", make_head(encoder, "embedding", 32), examples, kind("retrieval"), 2), tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("family", BERT_FIRST)
def test_loss_is_cross_entropy_of_scaled_cosines(family):
    encoder, task, tokenizer = made(family, layers=1)
    queries = assemble(tokenizer, [tokenizer.encode(FIRST)], 40)
    candidates = assemble(tokenizer, [tokenizer.encode(SECOND), tokenizer.encode(FIRST)], 40)
    params = {"encoder": encoder.init(jax.random.key(0)), "heads": (task.head.init(jax.random.key(1)),)}
    own = own_params(params)
    assert own["head"]["scale"] == SCALE
    items = np.arange(0, 24, 3)
    sides = [predict(encoder, task.head, own, side)[items] for side in (queries, candidates)]
    np.testing.assert_allclose(np.linalg.norm(sides[0], axis=1), 1, rtol=1e-5)
    logits = SCALE * sides[0] @ sides[1].T
    expected = np.mean(np.logaddexp.reduce(logits, axis=1) - np.diagonal(logits))
    plan = packing.plan_rows(task.examples.lengths, 16, 40)
    batch = packing.pack_step(task.examples, task.examples.of_items(items), plan, 20)  # two items are empty
    assert batch.by_example["weights"].sum() == 2 * len(items)
    objective = TaskObjective(encoder, task.head, 0, False, 2)
    loss, gradient = loss_and_gradient(objective, params, [batch])
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    np.testing.assert_allclose(loss, expected, rtol=1e-3)
    np.testing.assert_allclose(predict(encoder, task.head, own, task.examples)[0::2][items], sides[0], atol=1e-5)


@pytest.mark.slow
def test_pairs_are_learned_and_kept(tmp_path):
    encoder, task, tokenizer = made("bert", layers=2)
    recipe = Recipe(steps=120, batch_size=12, max_length=40, dropout=False, evaluate_every=60)
    result = fine_tune(encoder, [task], task, {"encoder": encoder.init(jax.random.key(0))}, recipe, 3e-3, 0)
    vectors = predict(encoder, task.head, result.params, task.examples)
    assert retrieval_accuracy(vectors[0::2], vectors[1::2]) > 0.9 and result.dev_history[-1][1] > 0.9
    save_checkpoint(tmp_path / "checkpoint", encoder, result.params, head=task.head, tokenizer=tokenizer)
    saved = load_checkpoint(tmp_path / "checkpoint")
    assert saved.head == task.head
    batch = packing.pad_step(task.examples, np.arange(4), 40, 4)
    found = apply_model(encoder, saved.head, saved.params, jax.tree.map(jnp.asarray, batch))
    np.testing.assert_allclose(found, vectors[:4], atol=1e-5)
