"""Intervals, tests and verdicts against simulation with a known truth, and against references."""

import gc

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar

from itt_jax.analysis import behrens_fisher, inference

MIXTURES = {
    "seeds": (1, 0, 0),
    "items": (0, 1, 0),
    "interaction": (0, 0, 1),
    "all alike": (1 / 3, 1 / 3, 1 / 3),
    "seeds and items": (0.5, 0.5, 0),
    "mostly seeds": (0.7, 0.2, 0.1),
    "mostly items": (0.1, 0.7, 0.2),
    "mostly interaction": (0.2, 0.1, 0.7),
}


def simulate(random, studies, seeds, items, seed_share, item_share, interaction_share):
    """Item-level contrasts [studies, S, I] with truth 0; the shares are of the variance of the overall mean."""
    effect = random.normal(0, np.sqrt(seed_share * seeds), (studies, seeds, 1))
    effect = effect + random.normal(0, np.sqrt(item_share * items), (studies, 1, items))
    return effect + random.normal(0, np.sqrt(interaction_share * seeds * items), (studies, seeds, items))


def statistics(contrasts):
    """The statistics of item-level contrasts [studies, S, I]."""
    studies, _, items = contrasts.shape
    values = contrasts.mean(2).T
    part = (contrasts - contrasts.mean(2, keepdims=True)) / items * np.sqrt(items / (items - 1))
    return pd.DataFrame(inference.table(values, part.transpose(1, 0, 2), np.ones((studies, items), bool), None))


def intervals(contrasts):
    """95 % intervals of item-level contrasts [studies, S, I] by the method of the package."""
    frame = statistics(contrasts)
    return frame["ci_low"].to_numpy(), frame["ci_high"].to_numpy()


def covered(low, high, truth=0.0):
    return float(np.mean((low <= truth) & (truth <= high)))


BANDS = {3: (0.93, 0.98), 5: (0.93, 0.97), 10: (0.93, 0.97)}
"""Coverage by number of seeds: between the extremes the distribution of Behrens and Fisher is conservative."""


@pytest.mark.volume
@pytest.mark.slow
@pytest.mark.parametrize("seeds", BANDS)
def test_coverage_in_every_mixture(seeds):
    """Seed, item and interaction variance; 4,000 studies each (simulation error 0.35 points)."""
    random = np.random.default_rng(seeds)
    found = {}
    for name, mixture in MIXTURES.items():
        low, high = intervals(simulate(random, 4000, seeds, 50, *mixture))
        found[name] = covered(low, high)
    low, high = BANDS[seeds]
    assert all(low <= share <= high for share in found.values()), found


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("seeds", BANDS)
def test_p_values_hold_in_the_tail(seeds):
    """Studies of every mixture, and of unequal mixtures together, at .05, .01 and .001."""
    random = np.random.default_rng(seeds)
    studies = 40_000 // seeds
    rates = {}
    for name, mixture in MIXTURES.items():
        p = np.concatenate([statistics(simulate(random, studies, seeds, 50, *mixture))["p"] for _ in range(3)])
        rates[name] = [(p <= level).mean() / level for level in (0.05, 0.01, 0.001)]
    worst = np.max(list(rates.values()), axis=0)
    error = 2 / np.sqrt(3 * studies * 0.001)  # two standard errors of the last rate
    assert worst[0] < 1.1 and worst[1] < 1.3 and worst[2] < 1.5 + error, rates
    assert np.mean(list(rates.values()), axis=0)[2] < 1.2


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_coverage_of_accuracy_interactions(seeds):
    """Right and wrong answers of two arms, clean and perturbed; the truth is the mean over many studies."""
    random = np.random.default_rng(seeds)
    studies, items = 3000, 100

    def draw(studies, seeds, items):
        item = random.normal(0, 1.0, (4, studies, 1, items)) * 0.5 + random.normal(0, 1.0, (1, studies, 1, items))
        both = random.normal(0, 0.4, (2, 1, studies, seeds, 1)) + random.normal(0, 0.2, (2, 2, studies, seeds, 1))
        own = random.normal(0, 0.7, (2, 1, studies, seeds, items))
        odds = (
            np.array([[1.0, 0.2], [1.5, 1.1]])[:, :, None, None, None]
            + both
            + own
            + item.reshape(2, 2, studies, 1, items)
        )
        right = random.random(odds.shape) < 1 / (1 + np.exp(-odds))
        return (right[1, 1] - right[1, 0].astype(float)) - (right[0, 1] - right[0, 0].astype(float))

    truth = draw(5000, 3, items).mean()
    low, high = intervals(draw(studies, seeds, items))
    assert BANDS[seeds][0] <= covered(low, high, truth) <= BANDS[seeds][1]


