"""Claims: contrasts between arms or encoders that a config defined beforehand, with their verdicts.

A claim between arms takes the difference of the two in each encoder and target; one between encoders the mean, of one
encoder, over the arms that both have, less that of the other, in each target and on the same cells. Both are paired by
seed and item, and averaged with equal weights. Points of different metrics are not averaged: a claim over targets of
two metrics is judged for each.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import inference
from itt_jax.analysis.contrasts import Contrasts, TargetContrast
from itt_jax.analysis.estimands import ALL, Quantity
from itt_jax.analysis.fits import Fit
from itt_jax.analysis.looks import as_decided
from itt_jax.analysis.primary import over_targets
from itt_jax.analysis.sequential import Look
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.config import Claim
from itt_jax.store.results import CLEAN_TEXT, KEY

QUANTITIES = {
    "score": ("scores", "score", 1),
    "robustness": ("scores", "drop", 1),
    "transfer": ("gaps", "domain gap", -1),
}
"""Quantity of a claim -> the function of `estimands`, the kind of its quantities, and their sign."""
NUMBERS = ["estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "interaction_error", "df", "p"]
NUMBERS += ["clusters", "log_odds", "first", "second"]
COLUMNS = ["claim", "target", "metric", "arm", "baseline", *NUMBERS, "test", "seeds", "items"]
COLUMNS += ["targets", "models", "languages", "groups_left_out", "rests_on", "reason"]


def declared(plan: Mapping[str, Any]) -> tuple[Claim, ...]:
    """The claims of a folder's plan, as they were declared last."""
    rows = (plan.get("declared") or {}).get("content", {}).get("claims", ())
    return tuple(
        Claim(
            **{
                name: tuple(value) if isinstance(value, list) else value
                for name, value in row.items()
                if name != "type"
            }
        )
        for row in rows
    )


@dataclasses.dataclass(frozen=True)
class Side:
    """A panel's part of a claim.

    Attributes:
        contrast: the difference of two arms, or one encoder's mean over arms. sign: -1 for the encoder that the claim
            puts second. scores: means over seeds of first and second, NaN where the panel has no such side.
        cells: the conditions it is computed on, as their KEY.
        uses: the (encoder, target, arm) that it rests on.
    """

    contrast: TargetContrast
    sign: int
    scores: tuple[float, float]
    cells: frozenset[tuple]
    uses: tuple[tuple[str, str, str], ...]

    @property
    def target(self) -> str:
        """The target of the panel."""
        return self.contrast.target


def sides(claims: Sequence[Claim], own: Contrasts, results: pd.DataFrame) -> list[tuple[str, Side]]:
    """(name of the claim, part) of each claim that a panel has a part in.

    Args:
        results: the rows of the whole folder, which say which arms the other encoders have.
    """
    found = ((claim.name, _side(claim, own, results)) for claim in claims)
    return [(name, side) for name, side in found if side is not None]


def _side(claim: Claim, own: Contrasts, results: pd.DataFrame) -> Side | None:
    panel, pair = own.panel, (claim.better, claim.worse)
    if claim.targets and panel.target not in claim.targets:
        return None
    between_arms = claim.between == "arms"
    if between_arms:
        wanted = not set(pair) - set(panel.arms) and panel.model in (claim.encoders or (panel.model,))
        arms = pair
    else:
        wanted, shared = panel.model in pair, _arms_of_both(pair, own, results)
        arms = [arm for arm in panel.arms if arm in shared and arm in (claim.arms or shared)]
    if not wanted or not arms:
        return None
    function, kind, sign = QUANTITIES[claim.quantity]
    excluded = frozenset() if claim.quantity == "score" else own.left_out(*arms)
    rows = [row for row in own.quantities(function, {kind}, excluded) if _is_asked(claim, row, own)]
    if not rows:
        return None
    fits = {arm: _scaled(own.fit(rows, arm), sign) for arm in arms}
    means = {arm: own.metric.sign * float(np.nanmean(fit.values)) for arm, fit in fits.items()}
    if between_arms:
        fit, side, scores = fits[pair[0]].less(fits[pair[1]]), 1, (means[pair[0]], means[pair[1]])
    else:
        fit, side = _mean(list(fits.values())), 1 if panel.model == pair[0] else -1
        mean = float(np.mean(list(means.values())))
        scores = (mean, np.nan) if side > 0 else (np.nan, mean)
    at = sorted(set().union(*(row.weights for row in rows)))
    about = own.kept(at, excluded)
    cells = frozenset(panel.conditions.iloc[at][KEY].itertuples(index=False, name=None))
    places = (panel.seeds, panel.items, panel.clusters, panel.is_mean)
    contrast = TargetContrast(panel.model, panel.target, panel.metric, *pair, *places, about, claim.quantity, fit)
    return Side(contrast, side, scores, cells, tuple((panel.model, panel.target, arm) for arm in arms))


def _arms_of_both(pair: tuple[str, str], own: Contrasts, results: pd.DataFrame) -> set[str]:
    """The arms that both encoders have in the panel's target and metric."""
    same = (results["target"] == own.panel.target) & (results["metric"] == own.panel.metric)
    first, second = (set(results.loc[same & (results["model"] == name), "arm"]) for name in pair)
    return first & second


