"""Labels of words: packing changes nothing, predictions are in the order of the words, and a tiny encoder learns."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax.config import Recipe
from itt_jax.kinds.kind import Gold
from itt_jax.metrics.entities import TagAccuracy
from itt_jax.ragged import Ragged, offsets_of
from itt_jax.train.predict import predict
from itt_jax.train.stage import fine_tune
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


def toy_tags(family: str, count: int, seed: int = 0):
    """Words of some tokens; a word's class is whether its first token is of the vocabulary's upper half."""
    examples = toy_examples(family, count, seed)
    generator = np.random.default_rng(seed)
    places = np.flatnonzero(examples.fields == 1)
    anchors = places[generator.random(len(places)) < 0.7]
    anchors = generator.permutation(anchors)  # the order of words may differ from that of their tokens
    labels = np.full(len(examples.ids), -1, np.int32)
    labels[anchors] = examples.ids[anchors] >= 35
    return dataclasses.replace(examples, anchors=anchors, labels=labels)


def toy_tagging(encoder, count=40, seed=0):
    return task_data(encoder, "token_classification", toy_tags(encoder.family, count, seed), 2)


@pytest.mark.parametrize("family", BERT_FIRST)
def test_packed_loss_and_gradient_equal_padded_and_the_mean_over_words(family):
    encoder = tiny_encoder(family)
    task, items = toy_tagging(encoder), np.arange(3, 15)
    params = drawn_params(encoder, task.head)
    loss, examples = packed_and_padded_loss(task, params, items), task.examples
    scores = outputs_of(task, own_params(params), np.arange(40))
    log = scores - np.logaddexp.reduce(scores, axis=-1, keepdims=True)
    row = np.repeat(np.arange(40), examples.lengths)
    position = np.arange(len(examples.ids)) - examples.offsets[row]
    chosen = (examples.labels >= 0) & np.isin(row, items)
    losses = -log[row[chosen], position[chosen], examples.labels[chosen]]
    assert loss == pytest.approx(losses.mean(), rel=1e-5)

    found, anchors = predict(encoder, task.head, own_params(params), examples), examples.anchors
    np.testing.assert_allclose(found, scores[row[anchors], position[anchors]], atol=1e-5)


@pytest.mark.slow
def test_a_tiny_encoder_learns_to_tag_and_dev_scores_are_by_text():
    encoder = tiny_encoder("bert")
    task, dev = toy_tagging(encoder, 200), toy_tagging(encoder, 60, seed=1)
    words = dev.expected.labels.values
    gold = Gold(Ragged(words, offsets_of([10, len(words) - 10])))
    heard = []

    class Heard(TagAccuracy):
        def statistic(self, predictions, labels, names=(), language=""):
            heard.append(labels)
            return super().statistic(predictions, labels, names, language)

    recipe = Recipe(steps=60, batch_size=16, max_length=32, evaluate_every=30, warmup=0.0, packed=False, dropout=False)
    params = {"encoder": encoder.init(jax.random.key(0))}
    result = fine_tune(encoder, [task], dataclasses.replace(dev, gold=gold), params, recipe, 1e-2, 0, metric=Heard())
    assert heard and all(labels is gold.labels for labels in heard)
    assert result.dev_history[-1][1] > 0.95
    plain = fine_tune(encoder, [task], dev, params, recipe, 1e-2, 0)
    assert plain.dev_history == result.dev_history  # the default is the share of correct words
