"""Findings against stores whose truth is known."""

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.contingency_tables import mcnemar

from itt_jax.analysis import analyse, inference, look_at, panels
from itt_jax.analysis.looks import as_decided
from itt_jax.analysis.sequential import Declared, Look
from itt_jax.errors import InputError
from itt_jax.report.figures import curves
from itt_jax.report.summary import verdict_sentences
from itt_jax.report.tables import primary
from itt_jax.store import Store
from itt_jax.store.results import KEY
from tests.simulated_store import change_cells, constant, write_store


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    out = write_store(tmp_path_factory.mktemp("store"), robust=1.0, seeds=(0, 1, 2, 3), base=1.5)
    return out, analyse(out)


def panel_of(out):
    """The first panel of a folder."""
    results, _, cells = panels.read(out)
    return next(panels.panels_of(results, cells))


def values_of(out) -> pd.Series:
    """The stored values, indexed as the tests need them."""
    frame = pd.read_parquet(out / "results.parquet")
    return frame.set_index(["arm", "domain", "language", "perturbation", "severity", "seed"])["value"].sort_index()


def one(frame: pd.DataFrame, **where) -> pd.Series:
    for name, value in where.items():
        frame = frame[frame[name].isna() if value is None else frame[name] == value]
    assert len(frame) == 1, where
    return frame.iloc[0]


def test_estimates_are_the_plain_means_of_the_stored_values(simulated):
    out, analysis = simulated
    mean = values_of(out).groupby(["arm", "perturbation"]).mean()
    clean, noisy = mean.xs("clean", level=1), mean.drop("clean", level=1).groupby("arm").mean()
    about = {"arm": "itt", "baseline": "direct", "language": "all", "domain": "all"}
    gain = one(analysis.gains, **about, perturbation="clean")
    assert gain["estimate"] == pytest.approx(clean["itt"] - clean["direct"])
    perturbed = one(analysis.gains, **about, perturbation="all")
    assert perturbed["estimate"] == pytest.approx(noisy["itt"] - noisy["direct"])
    where = {"quantity": "relative_drop", "arm": "direct", "baseline": "", "language": "all", "domain": "all"}
    drop = one(analysis.robustness, **where, perturbation="all")
    assert drop["estimate"] == pytest.approx(1 - noisy["direct"] / clean["direct"])
    kept = one(analysis.robustness, **where | {"quantity": "retention"}, perturbation="all")
    assert kept["estimate"] == pytest.approx((noisy["direct"] - 0.5) / (clean["direct"] - 0.5))
    interaction = one(analysis.interactions, **about, kind="perturbation", perturbation="all", subset="all")
    assert interaction["groups_left_out"] == 0
    assert interaction["estimate"] == pytest.approx(perturbed["estimate"] - gain["estimate"])


@pytest.mark.parametrize("most", [panels.TOGETHER, 1])
def test_cells_that_are_worked_on_together_keep_their_own_values(simulated, monkeypatch, most):
    monkeypatch.setattr(panels, "TOGETHER", most)
    results, _, cells = panels.read(simulated[0])
    changed = {name: (cell.items + number) % 3 > 0 for number, (name, cell) in enumerate(cells.items())}
    cells = {name: dataclasses.replace(cell, changed=changed[name]) for name, cell in cells.items()}
    names = results.set_index(["arm", "seed", *KEY])["cell"].to_dict()
    for subset in ("all", "changed"):
        panel = next(panels.panels_of(results, cells, subset))
        rows = panel.conditions[panel.conditions["role"] == "perturbed"]
        for a, s, k in itertools.product(range(3), range(4), rows.index):
            *group, perturbation, severity, replicate = rows.loc[k, KEY]
            place = (panel.arms[a], panel.seeds[s], *group)
            noisy, clean = (
                cells[names[*place, perturbation, severity, replicate]],
                cells[names[*place, "clean", 0.0, 0]],
            )
            kept = noisy.mask(subset)
            assert 0 < kept.sum() == panel.sizes[a, s, k] and kept.all() == (subset == "all")
            for cell, at in ((noisy, k), (clean, rows.loc[k, "twin"])):
                right, part = (cell.values["prediction"] == cell.values["label"])[kept], panel.influence[a, s, at]
                assert panel.values[a, s, at] == pytest.approx(right.mean())
                assert part @ part == pytest.approx(right.var(ddof=1) / kept.sum(), rel=1e-5)
                assert set(panel.clusters[part != 0]) <= set(cell.clusters[kept])
                assert set(panel.items[panel.members[at]]) >= set(cell.items[kept])


