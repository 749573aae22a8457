"""The contrasts of one panel: gains, interactions, gaps, curves and ratios, by arm and by pair of arms."""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from itt_jax.analysis import estimands, inference
from itt_jax.analysis.arms import pairs
from itt_jax.analysis.estimands import ALL, Quantity
from itt_jax.analysis.panels import Panel
from itt_jax.metrics import metric
from itt_jax.store.results import CLEAN_TEXT, KEY
from itt_jax.study.arms import Arm


@dataclasses.dataclass(frozen=True)
class Fit:
    """Quantities of one arm, or the differences between two. Axes: S seeds, Q quantities, I items.

    A larger value is a better one: a metric for which lower is better enters with the opposite sign.

    Attributes:
        values: [S, Q]. open_scale: [S, Q], the same on log-odds or Fisher's z. chance: [Q].
        influence: [S, Q, I]. members: bool [Q, I]. cells: int [Q], the number of cells that a quantity combines.
    """

    values: np.ndarray
    influence: np.ndarray
    open_scale: np.ndarray
    chance: np.ndarray
    members: np.ndarray
    cells: np.ndarray

    def less(self, other: "Fit") -> "Fit":
        """The difference, paired by seed and item."""
        return dataclasses.replace(
            self,
            values=self.values - other.values,
            influence=self.influence - other.influence,
            open_scale=self.open_scale - other.open_scale,
        )

    def select(self, rows: np.ndarray) -> "Fit":
        """Some of the quantities."""
        return Fit(
            self.values[:, rows],
            self.influence[:, rows],
            self.open_scale[:, rows],
            self.chance[rows],
            self.members[rows],
            self.cells[rows],
        )

    def table(self, is_mean: bool, single: int = -1) -> pd.DataFrame:
        """Statistics, one row a quantity.

        Args:
            is_mean: whether the metric is a mean over items.
            single: McNemar's test applies to quantities of so many cells; -1 for none.
        """
        two_cells = (self.cells == single) if is_mean else None
        if self.members.shape[1]:
            frame = inference.table(self.values, self.influence, self.members, two_cells)
        else:
            frame = inference.estimates(self.values)
        finite = np.isfinite(self.values)
        total = np.where(finite, self.open_scale, 0).sum(0)
        frame["log_odds"] = np.divide(total, finite.sum(0), out=np.full(len(total), np.nan), where=finite.any(0))
        return frame


@dataclasses.dataclass(frozen=True)
class TargetContrast:
    """One target's part of a primary contrast.

    Attributes:
        groups_left_out: number of groups (task, split, domain, language) without signal in one of the arms.
        kind: "perturbation" or "domain". fit: None where no group has signal.
    """

    model: str
    arm: str
    baseline: str
    seeds: tuple[int, ...]
    items: np.ndarray
    is_mean: bool
    groups_left_out: int
    kind: str
    fit: Fit | None