@pytest.mark.parametrize("mixture", ["items", "seeds", "mostly seeds", "mostly items"])
def test_a_bootstrap_of_seeds_then_items_undercovers(mixture):
    """Why the package has its own method: the plain percentile bootstrap (seeds, then items within each drawn seed)
    takes three seeds for a population and the items of each seed for new ones."""
    random = np.random.default_rng(0)
    contrasts = simulate(random, 400, 3, 50, *MIXTURES[mixture])
    hits = 0
    for study in contrasts:
        drawn = study[random.integers(0, 3, (400, 3, 1)), random.integers(0, 50, (400, 3, 50))].mean((1, 2))
        low, high = np.quantile(drawn, [0.025, 0.975])
        hits += low <= 0 <= high
    low, high = intervals(contrasts)
    assert hits / 400 < 0.92 and covered(low, high) > 0.93


def test_without_items_the_interval_is_the_paired_t_interval():
    contrasts = np.repeat(np.array([[0.1], [0.3], [0.26]]), 20, axis=1)[None]
    low, high = intervals(contrasts)
    expected = stats.ttest_1samp(contrasts[0, :, 0], 0).confidence_interval()
    assert (low[0], high[0]) == pytest.approx((expected.low, expected.high))


def test_a_single_seed_gives_the_t_interval_over_items():
    contrasts = np.random.default_rng(0).normal(0.1, 1, (1, 1, 40))
    expected = stats.ttest_1samp(contrasts[0, 0], 0).confidence_interval()
    assert (intervals(contrasts)[0][0], intervals(contrasts)[1][0]) == pytest.approx((expected.low, expected.high))


def test_agreeing_seeds_are_no_certainty():
    """Satterthwaite's formula gave p = 4e-8 with 2,085 degrees of freedom where three seeds agree."""
    random = np.random.default_rng(0)
    contrasts = 0.06 + random.normal(0, 0.6, (1, 1, 2000)) + random.normal(0, 0.1, (1, 3, 2000))
    contrasts += np.array([0.01, 0.0, -0.01])[None, :, None] - contrasts.mean(2, keepdims=True) + 0.06
    row = statistics(contrasts).iloc[0]
    assert row["df"] == 2 and row["seed_error"] < row["item_error"] / 2
    assert 1e-3 < row["p"] < 0.05


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("items", [24, 60, 150])
def test_that_no_item_differs_is_no_certainty(items, seeds):
    """One item in fifty is better in every seed: the gain is two points, though many studies have no such item."""
    better = np.random.default_rng(items).random((2000, 1, items)) < 0.02
    contrasts = better.repeat(seeds, axis=1).astype(float)
    frame = statistics(contrasts)
    none = ~better.any(axis=(1, 2))
    assert none.mean() > 0.03
    assert covered(frame["ci_low"], frame["ci_high"], 0.02) > 0.93
    # by Clopper and Pearson, and no verdict that the gain is below two points
    exact = 1 - 0.025 ** (1 / items)
    np.testing.assert_allclose(frame["ci_high"][none], exact, rtol=1e-6)
    np.testing.assert_allclose(frame["ci_low"][none], -exact, rtol=1e-6)
    assert (frame["p"][none] == 1).all()
    verdicts = inference.judge(frame.assign(log_odds=frame["estimate"]), 0.02, "fdr_bh")["verdict"]
    assert (verdicts == "negligible").mean() <= 0.05


def cell(contrasts, shares=None):
    """The statistics of one contrast [S, I] with given shares of its items."""
    items = contrasts.shape[1]
    shares = np.full(items, 1 / items) if shares is None else np.asarray(shares)
    part = (contrasts - contrasts.mean(1, keepdims=True)) * shares
    return inference.table((contrasts * shares).sum(1)[:, None], part[:, None], shares[None], None)