def test_a_severity_curve_begins_at_the_clean_score_of_its_own_cells(tmp_path):
    """One language lacks an operator, so that the curve of that operator is one of the others."""
    out = write_store(tmp_path, items=30, domains=("general",), seeds=(0, 1), arms=("direct",))
    frame = pd.read_parquet(out / "results.parquet")
    frame[(frame["language"] != "zh") | (frame["perturbation"] != "keyboard")].to_parquet(out / "results.parquet")
    analysis, clean = analyse(out), values_of(out)["direct"].xs("clean", level="perturbation")
    about = {"arm": "direct", "language": "all", "severity": 0.2}
    swap, keyboard = (one(analysis.curves, **about, perturbation=name) for name in ("swap", "keyboard"))
    by_language = clean.groupby("language").mean()
    assert swap["clean"] == pytest.approx(by_language.mean())
    assert keyboard["clean"] == pytest.approx(by_language[["en", "de"]].mean()) and keyboard["languages"] == "en de"
    curve = curves._from_clean(keyboard.to_frame().T)
    assert curve["severity"].tolist() == [0.0, 0.2] and curve["estimate"].iloc[0] == keyboard["clean"]
    assert keyboard["clean_low"] < keyboard["clean"] < keyboard["clean_high"]


def test_area_gaps_and_worst_cases(simulated):
    out, analysis = simulated
    direct = values_of(out)["direct"]
    by_level = direct.groupby(["perturbation", "severity"]).mean()
    swap = np.trapezoid([by_level["clean", 0.0], by_level["swap", 0.1], by_level["swap", 0.2]], dx=0.1) / 0.2
    own = {"arm": "direct", "baseline": ""}
    assert one(analysis.robustness, **own, quantity="area", perturbation="swap")["estimate"] == pytest.approx(swap)
    clean = direct.xs("clean", level="perturbation").groupby(["domain", "language"]).mean().unstack()
    gap = (clean["en"] - clean[["de", "zh"]].mean(axis=1)).mean()
    found = one(analysis.gaps, **own, quantity="language gap", domain="all", perturbation="clean")
    assert found["estimate"] == pytest.approx(gap)
    shift = one(analysis.gaps, **own, quantity="domain gap", perturbation="clean")
    assert shift["estimate"] == pytest.approx(clean.loc["general"].mean() - clean.loc["legal"].mean())
    cells = (
        direct.drop("clean", level="perturbation").groupby(["domain", "language", "perturbation", "severity"]).mean()
    )
    lowest = cells.groupby(["domain", "language"]).min().mean()  # lower than the worst cell, by chance
    worst = one(analysis.robustness, **own, quantity="worst cell")["estimate"]
    assert lowest < worst < cells.mean()
    assert one(analysis.robustness, **own, quantity="worst item")["estimate"] < lowest


@pytest.mark.slow
def test_a_true_interaction_is_supported_and_its_opposite_contradicted(simulated, tmp_path):
    _, analysis = simulated
    primary = one(analysis.primary, model="bert", arm="itt")
    assert primary["baseline"] == "matched_steps" and primary["verdict"] == "supported" and primary["ci_low"] > 0.02
    assert set(analysis.primary["arm"]) == {"itt"}
    opposite = analyse(write_store(tmp_path, robust=-1.5, seeds=(0, 1, 2, 3), base=1.5))
    assert one(opposite.primary, arm="itt")["verdict"] == "contradicted"


