"""Contrasts of one panel, against the same quantities computed plainly from the cells' values."""

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import panels
from itt_jax.analysis.arms import arms_of
from itt_jax.analysis.contrasts import Contrasts
from itt_jax.analysis.fits import Fit, concat
from itt_jax.analysis.signal import signals
from tests.simulated_store import write_store


def contrasts_of(panel, results, selection, cells) -> Contrasts:
    """The contrasts of a panel of a folder without a plan."""
    own = signals(results, selection, cells)[panel.model, panel.target, panel.metric]
    return Contrasts(panel, results, arms_of({}, dict.fromkeys(results["arm"])), own)


ABOUT = {"language": "all", "domain": "all"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """(contrasts, values by arm, domain, language, perturbation, severity and seed) of a simulated folder."""
    out = write_store(tmp_path_factory.mktemp("store"), items=80, base=1.5, seeds=(0, 1, 2, 3))
    results, selection, cells = panels.read(out)
    panel = next(panels.panels_of(results, cells))
    columns = ["arm", "domain", "language", "perturbation", "severity", "seed"]
    return contrasts_of(panel, results, selection, cells), results.set_index(columns)["value"]


def one(frame: pd.DataFrame, **where) -> pd.Series:
    for name, value in where.items():
        frame = frame[frame[name].isna() if value is None else frame[name] == value]
    assert len(frame) == 1, where
    return frame.iloc[0]


def fit(values, influence=None, chance=0.0) -> Fit:
    """A fit of one quantity over the seeds [S]."""
    values = np.asarray(values, float)[:, None]
    items = 4
    influence = np.zeros((len(values), 1, items)) if influence is None else influence
    everything = np.ones((1, items), bool)
    return Fit(values, influence, values, np.array([chance]), everything, everything / items, np.array([1]))


def test_a_difference_is_paired_by_seed_and_item():
    random = np.random.default_rng(0)
    left, right = (fit(random.normal(size=3), random.normal(size=(3, 1, 4))) for _ in range(2))
    found = left.less(right)
    assert np.array_equal(found.values, left.values - right.values)
    assert np.array_equal(found.influence, left.influence - right.influence)
    # equal arms differ by nothing; four items do not show that no other would differ
    same = left.less(left).table(is_mean=False).iloc[0]
    assert same["estimate"] == 0 and same["ci_high"] == pytest.approx(1 - 0.025**0.25)


def test_gains_and_interactions_are_differences_of_means(stored):
    contrasts, values = stored
    mean = values.groupby(["arm", "perturbation"]).mean()
    clean = mean.xs("clean", level=1)
    noisy = mean.drop("clean", level=1).groupby("arm").mean()
    gains, interactions = contrasts.gains(), contrasts.interactions("all")
    for arm, baseline in (("itt", "direct"), ("itt", "matched_steps"), ("matched_steps", "direct")):
        pair = ABOUT | {"arm": arm, "baseline": baseline}
        assert one(gains, **pair, perturbation="clean")["estimate"] == pytest.approx(clean[arm] - clean[baseline])
        assert one(gains, **pair, perturbation="all")["estimate"] == pytest.approx(noisy[arm] - noisy[baseline])
        drop = one(interactions, **pair, kind="perturbation", perturbation="all")["estimate"]
        assert drop == pytest.approx((noisy[arm] - clean[arm]) - (noisy[baseline] - clean[baseline]))
    assert set(zip(gains["arm"], gains["baseline"], strict=True)) == set(contrasts.pairs())


def test_a_domain_interaction_is_the_gap_closed(stored):
    contrasts, values = stored
    clean = values.xs("clean", level="perturbation").groupby(["arm", "domain"]).mean()
    gap = {arm: clean[arm, "general"] - clean[arm, "legal"] for arm in ("itt", "direct")}
    about = {"kind": "domain", "domain": "legal", "perturbation": "clean", "arm": "itt", "baseline": "direct"}
    found = one(contrasts.interactions("all"), **about)
    assert found["estimate"] == pytest.approx(gap["direct"] - gap["itt"])


def test_ratios_are_those_of_the_means(stored):
    contrasts, values = stored
    mean = values.groupby(["arm", "perturbation"]).mean()
    clean, noisy = mean.xs("clean", level=1), mean.drop("clean", level=1).groupby("arm").mean()
    table = contrasts.robustness()
    own = ABOUT | {"perturbation": "all", "severity": None}
    for arm in ("direct", "itt"):
        drop = one(table, **own, quantity="relative_drop", arm=arm, baseline="")
        assert drop["estimate"] == pytest.approx(1 - noisy[arm] / clean[arm])
        kept = one(table, **own, quantity="retention", arm=arm, baseline="")
        assert kept["estimate"] == pytest.approx((noisy[arm] - 0.5) / (clean[arm] - 0.5))
    between = one(table, **own, quantity="relative_drop", arm="itt", baseline="direct")
    each = [1 - noisy[arm] / clean[arm] for arm in ("itt", "direct")]
    assert between["estimate"] == pytest.approx(each[0] - each[1])


def test_a_score_falls_at_most_to_nothing(tmp_path):
    """Rare right answers under noise of 0.9: without its bound, the interval of the relative drop would end above 1."""
    out = write_store(tmp_path, domains=("general",), languages=("en",), noises=(("swap", (0.9,)),), items=12, base=2.0)
    results, selection, cells = panels.read(out)
    table = contrasts_of(next(panels.panels_of(results, cells)), results, selection, cells).robustness()
    drops = table[table["quantity"] == "relative_drop"]
    levels = drops[drops["baseline"] == ""]
    assert (levels["ci_high"] == 1).any() and (levels["ci_high"] <= 1).all()
    assert (drops.loc[drops["baseline"] != "", "ci_high"] > 0).any()


def test_scores_end_where_the_metric_does_and_differences_do_not(stored):
    contrasts, _ = stored
    curves = contrasts.curves()
    assert curves["ci_low"].between(0, 1).all() and curves["ci_high"].between(0, 1).all()
    assert (contrasts.gains()["ci_low"] < 0).any()


def test_every_cell_has_its_interval_and_its_own_row(stored):
    contrasts, values = stored
    table = contrasts.cells()
    assert len(table) == len(values) and not table["differs"].any()
    assert (table["ci_low"] <= table["value"]).all() and (table["value"] <= table["ci_high"]).all()


def test_a_targets_part_of_the_primary_contrast_is_its_interaction(stored):
    contrasts, _ = stored
    part = contrasts.target_contrast("itt", "matched_steps")
    about = ABOUT | {"arm": "itt", "baseline": "matched_steps", "kind": "perturbation", "perturbation": "all"}
    found = one(contrasts.interactions("all"), **about)
    assert part.kind == "perturbation" and part.fit.values.mean() == pytest.approx(found["estimate"])
    assert part.seeds == (0, 1, 2, 3) and part.about["groups_left_out"] == found["groups_left_out"]


def test_without_perturbations_the_primary_contrast_is_of_domains(tmp_path):
    results, selection, cells = panels.read(write_store(tmp_path, noises=(), items=60, base=2.0))
    panel = next(panels.panels_of(results, cells))
    contrasts = contrasts_of(panel, results, selection, cells)
    assert contrasts.target_contrast("itt", "direct").kind == "domain"


def test_without_signal_there_is_no_contrast(tmp_path):
    results, selection, cells = panels.read(write_store(tmp_path, items=60, base=-3.0, dev=60))
    panel = next(panels.panels_of(results, cells))
    contrasts = contrasts_of(panel, results, selection, cells)
    part = contrasts.target_contrast("itt", "direct")
    assert part.fit is None and part.about["groups_left_out"] == 6
    assert contrasts.interactions("all").empty


def test_empty_tables_have_the_columns_that_callers_read():
    assert {"estimate", "std_err", "ci_low", "ci_high", "df", "p"} < set(concat([]).columns)
    assert len(concat([concat([]), pd.DataFrame({"a": [1]})])) == 1