def test_a_few_items_have_the_error_of_three_or_four():
    one = np.zeros((1, 100))
    one[0, 0] = 1
    found, exact = cell(one), 1 - 0.025**0.01
    assert found["ci_high"][0] - 0.01 == pytest.approx(exact, rel=0.02)
    # each of three seeds has another item: each counts a third, and seeds that agree in the mean are no certainty
    apart = np.zeros((3, 100))
    apart[[0, 1, 2], [0, 1, 2]] = 1
    assert 0.3 * exact < cell(apart)["ci_high"][0] - 0.01 < 0.5 * exact
    many = np.zeros((1, 100))
    many[0, :20] = 1
    assert cell(many)["item_error"][0] == pytest.approx(many.std() / 10)


def test_an_unequal_share_counts_as_much_as_it_is():
    """Two cells of 1,000 and 10 items, half of the contrast each, without differences: the small can change more."""
    shares = np.repeat([0.5 / 1000, 0.5 / 10], [1000, 10])
    found = cell(np.zeros((1, 1010)), shares)
    assert found["ci_high"][0] == pytest.approx(0.5 * (1 - 0.025**0.1), rel=0.02)
    few = cell(np.zeros((1, 1001)), np.repeat([0.05 / 1000, 0.95], [1000, 1]))
    assert 0.5 < few["ci_high"][0] < 1  # hardly more than one item


@pytest.mark.parametrize("noise", [0, 1e-9])
def test_rounding_is_no_difference_and_a_missing_error_stays_missing(noise):
    contrasts = np.random.default_rng(0).normal(0, noise, (3, 100))
    assert cell(contrasts)["ci_high"][0] == pytest.approx(1 - 0.025**0.01, rel=0.3)
    missing = np.full((1, 1, 100), np.nan)
    found = inference.table(np.zeros((1, 1)), missing, np.full((1, 100), 0.01), None)
    assert np.isnan([found[name][0] for name in ("item_error", "ci_high", "p")]).all()


def test_mcnemar_and_permutation_equal_their_references():
    assert inference.mcnemar(np.array([9]), np.array([2]))[0] == pytest.approx(mcnemar([[5, 9], [2, 7]]).pvalue)
    share = np.random.default_rng(0).normal(0.3, 1, (1, 30))
    reference = stats.permutation_test((share[0],), np.sum, permutation_type="samples", n_resamples=20000, rng=1)
    assert inference.permutation(share)[0] == pytest.approx(reference.pvalue, abs=0.02)


def judged(estimate, log_odds, seed_error, item_error, seeds, method="holm"):
    """`judge` on a table of statistics with a bound of 0.02."""
    frame = pd.DataFrame({"estimate": estimate, "log_odds": log_odds}).assign(
        seed_error=seed_error, item_error=item_error, seeds=seeds, df=seeds - 1.0, clusters=1000.0
    )
    frame["std_err"] = np.hypot(frame["seed_error"], frame["item_error"])
    half = inference.half_width(frame)
    frame["ci_low"], frame["ci_high"] = frame["estimate"] - half, frame["estimate"] + half
    frame["p"] = np.minimum(2 * inference.beyond(frame["estimate"].abs(), frame), 1)
    return inference.judge(frame, 0.02, method)


def test_verdicts_need_the_bound_the_adjustment_and_the_log_odds():
    error = np.array([0.01, 0.01, 0.01, 0.01, 0.001, 0.0115, 0.0115])
    found = judged([0.1, -0.1, 0.1, 0.03, 0.001, 0.05, -0.01], [1, -1, -1, 1, 1, 1.0, -1], error, error / 10, 21)
    expected = ["supported", "contradicted", "undetermined", "undetermined", "negligible", "undetermined"]
    assert list(found["verdict"]) == [*expected, "undetermined"]
    assert found["ci_low"][5] > 0.02 and found["p_bound"][5] > 0.05  # beyond the bound, but not after Holm
    assert list(found["clear"]) == [True, True, True, False, True, True, False]
    assert (found["detectable"] > 0.02).all()


