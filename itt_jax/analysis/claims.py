"""Claims: contrasts between arms or encoders that a config defined beforehand, with their verdicts.

A claim between arms is the difference of the two arms in each encoder and target. A claim between encoders is the
difference of their means over the arms that both have, in each target and on the cells that both have (with signal in
both, if that counts). Both kinds are paired by seed and item and averaged with equal weights. Points of different
metrics are not averaged: a claim over targets with two metrics is judged for each metric.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import inference
from itt_jax.analysis.contrasts import NONE, Contrasts, TargetContrast
from itt_jax.analysis.estimands import ALL, Quantity
from itt_jax.analysis.fits import Fit
from itt_jax.analysis.looks import Looked, as_decided
from itt_jax.analysis.primary import over_targets
from itt_jax.analysis.signal import PANEL, Signal
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
COLUMNS += [
    "targets",
    "models",
    "languages",
    "groups_left_out",
    "conditions",
    "conditions_left_out",
    "rests_on",
    "reason",
]
NO_DATA, NO_SIGNAL = "no data", "no signal"
"""Reasons why a claim has no estimate."""


def declared(plan: Mapping[str, Any]) -> tuple[Claim, ...]:
    """The claims of a folder's plan, as last declared."""
    rows = (plan.get("declared") or {}).get("content", {}).get("claims", ())
    return tuple(_claim(row) for row in rows)


def _claim(row: Mapping[str, Any]) -> Claim:
    own: dict[str, Any] = {name: value for name, value in row.items() if name != "type"}
    return Claim(**own | {name: tuple(value) for name, value in own.items() if isinstance(value, list)})


@dataclasses.dataclass(frozen=True)
class Side:
    """A panel's part of a claim.

    Attributes:
        contrast: the difference of two arms, or one encoder's mean over arms; if it has no fit, the reason.
        sign: -1 for the claim's second encoder.
        scores: means over seeds of first and second; NaN if the panel lacks that side.
        cells: the conditions it is computed on, as their KEY, without the clean text of drops. alone: the conditions on
            which it would be computed if the other encoder had all of them.
        uses: the (encoder, target, arm) on which it rests.
    """

    contrast: TargetContrast
    sign: int
    scores: tuple[float, float]
    cells: frozenset[tuple]
    alone: frozenset[tuple]
    uses: tuple[tuple[str, str, str], ...]
    reason: str = ""

    @property
    def target(self) -> str:
        """The target of the panel."""
        return self.contrast.target


Signals = Mapping[tuple[str, str, str], Signal]


def sides(claims: Sequence[Claim], own: Contrasts, results: pd.DataFrame, signals: Signals) -> list[tuple[str, Side]]:
    """(name of the claim, part) for each claim in which a panel has a part.

    Args:
        results, signals: those of the whole folder, which show what the other encoders have.
    """
    found = ((claim.name, _side(claim, own, results, signals)) for claim in claims)
    return [(name, side) for name, side in found if side is not None]


def _side(claim: Claim, own: Contrasts, results: pd.DataFrame, signals: Signals) -> Side | None:
    """The panel's part of one claim; None if it has none."""
    panel, pair = own.panel, (claim.better, claim.worse)
    arms = _arms(claim, own, results)
    everything = _asked(claim, own, NONE) if arms else []
    if not everything:
        return None
    between_arms, needs_signal = claim.between == "arms", claim.quantity != "score"
    excluded = own.left_out(*arms) if needs_signal else NONE
    alone, shared = _cells(own, _asked(claim, own, excluded)), own
    if not between_arms:
        other = pair[1] if panel.model == pair[0] else pair[0]
        shared = own.among(_conditions(results, (other, panel.target, panel.metric), arms))
        if needs_signal:
            excluded |= own.signal.absent_here(signals[other, panel.target, panel.metric], arms)
    rows, sign = _asked(claim, shared, excluded), 1 if between_arms or panel.model == pair[0] else -1
    about = shared.kept(sorted(set().union(*(row.weights for row in rows))), excluded)
    uses = tuple((panel.model, panel.target, arm) for arm in arms)
    places = (panel.seeds, panel.items, panel.clusters, panel.is_mean)
    named = (panel.model, panel.target, panel.metric, *pair, *places, about, claim.quantity)
    if not rows:
        in_common = between_arms or _asked(claim, shared, NONE)
        reason = NO_SIGNAL if in_common else f"{NO_DATA}: {pair[0]} and {pair[1]} have no cell in common"
        return Side(TargetContrast(*named, None), sign, (np.nan, np.nan), frozenset(), alone, uses, reason)
    fits = {arm: _scaled(shared.fit(rows, arm), QUANTITIES[claim.quantity][2]) for arm in arms}
    means = [own.metric.sign * float(np.nanmean(fit.values)) for fit in fits.values()]
    if between_arms:
        fit, scores = fits[pair[0]].less(fits[pair[1]]), (means[0], means[1])
    else:
        fit, mean = _mean(list(fits.values())), float(np.mean(means))
        scores = (mean, np.nan) if sign > 0 else (np.nan, mean)
    return Side(TargetContrast(*named, fit), sign, scores, _cells(shared, rows), alone, uses)


def _arms(claim: Claim, own: Contrasts, results: pd.DataFrame) -> Sequence[str]:
    """The arms of the panel that a claim needs, the better one first; empty if the panel is not part of the claim."""
    panel, pair = own.panel, (claim.better, claim.worse)
    if claim.targets and panel.target not in claim.targets:
        return ()
    if claim.between == "arms":
        wanted = not set(pair) - set(panel.arms) and panel.model in (claim.encoders or (panel.model,))
        return pair if wanted else ()
    shared = _arms_of_both(pair, own, results) if panel.model in pair else set()
    return [arm for arm in panel.arms if arm in shared and arm in (claim.arms or shared)]