@pytest.mark.slow
@pytest.mark.volume
def test_groups_without_signal_on_dev_rows_are_left_out_and_counted(tmp_path):
    """What is evaluated decides nothing: here the evaluated cells of zh are at chance, and the dev rows of de."""
    out = write_store(tmp_path, domains=("general",), base=1.0, items=100, dev=400)
    for table, language in (("results", "zh"), ("selection", "de")):
        frame = pd.read_parquet(out / f"{table}.parquet")
        own = frame.loc[(frame["language"] == language) & (frame["arm"] == "direct"), "cell"]
        change_cells(out, dict.fromkeys(own, constant))
    analysis = analyse(out)
    found = one(analysis.counts, arm="direct")
    assert (found["groups_no_signal"], found["groups_unchecked"], found["groups"]) == (1, 0, 3)
    assert found["cells_whose_value_differs"] > 0 and found["no_signal_seeds"] == ""
    about = {"arm": "itt", "baseline": "direct", "perturbation": "all", "subset": "all", "kind": "perturbation"}
    row = one(analysis.interactions, **about, language="all")
    assert (row["groups"], row["groups_left_out"], row["languages"]) == (2, 1, "en zh") and row["cross_lingual"]
    with_direct = analysis.interactions[analysis.interactions["baseline"] == "direct"]
    assert set(with_direct["language"]) == {"all", "en", "zh"}
    gain = one(analysis.gains, arm="itt", baseline="direct", perturbation="all", language="all")
    assert (gain["groups"], gain["groups_left_out"]) == (3, 0)  # a gain is one whatever has signal


@pytest.mark.slow
def test_missing_cells_are_no_signal_and_missing_dev_rows_leave_it_unchecked(tmp_path):
    out = write_store(tmp_path, domains=("general",), base=1.5, items=100, dev=100)
    rows = pd.read_parquet(out / "selection.parquet")
    lost = (rows["language"] == "en") & (rows["arm"] == "itt")
    rows[~lost & (rows["language"] != "zh")].to_parquet(out / "selection.parquet")
    results = pd.read_parquet(out / "results.parquet")
    clean = (results["perturbation"] == "clean") & (results["arm"] == "direct") & (results["language"] == "de")
    results[~clean].to_parquet(out / "results.parquet")
    analysis = analyse(out)
    counts = analysis.counts.set_index("arm")
    assert counts["groups_no_signal"].to_dict() == {"direct": 1, "matched_steps": 0, "itt": 1}
    assert (counts["groups_unchecked"] == 1).all()
    row = one(analysis.interactions, arm="itt", baseline="direct", perturbation="all", language="all", subset="all")
    assert (row["languages"], row["groups_left_out"], row["groups_unchecked"]) == ("zh", 2, 1)


@pytest.mark.slow
def test_source_language_alone_is_not_cross_lingual(tmp_path):
    out = write_store(tmp_path, domains=("general",), base=1.5, items=60, dev=200)
    rows = pd.read_parquet(out / "selection.parquet")
    change_cells(out, dict.fromkeys(rows.loc[rows["language"] != "en", "cell"], constant))
    row = one(analyse(out).primary, arm="itt")
    assert row["languages"] == "en" and not row["cross_lingual"] and row["groups_left_out"] == 2


@pytest.mark.slow
def test_the_figures_of_a_row_are_of_the_same_cells(tmp_path):
    """Some languages lack an operator, a domain or signal; first less second is the estimate all the same."""
    out = write_store(tmp_path, base=1.5, items=60, dev=60, languages=("en", "de", "zh"))
    frame = pd.read_parquet(out / "results.parquet")
    frame = frame[(frame["language"] != "zh") | (frame["perturbation"] != "keyboard")]
    frame[(frame["language"] == "en") | (frame["domain"] != "legal")].to_parquet(out / "results.parquet")
    analysis = analyse(out)
    for table in (analysis.interactions, analysis.gaps):
        assert np.allclose(table["first"] - table["second"], table["estimate"])
    own = analysis.robustness[analysis.robustness["baseline"] == ""]
    own = own[(own["perturbation"] == "all") & (own["language"] == "all") & (own["domain"] == "all")]
    wide = own.pivot(index="arm", columns="quantity", values="estimate")
    assert np.allclose(1 - wide["perturbed"] / wide["clean"], wide["relative_drop"])
    assert (wide["perturbed"] < wide["area"]).all() and (wide["area"] < wide["clean"]).all()
    assert own.groupby("arm")["groups"].nunique().eq(1).all()


