"""Figures: panels, points and lines, scales, and what a caption says of them."""

import dataclasses

import numpy as np
import pandas as pd

from itt_jax.report import figures, writing
from itt_jax.report.figures import curves
from tests.report.simulated import PLAN


def test_scores_by_budget_have_a_panel_for_each_attack_and_kind_of_budget(analysis):
    assert curves.budgets(analysis, PLAN) == []
    rows = [
        {"model": "bert", "target": "sentiment", "metric": "accuracy", "arm": arm, "perturbation": attack}
        | {"spent": spent, "budget": budget, "estimate": 0.9 - 0.1 * at, "ci_low": 0.5, "ci_high": 0.95}
        for arm in ("direct", "itt")
        for attack in ("charmer", "worst_of")
        for spent in ("queries", "edits")
        for at, budget in enumerate((0, 1, 2))
    ]
    panels = curves.budgets(dataclasses.replace(analysis, budgets=pd.DataFrame(rows)), PLAN)
    assert [panel.place["attack"] for panel in panels] == ["charmer", "charmer", "worst_of", "worst_of"]
    assert all(panel.body.count("<path") == 4 and "queries a row" in panel.body for panel in panels[::2])


def test_an_operator_of_one_severity_has_points_beside_the_curves_of_others(analysis):
    frame = analysis.curves
    frame = frame[(frame["perturbation"] != "swap") | (frame["severity"] != 0.2)]
    panels = curves.severity(dataclasses.replace(analysis, curves=frame), PLAN)
    drawn = {panel.place["operator"]: panel.body for panel in panels if panel.place["encoder"] == "bert"}
    arms = len(analysis.arms)
    assert set(drawn) == {"swap", "keyboard"} and drawn["keyboard"].count("<path") == 2 * arms
    assert (
        "<path" not in drawn["swap"] and drawn["swap"].count('class="unsure"') == 2 * arms
    )  # at clean text and at 0.1


def test_a_scale_has_two_labels_and_the_line_of_chance_is_named_where_drawn(analysis):
    assert figures.svg.ticks(46.0, 54.5, 4) == [46, 48, 50, 52, 54] and figures.svg.ticks(0, 40, 4) == [
        0,
        10,
        20,
        30,
        40,
    ]
    cells = analysis.cells
    assert curves.chance_of(analysis, "sentiment", "accuracy") == 0.5
    apart = dataclasses.replace(
        analysis, cells=cells.assign(chance=np.where(cells["domain"] == "general", 1 / 3, 0.295))
    )
    assert curves.chance_of(apart, "sentiment", "accuracy") is None
    assert curves.chance_of(apart, "sentiment", "accuracy", domain="legal") == 0.295
    shown = {figure.name: writing._figure(figure, apart, PLAN) for figure in figures.FIGURES[:9]}
    for own in shown.values():
        assert ("; dotted: chance" in own.caption) == any('class="chance"' in panel.body for panel in own.panels)
    assert "dotted" not in shown["curves"].caption
