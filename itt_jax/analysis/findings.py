"""From a store to its findings: gains, interactions, gaps, curves and verdicts, each with its interval.

The estimand is the interaction: how much more (or less) an arm gains over its baseline on perturbed text, or in a
domain that the target stage never saw, than on clean text or at home. Everything is paired by seed and by item.
"""

import dataclasses
import json
import pathlib
from collections import defaultdict

import numpy as np
import pandas as pd

from itt_jax.analysis import controls, inference, panels
from itt_jax.analysis.contrasts import Contrasts, Fit, TargetContrast, concat
from itt_jax.errors import InputError
from itt_jax.store.results import CLEAN_TEXT, read_cells, read_results

CONTROLS = {"itt": "matched", "multitask_itt": "matched", "dapt": "dapt_control"}
"""The baseline of the primary contrast, declared here before any result; "direct" for other arms and without it."""

NOT_TREATMENTS = ("direct", "matched", "shuffled_itt", "dapt_control")
"""Arms that are baselines or controls: their contrasts are exploratory."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """The findings of one store, as tidy tables. Estimates are in points of the metric (1 is perfect).

    Every estimate has low and high (95 %), error, freedom, p, test, seeds, items.

    Attributes:
        cells: results.parquet with each cell's interval over items and no_signal.
        gains: arm less baseline on clean text and under each operator and severity.
        interactions: kind "perturbation" or "domain", with log_odds, agree, p_adjusted (Benjamini-Hochberg), verdict,
            negligible, detectable; subset "all" items, or "changed" items only (secondary).
        primary: one interaction per model and arm, over all targets, domains, languages and operators; Holm.
        gaps: language and domain gaps of each arm, and their differences from the baselines.
        curves: mean scores of each arm by operator and severity (0 is clean).
        robustness: relative drop, retention, area under the severity curve and worst cases, of each arm and (baseline
            not "") as differences.
        controls: of items that a label-changing operator edited, the share whose predicted class changes. Of the
            other tables only `cells` holds such operators.
        distances: how far each shifted domain is from home (see `study.distances`); empty where a study has none.
        counts: per model, target and arm: cells, those without signal, items changed and not applicable, realised
            edit rates, degenerate seeds.
        smallest_effect: the bound of the verdicts.
    """

    cells: pd.DataFrame
    gains: pd.DataFrame
    interactions: pd.DataFrame
    primary: pd.DataFrame
    gaps: pd.DataFrame
    curves: pd.DataFrame
    robustness: pd.DataFrame
    controls: pd.DataFrame
    distances: pd.DataFrame
    counts: pd.DataFrame
    smallest_effect: float


def analyse(out: pathlib.Path, smallest_effect: float | None = None) -> Analysis:
    """Analyse a store.

    Args:
        out: the store's directory (results.parquet and cells/).
        smallest_effect: the smallest effect of interest, in points of the metric (0.02 is two percentage points);
            None takes what the study declared (plan.json), or else 0.02.

    Raises:
        InputError: no results, a missing cell file, a metric without a known influence.
    """
    out = pathlib.Path(out)
    if smallest_effect is None:
        smallest_effect = float(read_plan(out).get("smallest_effect", 0.02))
    results = read_results(out)
    cells = read_cells(out, results["cell"].unique())
    main_metric = results.drop_duplicates("target").set_index("target")["metric"]
    frames, shares = defaultdict(list), []
    for panel in panels.panels_of(results, cells):
        part = Contrasts(panel, results)
        for name in ("cells", "gains", "gaps", "curves", "robustness"):
            frames[name].append(getattr(part, name)())
        frames["interactions"].append(part.interactions("all"))
        frames["counts"].append(_counts(frames["cells"][-1], part))
        if main_metric[panel.target] == panel.metric:
            shares += [part.share(arm, baseline) for arm, baseline in _primary_pairs(panel.arms)]
    for panel in panels.panels_of(results, cells, "changed"):
        frames["secondary"].append(Contrasts(panel, results).interactions("changed"))
    tables = {name: concat(parts) for name, parts in frames.items()}
    tables["gains"]["p_adjusted"] = inference.adjust(tables["gains"]["p"], "fdr_bh")
    explored = [tables.pop("interactions"), tables.pop("secondary", concat([]))]
    interactions = concat(inference.judge(frame, smallest_effect, "fdr_bh") for frame in explored)
    primary = inference.judge(_primary(shares), smallest_effect, "holm")
    tables["controls"] = controls.noticed(results, cells)
    measured = out / "domains.parquet"
    tables["distances"] = pd.read_parquet(measured) if measured.is_file() else pd.DataFrame()
    return Analysis(interactions=interactions, primary=primary, smallest_effect=smallest_effect, **tables)


def read_plan(out: pathlib.Path) -> dict:
    """What plan.json says of the study; empty without it, since a store can be analysed alone.

    Raises:
        InputError: the file is no JSON object.
    """
    path = out / "plan.json"
    if not path.is_file():
        return {}
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not JSON ({error})") from error
    if not isinstance(plan, dict):
        raise InputError(f"{path}: holds a {type(plan).__name__}, expected an object")
    return plan


def _primary_pairs(arms: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each treatment with its declared baseline, or with direct where the study has no such arm."""
    pairs = []
    for arm in arms:
        declared = CONTROLS.get(arm, "direct")
        baseline = declared if declared in arms else "direct"
        if arm not in NOT_TREATMENTS and baseline in arms:
            pairs.append((arm, baseline))
    return pairs


