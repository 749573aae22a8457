"""Metrics: the libraries' values, and chance levels that guessing really reaches."""

import numpy as np
import pytest

from itt_jax.tasks import metrics


def test_values_by_hand():
    labels = np.array([0, 0, 1, 1, 1, 2])
    predictions = np.array([0, 1, 1, 1, 0, 2])
    assert metrics.accuracy(predictions, labels) == pytest.approx(4 / 6)
    assert metrics.macro_f1(predictions, labels) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    scores, gold = np.array([1.0, 2.0, 4.0]), np.array([0.0, 3.0, 1.0])
    assert metrics.spearman(scores, gold) == pytest.approx(0.5)
    assert metrics.pearson(scores, gold) == pytest.approx(np.corrcoef(scores, gold)[0, 1])


@pytest.mark.parametrize("metric", ["pearson", "spearman"])
@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [np.nan, 1.0, 2.0], [np.inf, 1.0, 2.0]])
def test_predictions_that_say_nothing_correlate_with_nothing(metric, scores):
    assert metrics.METRICS[metric](np.array(scores), np.array([0.0, 1.0, 2.0])) == 0.0


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.6, 0.3, 0.1)])
def test_chance_is_what_guessing_reaches(shares):
    random = np.random.default_rng(0)
    labels = random.choice(len(shares), 200_000, p=shares)
    guesses = random.integers(0, len(shares), len(labels))
    assert metrics.macro_f1(guesses, labels) == pytest.approx(metrics.chance("macro_f1", labels, len(shares)), abs=5e-3)
    majority = np.full(len(labels), np.argmax(shares))
    assert metrics.accuracy(majority, labels) == metrics.chance("accuracy", labels, len(shares))
    assert metrics.chance("spearman", labels, 0) == 0.0


def test_predictions_of_outputs():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert metrics.predictions_of("classification", outputs).tolist() == [1, 0]
    assert metrics.predictions_of("regression", outputs[:, :1]).tolist() == [0.1, 0.8]