class Contrasts:
    """The findings of one panel; each arm is fitted once for each set of left-out groups.

    Args:
        results: the rows of the whole folder. arms: its arms.
    """

    def __init__(self, panel: Panel, results: pd.DataFrame, arms: Sequence[Arm]):
        self.panel = panel
        self.arms = [next(arm for arm in arms if arm.name == name) for name in panel.arms]
        self.rows = results[
            (results["model"] == panel.model)
            & (results["target"] == panel.target)
            & (results["metric"] == panel.metric)
        ]
        self.metric = metric(panel.metric)
        self.open_scale = self.metric.open_scale(panel.values, panel.sizes)
        self.no_signal = {arm: self._no_signal(a) for a, arm in enumerate(panel.arms)}
        self._quantities: dict = {}
        self._fits: dict = {}

    def _no_signal(self, arm: int) -> frozenset[int]:
        """The groups whose clean score, the mean over seeds, is not above chance by its interval over items.

        None is known where the items are absent; `interactions` and ratios, which leave such groups out, are not made.
        """
        if not self.panel.has_items:
            return frozenset()
        conditions = self.panel.conditions
        clean = np.flatnonzero(conditions["role"] == "clean")
        sizes = self.panel.sizes[arm][:, clean].max(0)
        values = self.panel.values[arm][:, clean].mean(0)
        error = np.sqrt((self.panel.influence[arm][:, clean].mean(0) ** 2).sum(-1))
        ends = self.metric.interval(values, error, np.maximum(sizes, 1))
        signal = self._above_chance(ends, conditions["chance"].to_numpy()[clean])
        return frozenset(conditions["group"].to_numpy()[clean[~signal]].tolist())

    def _above_chance(self, ends: tuple[np.ndarray, np.ndarray], chance: np.ndarray) -> np.ndarray:
        """Whether the whole interval between `ends` is better than chance."""
        return ends[0] > chance if self.metric.higher_is_better else ends[1] < chance

    def pairs(self) -> list[tuple[str, str]]:
        """(arm, baseline) of every contrast."""
        return list(pairs(self.arms))

    def quantities(self, kind: str, excluded: frozenset[int] = frozenset()) -> list[Quantity]:
        """The quantities that the function `kind` of `estimands` gives."""
        key = (kind, excluded)
        if key not in self._quantities:
            self._quantities[key] = getattr(estimands, kind)(self.panel, excluded)
        return self._quantities[key]

    def fit(self, kind: str, arm: str, excluded: frozenset[int] = frozenset()) -> Fit:
        """The same quantities of one arm."""
        key = (kind, arm, excluded)
        if key not in self._fits:
            panel, a = self.panel, self.panel.arms.index(arm)
            weights = estimands.matrix(self.quantities(kind, excluded), len(panel.conditions))
            light = weights.astype(np.float32)
            part = [light @ panel.influence[a, s] for s in range(len(panel.seeds))]
            chance, sign = panel.conditions["chance"].to_numpy(), self.metric.sign
            self._fits[key] = Fit(
                values=sign * (weights @ panel.values[a].T).T,
                influence=sign * np.stack(part),
                open_scale=sign * (weights @ self.open_scale[a].T).T,
                chance=sign * (weights @ chance),
                members=(abs(light) @ panel.members.astype(np.float32)) > 0,
                cells=np.diff(weights.indptr),
            )
        return self._fits[key]

    def cells(self) -> pd.DataFrame:
        """The panel's rows of the results, each with an interval over its items."""
        panel, conditions = self.panel, self.panel.conditions
        places = np.flatnonzero(conditions["role"].isin(["clean", "perturbed", "control", "empty"]))
        index = pd.MultiIndex.from_frame(conditions.iloc[places][KEY])
        rows = self.rows.reset_index(drop=True)
        k = places[index.get_indexer(pd.MultiIndex.from_frame(rows[KEY]))]
        a, s = rows["arm"].map(panel.arms.index).to_numpy(), rows["seed"].map(panel.seeds.index).to_numpy()
        if not panel.has_items:
            return rows.assign(ci_low=np.nan, ci_high=np.nan, no_signal=pd.NA, differs=False)
        value, size = panel.values[a, s, k], panel.sizes[a, s, k]
        error = np.sqrt(np.array([(panel.influence[at] ** 2).sum() for at in zip(a, s, k, strict=True)]))
        low, high = self.metric.interval(value, error, np.maximum(size, 1))
        signal, differs = self._above_chance((low, high), rows["chance"]), np.abs(value - rows["value"]) > 1e-4
        return rows.assign(ci_low=low, ci_high=high, no_signal=~signal, differs=differs)

    def gains(self) -> pd.DataFrame:
        """Gains of each arm over each baseline: differences of scores, positive where the arm is better."""
        rows = self._rows("scores", frozenset(), {"score"})
        frames = []
        for arm, baseline in self.pairs():
            fit = self.fit("scores", arm).less(self.fit("scores", baseline)).select(rows)
            single = 1 if self.panel.right_or_wrong else -1
            frame = fit.table(self.panel.is_mean, single)
            frames.append(self._named("scores", frozenset(), rows, frame, arm, baseline))
        return concat(frames)

    def interactions(self, subset: str) -> pd.DataFrame:
        """Differences between arms in drops and in domain gaps; positive means more robust."""
        frames = []
        for arm, baseline in self.pairs() if self.panel.has_items else ():
            left_out = self.no_signal[arm] | self.no_signal[baseline]
            kinds = [("perturbation", "scores", {"drop"}, 1), ("domain", "gaps", {"domain gap"}, -1)]
            for kind, function, names, sign in kinds if subset == "all" else kinds[:1]:
                rows = self._rows(function, left_out, names)
                if not len(rows):
                    continue
                fits = [self.fit(function, name, left_out) for name in (arm, baseline)]
                fit = fits[0].less(fits[1]) if sign > 0 else fits[1].less(fits[0])
                frame = fit.select(rows).table(self.panel.is_mean)
                frame = self._named(function, left_out, rows, frame, arm, baseline)
                frame = frame.drop(columns="quantity")
                frames.append(frame.assign(kind=kind, groups_left_out=len(left_out), subset=subset))
        return concat(frames)

    def gaps(self) -> pd.DataFrame:
        """Gaps of each arm, and differences between arms (negative: the gap is smaller)."""
        return self._each_arm_and_pair("gaps", frozenset(), {"language gap", "domain gap"})

    def curves(self) -> pd.DataFrame:
        """Mean scores of each arm."""
        rows = self._rows("scores", frozenset(), {"score"})
        return self._within_range(
            self._named("scores", frozenset(), rows, self.fit("scores", arm).select(rows).table(False), arm)
            for arm in self.panel.arms
        )

    def _within_range(self, frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
        """The tables as one; scores (not differences) are on the metric's own scale, their intervals in its range."""
        frame = concat(frames)
        is_score = frame["baseline"] == ""
        if not self.metric.higher_is_better:
            scores = ["estimate", "ci_low", "ci_high", "log_odds"]
            turned = -frame[["estimate", "ci_high", "ci_low", "log_odds"]].set_axis(scores, axis=1)
            frame[scores] = frame[scores].mask(is_score, turned)
        ends = frame[["ci_low", "ci_high"]]
        frame[["ci_low", "ci_high"]] = ends.mask(is_score, ends.clip(self.metric.lowest, self.metric.highest))
        return frame

    def robustness(self) -> pd.DataFrame:
        """Areas and worst cases over all groups; relative drop and retention over those with signal."""
        kinds = {"area", "worst cell", "worst item"}
        if not self.panel.has_items and self.panel.lost_items:
            kinds = {"worst cell"}
        frames = [self._within_range([self._each_arm_and_pair("curves", frozenset(), kinds)])]
        if not self.panel.has_items:
            return concat(frames)
        for arm in self.panel.arms:
            frames.append(self._ratios(arm, None, self.no_signal[arm]))
        for arm, baseline in self.pairs():
            frames.append(self._ratios(arm, baseline, self.no_signal[arm] | self.no_signal[baseline]))
        return concat(frames)

    def _ratios(self, arm: str, baseline: str | None, left_out: frozenset[int]) -> pd.DataFrame:
        """Relative drop 1 - perturbed/clean and retention (perturbed - chance)/(clean - chance), ratios of means."""
        drops, cleans = (self._rows("scores", left_out, {kind}) for kind in ("drop", "clean"))
        if not len(drops):
            return pd.DataFrame()
        found = {"relative_drop": [], "retention": []}
        for name in (arm, baseline) if baseline else (arm,):
            fit = self.fit("scores", name, left_out)
            drop, clean = fit.select(drops), fit.select(cleans)
            found["relative_drop"].append(_ratio(drop, clean, -1.0, 0.0, 0.0))
            found["retention"].append(_ratio(drop, clean, 1.0, 1.0, 1.0))
        frames = []
        for quantity, fits in found.items():
            fit = fits[0].less(fits[1]) if baseline else fits[0]
            frame = self._named("scores", left_out, drops, fit.table(False), arm, baseline or "")
            frames.append(frame.assign(quantity=quantity))
        return concat(frames)

    def target_contrast(self, arm: str, baseline: str) -> TargetContrast:
        """The panel's part of the primary contrast of two arms: perturbation, or domain where nothing is perturbed."""
        panel, left_out = self.panel, self.no_signal[arm] | self.no_signal[baseline]
        for kind, function, sign in (("perturbation", "scores", 1), ("domain", "gaps", -1)):
            names, noise = ({"drop"}, ALL) if sign > 0 else ({"domain gap"}, CLEAN_TEXT)
            quantities = self.quantities(function, left_out)
            rows = [q for q in self._rows(function, left_out, names) if quantities[q].perturbation == noise]
            if sign > 0:
                rows = [q for q in rows if quantities[q].language == quantities[q].domain == ALL]
            if rows:
                fits = [self.fit(function, name, left_out).select(np.array(rows)) for name in (arm, baseline)]
                fit = fits[0].less(fits[1]) if sign > 0 else fits[1].less(fits[0])
                return TargetContrast(
                    panel.model, arm, baseline, panel.seeds, panel.items, panel.is_mean, len(left_out), kind, fit
                )
        return TargetContrast(
            panel.model, arm, baseline, panel.seeds, panel.items, panel.is_mean, len(left_out), "", None
        )

    def _rows(self, function: str, excluded: frozenset[int], kinds: set[str]) -> np.ndarray:
        quantities = self.quantities(function, excluded)
        return np.array([q for q, quantity in enumerate(quantities) if quantity.kind in kinds], dtype=int)

    def _each_arm_and_pair(self, function: str, excluded: frozenset[int], kinds: set[str]) -> pd.DataFrame:
        rows = self._rows(function, excluded, kinds)
        if not len(rows):
            return pd.DataFrame()
        fits = [(arm, "", self.fit(function, arm, excluded)) for arm in self.panel.arms]
        for arm, baseline in self.pairs():
            difference = self.fit(function, arm, excluded).less(self.fit(function, baseline, excluded))
            fits.append((arm, baseline, difference))
        return concat(
            self._named(function, excluded, rows, fit.select(rows).table(False), arm, baseline)
            for arm, baseline, fit in fits
        )

    def _named(self, function: str, excluded, rows: np.ndarray, frame: pd.DataFrame, arm: str, baseline: str = ""):
        """The statistics, with the columns that name the contrasts before them."""
        quantities = [self.quantities(function, excluded)[q] for q in rows]
        about = {"model": self.panel.model, "target": self.panel.target, "metric": self.panel.metric}
        about |= {"arm": arm, "baseline": baseline, "quantity": [quantity.kind for quantity in quantities]}
        for name in ("language", "domain", "perturbation", "severity"):
            about[name] = [getattr(quantity, name) for quantity in quantities]
        if not baseline:  # a level: that it differs from 0 is no finding
            frame = frame.assign(p=np.nan, test="none")
        return pd.concat([pd.DataFrame(about, index=frame.index), frame], axis=1)


def _ratio(drop: Fit, clean: Fit, of_drop: float, of_clean: float, chance: float) -> Fit:
    """(of_drop x drop + of_clean x clean - chance) / (clean - chance), linearised about the means over seeds.

    The drop's chance is the difference between the chance levels, so that a chance-corrected perturbed score uses its
    own level.
    """
    above = clean.values - chance * clean.chance
    numerator = of_drop * drop.values + of_clean * clean.values - chance * (clean.chance + drop.chance)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(above.mean(0) > 0, above.mean(0), np.nan)
        ratio = numerator.mean(0) / middle
    values = ratio + (numerator - ratio * above) / middle
    part = of_drop * drop.influence + (of_clean - ratio)[None, :, None] * clean.influence
    return dataclasses.replace(drop, values=values, influence=part / middle[None, :, None])


def concat(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of the frames that have rows; an empty one with the columns that callers read if none has."""
    frames = [frame for frame in frames if len(frame)]
    if frames:
        return pd.concat(frames, ignore_index=True)
    names = ["kind", "subset", "model", "target", "metric", "arm", "baseline", "quantity", "language", "domain"]
    statistics = ["estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "df", "p"]
    columns = [*names, "perturbation", "severity", *statistics, "test", "seeds", "items", "log_odds"]
    return pd.DataFrame(columns=columns).astype(dict.fromkeys(statistics, float))
