"""Metrics of label sets: scikit-learn's values, R-precision's definition, chance by exhaustive search."""

import numpy as np
import pytest
from sklearn.metrics import f1_score

from itt_jax.errors import InputError
from itt_jax.metrics import metric
from itt_jax.metrics.label_sets import r_precisions


def drawn(seed: int, n: int = 50, classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Scores and labels; one item and one label have none."""
    random = np.random.default_rng(seed)
    labels = random.random((n, classes)) < random.uniform(0.1, 0.5, classes)
    labels[0], labels[:, -1] = False, False
    return random.normal(size=(n, classes)) + 1.5 * labels - 0.5, labels


@pytest.mark.parametrize(("name", "average"), [("label_micro_f1", "micro"), ("label_macro_f1", "macro")])
def test_f1_is_scikit_learns(name, average):
    scores, labels = drawn(0)
    expected = f1_score(labels, scores > 0, average=average, zero_division=0)
    assert metric(name).score(scores, labels) == pytest.approx(expected, abs=1e-12)
    assert metric(name).score(scores > 0, labels) == pytest.approx(expected, abs=1e-12)


def test_f1_by_hand():
    labels, predictions = np.array([[1, 0, 0], [0, 1, 0]], bool), np.array([[1, 1, 0], [0, 1, 0]], bool)
    assert metric("label_micro_f1").score(predictions, labels) == pytest.approx(2 * 2 / (3 + 2))
    assert metric("label_macro_f1").score(predictions, labels) == pytest.approx((1 + 2 / 3 + 0) / 3)


def test_r_precision_is_its_definition():
    scores, labels = drawn(1)
    shares = []
    for row, right in zip(scores, labels, strict=True):
        if right.any():
            top = sorted(range(len(row)), key=lambda label: -row[label])[: right.sum()]
            shares.append(right[top].mean())
    by_item = r_precisions(scores, labels)
    assert len(shares) < 50 and np.isnan(by_item[0]) and np.nanmean(by_item) == pytest.approx(np.mean(shares))
    measure = metric("r_precision")
    assert measure.score(scores, labels) == pytest.approx(np.mean(shares))
    assert measure.applicable(labels).tolist() == labels.any(1).tolist()
    with pytest.raises(InputError, match="nothing to score"):
        measure.score(np.zeros((1, 3)), np.zeros((1, 3), bool))
    with pytest.raises(InputError, match="expected the same"):
        measure.score(np.zeros((2, 3)), np.zeros((2, 2), bool))


def test_equal_scores_rank_by_position():
    labels = np.array([[True, False, False], [False, True, False]])
    assert metric("r_precision").score(np.zeros((2, 3)), labels) == 0.5


def test_chance_is_the_best_answer_that_never_changes():
    _, labels = drawn(1, classes=4)
    sets = np.array([[(k >> c) & 1 for c in range(4)] for k in range(16)]) * 2.0 - 1
    for name in ("label_micro_f1", "label_macro_f1"):
        best = max(metric(name).score(np.tile(own, (len(labels), 1)), labels) for own in sets)
        assert metric(name).chance(labels) == pytest.approx(best)
    by_share = np.tile(labels.mean(0), (len(labels), 1))
    assert metric("r_precision").chance(labels) == metric("r_precision").score(by_share, labels) < 1
    assert metric("r_precision").chance(np.zeros((3, 2), bool)) == 0


@pytest.mark.parametrize("name", ["r_precision", "label_micro_f1", "label_macro_f1"])
def test_columns_hold_the_statistic(name):
    scores, labels = drawn(2)
    columns = metric(name).record(scores, labels)
    assert set(columns) == set(metric(name).columns)
    np.testing.assert_array_equal(metric(name).read(columns), metric(name).statistic(scores, labels))
