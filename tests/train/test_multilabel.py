"""Several labels per example: the mean of their cross-entropies, whatever the packing; scores that rank them."""

import dataclasses
import subprocess
import sys

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.errors import InputError
from itt_jax.kinds import kind
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.train.toy import (
    BERT_FIRST,
    FIRST_WORD,
    drawn_params,
    outputs_of,
    own_params,
    packed_and_padded_loss,
    task_data,
    tiny_encoder,
    toy_examples,
)

CLASSES = 5


def toy_multilabel(encoder, count=40, seed=0, **options):
    """An example has class k if it contains word FIRST_WORD + 2 k or the next."""
    examples = toy_examples(encoder.family, count, seed, regression=True)
    labels = np.zeros((count, CLASSES), bool)
    for i in range(count):
        words = examples.ids[examples.offsets[i] : examples.offsets[i + 1]]
        found = np.unique(words[(words >= FIRST_WORD) & (words < FIRST_WORD + 2 * CLASSES)] - FIRST_WORD) // 2
        labels[i, found] = True
    examples = dataclasses.replace(examples, labels=labels)
    return task_data(encoder, "multilabel", examples, CLASSES, **options)


@pytest.mark.parametrize("family", BERT_FIRST)
def test_packed_loss_and_gradient_equal_padded_and_the_formula(family):
    encoder = tiny_encoder(family)
    task, items = toy_multilabel(encoder), np.arange(3, 15)
    params = drawn_params(encoder, task.head)
    loss = packed_and_padded_loss(task, params, items)
    scores, gold = outputs_of(task, own_params(params), items)[:12].astype(np.float64), task.examples.labels[items]
    losses = np.where(gold, np.logaddexp(0, -scores), np.logaddexp(0, scores))
    assert loss == pytest.approx(losses.mean(), rel=1e-5)
    found = predict(encoder, task.head, own_params(params), task.examples)
    assert found.shape == (40, CLASSES)
    np.testing.assert_allclose(found[items], scores, atol=1e-5)


@pytest.mark.slow
def test_a_tiny_encoder_learns_several_labels():
    encoder = tiny_encoder("bert")
    task, dev = (toy_multilabel(encoder, count, seed, pooling="max_mean") for count, seed in ((300, 0), (80, 1)))
    recipe = Recipe(steps=150, batch_size=32, max_length=32, evaluate_every=75, warmup=0.0, dropout=False)
    result = fine_tune(encoder, [task], dev, {"encoder": encoder.init(jax.random.key(0))}, recipe, 1e-2, 0)
    gold = dev.expected.labels
    always = 2 * gold.sum() / (gold.size + gold.sum())
    best = max(score for _, score in result.dev_history)
    assert best > always + 0.15, (best, always)
    scores = predict(encoder, task.head, result.params, dev.examples) > 0
    assert best == pytest.approx(2 * (scores & gold).sum() / (scores.sum() + gold.sum()))


def test_labels_of_another_kind_are_refused():
    encoder = tiny_encoder("bert")
    task = toy_multilabel(encoder)
    params = {"encoder": encoder.init(jax.random.key(0))}
    for changed in (
        dataclasses.replace(task, kind=kind("classification")),
        dataclasses.replace(task, classes=CLASSES + 1),
        dataclasses.replace(task, examples=dataclasses.replace(task.examples, labels=np.zeros(40, np.int32))),
    ):
        with pytest.raises(InputError, match=r"toy: .* expected, found labels (bool|int32) \(40"):
            fine_tune(encoder, [changed], None, params, Recipe(steps=1), 1e-3, 0)


@pytest.mark.slow
@pytest.mark.volume
def test_labels_of_examples_are_whole_on_every_device_of_a_mesh():
    code = """
import jax
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 4)
import numpy as np
from itt_jax.batch import Batch
from itt_jax.train import sharding
mesh = sharding.make_mesh(data=4, model=1)
labels = {"labels": np.ones((1, 1, 5, 6), bool), "weights": np.ones((1, 1, 5))}
placed = sharding.place_batch(Batch({"input_ids": np.zeros((1, 1, 8, 6), np.int32)}, labels), mesh)
assert placed.by_row["input_ids"].sharding.shard_shape((1, 1, 8, 6)) == (1, 1, 2, 6)
assert all(array.sharding.is_fully_replicated for array in placed.by_example.values())
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
