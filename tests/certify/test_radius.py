"""The certified radius against every base classifier; Clopper and Pearson's bound; attacks inside a radius."""

import functools
import itertools

import numpy as np
import pytest
from scipy import stats

from itt_jax.certify import Deletion, lower_bound, radius
from itt_jax.certify.radius import most_false

LETTERS = "abcd"


@functools.cache
def left_of(text: str, rate: float) -> dict[str, float]:
    """The distribution of what random deletion leaves."""
    found: dict[str, float] = {}
    for kept in itertools.product((False, True), repeat=len(text)):
        left = "".join(itertools.compress(text, kept))
        found[left] = found.get(left, 0.0) + rate ** (len(text) - sum(kept)) * (1 - rate) ** sum(kept)
    return found


@functools.cache
def within(text: str, edits: int) -> frozenset[str]:
    """Every text within a Levenshtein distance."""
    if not edits:
        return frozenset([text])
    found = set(within(text, edits - 1))
    for own in list(found):
        for i in range(len(own) + 1):
            found |= {own[:i] + c + own[i:] for c in LETTERS}
            found |= {own[:i] + own[i + 1 :], *(own[:i] + c + own[i + 1 :] for c in LETTERS if i < len(own))}
    return frozenset(found)


def worst_classifier(text: str, other: str, lower: float, rate: float) -> dict[str, float]:
    """Of all base classifiers, strings -> [0, 1], that give `text` a probability of `lower`: that with the least for
    `other`. (The strings with the highest ratio of probabilities first, as in a fractional knapsack.)"""
    here, there = left_of(text, rate), left_of(other, rate)
    found, missing = {}, lower
    for own in sorted(here, key=lambda own: there.get(own, 0.0) / here[own]):
        found[own] = min(1.0, max(0.0, missing / here[own]))
        missing -= found[own] * here[own]
    return found


def probability(classifier: dict[str, float], text: str, rate: float) -> float:
    return sum(share * classifier.get(own, 0.0) for own, share in left_of(text, rate).items())


def least(text: str, edits: int, lower: float, rate: float) -> float:
    """The least probability within a number of edits, whatever the base classifier."""
    return min(probability(worst_classifier(text, other, lower, rate), other, rate) for other in within(text, edits))


@pytest.mark.parametrize("rate", [0.6, 0.8, 0.9])
@pytest.mark.parametrize("text", ["ab", "aa", "a"])
def test_radius_is_sound_for_every_base_classifier_and_cannot_be_larger(text, rate):
    for lower in (0.55, 0.72, 0.81, 0.93, 0.99):
        found = radius(lower, rate)
        for edits in range(3):
            worst = least(text, edits, lower, rate)
            assert edits > found or worst > 0.5
            if text == "ab" and edits <= len(text):  # "cd" shares no letter with it: the bound is reached
                assert worst == pytest.approx(max(0.0, lower - 1 + rate**edits))
                assert (worst > 0.5) == (edits <= found)


def test_radius_is_the_published_one_except_at_ties():
    for rate in (0.5, 0.8, 0.9, 0.95, 0.99):
        for lower in np.linspace(0.501, 0.999, 97):
            assert radius(lower, rate) == np.floor(np.log(1.5 - lower) / np.log(rate))
        assert radius(0.5, rate) == -1
    assert radius(0.75, 0.75) == 0  # the bound is exactly 1/2 for one edit
    assert radius(0.751, 0.75) == 1


def test_lower_bound_is_that_of_clopper_and_pearson():
    for count, samples, alpha in ((1, 10, 0.05), (7, 10, 0.05), (4000, 4000, 0.05), (2100, 4000, 0.001)):
        found = lower_bound(count, samples, alpha)
        assert found == pytest.approx(stats.beta.ppf(alpha, count, samples - count + 1), rel=1e-9)
        assert stats.binom.sf(count - 1, samples, found) == pytest.approx(alpha, rel=1e-6)
    assert lower_bound(0, 10, 0.05) == 0.0
    assert lower_bound(4000, 4000, 0.05) == pytest.approx(0.05 ** (1 / 4000))


def test_false_bounds_among_many_have_a_quantile():
    for rows in (1, 50, 200):
        assert stats.binom.sf(most_false(rows, 0.05), rows, 0.05) <= 0.05
        assert most_false(rows, 0.05) == 0 or stats.binom.sf(most_false(rows, 0.05) - 1, rows, 0.05) > 0.05


@pytest.mark.slow
@pytest.mark.volume
def test_no_attack_succeeds_inside_a_radius_beyond_the_stated_confidence():
    """10,000 certificates of real samples, with the base classifier and the edit that are worst for them."""
    rate, samples, alpha, trials = 0.7, 200, 0.05, 10_000
    text, other = "ab", "cb"  # one edit
    deletion = Deletion("character", rate)
    false = []
    for true in (0.795, 0.8):  # one edit is just too many: it leaves 1/2 or less
        classifier = worst_classifier(text, other, true, rate)
        assert probability(classifier, text, rate) == pytest.approx(true)
        assert probability(classifier, other, rate) <= 0.5 + 1e-12
        rng, wrong = np.random.default_rng(int(true * 1000)), 0
        for trial in range(trials):
            drawn = deletion.samples(tuple(text), deletion.key(trial, "item", "text"), 0, samples)
            chances = np.array([classifier[own] for own in drawn])
            count = int(np.count_nonzero(rng.random(samples) < chances))
            wrong += radius(lower_bound(count, samples, alpha), rate) >= 1
        false.append(wrong)
        assert wrong <= stats.binom.ppf(0.999, trials, alpha)
    assert false[1] > 0.5 * alpha * trials  # the bound is used up, so the test would see one that is too high
