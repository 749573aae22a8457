"""The contrasts of one panel: gains, interactions, gaps, curves and ratios, by arm and by pair of arms.

All figures of one row are computed on the same cells, and the row says which: `languages`, `domains`, the number of
`groups` and how many more were left out.
"""

import copy
import dataclasses
from collections.abc import Collection, Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from itt_jax.analysis import estimands, inference
from itt_jax.analysis.arms import pairs
from itt_jax.analysis.estimands import ALL, Quantity
from itt_jax.analysis.fits import Fit, column, joined, ratio, repeated
from itt_jax.analysis.inference import Columns
from itt_jax.analysis.panels import Panel
from itt_jax.analysis.sequential import ONCE, Look
from itt_jax.analysis.signal import Signal
from itt_jax.metrics import metric
from itt_jax.store.results import CLEAN_TEXT, KEY
from itt_jax.study.arms import Arm

COARSE = (CLEAN_TEXT, ALL)
NONE: frozenset[int] = frozenset()
SCOPE = ["language", "domain", "perturbation", "severity"]
"""Columns that name a quantity of one kind."""
BOTH, POSITIVE, NEGATIVE = 0, 1, -1
"""Sides of a quantity: all its cells, those with positive weights, and those with negative weights (made positive)."""
KINDS = (("perturbation", "scores", "drop", POSITIVE), ("domain", "gaps", "domain gap", NEGATIVE))
"""Kinds of interactions: function and kind of the quantity, and its side with a plus sign: perturbed text, or the
shifted domain."""
ATTACKS = (("attack", "attacks", "drop", POSITIVE),)
"""The kind of interactions with attacks, which are reported separately."""

ENDS = ("ci_low", "ci_high")
CLEAN = {"clean": "estimate", "clean_low": "ci_low", "clean_high": "ci_high"}
"""Columns of a curve -> columns of the clean scores with which it begins."""
RECENT = 4
"""Number of cached sets of weights: at most both sides and the whole of two kinds of quantities are in use together."""


@dataclasses.dataclass(frozen=True)
class TargetContrast:
    """One target's part of a primary contrast.

    Attributes:
        about: what it rests on, the result of `Contrasts.kept`. kind: "perturbation" or "domain".
        fit: None if no group has signal.
    """

    model: str
    target: str
    metric: str
    arm: str
    baseline: str
    seeds: tuple[int, ...]
    items: np.ndarray
    clusters: np.ndarray
    is_mean: bool
    about: dict
    kind: str
    fit: Fit | None


@dataclasses.dataclass(frozen=True)
class _Weights:
    """The weights of quantities over conditions [Q, K], also in float32, the items that take part in them [Q, I], and
    the share of each cluster [Q, C]."""

    quantities: tuple[Quantity, ...]
    weights: sparse.csr_matrix
    light: sparse.csr_matrix
    members: np.ndarray
    shares: np.ndarray