def _primary(shares: list[TargetContrast]) -> pd.DataFrame:
    """The primary family: per model and treatment, the interaction over all that the study varies.

    Targets count alike. Their items are resampled together where they share them; a seed counts if every target has it.
    """
    frames = []
    for pair in dict.fromkeys((share.model, share.arm, share.baseline) for share in shares):
        mine = [share for share in shares if (share.model, share.arm, share.baseline) == pair]
        usable = [share for share in mine if share.fit is not None]
        usable = [share for share in usable if share.kind == usable[0].kind]
        about = dict(zip(("model", "arm", "baseline"), pair, strict=True))
        about |= {"targets": len(usable), "targets_left_out": len(mine) - len(usable)}
        about["groups_left_out"] = sum(share.groups_left_out for share in mine)
        about["kind"] = usable[0].kind if usable else "perturbation"
        frame = _over_targets(usable) if usable else pd.DataFrame({"estimate": [np.nan], "seeds": 0})
        frames.append(pd.concat([pd.DataFrame(about, index=[0]), frame], axis=1))
    columns = ["model", "arm", "baseline", "targets", "targets_left_out", "groups_left_out", "kind", "estimate", "low"]
    columns += ["high", "error", "freedom", "p", "test", "seeds", "items", "log_odds"]
    family = concat(frames).reindex(columns=columns)
    return family.astype(dict.fromkeys(["estimate", "low", "high", "error", "freedom", "p", "log_odds"], float))


def _over_targets(usable: list[TargetContrast]) -> pd.DataFrame:
    """The mean of the targets' contrasts, as one contrast."""
    seeds = sorted(set.intersection(*(set(share.seeds) for share in usable)))
    items = np.unique(np.concatenate([share.items for share in usable]))
    values, open_scale = np.zeros((len(seeds), 1)), np.zeros((len(seeds), 1))
    part = np.zeros((len(seeds), 1, len(items)), dtype=np.float32)
    members = np.zeros((1, len(items)), dtype=bool)
    for share in usable:
        rows = [share.seeds.index(seed) for seed in seeds]
        where = np.searchsorted(items, share.items)
        values += share.fit.values[rows].mean(1, keepdims=True) / len(usable)
        open_scale += share.fit.open_scale[rows].mean(1, keepdims=True) / len(usable)
        part[:, 0, where] += share.fit.influence[rows].mean(1) / len(usable)
        members[0, where] |= share.fit.members.any(0)
    fit = Fit(values, part, open_scale, np.zeros(1), members, np.zeros(1, dtype=int))
    return fit.table(all(share.is_mean for share in usable))


def _counts(cells: pd.DataFrame, part: Contrasts) -> pd.DataFrame:
    """How much stands behind the findings, per model, target and arm."""
    rows = []
    panel = part.panel
    for arm, frame in cells.groupby("arm", sort=False):
        is_clean, is_control = frame["perturbation"] == CLEAN_TEXT, frame["changes_label"].astype(bool)
        clean, perturbed = frame[is_clean], frame[~is_clean & ~is_control]
        home = clean[clean["source_language"].astype(bool) & clean["adapted"].astype(bool)]
        degenerate = home.groupby("seed")["no_signal"].all()
        rows.append(
            {
                "model": panel.model,
                "target": panel.target,
                "metric": panel.metric,
                "arm": arm,
                "seeds": frame["seed"].nunique(),
                "degenerate_seeds": " ".join(str(seed) for seed in degenerate.index[degenerate]),
                "cells": len(frame),
                "clean_cells": len(clean),
                "clean_cells_no_signal": int(clean["no_signal"].sum()),
                "groups": clean.drop_duplicates(panels.GROUP).shape[0],
                "groups_no_signal": len(part.no_signal[str(arm)]),
                "predictions": int(frame["n"].sum()),
                "changed_share": perturbed["n_changed"].sum() / max(perturbed["n"].sum(), 1),
                "not_applicable": int(perturbed["n_not_applicable"].sum()),
                "edit_rate": perturbed["edit_rate"].mean(),
                "token_change_rate": perturbed["token_change_rate"].mean(),
                "cells_whose_value_differs": int(frame["differs"].sum()),
            }
        )
    return pd.DataFrame(rows)