def test_an_arm_that_learned_nothing_takes_no_scores_from_the_others(tmp_path):
    out = write_store(
        tmp_path, domains=("general",), languages=("en", "de"), base=2.0, dev=40, noises=(("swap", (0.1,)),)
    )
    dev = pd.read_parquet(out / "selection.parquet")
    silent = (dev["arm"] == "itt") | ((dev["arm"] == "direct") & (dev["language"] == "de"))
    change_cells(out, dict.fromkeys(dev.loc[silent, "cell"], constant))
    found = analyse(out).robustness
    levels = found[(found["baseline"] == "") & (found["quantity"] == "clean")]
    assert set(levels["arm"]) == {"direct", "matched_steps"} and set(levels["languages"]) == {"en"}
    direct = one(levels, arm="direct", perturbation="all", language="all", domain="all")
    assert direct["estimate"] == pytest.approx(values_of(out).loc["direct", "general", "en", "clean"].mean())
    assert set(found.loc[found["baseline"] != "", "arm"]) == {"matched_steps"}


def test_a_cell_with_fewer_examples_than_its_row_says_is_refused(tmp_path):
    out = write_store(tmp_path, domains=("general",), languages=("en",), seeds=(0,), items=20)
    change_cells(out, {"c00002": lambda cell: cell[:19]})
    with pytest.raises(
        InputError, match=r"\.parquet: cell 'c00002' holds 19 examples, expected 20: n and n_not_applicable in"
    ):
        analyse(out)


@pytest.mark.slow
def test_correlations_have_intervals_over_seeds_and_items(tmp_path):
    analysis = analyse(write_store(tmp_path, metric="pearson", domains=("general",), items=80, base=3.0))
    found = one(analysis.curves, arm="direct", language="all", perturbation="clean")
    assert 0 < found["ci_low"] < found["estimate"] < found["ci_high"] < 1
    assert np.isfinite(analysis.primary["estimate"]).all()


@pytest.mark.slow
def test_one_seed_is_tested_by_mcnemar_and_permutation(tmp_path):
    out = write_store(tmp_path, seeds=(3,), domains=("general",))
    analysis = analyse(out)
    gain = one(analysis.gains, arm="itt", baseline="direct", language="de", perturbation="swap", severity=0.1)
    frame = pd.read_parquet(out / "results.parquet").query(
        "language == 'de' and severity == 0.1 and perturbation == 'swap'"
    )
    tables = frame.set_index("arm")["cell"].map(Store(out).read_cell)
    right = {arm: (table["prediction"] == table["label"]).to_numpy() for arm, table in tables.items()}
    counts = pd.crosstab(right["itt"], right["direct"]).to_numpy()
    assert gain["test"] == "mcnemar" and gain["p"] == pytest.approx(mcnemar(counts).pvalue)
    assert one(analysis.primary, arm="itt")["test"] == "permutation"


@pytest.mark.slow
def test_one_seed_of_a_mean_of_item_scores_is_tested_by_permutation(tmp_path):
    """Exact match counts as accuracy does; F1 is no count of right items, and has no McNemar's test."""
    gains = {}
    for metric in ("squad_exact_match", "squad_f1"):
        about = {"languages": ("en",), "domains": ("general",), "arms": ("direct", "itt"), "seeds": (3,)}
        out = write_store(tmp_path / metric, **about, noises=(("swap", (0.1,)), ("keyboard", (0.1,))))
        frame = pd.read_parquet(out / "results.parquet")
        frame.assign(metric=metric).to_parquet(out / "results.parquet")
        scored = lambda cell: cell.assign(item_value=(cell["prediction"] == cell["label"]).astype(float))  # noqa: E731
        change_cells(out, dict.fromkeys(frame["cell"], scored))
        gains[metric] = analyse(out).gains
        panel = panel_of(out)
        assert ("worst item" in set(panel.conditions["role"])) == (metric != "squad_f1")
    single = gains["squad_exact_match"]["test"] == "mcnemar"
    assert single.any() and (gains["squad_f1"]["test"] == "permutation").all()
    p = [gains[metric]["p"][single] for metric in ("squad_exact_match", "squad_f1")]
    assert np.abs(p[0] - p[1]).max() < 0.1 and np.corrcoef(*p)[0, 1] > 0.98


