"""Findings from a results folder: gains, interactions, gaps, curves and verdicts, each with its interval.

The estimand is the interaction: how much more (or less) an arm gains over its baseline on perturbed text, or in a
domain that the target stage never saw, than on clean text or in the training domain. Everything is paired by seed and
by item.
"""

import dataclasses
import pathlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import attacked, claims, controls, inference, panels, stages
from itt_jax.analysis.arms import primary_pairs
from itt_jax.analysis.contrasts import ATTACKS, Contrasts
from itt_jax.analysis.fits import concat
from itt_jax.analysis.folder import Folder, folder
from itt_jax.analysis.looks import RECORDED, Looked, as_decided, at_look
from itt_jax.analysis.primary import DECIDED, primary_family, same_contrast
from itt_jax.analysis.signal import PANEL
from itt_jax.data.contamination import Contamination
from itt_jax.store.results import CLEAN_TEXT, KEY, Subset
from itt_jax.study.arms import Arm

SMALLEST_EFFECT = 0.02
"""The smallest effect of interest where a folder's plan declares none: two percentage points."""


FINE_TUNING = "fine-tuning run"
ROOTS = ("pretraining", "given")
"""Kinds of stages at the root of an encoder."""
COUNTED = ["arm", "seed", "changes_label", *KEY, "n", "n_changed", "n_not_applicable", "edit_rate", "token_change_rate"]
COUNTED += ["differs"]
"""Columns of cells that are counted."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """The findings of a results folder, as tidy tables. Estimates are in points of the metric (1 is perfect).

    Every estimate has ci_low and ci_high (95 %), std_err (of which seed_error and item_error are the parts), df, test,
    seeds, items and clusters, and states what it rests on: languages, domains, groups, groups_left_out, and those of
    its groups without signal (groups_no_signal); contrasts have p. Differences have their two sides, on the same cells:
    first and second.

    Attributes:
        arms: the arms of the folder, in the order of its results.
        cells: the results, with each cell's interval over items.
        gains: arm minus baseline on clean text and under each operator and severity.
        interactions: kind "perturbation" or "domain", with log_odds, agree, p_adjusted (Benjamini-Hochberg; Holm where
            the row is a primary contrast), verdict, clear, detectable; subset "all" items, or "changed" items alone
            (secondary).
        primary: one interaction per model, metric and treatment, over all targets, domains, languages and operators;
            Holm.
        claims: the claims that the config defined, with their verdicts; a family of its own (Holm).
        gaps: language and domain gaps of each arm, and their differences from those of the baselines.
        curves: mean scores of each arm by operator and severity (0 is clean).
        robustness: clean and perturbed score, relative drop, retention, area under the severity curve and worst cases
            over the groups with signal, of each arm (baseline "") and as differences between arms.
        controls: share of the items edited by a label-changing operator whose predicted class changes. No other table
            except `cells` includes such operators.
        attacks: scores under each attack, clean scores of the same items and relative drops of each arm (baseline ""),
            and as differences between arms. attack_contrasts: interactions of kind "attack", a family of their own
            (Benjamini-Hochberg). attack_cells: the cells under attack, which are in none of the tables above.
        budgets: scores of each arm by what an attack may spend. transfer: scores on texts made on other models.
        distances: distance of each shifted domain from the training domain (see `study.distances`); may be empty.
        checks: whether the stages before each arm's last learned, by their dev scores; a verdict that rests on one that
            did not is "not judged", for the reason in not_judged. Contrasts have the tokens and FLOPs of both arms.
        counts: per model, target and arm: cells, groups without signal and unchecked ones, items changed and not
            applicable, realised edit rates, seeds without signal.
        contamination: by source, the training and dev rows whose text is evaluated.
        smallest_effect: the bound of the verdicts.
        has_items: False where the folder holds its results without predictions. Estimates of scores and of their
            differences are there then, without intervals and tests; whatever rests on single items is left out.
        another_run: what another seed would be: a "fine-tuning run" if seeds share the pretrained encoder, otherwise a
            "training run".
        missing_cells: number of cells of the plan, for the seeds that count, that the run has not made yet; or of cells
            that other arms or seeds have, if that is larger.
        looked: how often the study is looked at, and the number of seeds in this analysis.
        plan: the result of `Store.plan`, with records of only those seeds that count.
        declared: the declaration in plan.json, from before the first target stage (see `study.declaring`).
    """

    arms: tuple[Arm, ...]
    cells: pd.DataFrame
    gains: pd.DataFrame
    interactions: pd.DataFrame
    primary: pd.DataFrame
    claims: pd.DataFrame
    gaps: pd.DataFrame
    curves: pd.DataFrame
    robustness: pd.DataFrame
    controls: pd.DataFrame
    attacks: pd.DataFrame
    attack_contrasts: pd.DataFrame
    attack_cells: pd.DataFrame
    budgets: pd.DataFrame
    transfer: pd.DataFrame
    distances: pd.DataFrame
    checks: pd.DataFrame
    counts: pd.DataFrame
    contamination: tuple[Contamination, ...]
    smallest_effect: float
    has_items: bool = True
    missing_cells: int = 0
    another_run: str = "training run"
    looked: Looked = dataclasses.field(default_factory=Looked)
    plan: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    declared: dict[str, Any] | None = None


def analyse(
    out: pathlib.Path,
    smallest_effect: float | None = None,
    seeds: int | None = None,
    asked_pair: tuple[str, str] | None = None,
) -> Analysis:
    """Analyse a results folder.

    Args:
        smallest_effect: the smallest effect of interest, in points of the metric; None takes the study's declared one,
            otherwise SMALLEST_EFFECT.
        seeds: for a study that is looked at after declared numbers of seeds, the look to take; None is the latest.
        asked_pair: an arm and a baseline to compare besides those that the roles of the arms pair.

    Raises:
        InputError: no results, missing cells, or an unknown metric.
    """
    read = folder(out, seeds)
    plan, planned = read.plan, read.looked
    if smallest_effect is None:
        smallest_effect = float(plan.get("smallest_effect", SMALLEST_EFFECT))
    frames, parts, sides = _estimated(read, asked_pair)
    interactions, secondary = frames.pop("interactions"), frames.pop("secondary")
    judged = _Judge(smallest_effect, planned, stages.effort(plan), stages.failures(plan))
    family = primary_family(parts)
    primary = judged.contrasts(family, "holm", "primary")
    return Analysis(
        arms=read.arms,
        gains=judged.gains(frames.pop("gains")),
        interactions=concat([judged.explored(interactions, family, primary), judged.contrasts(secondary, "fdr_bh")]),
        primary=primary.drop(columns="rests_on"),
        claims=claims.table(read.claims, sides, smallest_effect, planned, judged.failed),
        gaps=at_look(frames.pop("gaps"), planned.look),
        robustness=at_look(frames.pop("robustness"), planned.look),
        attacks=at_look(frames.pop("attacks"), planned.look),
        attack_contrasts=judged.contrasts(frames.pop("attack_contrasts"), "fdr_bh"),
        transfer=attacked.transfer(read.transfers),
        controls=controls.noticed(read.results, read.cells),
        distances=read.store.tables.distances(),
        checks=stages.checks(plan),
        contamination=_contamination(plan),
        smallest_effect=smallest_effect,
        has_items=read.cells is not None,
        missing_cells=read.missing_cells,
        another_run=_another_run(plan),
        looked=planned,
        plan=plan,
        declared=plan.get("declared"),
        **frames,
    )


def _estimated(read: Folder, asked_pair: tuple[str, str] | None):
    """The tables before verdicts, by name; and every panel's parts of primary contrasts and of claims."""
    frames, parts, sides = defaultdict(list), [], []
    for own in _contrasts(read, "all", asked_pair):
        cells = own.cells()
        under_attack = cells["attack"].astype(bool)
        frames["cells"].append(cells[~under_attack])
        frames["attack_cells"].append(cells[under_attack])
        for name in ("gains", "gaps", "curves", "robustness", "attacks"):
            frames[name].append(getattr(own, name)())
        frames["interactions"].append(own.interactions("all"))
        frames["attack_contrasts"].append(own.interactions("all", ATTACKS))
        frames["budgets"].append(attacked.budgets(own, read.cells) if read.cells else concat([]))
        frames["counts"].append(_counts(frames["cells"][-1], own))
        if own.panel.has_items and read.main_metric[own.panel.target] == own.panel.metric:
            parts += [own.target_contrast(arm, baseline) for arm, baseline in primary_pairs(own.arms)]
            sides += claims.sides(read.claims, own, read.results, read.signals)
    frames["secondary"] += [own.interactions("changed") for own in _contrasts(read, "changed", asked_pair)]
    return {name: concat(found) for name, found in frames.items()}, parts, sides


