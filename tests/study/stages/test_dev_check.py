"""The manipulation check: what counts as having learned, and what the interval allows for."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from itt_jax import kinds
from itt_jax.kinds.kind import Gold
from itt_jax.metrics import metric
from itt_jax.study.stages.dev_check import check_scores, checked


def dev(kind: str, labels: np.ndarray, names: tuple[str, ...] = ()) -> SimpleNamespace:
    return SimpleNamespace(name="sick", kind=kinds.kind(kind), expected=Gold(labels, names))


def test_an_accuracy_above_chance_is_learned_and_more_looks_need_more():
    labels = np.arange(200) % 2
    scores = np.eye(2)[np.where(np.arange(200) < 116, labels, 1 - labels)]  # 58 % right
    first, ninth = (check_scores(dev("classification", labels), metric("accuracy"), scores, looks) for looks in (1, 9))
    error = math.sqrt(0.58 * 0.42 / 199)
    assert (first.dev, first.chance, first.rows) == (0.58, 0.5, 200)
    assert first.ci_low == pytest.approx(0.58 - 1.959964 * error)
    assert ninth.ci_high == pytest.approx(0.58 + stats.norm.isf(0.05 / 2 / 9) * error)
    assert first.learned and not ninth.learned
    assert str(ninth).startswith("DID NOT LEARN sick (dev accuracy 0.580 [")


@pytest.mark.parametrize("scores", [np.ones((50, 1)), np.full((50, 1), np.nan)])
def test_a_constant_or_not_finite_prediction_has_learned_nothing(scores):
    found = check_scores(dev("regression", np.linspace(0, 5, 50)), metric("pearson"), scores, 1)
    assert (found.dev, found.ci_low, found.learned) == (None, None, False) and "undefined" in str(found)


def test_a_lower_score_can_be_the_better_one():
    assert checked("text", "loss", 3.0, 0.1, 3.5, 20, looks=1, sign=-1).learned
    assert not checked("text", "loss", 3.4, 0.1, 3.5, 20, looks=1, sign=-1).learned
    assert not checked("text", "loss", 3.0, math.nan, 3.5, 1, looks=1, sign=-1).learned


def test_chance_passes_as_learned_in_no_more_than_its_share():
    """The best of five independent models that guess is called learned in 2.5 % of cases at most."""
    random, found = np.random.default_rng(0), 0
    labels = np.arange(100) % 2
    for _ in range(400):
        right = random.random((5, 100)) < 0.5
        best = right[right.mean(1).argmax()]
        scores = np.eye(2)[np.where(best, labels, 1 - labels)]
        found += check_scores(dev("classification", labels), metric("accuracy"), scores, 5).learned
    assert found <= 20