@pytest.mark.slow
def test_targets_count_alike_and_pair_by_seed(tmp_path):
    out = write_store(tmp_path, targets=("sentiment", "topic"), domains=("general",), base=2.0)
    analysis = analyse(out)
    about = {
        "arm": "itt",
        "baseline": "matched_steps",
        "kind": "perturbation",
        "perturbation": "all",
        "language": "all",
    }
    parts = [
        one(analysis.interactions, **about, subset="all", target=name)["estimate"] for name in ("sentiment", "topic")
    ]
    primary = one(analysis.primary, arm="itt")
    assert primary["targets"] == 2 and primary["estimate"] == pytest.approx(np.mean(parts))


def test_items_that_an_operator_cannot_touch_leave_the_clean_side_too(tmp_path):
    out = write_store(tmp_path, domains=("general",), base=2.0, items=100, arms=("direct",))
    frame = pd.read_parquet(out / "results.parquet")
    swapped = frame["perturbation"] == "swap"
    fewer = dict.fromkeys(frame.loc[swapped, "cell"], lambda cell: cell.assign(applicable=np.arange(100) < 70))
    change_cells(out, fewer)
    panel = panel_of(out)
    twins = panel.conditions[panel.conditions["role"] == "twin"]
    assert len(twins) == 6 and (panel.sizes[:, :, twins.index] == 70).all()
    assert (panel.sizes[:, :, panel.conditions["role"] == "clean"] == 100).all()


@pytest.mark.slow
def test_operators_that_a_language_lacks_are_no_missing_cells_and_missing_cells_drop_the_seed(tmp_path):
    out = write_store(tmp_path, domains=("general",), base=2.0)
    frame = pd.read_parquet(out / "results.parquet")
    frame = frame[(frame["language"] != "zh") | (frame["perturbation"] != "keyboard")]
    lost = (frame["arm"] == "itt") & (frame["seed"] == 1) & (frame["language"] == "de") & (frame["severity"] == 0.2)
    frame[~lost].to_parquet(out / "results.parquet")
    analysis = analyse(out)
    about = {"arm": "itt", "baseline": "direct", "domain": "all"}
    assert one(analysis.gains, **about, language="zh", perturbation="all")["seeds"] == 3
    assert one(analysis.gains, **about, language="de", perturbation="swap", severity=0.2)["seeds"] == 2


def test_a_store_of_one_arm_has_curves_and_no_contrasts(tmp_path):
    analysis = analyse(write_store(tmp_path, arms=("direct",), seeds=(0,)))
    assert len(analysis.curves) and len(analysis.robustness)
    assert analysis.primary.empty and analysis.gains.empty and analysis.interactions.empty


def test_wrong_stores_are_named(tmp_path):
    with pytest.raises(InputError, match=r"results\.parquet: not found"):
        analyse(tmp_path)
    out = write_store(tmp_path, domains=("general",), arms=("direct",), seeds=(0,))
    change_cells(out, {"c00003": lambda cell: None})
    with pytest.raises(InputError, match=r"cells: cell 'c00003' not found"):
        analyse(out)
    frame = pd.read_parquet(out / "results.parquet")
    pd.concat([frame, frame.iloc[:1]]).to_parquet(out / "results.parquet")
    with pytest.raises(InputError, match="occurs twice"):
        analyse(out)