def _contrasts(read: Folder, subset: Subset, asked_pair: tuple[str, str] | None) -> Iterator[Contrasts]:
    """The contrasts of each panel; without items there is no subset of them."""
    places = read.results.groupby(PANEL, sort=False).indices
    for panel in panels.panels_of(read.results, read.cells, subset) if read.cells or subset == "all" else ():
        key = panel.model, panel.target, panel.metric
        rows = read.results.iloc[places[key]]
        yield Contrasts(panel, rows, read.arms, read.signals[key], asked_pair, read.looked.look)


@dataclasses.dataclass(frozen=True)
class _Judge:
    """Adds to contrasts the intervals of the look, verdicts, and the compute of both arms."""

    smallest_effect: float
    planned: Looked
    efforts: pd.DataFrame
    failed: Mapping[tuple[str, str, str], list[str]]

    def gains(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Gains have no verdict."""
        p = pd.Series(self.planned.look.overall(frame["p"]), frame.index)
        frame["p_adjusted"] = inference.adjust(frame, p, "fdr_bh")
        return stages.with_effort(at_look(frame, self.planned.look), self.efforts)

    def contrasts(self, frame: pd.DataFrame, method: str, family: str = "") -> pd.DataFrame:
        """Interactions; in a family that looks record, each has the figures of the look that decided it."""
        earlier = self.planned.earlier_of(family)
        frame = inference.judge(frame, self.smallest_effect, method, self.planned.look, earlier)
        frame = as_decided(frame, earlier) if family else frame
        return stages.with_effort(stages.withheld(frame, self.failed), self.efforts)

    def explored(self, frame: pd.DataFrame, family: pd.DataFrame, primary: pd.DataFrame) -> pd.DataFrame:
        """Interactions, adjusted for the false discovery rate; those that are primary contrasts take the verdicts and
        figures of these and are left out of that adjustment."""
        same = same_contrast(frame, family)
        if not (same >= 0).any():
            return self.contrasts(frame, "fdr_bh")
        found = []
        for rows in (same < 0, same >= 0):
            if rows.any():
                found.append(self.contrasts(frame[rows], "fdr_bh").set_axis(np.flatnonzero(rows)))
        decided = primary.iloc[same[same >= 0]]
        found[-1] = found[-1].assign(**{name: decided[name].to_numpy() for name in DECIDED})
        return pd.concat(found).sort_index()


def look_at(out: pathlib.Path, seeds: int) -> list[dict[str, Any]]:
    """The primary contrasts and claims of a folder on its first seeds, in the form that a look records."""
    analysis, rows = analyse(out, seeds=seeds), []
    for family in ("primary", "claims"):
        frame = getattr(analysis, family).assign(family=family)
        frame = frame.reindex(columns=list(dict.fromkeys([*RECORDED, *frame.columns]))).astype(object)
        rows += frame.where(frame.notna(), None).to_dict("records")
    for row in rows:
        named = ", ".join(str(row[name]) for name in ("claim", "model", "metric", "target") if row[name] is not None)
        row["question"] = f"{named}, {row['arm']} against {row['baseline']}"
    return rows


def _another_run(plan: dict[str, Any]) -> str:
    """What another seed would be; a study makes or reads each encoder once, before the seeds' own stages."""
    planned = plan.get("stages", ())
    roots = [row.get("encoder") for row in planned if row.get("kind") in ROOTS]
    return FINE_TUNING if planned and len(roots) == len(set(roots)) else "training run"


def _contamination(plan: dict[str, Any]) -> tuple[Contamination, ...]:
    """Counts in the plan, by source; plans without a rule applied "any_field"."""
    rows = [row for row in plan.get("contamination", ()) if isinstance(row, dict)]
    usual: dict[str, Any] = {"rule": "any_field"}
    return tuple(Contamination(**usual | row) for row in rows)


def _counts(cells: pd.DataFrame, own: Contrasts) -> pd.DataFrame:
    """Numbers of seeds, cells and items behind the findings, per model, target and arm."""
    rows, panel = [], own.panel
    for arm, frame in cells[COUNTED].groupby("arm", sort=False):
        is_clean, is_control = frame["perturbation"] == CLEAN_TEXT, frame["changes_label"].astype(bool)
        perturbed = frame[~is_clean & ~is_control]
        seeds = list(dict.fromkeys(frame["seed"]))
        rows.append(
            {
                "model": panel.model,
                "target": panel.target,
                "metric": panel.metric,
                "arm": arm,
                "seeds": len(seeds),
                "no_signal_seeds": " ".join(str(seed) for seed in own.silent(str(arm), seeds)),
                "cells": len(frame),
                "clean_cells": int(is_clean.sum()),
                "groups": len(frame[panels.GROUP].drop_duplicates()),
                "groups_no_signal": len(own.left_out(str(arm))) if panel.has_items else pd.NA,
                "groups_unchecked": len(own.signal.unchecked),
                "predictions": int(frame["n"].sum()),
                "changed_share": perturbed["n_changed"].sum() / max(perturbed["n"].sum(), 1),
                "not_applicable": int(perturbed["n_not_applicable"].sum()),
                "edit_rate": perturbed["edit_rate"].mean(),
                "token_change_rate": perturbed["token_change_rate"].mean(),
                "cells_whose_value_differs": int(frame["differs"].sum()),
            }
        )
    return pd.DataFrame(rows)
