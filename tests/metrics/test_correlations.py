"""Correlations: scipy's values; undefined for constants."""

import numpy as np
import pytest
from scipy import stats

from itt_jax.metrics import metric

SCIPY = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}


def drawn(n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Predictions and labels with ties, as in graded similarity."""
    random = np.random.default_rng(1)
    labels = np.round(random.normal(0, 2, n))
    return labels + random.normal(0, 2, n), labels


@pytest.mark.parametrize("name", SCIPY)
def test_values_are_scipys(name):
    predictions, labels = drawn()
    expected = SCIPY[name](predictions, labels).statistic
    assert metric(name).score(predictions, labels) == pytest.approx(expected, abs=1e-12)
    assert metric(name).influence(metric(name).statistic(predictions, labels))[0] == pytest.approx(expected, abs=1e-12)


def test_values_by_hand():
    scores, gold = np.array([1.0, 2.0, 4.0]), np.array([0.0, 3.0, 1.0])
    assert metric("spearman").score(scores, gold) == pytest.approx(0.5)
    assert metric("pearson").score(scores, gold) == pytest.approx(np.corrcoef(scores, gold)[0, 1])


@pytest.mark.parametrize("name", SCIPY)
@pytest.mark.parametrize("scores", [[1.0, 1.0, 1.0], [np.nan, 1.0, 2.0], [np.inf, 1.0, 2.0]])
def test_constant_and_infinite_predictions_have_no_correlation(name, scores):
    items = metric(name).statistic(np.array(scores), np.array([0.0, 1.0, 2.0]))
    assert metric(name).value(items) == 0.0 and not metric(name).defined(items)
    value, influence = metric(name).influence(items)
    assert value == 0.0 and not influence.any()
    assert metric(name).chance(np.array([0.0, 1.0])) == 0.0


def test_spearman_error_equals_scipys_bootstrap():
    random = np.random.default_rng(2)
    labels = random.normal(size=150)
    predictions = labels + random.normal(size=150)
    _, influence = metric("spearman").influence(metric("spearman").statistic(predictions, labels))
    bootstrap = stats.bootstrap(
        (predictions, labels),
        lambda x, y: stats.spearmanr(x, y).statistic,
        paired=True,
        vectorized=False,
        n_resamples=500,
        method="percentile",
        rng=random,
    )
    assert np.sqrt((influence**2).sum()) == pytest.approx(bootstrap.standard_error, rel=0.12)


@pytest.mark.parametrize("name", [*SCIPY, "mcc"])
def test_intervals_are_symmetric_on_fishers_z(name):
    low, high = metric(name).interval(np.array([0.6]), np.array([0.1]), np.array([50]))
    z = np.arctanh(0.6)
    assert np.arctanh(high[0]) - z == pytest.approx(z - np.arctanh(low[0]))
    assert metric(name).open_scale(np.array([0.6]), np.array([50]))[0] == pytest.approx(z)
    assert (metric(name).lowest, metric(name).highest) == (-1.0, 1.0)