@pytest.mark.slow
@pytest.mark.parametrize("level", [(0.0,), (0.0, 0.2)])
def test_area_with_severity_zero(tmp_path, level):
    """An operator at severity 0 alone has no curve; otherwise 0 is a point of the curve like any other."""
    out = write_store(tmp_path, items=30, base=1.5, noises=(("swap", level), ("keyboard", (0.1,))))
    analysis = analyse(out)
    by_level = values_of(out)["direct"].groupby(["perturbation", "severity"]).mean()
    clean = by_level["clean", 0.0]
    expected = {"keyboard": (clean + by_level["keyboard", 0.1]) / 2}
    if len(level) > 1:
        expected["swap"] = (by_level["swap", 0.0] + by_level["swap", 0.2]) / 2
    expected["all"] = np.mean(list(expected.values()))
    areas = analysis.robustness.query("quantity == 'area' and arm == 'direct' and baseline == ''")
    assert areas.set_index("perturbation")["estimate"].to_dict() == pytest.approx(expected)


def looked_store(out, seeds, looks=(2, 4), made=None):
    """A simulated store of a study that is looked at, with a record of each look in `made` (seeds -> questions)."""
    write_store(out, languages=("en",), domains=("general",), seeds=range(seeds), robust=1.0)
    plan = {"study_id": "x", "name": "looked", "seeds": list(range(seeds)), "stages": []}
    content = {"stopping": {"looks": list(looks)}, "claims": []}
    plan["declared"] = {"hash": "h", "time": 0, "target_stages": 0, "changes": [], "content": content}
    Store(out).write_plan(plan)
    for number, questions in (made or {}).items():
        Store(out).agreed.create_look("h", number, {"seeds": number, "stop": False, "questions": questions})
    return out


@pytest.mark.slow
def test_a_study_with_declared_looks_is_reported_at_its_latest_look(tmp_path):
    """Seeds of the round that is being made are not looked at, and intervals have the level of the look."""
    plain = analyse(
        write_store(tmp_path / "plain", languages=("en",), domains=("general",), seeds=range(2), robust=1.0)
    )
    before = analyse(looked_store(tmp_path / "none", 2))
    assert (before.primary["verdict"] == "undetermined").all() and before.primary["ci_low"].isna().all()
    found = analyse(looked_store(tmp_path / "one", 3, made={2: []}))
    assert set(found.cells["seed"]) == {0, 1} and found.primary["seeds"].tolist() == [2]
    assert found.primary["look"].tolist() == [2]
    sides = found.interactions.query("kind == 'perturbation' and subset == 'all' and baseline != ''")
    clean = found.gains.query("perturbation == 'clean'")
    both = sides.merge(clean, on=["model", "target", "metric", "arm", "baseline", "language", "domain"])
    both = both[both["groups_x"] == both["groups_y"]]  # a side has the level of the look, as the gain that it is
    assert len(both) and np.allclose(both["second_low"], both["ci_low_y"], equal_nan=True)
    own, fixed = (frame["ci_high"] - frame["ci_low"] for frame in (found.primary, plain.primary))
    assert (own > fixed).all()
    known = plain.gains["p"].notna()
    assert known.any() and (found.gains["p_adjusted"] >= plain.gains["p_adjusted"])[known].all()
    assert (found.gains["p_adjusted"] > plain.gains["p_adjusted"])[known].any()
    contrast = found.robustness["baseline"] != ""
    assert found.robustness[contrast]["ci_high"].isna().sum() == plain.robustness[contrast]["ci_high"].isna().sum()
    assert found.missing_cells == 0


@pytest.mark.slow
def test_what_a_round_has_yet_to_make_is_not_missing_from_the_look_before_it(tmp_path):
    """Nor are its stages among those that the report counts (pretraining is), nor its texts among transferred ones."""
    out = looked_store(tmp_path, 3, made={2: []})
    results, plan = pd.read_parquet(out / "results.parquet"), Store(out).plan()
    records = [{"id": str(seed), "seed": seed, "arms": ["a"]} for seed in range(3)]
    records += [{"id": "17", "seed": 17, "arms": []}, {"id": "also 2", "seed": 2, "arms": []}]
    rows = [{"seed": own, "made_on_seed": other} for own in range(3) for other in range(3)]
    shown = {"model": "m", "target": "t", "metric": "accuracy", "perturbation": "p", "arm": "a", "made_on_arm": "a"}
    scores = {"score": 0.5, "clean": 1.0, "transferred": 1.0}
    Store(out).write_transfer("x", [shown | scores | own | {"stage": own["seed"], "made_on_stage": 9} for own in rows])
    Store(out).write_plan(plan | {"cells": len(results), "stages_done": records, "transfers": ["x"]})
    results[results["seed"] < 2].iloc[1:].to_parquet(out / "results.parquet")
    found = analyse(out)
    assert found.missing_cells == 1 and [own["id"] for own in found.plan["stages_done"]] == ["0", "1", "17", "also 2"]
    assert found.transfer["pairs"].tolist() == [4]


