"""Every metric: influence equals leaving one item out; its columns hold its statistic; its range bounds intervals."""

import numpy as np
import pytest

from itt_jax import metrics
from itt_jax.errors import InputError
from itt_jax.metrics import METRICS, Metric, metric
from itt_jax.ragged import Ragged

TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
TEXTS = ("the red car", "red car", "car", "a bus", "no")


def drawn(measure: Metric, seed: int, n: int = 80):
    """Predictions and labels in the form that the metric measures; every item counts."""
    random = np.random.default_rng(seed)
    form = measure.outcomes[0]
    if form == "class":
        labels = random.integers(0, 2, n)
        return np.where(random.random(n) < 0.7, labels, 1 - labels), labels
    if form == "score":
        labels = np.round(random.normal(0, 2, n))
        return labels + random.normal(0, 2, n), labels
    if form == "tags":
        labels = Ragged.of([random.integers(0, 5, length) for length in random.integers(1, 12, n)], np.int32)
        keep = random.random(len(labels.values)) < 0.7
        return labels.with_values(np.where(keep, labels.values, random.integers(0, 5, len(keep)))), labels
    if form == "label_set":
        labels = random.random((n, 5)) < 0.4
        labels[:, 0] |= ~labels.any(1)
        return random.normal(size=(n, 5)) + 1.5 * labels - 0.5, labels
    if form == "answer":
        return random.choice(TEXTS, n).tolist(), [[str(random.choice(TEXTS))] for _ in range(n)]
    right = Ragged.of([random.choice(40, random.integers(1, 4), replace=False) for _ in range(n)], np.int64)
    if form == "ranking":
        return np.stack([random.permutation(40)[:20] for _ in range(n)]), right
    return np.where(random.random(n) < 0.6, [own[0] for own in right.arrays()], random.integers(-1, 40, n)), right


def of(measure: Metric, seed: int, n: int = 80) -> np.ndarray:
    """The statistic of drawn items."""
    return measure.statistic(*drawn(measure, seed, n), TAGS, "en")


@pytest.mark.parametrize("measure", METRICS, ids=lambda measure: measure.name)
def test_influence_is_that_of_leaving_one_item_out(measure):
    items = of(measure, 2)
    n = len(items)
    value, influence = measure.influence(items)
    assert value == pytest.approx(measure.value(items), abs=1e-12)
    assert 0.02 < value < 0.98, "there is something to measure"
    without = np.array([measure.value(np.delete(items, i, 0)) for i in range(n)])
    jackknife = (without.mean() - without) * (n - 1) / n * np.sqrt(n / (n - 1))
    if "score" in measure.outcomes:  # the derivative by an item's weight, which leaving it out approximates
        assert np.sqrt((influence**2).sum()) == pytest.approx(np.sqrt((jackknife**2).sum()), rel=0.06)
        assert np.corrcoef(influence, jackknife)[0, 1] > 0.99
    else:
        np.testing.assert_allclose(influence, jackknife, atol=1e-12)


@pytest.mark.parametrize("measure", METRICS, ids=lambda measure: measure.name)
def test_the_jackknife_error_is_that_of_resampled_items(measure):
    items = of(measure, 3)
    n, random = len(items), np.random.default_rng(0)
    _, influence = measure.influence(items)
    drawn_again = [measure.value(items[random.integers(0, n, n)]) for _ in range(1000)]
    assert np.sqrt((influence**2).sum()) == pytest.approx(np.std(drawn_again), rel=0.15)


@pytest.mark.parametrize("measure", METRICS, ids=lambda measure: measure.name)
def test_columns_hold_the_statistic(measure):
    predictions, labels = drawn(measure, 4)
    columns = measure.record(predictions, labels, TAGS, "en")
    if measure.columns == ("prediction", "label"):
        assert columns == {}
        columns = {"prediction": predictions, "label": labels}
    np.testing.assert_array_equal(measure.read(columns), measure.statistic(predictions, labels, TAGS, "en"))


@pytest.mark.parametrize("measure", METRICS, ids=lambda measure: measure.name)
def test_intervals_lie_in_the_range_around_the_value(measure):
    value, error, n = np.array([0.0, 0.3, 1.0]), np.array([0.0, 0.4, 0.1]), np.array([10, 10, 10])
    low, high = measure.interval(value, error, n)
    assert (measure.lowest <= low + 1e-12).all() and (high <= measure.highest + 1e-12).all()
    assert (low <= value + 1e-9).all() and (value <= high + 1e-9).all()
    assert np.isfinite(measure.open_scale(value, n)).all()


def test_fewer_than_two_items_have_no_influence():
    value, influence = metric("accuracy").influence(np.ones(1))
    assert np.isnan(value) and influence.tolist() == [0.0]


def test_names_are_unique_and_looked_up_when_asked_for(monkeypatch):
    assert len({measure.name for measure in METRICS}) == len(METRICS)
    with pytest.raises(InputError, match="unknown metric 'acuracy'; did you mean 'accuracy'"):
        metric("acuracy")

    class Error(Metric):
        """The share of wrong items, with nothing defined beyond what every metric needs."""

        name, summary, outcomes = "error_rate", "share of wrong items", ("class",)
        higher_is_better = False

        def statistic(self, predictions, labels, names=(), language=""):
            return np.not_equal(predictions, labels).astype(float)

        def value(self, items):
            return float(items.mean())

    monkeypatch.setattr(metrics, "METRICS", (*METRICS, Error()))
    predictions, labels = drawn(metric("accuracy"), 5)
    items = metric("error_rate").statistic(predictions, labels)
    value, influence = metric("error_rate").influence(items)
    expected, other = metric("accuracy").influence(metric("accuracy").statistic(predictions, labels))
    assert value == pytest.approx(1 - expected)
    np.testing.assert_allclose(influence, -other, atol=1e-12)


def test_means_are_the_mean_of_their_items():
    means = {measure.name for measure in METRICS if measure.is_mean}
    answers = {f"{protocol}_{score}" for protocol in ("squad", "mlqa") for score in ("f1", "exact_match")}
    assert means == {"accuracy", "r_precision", "map_at_20", "mrr_at_20", *answers}
    assert {measure.name for measure in METRICS if measure.right_or_wrong} == {
        "accuracy", "squad_exact_match", "mlqa_exact_match"
    }  # fmt: skip
    for measure in METRICS:
        if measure.is_mean:
            assert measure.value(of(measure, 6)) == pytest.approx(of(measure, 6).mean())