def _asked(claim: Claim, own: Contrasts, excluded: frozenset[int]) -> list[Quantity]:
    """The quantities of a claim; those under attack are separate from those of operators."""
    function, kind, _ = QUANTITIES[claim.quantity]
    if function == "scores" and is_attack(claim, own.panel.conditions):
        function = "attacks"
    return [row for row in own.quantities(function, {kind}, excluded) if _is_asked(claim, row, own)]


def is_attack(claim: Claim, conditions: pd.DataFrame) -> bool:
    """Whether a claim is about an attack; `conditions` have the columns `perturbation` and `attack`."""
    return bool((conditions["attack"].astype(bool) & (conditions["perturbation"] == claim.perturbation)).any())


def _cells(own: Contrasts, rows: Sequence[Quantity]) -> frozenset[tuple]:
    """The conditions on which quantities are computed, as their KEY, without the clean text of drops."""
    at = {place for row in rows for place, weight in row.weights.items() if weight > 0 or row.kind != "drop"}
    return frozenset(own.panel.conditions.iloc[sorted(at)][KEY].itertuples(index=False, name=None))


def _conditions(results: pd.DataFrame, place: tuple[str, str, str], arms: Sequence[str]) -> set[tuple]:
    """The conditions, as their KEY, in which an encoder has two items or more in a target and metric, in these arms."""
    own = results[(results[PANEL] == list(place)).all(axis=1) & results["arm"].isin(arms) & (results["n"] > 1)]
    return set(own[KEY].itertuples(index=False, name=None))


def _arms_of_both(pair: tuple[str, str], own: Contrasts, results: pd.DataFrame) -> set[str]:
    """The arms that both encoders have in the panel's target and metric."""
    same = (results["target"] == own.panel.target) & (results["metric"] == own.panel.metric)
    first, second = (set(results.loc[same & (results["model"] == name), "arm"]) for name in pair)
    return first & second


def _is_asked(claim: Claim, row: Quantity, own: Contrasts) -> bool:
    """Whether a quantity is the claim's. A panel with one language (or domain) has no separate scope for it."""
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
    planned: Looked,
    failed: Mapping[tuple[str, str, str], Sequence[str]],
) -> pd.DataFrame:
    """The claims with their verdicts, a row for each, or for each target or metric where it has several.

    A claim has a row without an estimate if the folder has no data for it, if its cells have no signal, or if its two
    encoders have no cell in common. A claim that rests on a stage that did not learn is not judged.

    Args:
        parts: those of every panel. failed: the result of `stages.failures`.
    """
    parts, rows, earlier = list(parts), [], planned.earlier_of("claims")
    for claim in claims:
        own = [side for name, side in parts if name == claim.name]
        keys = dict.fromkeys((side.target if claim.each_target else ALL, side.contrast.metric) for side in own)
        found = [_row(claim, *key, [side for side in own if _is_in(side, *key)]) for key in keys]
        rows += found or [_about(claim, ALL, "")]
    frame = pd.DataFrame(rows).reindex(columns=COLUMNS)
    frame = frame.astype(dict.fromkeys(NUMBERS, float)).fillna(
        {"seeds": 0, "items": 0, "conditions": 0, "conditions_left_out": 0}
    )
    by_name = {claim.name: claim for claim in claims}
    bounds = [by_name[name].bound or smallest_effect for name in frame["claim"]]
    frame = inference.judge(frame, pd.Series(bounds, frame.index, dtype=float), "holm", planned.look, earlier)
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
    """Whether a panel's part belongs to the row of that target (or of all) and metric."""
    return target in (ALL, side.target) and side.contrast.metric == metric


def _about(claim: Claim, target: str, metric: str) -> dict[str, Any]:
    """The columns that name a row, with those of a claim without data."""
    named = {"claim": claim.name, "target": target, "metric": metric, "arm": claim.better, "baseline": claim.worse}
    return named | {"targets": "", "models": "", "languages": "", "rests_on": (), "reason": NO_DATA}


def _row(claim: Claim, target: str, metric: str, own: Sequence[Side]) -> dict[str, Any]:
    """A row for one contrast of a claim, or for the reason why there is none."""
    reasons, own = [side.reason for side in own], [side for side in own if not side.reason]
    if not own:
        return _about(claim, target, metric) | {"reason": reasons[0]}
    cells = [(side.target, *cell) for side in own for cell in side.cells]
    used = possible = len(cells)
    if claim.between == "encoders":
        used = len(set(cells))  # the same for both
        possible = len({(side.target, *cell) for side in own for cell in side.alone})
    weight = 1 if claim.between == "arms" else 2  # `over_targets` takes the mean; each encoder is half of it
    parts = []
    for side in own:
        assert side.contrast.fit is not None  # as it has no reason
        parts.append(dataclasses.replace(side.contrast, fit=_scaled(side.contrast.fit, weight * side.sign)))
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
        | {"conditions": used, "conditions_left_out": possible - used, "reason": ""}
        | {"rests_on": tuple(dict.fromkeys(use for side in own for use in side.uses))}
    )


def _reasons(uses: Iterable[tuple[str, str, str]], failed: Mapping[tuple[str, str, str], Sequence[str]]) -> list[str]:
    """Why a claim is not judged."""
    return [f"{', '.join(use)}: {reason}" for use in uses for reason in failed.get(use, ())]
