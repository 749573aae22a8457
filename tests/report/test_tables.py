"""Tables: how numbers are written, and what they are made from."""

import dataclasses

import numpy as np
import pandas as pd

from itt_jax.report import examples, tables


def test_costs_of_stages_are_plain_numbers_and_left_out_examples_are_said(written, analysis, monkeypatch):
    costs = pd.read_csv(written[1].parent / "tables" / "stages.csv").set_index("stage").loc["target"]
    assert (costs["tokens"], costs["flops"], costs["wall_seconds"], costs["diverged"]) == (12000, 3e12, 12.0, 1)
    assert len(examples.shown_cells(analysis.cells)) == len(analysis.cells)
    monkeypatch.setattr(examples, "MOST_CELLS", 100)
    left = examples.shown_cells(analysis.cells)
    assert set(left["severity"]) == {0.0, 0.2} and len(left) < len(analysis.cells)


def test_log_odds_disagree_only_where_the_estimate_lies_beyond_the_bound():
    row = {"estimate": 0.01, "not_judged": "", "verdict": "undetermined", "agree": False, "clear": False}
    assert tables.verdict(pd.Series(row | {"leaning": "negligible"})) == "undetermined"
    assert tables.verdict(pd.Series(row | {"leaning": ""})) == "undetermined (log-odds disagree)"


def test_one_domain_that_is_left_of_several_is_named(analysis):
    one = analysis.primary.head(1).assign(groups=2, groups_left_out=1, languages="en de", domains="legal")
    shown = tables.primary.primary(dataclasses.replace(analysis, primary=one))["kept"].tolist()
    assert shown == ["2 of 3 groups (en de; legal)"]


def test_points_have_one_decimal_and_a_true_minus():
    shown = [tables.points(0.0123), tables.points(-0.0123, True), tables.points(0.5, True), tables.points(-0.0001)]
    assert shown == ["1.2", "−1.2", "+50.0", "0.0"]
    assert tables.points(float("nan")) == "–"


def test_gains_kept_under_a_shift_are_those_of_the_cells(written, analysis):
    """By language and on average: gain there over gain at home, from the cells' values themselves."""
    table = tables.domains.kept(analysis)
    assert set(table["shifted domain"]) == {"legal"}
    assert set(table["language"]) == {"all", "en", "de", "zh"}
    assert set(table["text"]) == {"clean", "perturbed"}
    cells = analysis.cells[(analysis.cells["model"] == "bert") & (analysis.cells["perturbation"] == "clean")]
    mean = cells.groupby(["language", "domain", "arm"])["value"].mean()
    for row in table[(table["encoder"] == "bert") & (table["arm"] == "itt") & (table["text"] == "clean")].to_dict(
        "records"
    ):
        if row["language"] == "all" or row["against"] != "direct":
            continue
        gains = [
            mean[row["language"], domain, "itt"] - mean[row["language"], domain, "direct"]
            for domain in ("general", "legal")
        ]
        for gain, column in zip(gains, ("gain at home", "gain there"), strict=True):
            assert row[column].split(" ")[0] == tables.points(gain, signed=True)
        assert row["kept %"] in ("–", tables.points(gains[1] / gains[0]))
    tidy = pd.read_csv(written[1].parent / "tables" / "gain_kept.csv")
    known = tidy["first_low"] > 0
    np.testing.assert_allclose(tidy["kept"], (tidy["second"] / tidy["first"]).where(known), rtol=1e-4)
    assert len(tidy) == len(table) and 'href="tables/gain_kept.csv"' in written[1].read_text(encoding="utf-8")