class Contrasts:
    """The findings of one panel; quantities are made once for each set of left-out groups.

    Args:
        results: rows of the folder, those of the panel among them. arms: its arms. signal: of the panel's groups.
        asked_pair: an arm and a baseline to compare, in addition to the pairs that the arms' roles define.
        look: the design's look, whose level the sides of differences have.
    """

    def __init__(
        self,
        panel: Panel,
        results: pd.DataFrame,
        arms: Sequence[Arm],
        signal: Signal,
        asked_pair: tuple[str, str] | None = None,
        look: Look = ONCE,
    ):
        self.panel, self.signal, self.asked_pair, self.look = panel, signal, asked_pair, look
        self.arms = [next(arm for arm in arms if arm.name == name) for name in panel.arms]
        self.rows = results[
            (results["model"] == panel.model)
            & (results["target"] == panel.target)
            & (results["metric"] == panel.metric)
        ]
        self.metric = metric(panel.metric)
        self.open_scale = self.metric.open_scale(panel.values, panel.sizes)
        self._quantities: dict = {}
        self._within: dict = {}
        self._described: dict = {}
        self._weighed: dict = {}

    def among(self, shared: Collection[tuple]) -> "Contrasts":
        """The same, only on clean and perturbed text of these conditions (as their KEY)."""
        conditions, own = self.panel.conditions, copy.copy(self)
        known = pd.MultiIndex.from_frame(conditions[KEY]).isin(list(shared)) | (conditions["role"] == "twin")
        roles = conditions["role"].where(known, "not shared")
        own.panel = dataclasses.replace(self.panel, conditions=conditions.assign(role=roles))
        own._quantities, own._within, own._described, own._weighed = {}, {}, {}, {}
        return own

    def left_out(self, *arms: str) -> frozenset[int]:
        """The groups without signal in one of the arms."""
        return NONE.union(*(self.signal.absent[arm] for arm in arms))

    def compared(self) -> tuple[list[str], frozenset[int]]:
        """The arms that have signal in some group, whose scores are shown side by side, and the groups where one of
        these arms has none, which are left out."""
        groups = set(self.panel.columns["group"].tolist())
        arms = [arm for arm in self.panel.arms if not groups <= self.signal.absent[arm]]
        return arms, self.left_out(*arms)

    def silent(self, arm: str, seeds: Iterable[int]) -> list[int]:
        """The seeds of an arm that have no signal in the source language and training domain."""
        columns = self.panel.columns
        home = columns["source_language"].astype(bool) & columns["in_domain"].astype(bool)
        groups = set(columns["group"][home].tolist()) - self.signal.unchecked
        return [seed for seed in seeds if groups and groups <= self.signal.silent.get((arm, seed), NONE)]

    def pairs(self) -> list[tuple[str, str]]:
        """(arm, baseline) of every contrast."""
        asked = [self.asked_pair] if self.asked_pair and {*self.asked_pair} <= {*self.panel.arms} else []
        return list(dict.fromkeys([*pairs(self.arms), *asked]))

    def quantities(self, function: str, kinds: Collection[str], excluded: frozenset[int] = NONE) -> list[Quantity]:
        """The quantities of these kinds that a function of `estimands` returns."""
        key = (function, excluded)
        if key not in self._quantities:
            self._quantities[key] = getattr(estimands, function)(self.panel, excluded)
        return [quantity for quantity in self._quantities[key] if quantity.kind in kinds]

    def fit(self, quantities: Sequence[Quantity], arm: str, side: int = BOTH) -> Fit:
        """Quantities of one arm, or one side of them."""
        panel, a, sign = self.panel, self.panel.arms.index(arm), self.metric.sign
        of, chance = self._weights(quantities, side), panel.conditions["chance"].to_numpy()
        influence = np.empty((len(panel.seeds), len(quantities), len(panel.clusters)), panel.influence.dtype)
        for s, own in enumerate(panel.influence[a]):
            influence[s] = sign * (of.light @ own)
        return Fit(
            values=sign * (of.weights @ panel.values[a].T).T,
            influence=influence,
            open_scale=sign * (of.weights @ self.open_scale[a].T).T,
            chance=sign * (of.weights @ chance),
            members=of.members,
            shares=of.shares,
            cells=np.diff(of.weights.indptr),
        )

    def _weights(self, quantities: Sequence[Quantity], side: int) -> _Weights:
        """The weights of quantities; the last few are cached, since each is needed once for every arm."""
        key = side, *map(id, quantities)
        if key not in self._weighed:
            weights = estimands.matrix(quantities, len(self.panel.conditions))
            weights = (side * weights).maximum(0).tocsr() if side else weights
            light = weights.astype(np.float32)
            members = (abs(light) @ self.panel.members.astype(np.float32)) > 0
            while len(self._weighed) >= RECENT:
                del self._weighed[next(iter(self._weighed))]
            found = _Weights(tuple(quantities), weights, light, members, abs(light) @ self.panel.shares)
            self._weighed[key] = found
        return self._weighed[key]

    def difference(self, quantities: Sequence[Quantity], arm: str, baseline: str, side: int = BOTH) -> Fit:
        """Quantities of an arm minus those of its baseline."""
        return self.fit(quantities, arm, side).less(self.fit(quantities, baseline, side))

    # --- Tables

    def cells(self) -> pd.DataFrame:
        """The panel's rows of the results, each with an interval over its items."""
        panel, conditions = self.panel, self.panel.conditions
        places = np.flatnonzero(conditions["role"].isin(["clean", "perturbed", "attack", "control", "empty"]))
        index = pd.MultiIndex.from_frame(conditions.iloc[places][KEY])
        rows = self.rows.reset_index(drop=True)
        k = places[index.get_indexer(pd.MultiIndex.from_frame(rows[KEY]))]
        a, s = rows["arm"].map(panel.arms.index).to_numpy(), rows["seed"].map(panel.seeds.index).to_numpy()
        if not panel.has_items:
            return rows.assign(ci_low=np.nan, ci_high=np.nan, differs=False)
        value, size = panel.values[a, s, k], panel.sizes[a, s, k]
        error = np.sqrt(np.stack([(own**2).sum(-1) for own in panel.influence])[a, s, k])
        low, high = self.metric.interval(value, error, np.maximum(size, 1))
        return rows.assign(ci_low=low, ci_high=high, differs=np.abs(value - rows["value"]) > 1e-4)

    def gains(self) -> pd.DataFrame:
        """Gains of each arm over each baseline, with or without signal: positive if the arm is better."""
        rows = [
            q for q in self.quantities("scores", {"score"}) if q.perturbation in COARSE or ALL in (q.language, q.domain)
        ]
        parts, single = [], 1 if self.panel.right_or_wrong else -1
        for arm, baseline in self.pairs():
            found = self.difference(rows, arm, baseline).columns(self.panel.is_mean, single)
            parts.append(self._named(rows, found, arm, baseline))
        return joined(parts)

    def interactions(self, subset: str, kinds: Sequence[tuple[str, str, str, int]] = KINDS) -> pd.DataFrame:
        """Differences between arms in drops and in domain gaps; positive means more robust.

        first: the gain on perturbed text, or in the shifted domain; second: on clean text, or in the training domain.
        """
        parts = []
        for arm, baseline in self.pairs() if self.panel.has_items else ():
            excluded = self.left_out(arm, baseline)
            for kind, function, name, first in kinds if subset == "all" else kinds[:1]:
                rows = self.quantities(function, {name}, excluded)
                if not rows:
                    continue
                order = (arm, baseline) if first == POSITIVE else (baseline, arm)
                found = self.difference(rows, *order).columns(self.panel.is_mean)
                found |= self._sides(rows, arm, baseline, first)
                named = self._named(rows, found, arm, baseline, excluded)
                del named["quantity"]
                parts.append(named | repeated(len(rows), kind=kind, subset=subset))
        return joined(parts)

    def gaps(self) -> pd.DataFrame:
        """Gaps of each arm, and differences between arms (negative: the gap is smaller).

        first: in the source language or training domain; second: in the others; with their groups, and the number of
        groups without signal.
        """
        rows = self.quantities("gaps", {"language gap", "domain gap"})
        parts = []
        for arm, baseline in [*((arm, "") for arm in self.panel.arms), *self.pairs()] if rows else ():
            found = self._fit(rows, arm, baseline).columns(False, tested=bool(baseline))
            found |= self._sides(rows, arm, baseline, POSITIVE)
            parts.append(self._named(rows, found, arm, baseline) | self._signal_of_sides(rows, arm, baseline))
        return joined(parts)

    def curves(self) -> pd.DataFrame:
        """Mean scores of each arm. clean: for perturbed rows, the clean score on the same cells (a curve's start)."""
        rows, starts = (self.quantities("scores", {kind}) for kind in ("score", "clean"))
        places = {_scope(quantity): number for number, quantity in enumerate(starts)}
        at = np.array([places.get(_scope(quantity), -1) for quantity in rows], dtype=int)
        parts = []
        for arm in self.panel.arms:
            found, start = (self.on_scale(self.fit(own, arm).columns(False, tested=False)) for own in (rows, starts))
            # The NaN is for rows without such a start, whose position is -1.
            clean = {name: np.append(start[of], np.nan)[at] for name, of in CLEAN.items()}
            parts.append(self._named(rows, found, arm) | clean)
        return joined(parts)

    def robustness(self) -> pd.DataFrame:
        """Clean and perturbed scores, areas, worst cases, relative drop and retention, over the groups with signal.

        Scores of single arms are means over the same groups, so that they can be compared: see `compared`.
        """
        kinds = {"clean", "perturbed", "area", "worst cell", "worst item"}
        if self.panel.lost_items and not self.panel.has_items:
            kinds = set()
        return self._levels("curves", kinds, "scores")

    def attacks(self) -> pd.DataFrame:
        """Scores under each attack ("score"), of the clean text of the same items, and relative drops.

        The groups are those of `robustness`. The relative drop of accuracy is the success rate: among the items right
        before, the share that are wrong under attack.
        """
        return self._levels("attacks", {"score", "clean"}, "attacks")

    def _levels(self, function: str, kinds: Collection[str], of_ratios: str) -> pd.DataFrame:
        """Quantities of each arm, their differences between arms, and the ratios of another function's quantities."""
        parts = []
        arms, of_levels = self.compared()
        for arm, baseline in [*((arm, "") for arm in arms), *self.pairs()]:
            excluded = self.left_out(arm, baseline) if baseline else of_levels
            rows = self.quantities(function, kinds, excluded)
            if rows:
                found = self._fit(rows, arm, baseline).columns(False, tested=bool(baseline))
                found = found if baseline else self.on_scale(found)
                parts.append(self._named(rows, found, arm, baseline, excluded))
            if self.panel.has_items:
                parts += self._ratios(arm, baseline, excluded, of_ratios)
        return joined(parts)

    def _ratios(self, arm: str, baseline: str, excluded: frozenset[int], function: str) -> list[Columns]:
        """Relative drop 1 - perturbed/clean and retention (perturbed - chance)/(clean - chance), ratios of means."""
        drops, cleans = (self.quantities(function, {kind}, excluded) for kind in ("drop", "clean"))
        if not drops:
            return []
        found: dict[str, list[Fit]] = {"relative_drop": [], "retention": []}
        for name in (arm, baseline) if baseline else (arm,):
            drop, clean = self.fit(drops, name), self.fit(cleans, name)
            found["relative_drop"].append(ratio(drop, clean, -1.0, 0.0, 0.0))
            found["retention"].append(ratio(drop, clean, 1.0, 1.0, 1.0))
        parts = []
        for quantity, fits in found.items():
            fit = fits[0].less(fits[1]) if baseline else fits[0]
            own = fit.columns(False, tested=bool(baseline))
            if quantity == "relative_drop" and not baseline and self.metric.lowest == 0:
                own |= {"ci_high": np.minimum(own["ci_high"], 1.0)}  # a score falls at most to 0
            named = self._named(drops, own, arm, baseline, excluded)
            parts.append(named | repeated(len(drops), quantity=quantity))
        return parts

    def _fit(self, rows: Sequence[Quantity], arm: str, baseline: str, side: int = BOTH) -> Fit:
        """Quantities of an arm, minus those of a baseline if there is one."""
        return self.difference(rows, arm, baseline, side) if baseline else self.fit(rows, arm, side)

    def target_contrast(self, arm: str, baseline: str) -> TargetContrast:
        """The panel's part of the primary contrast of two arms: perturbation, or domain if nothing is perturbed."""
        panel, excluded, kind, fit, rows = self.panel, self.left_out(arm, baseline), "", None, []
        for kind, function, name, first in KINDS:
            noise = ALL if kind == "perturbation" else CLEAN_TEXT
            rows = [q for q in self.quantities(function, {name}, excluded) if q.perturbation == noise]
            if kind == "perturbation":
                rows = [q for q in rows if q.language == q.domain == ALL]
            if rows:
                order = (arm, baseline) if first == POSITIVE else (baseline, arm)
                fit = self.difference(rows, *order)
                break
        about = self.kept(set().union(*(q.weights for q in rows)), excluded)
        places = (panel.seeds, panel.items, panel.clusters, panel.is_mean)
        named = (panel.model, panel.target, panel.metric, arm, baseline)
        return TargetContrast(*named, *places, about, kind if rows else "", fit if rows else None)

    # --- The cells on which a row rests

    def kept(self, conditions: Collection[int], excluded: Collection[int], language: str = ALL, domain: str = ALL):
        """The cells behind an estimate: languages, domains, numbers of groups, and whether it is cross-lingual.

        Counts the groups on which it rests, those left out of its scope, and those whose signal is unchecked.
        """
        columns, at = self.panel.columns, np.sort(np.fromiter(conditions, dtype=int, count=len(conditions)))
        groups = set(columns["group"][at].tolist())
        return {
            "languages": " ".join(dict.fromkeys(columns["language"][at].tolist())),
            "domains": " ".join(dict.fromkeys(columns["domain"][at].tolist())),
            "groups": len(groups),
            "groups_left_out": self._groups_within(frozenset(excluded), language, domain),
            "groups_unchecked": len(groups & self.signal.unchecked),
            "cross_lingual": not bool(columns["source_language"][at].astype(bool).all()),
        }

    def _groups_within(self, excluded: frozenset[int], language: str, domain: str) -> int:
        """The number of these groups in a language and domain, or in all."""
        key = excluded, language, domain
        if key not in self._within:
            columns = self.panel.columns
            scope = np.isin(columns["group"], list(excluded))
            for name, value in (("language", language), ("domain", domain)):
                scope &= (columns[name] == value) | (value == ALL)
            self._within[key] = len(set(columns["group"][scope].tolist()))
        return self._within[key]

    def _about(self, rows: Sequence[Quantity], excluded: frozenset[int]) -> "_About":
        """The columns that tables have on quantities; needed once for every arm or pair of arms."""
        key = excluded, *map(id, rows)
        if key not in self._described:
            kept = [
                self.kept(q.weights, excluded, q.language, ALL if q.kind == "domain gap" else q.domain) for q in rows
            ]
            numbers = self.panel.columns["group"]
            groups = [frozenset(numbers[list(quantity.weights)].tolist()) for quantity in rows]
            before = {"quantity": column([quantity.kind for quantity in rows])}
            before |= {name: column([getattr(quantity, name) for quantity in rows]) for name in SCOPE}
            after = {name: column([own[name] for own in kept]) for name in (kept[0] if kept else ())}
            self._described[key] = _About(tuple(rows), before, after, groups)  # the rows too, so their ids stay theirs
        return self._described[key]

    def _signal_of_sides(self, rows: Sequence[Quantity], arm: str, baseline: str) -> Columns:
        """The groups on each side of differences, and the number of those without signal in one of the arms."""
        silent, numbers = self._silent(arm, baseline), self.panel.columns["group"]
        found: Columns = {}
        for name, side in (("first", POSITIVE), ("second", NEGATIVE)):
            own = [{int(numbers[at]) for at, weight in q.weights.items() if side * weight > 0} for q in rows]
            found |= {f"{name}_groups": np.array([len(groups) for groups in own])}
            found |= {f"{name}_no_signal": np.array([len(groups & silent) for groups in own])}
        return found

    def _silent(self, arm: str, baseline: str) -> frozenset[int]:
        return self.left_out(*((arm, baseline) if baseline else (arm,)))

    def _named(
        self, rows: Sequence[Quantity], found: Columns, arm: str, baseline: str = "", excluded: frozenset[int] = NONE
    ) -> Columns:
        """The statistics, after columns that name the contrasts and before those of `kept`."""
        panel, about, silent = self.panel, self._about(rows, excluded), self._silent(arm, baseline)
        place = repeated(
            len(rows), model=panel.model, target=panel.target, metric=panel.metric, arm=arm, baseline=baseline
        )
        no_signal = np.array([len(groups & silent) for groups in about.groups], dtype=int)
        return place | about.before | found | about.after | {"groups_no_signal": no_signal}

    def _sides(self, rows: Sequence[Quantity], arm: str, baseline: str, first: int) -> Columns:
        """Columns of the two sides of differences on the same cells, first and second."""
        sides: Columns = {}
        for name, side in (("first", first), ("second", -first)):
            own = self._fit(rows, arm, baseline, side).columns(False, tested=False)
            if not baseline:
                own = self._turned(own)
            elif self.look != ONCE:
                own |= inference.intervals(own, self.look)
            sides |= {name: own["estimate"], f"{name}_low": own["ci_low"], f"{name}_high": own["ci_high"]}
        return sides

    def on_scale(self, found: Columns) -> Columns:
        """Statistics of scores (not differences) on the metric's own scale, their intervals in its range."""
        found = self._turned(found)
        return found | {name: np.clip(found[name], self.metric.lowest, self.metric.highest) for name in ENDS}

    def _turned(self, found: Columns) -> Columns:
        """Statistics of scores with the sign of the metric's own scale."""
        if self.metric.higher_is_better:
            return found
        turned = {"estimate": "estimate", "ci_low": "ci_high", "ci_high": "ci_low", "log_odds": "log_odds"}
        return found | {name: -found[of] for name, of in turned.items()}


@dataclasses.dataclass(frozen=True)
class _About:
    """The columns that tables have on quantities: those before and after the statistics, and the groups of each."""

    quantities: tuple[Quantity, ...]
    before: Columns
    after: Columns
    groups: list[frozenset[int]]


def _scope(quantity: Quantity) -> tuple:
    """SCOPE of a quantity; a NaN would not equal itself."""
    severity = None if np.isnan(quantity.severity) else quantity.severity
    return quantity.language, quantity.domain, quantity.perturbation, severity
