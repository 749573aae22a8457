"""Training on words: packing changes nothing, predictions come back by word, and a tiny encoder learns to tag."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.data import packing
from itt_jax.kinds.kind import Gold
from itt_jax.metrics.entities import TagAccuracy
from itt_jax.ragged import Ragged, offsets_of
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
from tests.train.test_step import assert_close, loss_and_gradient
from tests.train.toy import FAMILIES, FIRST_WORD, redrawn, scores_of, task_data, tiny_encoder, toy_examples


def toy_tags(family: str, count: int, seed: int = 0):
    """Words of some tokens; the class of a word says whether its first token is of the vocabulary's upper half."""
    examples = toy_examples(family, count, seed)
    generator = np.random.default_rng(seed)
    places = np.flatnonzero(examples.fields == 1)
    anchors = places[generator.random(len(places)) < 0.7]
    anchors = generator.permutation(anchors)  # words need not stand in the order of their tokens
    labels = np.full(len(examples.ids), -1, np.int32)
    labels[anchors] = examples.ids[anchors] >= 35
    return dataclasses.replace(examples, anchors=anchors, labels=labels)


def toy_tagging(encoder, count=40, seed=0):
    return task_data(encoder, "token_classification", toy_tags(encoder.family, count, seed), 2)


def drawn_params(encoder, head):
    return redrawn({"encoder": encoder.shapes(), "heads": (head.shapes(),)})


@pytest.mark.parametrize("family", FAMILIES)
def test_packed_loss_and_gradient_equal_padded(family):
    encoder = tiny_encoder(family, layers=1)
    task = toy_tagging(encoder)
    params, indices = drawn_params(encoder, task.head), np.arange(3, 15)
    plan = packing.plan_rows(task.examples.lengths, len(indices), 32)
    packed = packing.pack_step(task.examples, indices, plan, len(indices))
    padded = packing.pad_step(task.examples, indices, 24, len(indices) + 3)
    assert packed.by_row["segment_ids"].max() > 1
    found, expected = (loss_and_gradient(task, params, [batch]) for batch in (packed, padded))
    assert_close(found, expected)
    parts = [packing.pack_step(task.examples, part, plan, 4) for part in np.split(indices, 3)]
    assert_close(loss_and_gradient(task, params, parts), expected)


def test_the_loss_is_the_mean_over_words():
    encoder = tiny_encoder("bert", layers=1)
    task = toy_tagging(encoder)
    params = drawn_params(encoder, task.head)
    batch = packing.pad_step(task.examples, np.arange(6), 24, 6)
    loss, _ = loss_and_gradient(task, params, [batch])
    own = {"encoder": params["encoder"], "head": params["heads"][0]}
    scores = scores_of(encoder, task.head, own, batch)
    log = scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    row, at = np.nonzero(batch.by_row["labels"] >= 0)
    assert float(loss) == pytest.approx(-log[row, at, batch.by_row["labels"][row, at]].mean(), rel=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_predictions_come_back_by_word(family):
    encoder = tiny_encoder(family, layers=1)
    task = toy_tagging(encoder)
    params = drawn_params(encoder, task.head)
    own = {"encoder": params["encoder"], "head": params["heads"][0]}
    found = predict(encoder, task.head, own, task.examples)
    batch = packing.pad_step(task.examples, np.arange(40), 24, 40)
    expected = scores_of(encoder, task.head, own, batch)
    examples = task.examples
    row = np.searchsorted(examples.offsets, examples.anchors, side="right") - 1
    np.testing.assert_allclose(found, expected[row, examples.anchors - examples.offsets[row]], atol=1e-5)


@pytest.mark.slow
def test_a_tiny_encoder_learns_to_tag_and_dev_scores_are_by_text():
    encoder = tiny_encoder("bert", layers=1)
    task, dev = toy_tagging(encoder, 200), toy_tagging(encoder, 60, seed=1)
    words = dev.expected.labels.values
    gold = Gold(Ragged(words, offsets_of([10, len(words) - 10])))
    heard = []

    class Heard(TagAccuracy):
        def statistic(self, predictions, labels, names=(), language=""):
            heard.append(labels)
            return super().statistic(predictions, labels, names, language)

    recipe = Recipe(steps=60, batch_size=16, max_length=32, evaluate_every=30, warmup=0.0)
    params = {"encoder": encoder.init(jax.random.key(0))}
    result = fine_tune(encoder, [task], dataclasses.replace(dev, gold=gold), params, recipe, 1e-2, 0, metric=Heard())
    assert heard and all(labels is gold.labels for labels in heard)
    assert result.dev_history[-1][1] > 0.95
    plain = fine_tune(encoder, [task], dev, params, recipe, 1e-2, 0)
    assert plain.dev_history == result.dev_history  # the default is the share of right words
    assert FIRST_WORD < 35
