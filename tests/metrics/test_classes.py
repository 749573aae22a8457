"""Metrics of classes: scikit-learn's values, chance levels that guessing reaches, Wilson's intervals."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sklearn_metrics

from itt_jax.errors import InputError
from itt_jax.metrics import metric

SKLEARN = {
    "accuracy": sklearn_metrics.accuracy_score,
    "f1": lambda labels, predictions: sklearn_metrics.f1_score(labels, predictions, zero_division=0),
    "macro_f1": lambda labels, predictions: sklearn_metrics.f1_score(
        labels, predictions, average="macro", zero_division=0
    ),
    "mcc": sklearn_metrics.matthews_corrcoef,
}


def drawn(classes: int, seed: int = 0, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels that agree more often than not."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, n)
    return np.where(random.random(n) < 0.6, labels, random.integers(0, classes, n)), labels


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", SKLEARN)
def test_values_are_scikit_learns(name, classes):
    if name == "f1" and classes > 2:
        return
    for seed in range(5):
        predictions, labels = drawn(classes, seed)
        assert metric(name).score(predictions, labels) == pytest.approx(SKLEARN[name](labels, predictions), abs=1e-12)


@pytest.mark.parametrize("name", SKLEARN)
@pytest.mark.parametrize("constant", [0, 1])
def test_constant_predictions(name, constant):
    labels = drawn(2)[1]
    predictions = np.full(len(labels), constant)
    assert metric(name).score(predictions, labels) == pytest.approx(SKLEARN[name](labels, predictions), abs=1e-12)


def test_values_by_hand():
    labels, predictions = np.array([0, 0, 1, 1, 1, 2]), np.array([0, 1, 1, 1, 0, 2])
    assert metric("accuracy").score(predictions, labels) == pytest.approx(4 / 6)
    assert metric("macro_f1").score(predictions, labels) == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)
    only_negatives = np.zeros(3, int)
    assert metric("f1").score(only_negatives, only_negatives) == 0.0
    assert metric("mcc").score(only_negatives, only_negatives) == 0.0


def test_matthews_of_two_classes_is_their_correlation():
    predictions, labels = drawn(2, n=200)
    assert metric("mcc").score(predictions, labels) == pytest.approx(np.corrcoef(predictions, labels)[0, 1])


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.6, 0.3, 0.1), (0.89, 0.11)])
def test_chance_is_the_best_that_a_prediction_reaches_which_ignores_the_text(shares):
    random = np.random.default_rng(0)
    labels = random.choice(len(shares), 200_000, p=shares)
    names, macro = tuple("abc")[: len(shares)], metric("macro_f1")

    def guessed(how_often):
        return macro.score(random.choice(len(shares), len(labels), p=how_often), labels)

    found = macro.chance(labels, names)
    assert guessed(shares) == pytest.approx(found, abs=5e-3)
    assert max(map(guessed, random.dirichlet(np.ones(len(shares)), 50))) < found + 5e-3
    majority = np.full(len(labels), np.argmax(shares))
    assert macro.score(majority, labels) < found and guessed(np.full(len(shares), 1 / len(shares))) < found + 5e-3
    assert metric("accuracy").score(majority, labels) == metric("accuracy").chance(labels, names)
    assert metric("mcc").chance(labels, names) == 0.0 == metric("mcc").score(majority, labels)


def test_chance_of_f1_is_the_best_constant_answer():
    labels = drawn(2)[1]
    constant = [metric("f1").score(np.full(len(labels), own), labels) for own in (0, 1)]
    assert metric("f1").chance(labels, ("no", "yes")) == pytest.approx(max(constant))


def test_f1_needs_two_labels():
    metric("f1").check(("different", "paraphrase"))
    with pytest.raises(InputError, match="metric 'f1' needs two labels"):
        metric("f1").check(("a", "b", "c"))


def test_accuracy_intervals_are_wilsons():
    low, high = metric("accuracy").interval(np.array([0.6]), np.array([0.05]), np.array([90]))
    expected = stats.binomtest(54, 90).proportion_ci(method="wilson")
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))