def _is_asked(claim: Claim, row: Quantity, own: Contrasts) -> bool:
    """Whether a quantity is the claim's. A panel with one language (or domain) has no scope of its own for it."""
    names = {"language": claim.language, "domain": claim.domain}
    for name, wanted in names.items():
        present = set(own.panel.columns[name])
        if name == "domain" and claim.quantity == "transfer":
            if wanted not in (ALL, row.domain):
                return False
        elif wanted != ALL and present == {wanted}:
            if getattr(row, name) not in (ALL, wanted):
                return False
        elif getattr(row, name) != wanted:
            return False
    noise = claim.perturbation
    return row.perturbation == noise and (noise == CLEAN_TEXT or np.isnan(row.severity))


def _scaled(fit: Fit, factor: float) -> Fit:
    """The fit times a factor."""
    changed = {name: factor * getattr(fit, name) for name in ("values", "influence", "open_scale")}
    return dataclasses.replace(fit, **changed)


def _mean(fits: Sequence[Fit]) -> Fit:
    """The mean of fits of the same quantities."""
    names = ("values", "influence", "open_scale", "shares")
    means = {name: np.mean([getattr(fit, name) for fit in fits], axis=0) for name in names}
    return dataclasses.replace(fits[0], **means)


def table(
    claims: Sequence[Claim],
    parts: Iterable[tuple[str, Side]],
    smallest_effect: float,
    look: Look,
    earlier: pd.DataFrame | None,
    failed: Mapping[tuple[str, str, str], Sequence[str]],
) -> pd.DataFrame:
    """The claims with their verdicts, a row for each, or for each target or metric where it has several.

    A claim that the folder has no data for has a row without an estimate; so has one between encoders that rest on
    different cells. A claim that rests on a stage that did not learn is not judged.

    Args:
        parts: of every panel. look, earlier: as `inference.judge` takes them. failed: as `stages.failures` gives it.
    """
    parts, rows = list(parts), []
    for claim in claims:
        own = [side for name, side in parts if name == claim.name]
        keys = dict.fromkeys((side.target if claim.each_target else ALL, side.contrast.metric) for side in own)
        found = [_row(claim, *key, [side for side in own if _is_in(side, *key)]) for key in keys]
        rows += [row for row in found if row is not None] or [_about(claim, ALL, "")]
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame = frame.astype(dict.fromkeys(NUMBERS, float)).fillna({"seeds": 0, "items": 0})
    by_name = {claim.name: claim for claim in claims}
    bounds = [by_name[name].bound or smallest_effect for name in frame["claim"]]
    frame = inference.judge(frame, pd.Series(bounds, frame.index, dtype=float), "holm", look, earlier)
    frame = as_decided(frame, earlier)
    pairs = zip(frame.pop("rests_on"), frame.pop("reason"), strict=True)
    reasons = [reason or "; ".join(_reasons(uses, failed)) for uses, reason in pairs]
    frame["not_judged"] = np.array(reasons, dtype=object)
    frame["verdict"] = frame["verdict"].where(frame["not_judged"] == "", NOT_JUDGED)
    for side, name in enumerate(("published_first", "published_second")):
        known = [by_name[own].published for own in frame["claim"]]
        frame[name] = np.array([values[side] / 100 if values else np.nan for values in known], dtype=float)
    for name in ("sentence", "source", "quantity", "perturbation", "language", "domain"):
        frame[name] = [getattr(by_name[own], name) for own in frame["claim"]]
    return frame.assign(bound=bounds)


def _is_in(side: Side, target: str, metric: str) -> bool:
    return target in (ALL, side.target) and side.contrast.metric == metric


def _about(claim: Claim, target: str, metric: str) -> dict[str, Any]:
    named = {"claim": claim.name, "target": target, "metric": metric, "arm": claim.better, "baseline": claim.worse}
    return named | {"targets": "", "models": "", "languages": "", "rests_on": (), "reason": ""}


def _row(claim: Claim, target: str, metric: str, own: Sequence[Side]) -> dict[str, Any] | None:
    """One contrast of a claim; None where a side of it is missing."""
    if claim.between == "encoders":
        signs = {name: {side.sign for side in own if side.target == name} for name in {side.target for side in own}}
        own = [side for side in own if len(signs[side.target]) == 2]
        uneven = sorted(name for name in signs if len({side.cells for side in own if side.target == name}) > 1)
        if uneven:
            reason = (
                f"{claim.better} and {claim.worse} have results or signal in different cells of {', '.join(uneven)}"
            )
            return _about(claim, target, metric) | {"reason": reason}
    if not own:
        return None
    weight = 1 if claim.between == "arms" else 2  # `over_targets` takes the mean, of which either encoder is half
    parts = [dataclasses.replace(side.contrast, fit=_scaled(side.contrast.fit, weight * side.sign)) for side in own]
    statistics = over_targets(parts).iloc[0].to_dict()
    about = [part.about for part in parts]
    words = {
        "targets": [side.target for side in own],
        "models": [part.model for part in parts],
        "languages": [word for one in about for word in one["languages"].split()],
    }
    scores = np.array([side.scores for side in own])
    return (
        _about(claim, target, metric)
        | statistics
        | {name: " ".join(dict.fromkeys(values)) for name, values in words.items()}
        | {"first": np.nanmean(scores[:, 0]), "second": np.nanmean(scores[:, 1])}
        | {"groups_left_out": sum(one["groups_left_out"] for one in about)}
        | {"rests_on": tuple(dict.fromkeys(use for side in own for use in side.uses))}
    )


def _reasons(uses: Iterable[tuple[str, str, str]], failed: Mapping[tuple[str, str, str], Sequence[str]]) -> list[str]:
    """Why a claim is not judged."""
    return [f"{', '.join(use)}: {reason}" for use in uses for reason in failed.get(use, ())]
