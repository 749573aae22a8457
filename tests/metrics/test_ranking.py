"""Retrieval metrics equal scikit-learn, scipy and their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from itt_jax.errors import InputError
from itt_jax.metrics import ranking as metrics
from tests.ranking import rankings_of, retrieval_accuracy


def test_values_by_hand():
    ranking = ["c", "a", "d", "b"]
    assert metrics.reciprocal_rank(ranking, {"a"}) == 1 / 2
    assert metrics.reciprocal_rank(ranking, {"b"}, k=3) == 0.0
    assert metrics.average_precision(ranking, {"a", "b"}) == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert metrics.average_precision(ranking, {"a", "b"}, k=2) == pytest.approx((1 / 2) / 2)
    assert metrics.average_precision(ranking, {"a", "x"}) == pytest.approx((1 / 2) / 2)
    # A perfect ranking scores 1 even if more ids are right than fit, and a repeated id counts once.
    assert metrics.average_precision(["a", "b"], {"a", "b", "x"}, k=2) == 1.0
    assert metrics.average_precision(["a", "a", "a", "b"], {"a", "b"}) == pytest.approx((1 + 2 / 4) / 2)


@settings(deadline=None)
@given(st.permutations(range(12)), st.sets(st.integers(0, 11), min_size=1), st.integers(0, 11))
def test_average_precision_is_scikit_learns(ranking, gold, one):
    relevant = np.isin(ranking, list(gold))
    assert metrics.average_precision(ranking, gold) == pytest.approx(
        average_precision_score(relevant, -np.arange(len(ranking)))
    )
    # With one right answer it equals the reciprocal rank: Mewsli-X's mAP@20 is MRR@20.
    assert metrics.average_precision(ranking, {one}, k=5) == metrics.reciprocal_rank(ranking, {one}, k=5)


def test_pooled_map_counts_answers_below_rank_20():
    random = np.random.default_rng(0)
    scores, relevant = random.normal(size=(30, 200)), np.zeros((30, 200), bool)
    for row in relevant:
        row[random.choice(200, 11, replace=False)] = True
    pooled = metrics.mean_average_precision(scores, relevant)
    rankings = rankings_of(scores)
    gold = [set(np.flatnonzero(row).tolist()) for row in relevant]
    assert pooled == pytest.approx(
        np.mean([metrics.average_precision(r.tolist(), g) for r, g in zip(rankings, gold, strict=True)])
    )
    assert metrics.mean_average_precision_at(rankings_of(scores, 20).tolist(), gold) < pooled


def test_equal_scores_share_a_rank_in_pooled_map():
    assert metrics.mean_average_precision(np.array([[1.0, 1.0]]), np.array([[False, True]])) == 0.5


def test_equal_scores_rank_by_position():
    scores = np.random.default_rng(3).integers(0, 3, (4, 300)).astype(float)
    for row, ranking in zip(scores, rankings_of(scores), strict=True):
        assert ranking.tolist() == sorted(range(300), key=lambda i: (-row[i], i))


def test_nearest_is_scipys_cosine():
    random = np.random.default_rng(2)
    queries, candidates = random.normal(size=(70, 8)), random.normal(size=(40, 8))
    nearest = metrics.nearest(queries, candidates, rows_at_once=16)
    np.testing.assert_array_equal(nearest, cdist(queries, candidates, "cosine").argmin(1))
    assert retrieval_accuracy(candidates * 3, candidates) == 1.0
    assert retrieval_accuracy(queries, candidates, nearest) == 1.0
    assert retrieval_accuracy(candidates[::-1], candidates) == 0.0
    assert metrics.nearest(np.zeros((1, 8)), candidates).shape == (1,)


def test_pair_scores_by_hand():
    gold = [("de-1", "en-1"), ("de-2", "en-2"), ("de-3", "en-3"), ("de-4", "en-4")]
    predictions = [("de-1", "en-1"), ("de-2", "en-3"), ("de-1", "en-1"), ("de-3", "en-3")]
    found = metrics.pair_scores(predictions, gold)
    assert found == {"precision": pytest.approx(2 / 3), "recall": 0.5, "f1": pytest.approx(4 / 7)}
    assert set(metrics.pair_scores([("de-1", "en-2")], gold).values()) == {0.0}


@settings(deadline=None)
@given(st.dictionaries(st.tuples(st.integers(0, 5)), st.integers(0, 50).map(lambda n: n / 7), min_size=1))
def test_no_other_threshold_is_better(scored):
    gold = {(0,), (2,), (4,), (6,)}
    # No threshold can cut between equal scores, so all scores differ.
    scored = {pair: value + 0.01 * pair[0] for pair, value in scored.items()}

    def f1(threshold: float) -> float:
        return metrics.pair_scores(metrics.pairs_above(scored, threshold), gold)["f1"]

    best = max(f1(threshold) for threshold in scored.values())
    found = metrics.pair_threshold(scored, gold)
    assert f1(found) == pytest.approx(best)
    if len(set(scored) & gold) == 0:
        assert found == 0.0


def test_the_threshold_lies_half_way():
    scored = {("a",): 0.9, ("b",): 0.7, ("c",): 0.4}
    assert metrics.pair_threshold(scored, {("a",), ("b",)}) == pytest.approx(0.55)
    assert metrics.pair_threshold(scored, {("a",), ("b",), ("c",)}) == 0.4


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.average_precision(["a"], []), "no right answer"),
        (lambda: metrics.mean_average_precision_at([["a"]], []), "found 1 rankings, expected 0"),
        (lambda: metrics.mean_average_precision(np.zeros((2, 3)), np.zeros((2, 2), bool)), "expected the same"),
        (lambda: metrics.mean_average_precision(np.zeros((1, 3)), np.zeros((1, 3), bool)), "no right answer"),
    ],
)
def test_errors(call, message):
    with pytest.raises(InputError, match=message):
        call()
