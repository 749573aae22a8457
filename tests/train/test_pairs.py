"""Training a dual encoder: the loss is the published one, and a tiny encoder learns which texts belong together."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.kinds import kind
from itt_jax.kinds.retrieval import side_by_side
from itt_jax.metrics.ranking import retrieval_accuracy
from itt_jax.models import apply_model, make_encoder, make_head
from itt_jax.models.heads.embedding import SCALE
from itt_jax.train.checkpoint import load_checkpoint, save_checkpoint
from itt_jax.train.jobs import TaskData
from itt_jax.train.objectives import TaskObjective
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune

NUMBERS = ["one", "two", "three", "four", "five", "six"]
FIRST = [f"{a} and {b}" for a in NUMBERS for b in NUMBERS[:4]]
SECOND = ["".join("IVXLCD"[NUMBERS.index(word)] for word in text.split(" and ")) + " in Roman" for text in FIRST]


def made(family: str):
    tokenizer = train_tokenizer((FIRST + SECOND) * 3, family, 300 if family == "roberta" else 80)
    sizes = {"layers": 2, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary_size": tokenizer.vocabulary_size}
    if family != "xlnet":
        sizes["max_positions"] = 64
    encoder = make_encoder(family, pad_id=tokenizer.pad_id, **sizes)
    head = make_head(encoder, "embedding", 32)
    fields = [[tokenizer.encode(texts) for texts in side] for side in ([FIRST], [SECOND, FIRST])]
    return encoder, head, side_by_side(*(assemble(tokenizer, side, 40) for side in fields)), tokenizer


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_loss_is_cross_entropy_of_scaled_cosines(family):
    encoder, head, examples, tokenizer = made(family)
    queries = assemble(tokenizer, [tokenizer.encode(FIRST)], 40)
    both = assemble(tokenizer, [tokenizer.encode(SECOND), tokenizer.encode(FIRST)], 40)
    params = {"encoder": encoder.init(jax.random.key(0)), "heads": (head.init(jax.random.key(1)),)}
    own = {"encoder": params["encoder"], "head": params["heads"][0]}
    assert own["head"]["scale"] == SCALE
    items = np.arange(0, 24, 3)
    sides = [predict(encoder, head, own, side)[items] for side in (queries, both)]
    np.testing.assert_allclose(np.linalg.norm(sides[0], axis=1), 1, rtol=1e-5)
    logits = SCALE * sides[0] @ sides[1].T
    expected = optax.softmax_cross_entropy_with_integer_labels(logits, np.arange(8)).sum()
    batch = packing.pack_step(examples, examples.of_items(items), packing.plan_rows(examples.lengths, 16, 40), 20)
    objective = TaskObjective(encoder, head, 0, False, 2)
    gradient_of = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (total, weight), gradient = gradient_of(params, jax.tree.map(jnp.asarray, batch), jax.random.key(0))
    assert weight == 8 and all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))
    np.testing.assert_allclose(total, expected, rtol=1e-3)
    np.testing.assert_allclose(predict(encoder, head, own, examples)[0::2][items], sides[0], atol=1e-5)


@pytest.mark.slow
def test_pairs_are_learned_and_kept(tmp_path):
    encoder, head, examples, tokenizer = made("bert")
    task = TaskData("pairs", head, examples, kind("retrieval"), 2)
    recipe = Recipe(steps=120, batch_size=12, max_length=40, dropout=False, evaluate_every=60)
    result = fine_tune(encoder, [task], task, {"encoder": encoder.init(jax.random.key(0))}, recipe, 3e-3, 0)
    vectors = predict(encoder, head, result.params, examples)
    assert retrieval_accuracy(vectors[0::2], vectors[1::2]) > 0.9 and result.dev_history[-1][1] > 0.9
    save_checkpoint(tmp_path / "checkpoint", encoder, result.params, head=head, tokenizer=tokenizer)
    saved = load_checkpoint(tmp_path / "checkpoint")
    assert saved.head == head
    batch = packing.pad_step(examples, np.arange(4), 40, 4)
    found = apply_model(encoder, saved.head, saved.params, jax.tree.map(jnp.asarray, batch))
    np.testing.assert_allclose(found, vectors[:4], atol=1e-5)