def test_an_adjustment_counts_repeated_rows_once():
    frame = pd.DataFrame({"arm": list("aaab"), "estimate": [1.0, 1.0, 2.0, 1.0], "std_err": 1.0})
    p = pd.Series([0.01, 0.01, 0.04, 0.01])
    assert inference.adjust(frame, p, "holm").tolist() == pytest.approx([0.03, 0.03, 0.04, 0.03])
    p[1] = np.nextafter(p[0], 1)  # a tail computed for other rows beside it
    assert inference.adjust(frame, p, "holm").tolist() == pytest.approx([0.03, 0.03, 0.04, 0.03])
    p[3] = np.nan
    assert inference.adjust(frame, p, "fdr_bh").tolist() == pytest.approx([0.02, 0.02, 0.04, np.nan], nan_ok=True)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("mixture", MIXTURES)
def test_the_detectable_effect_is_detected_in_four_of_five_studies(seeds, mixture):
    """Each study's printed effect is the truth of another study of its kind, one of a primary family of two."""
    random = np.random.default_rng(seeds)
    scale = 0.01

    def study():
        frame = statistics(scale * simulate(random, 1500, seeds, 30, *MIXTURES[mixture]))
        return frame.assign(log_odds=frame["estimate"])

    def family(frame):
        """Each row as the first of two, of which the second is undecided."""
        outside = 2 * inference.beyond(frame["estimate"].abs() - 0.02, frame)
        return (np.minimum(outside, 1) * 2 <= 0.05) & (frame["estimate"] > 0.02)

    printed = 0.02 + inference.detectable(study(), 0.05 / 2 / 2)
    later = study()
    later["estimate"] += printed
    assert 0.75 <= family(later).mean() <= 0.85


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("truth", [0.02, -0.02, 0.0])
def test_false_verdicts_in_a_family_are_rare(seeds, truth, monkeypatch):
    """Six correlated primary contrasts at a bound, where both kinds of conclusion are false, and six at 0."""
    monkeypatch.setattr(gc, "collect", lambda: 0)  # statsmodels collects in every adjustment
    random = np.random.default_rng(seeds)
    studies, wrong = 600, 0
    for _ in range(studies):
        shared = 0.01 * simulate(random, 1, seeds, 30, 0.3, 0.3, 0.1)
        own = 0.01 * simulate(random, 6, seeds, 30, 0.1, 0.1, 0.1)
        frame = statistics(truth + shared + own)
        found = inference.judge(frame.assign(log_odds=frame["estimate"]), 0.02, "holm")["verdict"]
        wrong += found.isin(["supported", "contradicted"]).any() | ((truth != 0) & (found == "negligible").any())
    assert wrong / studies <= 0.07  # .05, and two standard errors


@pytest.mark.parametrize("df", [2, 4, 9])
@pytest.mark.parametrize("level", [0.025, 1e-3, 1e-5])
def test_behrens_fisher_has_its_known_limits(df, level):
    """Student's without items and the normal without seeds; between them Monte Carlo."""
    one, none = np.ones(1), np.zeros(1)
    assert behrens_fisher.tail(stats.t.isf([level], df), one, none, df)[0] == pytest.approx(level, rel=1e-4)
    assert behrens_fisher.tail(stats.norm.isf([level]), none, one, df)[0] == pytest.approx(level, rel=1e-4)
    found = behrens_fisher.quantile(level, 0.3 * one, 0.8 * one, df)
    assert behrens_fisher.tail(found, 0.3 * one, 0.8 * one, df)[0] == pytest.approx(level, rel=0.02)


def test_behrens_fisher_is_a_sum_of_students_and_normal_parts():
    random = np.random.default_rng(0)
    drawn = np.abs(0.6 * random.standard_t(2, 400_000) + 0.8 * random.normal(size=400_000))
    for x in (1.0, 2.0, 5.0):
        found = 2 * behrens_fisher.tail(np.array([x]), np.array([0.6]), np.array([0.8]), 2)[0]
        assert found == pytest.approx((drawn >= x).mean(), abs=4 * np.sqrt(found / 400_000))


def test_estimates_without_items_have_the_columns_of_those_with_them():
    values = np.array([[0.1, np.nan], [0.3, 0.2]])
    alone = inference.estimates(values)
    assert set(alone) == set(
        inference.table(values, np.zeros((2, 5, 2)).transpose(0, 2, 1), np.ones((2, 5), bool), None)
    )
    assert alone["estimate"].tolist() == [0.2, 0.2]
    assert all(np.isnan(alone[name]).all() for name in ("seed_error", "ci_low", "p"))
