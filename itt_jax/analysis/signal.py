"""Which groups have signal: a clean score above chance on dev rows, on which no estimate rests. A group without signal
has nothing to lose under perturbation and is left out of interactions and ratios. Deciding this on the evaluated items
would select the groups whose clean scores are high by chance, and shift every interaction of an arm near chance. A
group of a language (or task) without dev rows is kept and reported as unchecked.
"""

import dataclasses
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from itt_jax.analysis.clustering import clustered
from itt_jax.analysis.panels import GROUP, Cells
from itt_jax.metrics import Metric, metric
from itt_jax.store.results import CLEAN_TEXT, CellItems

ROWS = ["task", "domain", "language"]
"""Columns with equal values for a group of evaluation rows and its dev rows."""
PANEL = ["model", "target", "metric"]
"""Columns that name a panel."""


@dataclasses.dataclass(frozen=True)
class Signal:
    """Which groups of a panel have signal.

    Attributes:
        groups: GROUP of each group, in the panel's numbering.
        absent: arm -> the groups without signal, or with unknown signal because clean or dev cells are missing.
        unchecked: groups without dev rows.
        silent: (arm, seed) -> the groups without signal in that seed alone.
    """

    groups: tuple[tuple, ...]
    absent: dict[str, frozenset[int]]
    unchecked: frozenset[int] = frozenset()
    silent: dict[tuple[str, int], frozenset[int]] = dataclasses.field(default_factory=dict)

    def absent_here(self, other: "Signal", arms: Iterable[str]) -> frozenset[int]:
        """The groups of this panel that have no signal in one of the other panel's arms."""
        lacking = {other.groups[group] for arm in arms for group in other.absent[arm]}
        return frozenset(number for number, group in enumerate(self.groups) if group in lacking)


def signals(results: pd.DataFrame, selection: pd.DataFrame | None, cells: Cells) -> dict[tuple[str, str, str], Signal]:
    """(model, target, metric) -> the signal of that panel's groups; arguments as in `signal`, for the whole folder."""
    return {key: signal(rows, selection, cells) for key, rows in results.groupby(PANEL, sort=False)}


def signal(rows: pd.DataFrame, selection: pd.DataFrame | None, cells: Cells) -> Signal:
    """The signal of the groups of one panel.

    Args:
        rows: the rows of the panel's results.
        selection: the rows of the cells on dev rows, of the whole folder; None if there are none.
        cells: the items of these cells too; without any, everything is unchecked and nothing is left out.
    """
    groups = tuple(rows[GROUP].drop_duplicates().itertuples(index=False, name=None))
    arms, everything = rows["arm"].unique(), frozenset(range(len(groups)))
    if cells is None:
        return Signal(groups, dict.fromkeys(arms, frozenset()), everything)
    clean = rows.loc[rows["perturbation"] == CLEAN_TEXT, ["arm", *GROUP]]
    missing = {arm: _missing(clean[clean["arm"] == arm], groups) for arm in arms}
    if selection is None:
        return Signal(groups, missing, everything)
    own = selection[(selection[PANEL] == rows[PANEL].iloc[0]).all(axis=1) & (selection["perturbation"] == CLEAN_TEXT)]
    checked, silent = _checked(own, groups, cells)
    frozen = {place: frozenset(found) for place, found in silent.items()}
    absent = {
        arm: missing[arm] | frozenset(group for group in checked if not checked[group].get(arm, False)) for arm in arms
    }
    return Signal(groups, absent, everything - checked.keys(), frozen)


def _checked(own: pd.DataFrame, groups: tuple[tuple, ...], cells: Mapping[str, CellItems]):
    """Group -> arm -> whether it has signal, for groups with dev rows; and the silent groups of each arm and seed."""
    by_rows = {tuple(dict(zip(GROUP, key, strict=True))[name] for name in ROWS): at for at, key in enumerate(groups)}
    checked: dict[int, dict[str, bool]] = {}
    silent: dict[tuple[str, int], set[int]] = {}
    for (arm, *key), rows in own.groupby(["arm", *ROWS], sort=False):
        group = by_rows.get(tuple(key))
        if group is None:
            continue
        measure, chance = metric(rows["metric"].iloc[0]), float(rows["chance"].max())
        found = {int(seed): cells[name] for seed, name in zip(rows["seed"], rows["cell"], strict=True)}
        checked.setdefault(group, {})[arm] = is_above(measure, found.values(), chance)
        for seed, cell in found.items():
            if not is_above(measure, [cell], chance):
                silent.setdefault((arm, seed), set()).add(group)
    return checked, silent


def is_above(measure: Metric, cells: Iterable[CellItems], chance: float) -> bool:
    """Whether the mean score of cells with the same items is better than chance by its interval over items."""
    cells = list(cells)
    codes = np.unique(np.concatenate([cell.clusters for cell in cells]))
    values, influences, sizes = [], [], []
    for cell in cells:
        where = np.searchsorted(codes, cell.clusters[cell.applicable])
        value, influence, _ = clustered(measure, measure.read(cell.values)[cell.applicable], where, len(codes))
        values.append(value)
        influences.append(influence)
        sizes.append(len(where))
    error = np.sqrt((np.mean(influences, axis=0) ** 2).sum())
    low, high = measure.interval(*(np.array([x]) for x in (np.mean(values), error, max(sizes, default=1))))
    return bool(low[0] > chance if measure.higher_is_better else high[0] < chance)


def _missing(clean: pd.DataFrame, groups: tuple[tuple, ...]) -> frozenset[int]:
    """The groups for which an arm has no clean cell in any seed; `clean` are its rows on clean text."""
    known = set(clean[GROUP].drop_duplicates().itertuples(index=False, name=None))
    return frozenset(number for number, group in enumerate(groups) if group not in known)
