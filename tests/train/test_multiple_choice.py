"""Multiple choice: softmax over the choices of each item, items whole in every step, whatever the packing."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.train.jobs import Job
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from itt_jax.train.task_feeds import job_feeds
from tests.train.toy import (
    BERT_FIRST,
    drawn_params,
    outputs_of,
    own_params,
    packed_and_padded_loss,
    task_data,
    tiny_encoder,
    toy_examples,
)

CHOICES = 3


def toy_choice(encoder, items=20, seed=0, **options):
    """The right choice is the example with the most words of the vocabulary's upper half."""
    examples = toy_examples(encoder.family, items * CHOICES, seed, regression=True)
    labels = np.repeat(examples.labels.reshape(-1, CHOICES).argmax(1).astype(np.int32), CHOICES)
    examples = dataclasses.replace(examples, labels=labels, choices=CHOICES)
    return task_data(encoder, "multiple_choice", examples, CHOICES, outputs=1, **options)


@pytest.mark.slow
@pytest.mark.parametrize("family", BERT_FIRST)
def test_packed_loss_and_gradient_equal_padded_and_the_formula(family):
    encoder = tiny_encoder(family)
    task, items = toy_choice(encoder), np.array([3, 11, 7, 0, 15, 9])
    params = drawn_params(encoder, task.head)
    loss, indices = packed_and_padded_loss(task, params, items), task.examples.of_items(items)
    scores = outputs_of(task, own_params(params), indices)[: len(indices), 0].reshape(-1, CHOICES)
    log = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    gold = task.examples.labels[::CHOICES][items]
    assert loss == pytest.approx(-log[np.arange(6), gold].mean(), rel=1e-5)
    found = predict(encoder, task.head, own_params(params), task.examples)
    assert found.shape == (20, CHOICES)
    np.testing.assert_allclose(found[items], scores, atol=1e-5)


def test_a_batch_counts_items_and_holds_each_whole():
    encoder = tiny_encoder("bert")
    task = toy_choice(encoder, items=10)
    job = Job([task], None, {}, Recipe(epochs=2, batch_size=4, accumulate=2, max_length=32), 1e-3, 0)
    assert job.steps == 5  # two passes over ten items, four at a time
    (feed,) = job_feeds(encoder, [job], shards=1)
    drawn, fed = [], [feed(number) for number in range(5)]
    for batch in [batch for own in fed for batch in own.build(slice(0, own.rows))]:
        assert batch.by_example["weights"].tolist() == [1.0] * 2 * CHOICES
        ids = [batch.by_row["input_ids"][batch.by_row["example_ids"] == slot].tolist() for slot in range(2 * CHOICES)]
        for item in range(2):
            own = [i for i in range(10) if ids_of(task.examples, i) == ids[item * CHOICES : (item + 1) * CHOICES]]
            assert len(own) == 1
            drawn += own
    assert sorted(drawn) == sorted(2 * list(range(10)))


def ids_of(examples, item):
    indices = examples.of_items(np.array([item]))
    return [examples.ids[examples.offsets[i] : examples.offsets[i + 1]].tolist() for i in indices]


@pytest.mark.slow
def test_a_tiny_encoder_learns_to_choose():
    encoder = tiny_encoder("roberta")
    task, dev = (toy_choice(encoder, items, seed, pooling="max_mean") for items, seed in ((150, 0), (60, 1)))
    recipe = Recipe(steps=80, batch_size=16, max_length=32, evaluate_every=40, warmup=0.0)
    result = fine_tune(encoder, [task], dev, {"encoder": encoder.init(jax.random.key(0))}, recipe, 5e-3, 0)
    assert result.dev_history[-1][1] > 0.6  # a third by chance
    scores = predict(encoder, task.head, result.params, dev.examples)
    best = max(score for _, score in result.dev_history)
    assert best == np.mean(scores.argmax(1) == dev.expected.labels)
