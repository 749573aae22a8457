"""Training on items with choices: softmax over each item's, items whole in every step, packing changes nothing."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.train import feeds
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.train.test_step import assert_close, loss_and_gradient
from tests.train.test_tagging import drawn_params
from tests.train.toy import FAMILIES, scores_of, task_data, tiny_encoder, toy_examples

CHOICES = 3


def toy_choice(encoder, items=20, seed=0, **options):
    """The right choice is the example with the most words of the vocabulary's upper half."""
    examples = toy_examples(encoder.family, items * CHOICES, seed, regression=True)
    labels = np.repeat(examples.labels.reshape(-1, CHOICES).argmax(1).astype(np.int32), CHOICES)
    examples = dataclasses.replace(examples, labels=labels, choices=CHOICES)
    return task_data(encoder, "multiple_choice", examples, CHOICES, outputs=1, **options)


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_loss_and_gradient_equal_padded(family):
    encoder = tiny_encoder(family, layers=1)
    task = toy_choice(encoder)
    examples, params = task.examples, drawn_params(encoder, task.head)
    items = np.array([3, 11, 7, 0, 15, 9])
    indices = examples.of_items(items)
    plan = packing.plan_rows(examples.lengths, len(indices), 32)
    packed = packing.pack_step(examples, indices, plan, len(indices))
    padded = packing.pad_step(examples, indices, 24, len(indices) + 2 * CHOICES)  # two empty items
    assert packed.by_row["segment_ids"].max() > 1
    expected = loss_and_gradient(task, params, [padded])
    assert_close(loss_and_gradient(task, params, [packed]), expected)
    parts = [packing.pack_step(examples, examples.of_items(part), plan, 2 * CHOICES) for part in np.split(items, 3)]
    assert_close(loss_and_gradient(task, params, parts), expected)
    own = {"encoder": params["encoder"], "head": params["heads"][0]}
    scores = scores_of(encoder, task.head, own, padded)
    scores = scores[: len(indices), 0].reshape(-1, CHOICES)
    log = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    gold = examples.labels[:: examples.choices][items]
    assert float(expected[0]) == pytest.approx(-log[np.arange(6), gold].mean(), rel=1e-5)
    found = predict(encoder, task.head, own, examples)
    assert found.shape == (20, CHOICES)
    np.testing.assert_allclose(found[items], scores, atol=1e-5)


def test_a_batch_counts_items_and_holds_each_whole(monkeypatch):
    encoder = tiny_encoder("bert", layers=1)
    task, batches = toy_choice(encoder, items=10), []
    stacked = feeds.stack_batches
    monkeypatch.setattr(feeds, "stack_batches", lambda runs: batches.extend(runs[0]) or stacked(runs))
    recipe = Recipe(epochs=2, batch_size=4, accumulate=2, max_length=32)
    result = fine_tune(encoder, [task], None, {"encoder": encoder.init(jax.random.key(0))}, recipe, 1e-3, 0)
    assert result.steps == 5  # two passes over ten items, four at a time
    drawn = []
    for batch in batches:
        assert batch.by_example["weights"].tolist() == [1.0] * 2 * CHOICES
        ids = [batch.by_row["input_ids"][batch.by_row["example_ids"] == slot].tolist() for slot in range(2 * CHOICES)]
        for item in range(2):
            own = [
                i
                for i in range(10)
                if [task.examples.ids[a:b].tolist() for a, b in zip(*bounds(task.examples, i), strict=True)]
                == ids[item * CHOICES : (item + 1) * CHOICES]
            ]
            assert len(own) == 1
            drawn += own
    assert sorted(drawn) == sorted(2 * list(range(10)))


def bounds(examples, item):
    indices = examples.of_items(np.array([item]))
    return examples.offsets[indices], examples.offsets[indices + 1]


@pytest.mark.slow
def test_a_tiny_encoder_learns_to_choose():
    encoder = tiny_encoder("roberta", layers=1)
    task, dev = (toy_choice(encoder, items, seed, pooling="max_mean") for items, seed in ((150, 0), (60, 1)))
    recipe = Recipe(steps=80, batch_size=16, max_length=32, evaluate_every=40, warmup=0.0)
    result = fine_tune(encoder, [task], dev, {"encoder": encoder.init(jax.random.key(0))}, recipe, 5e-3, 0)
    assert result.dev_history[-1][1] > 0.6  # a third by chance
    scores = predict(encoder, task.head, result.params, dev.examples)
    best = max(score for _, score in result.dev_history)
    assert best == np.mean(scores.argmax(1) == dev.expected.labels)
