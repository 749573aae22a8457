"""Boundaries of sequential designs against known values, and whole studies by simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from itt_jax.analysis import behrens_fisher, inference
from itt_jax.analysis.sequential import Anytime, Declared, Fixed, Look, boundaries

LOOKS = (3, 5, 8, 12, 20)


def studies(design, looks, beyond, *, bound=1.0, item=0.0, family=1, count=4000, seed=0):
    """Simulate studies of a family of contrasts with one true value, looked at until all are decided.

    Contrasts of a family share half of their variance. The truth lies `beyond` the bound; its unit is the standard
    deviation of a seed. `item` is the standard error over items, the same at every look.

    Returns:
        shares of studies in which any contrast is supported or contradicted, in which any is negligible, in which all
        are decided, and the mean number of seeds.
    """
    random = np.random.default_rng(seed)

    def draws(*shape):
        return np.sqrt(0.5) * (random.normal(size=(count, 1, *shape)) + random.normal(size=(count, family, *shape)))

    seeds, items = draws(looks[-1]), item * draws()
    smallest, effect = np.ones((count, family)), np.zeros((count, family), dtype=bool)
    left, used = np.ones(count, dtype=bool), np.zeros(count)
    for look in looks:
        part = seeds[:, :, :look]
        estimate = bound + beyond + items + part.mean(2)
        gap, error = np.abs(np.abs(estimate) - bound), part.std(2, ddof=1) / np.sqrt(look)
        p = behrens_fisher.tail(gap.ravel(), error.ravel(), np.full(gap.size, item), look - 1).reshape(gap.shape)
        overall = np.where(left[:, None], design.overall(np.minimum(2 * p, 1), look), 1.0)
        effect = np.where(overall < smallest, np.abs(estimate) > bound, effect)
        smallest, used = np.minimum(smallest, overall), used + left * (look - used)
        decided = _holm(smallest)
        left &= ~decided.all(1)
    conclusions = (decided & effect).any(1), (decided & ~effect).any(1), decided.all(1)
    return (*(float(np.mean(found)) for found in conclusions), float(np.mean(used)))


def _holm(p):
    """Which hypotheses of each family [studies, family] Holm's procedure rejects at .05."""
    order = np.argsort(p, axis=1)
    adjusted = np.maximum.accumulate(np.take_along_axis(p, order, 1) * np.arange(p.shape[1], 0, -1), axis=1)
    found = np.empty(p.shape, dtype=bool)
    np.put_along_axis(found, order, adjusted <= 0.05, 1)
    return found


def test_boundaries_are_those_known_for_linear_spending():
    """Nominal levels of an independent simulation of the same five looks (to its own error)."""
    design = Declared(LOOKS)
    found = [design.nominal(0.05, look) for look in LOOKS]
    assert found == pytest.approx([0.0073, 0.0057, 0.0089, 0.0132, 0.0264], rel=0.035)
    assert found[0] == pytest.approx(0.05 * 3 / 20)  # the first look spends its share


def test_one_look_is_a_fixed_study_and_overall_inverts_nominal():
    assert Declared((7,)).nominal(0.01, 7) == pytest.approx(0.01, rel=1e-6)
    for design in (Fixed(), Declared(LOOKS), Anytime()):
        for look in LOOKS:
            for level in (0.05, 0.05 / 3, 1e-3):
                nominal = design.nominal(level, look)
                if nominal:
                    assert design.overall(np.array([nominal]), look)[0] == pytest.approx(level, rel=1e-6)
        assert design.overall(np.array([1.0, np.nan]), 5) == pytest.approx([1, np.nan], nan_ok=True)
    assert (np.diff(boundaries(LOOKS), axis=0) >= 0).all()  # what Holm's procedure needs


def test_there_is_no_conclusion_between_declared_looks():
    design = Declared(LOOKS)
    assert design.nominal(0.05, 4) == 0 and design.overall(np.array([1e-9, np.nan]), 4)[0] == 1


def test_the_anytime_test_is_a_martingale_that_starts_at_one():
    """The mean of M over studies without an effect is 1 at any number of seeds, and its first value is 1."""
    random, precision = np.random.default_rng(0), 2.0
    for seeds in (2, 6):
        x = random.normal(size=(200_000, seeds))
        t = x.mean(1) / x.std(1, ddof=1) * np.sqrt(seeds)
        share = seeds * t**2 / (t**2 + seeds - 1) / (seeds + precision)
        ratio = np.sqrt(precision / (seeds + precision)) * (1 - share) ** (-seeds / 2)
        assert ratio.mean() == pytest.approx(1, abs=0.05)
    assert Anytime(precision).nominal(0.05, 2) == 0


@pytest.mark.parametrize("design", [Declared(LOOKS), Anytime()])
def test_looking_often_errs_no_more_than_the_level(design):
    """At a bound every conclusion is wrong; naively, a sixth of the studies would reach one."""
    supported, negligible, _, _ = studies(design, LOOKS, 0.0, bound=10.0)
    assert supported + negligible <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 4000)
    naive = studies(Fixed(), LOOKS, 0.0, bound=10.0)
    assert naive[0] + naive[1] == pytest.approx(0.167, abs=0.018)


@pytest.mark.slow
def test_a_conclusion_of_an_earlier_look_holds_and_intervals_have_the_level_of_the_look():
    frame = pd.DataFrame({"model": "m", "arm": list("abc"), "baseline": "d", "estimate": [0.1, 0.001, 0.03]})
    frame = frame.assign(log_odds=1.0, seed_error=[0.004, 0.02, 0.02], item_error=0.0, seeds=8, df=7.0, clusters=99)
    frame["std_err"], frame["p"] = frame["seed_error"], 0.5
    look = Look(Declared(LOOKS), 8)
    earlier = pd.DataFrame({"model": "m", "arm": list("bc"), "baseline": "d", "look": [3, 5]})
    earlier = earlier.assign(p_design=[1e-4, 1e-9], leaning=["negligible", ""])
    found = inference.judge(frame, 0.02, "holm", look, earlier)
    assert list(found["verdict"]) == ["supported", "negligible", "undetermined"] and list(found["look"]) == [8, 3, 8]
    half = stats.t.isf(look.nominal(0.05) / 2, 7) * 0.02
    assert (found["ci_high"] - found["estimate"])[1] == pytest.approx(half, rel=1e-3)
    between = inference.judge(frame, 0.02, "holm", Look(Declared(LOOKS), 9))
    assert (between["verdict"] == "undetermined").all() and between["ci_low"].isna().all()


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("item", [0, 0.2236, 0.5])
def test_error_power_and_seeds_are_those_of_the_documentation(item):
    """docs/deciding.md: the row of each design, with the item error given in standard deviations of a seed."""
    expected = {0: (0.98, 12.5, 0.88, 14.9), 0.2236: (0.82, 14.2, 0.62, 16.4), 0.5: (0.35, 17.5, 0.23, 18.4)}[item]
    design = Declared(LOOKS)
    for family in (1, 4):
        wrong = studies(design, LOOKS, 0.0, bound=10.0, item=item, family=family)
        assert wrong[0] + wrong[1] <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 4000)
    one, less = (studies(design, LOOKS, beyond, item=item) for beyond in (1.0, 0.8))
    assert (one[0], less[0]) == pytest.approx((expected[0], expected[2]), abs=0.025)
    assert (one[3], less[3]) == pytest.approx((expected[1], expected[3]), abs=0.3)
    anytime = studies(Anytime(), LOOKS, 0.0, bound=10.0, item=item)
    assert anytime[0] + anytime[1] <= 0.05 / 2