@pytest.mark.slow
def test_what_an_earlier_look_decided_has_the_figures_of_that_look(tmp_path):
    """The present interval of four seeds may say less; a row shows it beside, and verdict and interval agree."""
    asked = {"family": "primary", "model": "bert", "metric": "accuracy", "arm": "itt", "baseline": "matched_steps"}
    asked |= {"p_design": 1e-5, "leaning": "supported", "look": 2, "verdict": "supported", "seeds": 2}
    asked |= {"estimate": 0.3, "ci_low": 0.1, "ci_high": 0.5}
    out = looked_store(tmp_path / "two", 4, made={2: [asked]})
    assert analyse(out).looked.look.seeds == 2
    found, fresh = look_at(out, 4)[0], looked_store(tmp_path / "none", 4)
    assert (found["verdict"], found["look"], found["seeds"]) == ("supported", 2, 2)
    assert (found["estimate"], found["ci_low"], found["ci_high"]) == (0.3, 0.1, 0.5)
    plain = analyse(fresh, seeds=4).primary
    assert found["latest"] == plain["estimate"][0] and found["latest_high"] == plain["ci_high"][0]
    assert plain["look"].tolist() == [4] and plain["latest"].isna().all()
    Store(out).agreed.create_look("h", 4, {"seeds": 4, "stop": True, "questions": [found]})
    analysis = analyse(out)
    shown = primary.primary(analysis)["interaction"][0]
    assert shown.startswith("+30.0 [+10.0, +50.0] at 2 seeds; now ") and shown in verdict_sentences(analysis)[0]
    rows = analysis.interactions[(analysis.interactions["arm"] == "itt") & (analysis.interactions["look"] == 2)]
    assert len(rows) and (rows["baseline"] == "matched_steps").all() and (rows["verdict"] == "supported").all()
    assert (rows[["estimate", "ci_low", "ci_high", "seeds"]] == [0.3, 0.1, 0.5, 2]).all(axis=None)


@pytest.mark.slow
@pytest.mark.volume
def test_what_no_look_decided_has_the_present_figures():
    """Its smallest p is of the earlier look; Holm's adjustment may still need it."""
    about = {"model": "m", "metric": "f1", "arm": ["a", "b"], "baseline": "c", "rests_on": [("t",)] * 2}
    now = {"estimate": [0.1, 0.0], "seed_error": 0.05, "item_error": 0.01, "seeds": 4, "clusters": 50.0, "p": 0.1}
    frame = pd.DataFrame(about | now | {"log_odds": 0.1})
    past = {"p_design": [0.03, 0.001], "leaning": ["supported", "negligible"], "look": 2, "verdict": "undetermined"}
    earlier = pd.DataFrame(about | past | {"estimate": [0.2, 0.01], "ci_low": [0.03, 0.0], "ci_high": [0.4, 0.02]})
    look = Look(Declared((2, 4)), 4)
    judged = as_decided(inference.judge(frame, 0.02, "holm", look, earlier.drop(columns="rests_on")), earlier)
    assert judged["verdict"].tolist() == ["supported", "negligible"]  # .03 is enough after the other one
    assert judged["estimate"].tolist() == [0.2, 0.01] and judged["latest"].tolist() == [0.1, 0.0]
    earlier.loc[1, "p_design"] = 0.04
    judged = as_decided(inference.judge(frame, 0.02, "holm", look, earlier), earlier)
    assert judged["verdict"].tolist() == ["undetermined"] * 2 and judged["estimate"].tolist() == [0.1, 0.0]
    assert judged["latest"].isna().all() and not judged["clear"].any()
