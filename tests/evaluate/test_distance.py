"""Distances between domains: known values and bounds."""

import numpy as np
import pytest
from scipy.stats import entropy

from itt_jax.errors import InputError
from itt_jax.evaluate.distance import proxy_a_distance, vocabulary_divergence


def test_divergence_is_the_mean_information_about_the_side():
    first, second = ["The heart and the lung.", "The heart!"], ["the court AND the heart"]
    words = ["the", "heart", "and", "lung", "court"]
    p, q = np.array([3, 2, 1, 1, 0]) / 7, np.array([2, 1, 1, 0, 1]) / 5
    assert len(words) == len(p)
    middle = (p + q) / 2
    expected = (entropy(p, middle, base=2) + entropy(q, middle, base=2)) / 2
    assert vocabulary_divergence(first, second, "en") == pytest.approx(expected)


def test_divergence_is_bounded():
    assert vocabulary_divergence(["a b c"], ["c b a"], "en") == pytest.approx(0, abs=1e-9)
    assert vocabulary_divergence(["医生"], ["法院"], "zh") == pytest.approx(1)
    with pytest.raises(InputError, match="no word"):
        vocabulary_divergence(["..."], ["a"], "en")


def test_a_distance_of_like_and_unlike_sets():
    random = np.random.default_rng(0)
    same = [random.normal(size=(300, 5)) for _ in range(2)]
    assert proxy_a_distance(*same) < 0.3
    assert proxy_a_distance(same[0], same[1] + 10) == pytest.approx(2)
    # Two unit normals d apart: the best linear rule errs with probability Phi(-d / 2).
    near = proxy_a_distance(random.normal(size=(4000, 1)), random.normal(size=(4000, 1)) + 2)
    assert near == pytest.approx(2 * (1 - 2 * 0.1587), abs=0.06)
    with pytest.raises(InputError, match="expected at least 10"):
        proxy_a_distance(np.zeros((5, 2)), np.zeros((50, 2)))
