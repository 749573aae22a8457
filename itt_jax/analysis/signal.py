"""Which groups have signal: a clean score above chance on dev rows, on which no estimate rests.

A group without signal has nothing to lose under perturbation and is left out of interactions and ratios. Decided on the
evaluated items themselves, that would select the groups whose clean scores came out high by chance, and shift every
interaction of an arm near chance. A group of a language (or task) without dev rows is kept and said to be unchecked.
"""

import dataclasses
from collections.abc import Iterable

import numpy as np
import pandas as pd

from itt_jax.analysis.panels import Cells, Panel, clustered
from itt_jax.metrics import Metric, metric
from itt_jax.store.results import CLEAN_TEXT, CellItems

ROWS = ["task", "domain", "language"]
"""Columns in which a group of evaluation rows and its dev rows agree."""


@dataclasses.dataclass(frozen=True)
class Signal:
    """Which groups of a panel have signal.

    Attributes:
        absent: arm -> the groups without signal, or whose clean or dev cells are missing, so that it is unknown.
        unchecked: groups without dev rows.
        silent: (arm, seed) -> the groups without signal in that seed alone.
    """

    absent: dict[str, frozenset[int]]
    unchecked: frozenset[int] = frozenset()
    silent: dict[tuple[str, int], frozenset[int]] = dataclasses.field(default_factory=dict)


def signal(panel: Panel, selection: pd.DataFrame | None, cells: Cells) -> Signal:
    """The signal of a panel's groups.

    Args:
        selection: the rows of the cells on dev rows, of the whole folder; None where there are none.
        cells: the items of these cells too; without any, everything is unchecked and nothing is left out.
    """
    groups = panel.conditions.drop_duplicates("group").set_index("group")[ROWS]
    if cells is None:
        return Signal(dict.fromkeys(panel.arms, frozenset()), frozenset(groups.index))
    missing = {arm: _without_clean(panel, a) for a, arm in enumerate(panel.arms)}
    if selection is None:
        return Signal(missing, frozenset(groups.index))
    own = selection[(selection["model"] == panel.model) & (selection["target"] == panel.target)]
    own = own[(own["perturbation"] == CLEAN_TEXT) & (own["metric"] == panel.metric)]
    by_rows = {tuple(key): group for group, key in zip(groups.index, groups.to_numpy(), strict=True)}
    checked, above, silent = set(), {arm: set() for arm in panel.arms}, {}
    for (arm, *key), rows in own.groupby(["arm", *ROWS], sort=False):
        group = by_rows.get(tuple(key))
        if group is None:
            continue
        checked.add(group)
        measure, chance = metric(panel.metric), float(rows["chance"].max())
        found = {int(seed): cells[name] for seed, name in zip(rows["seed"], rows["cell"], strict=True)}
        if arm in above and is_above(measure, found.values(), chance):
            above[arm].add(group)
        for seed, cell in found.items():
            if not is_above(measure, [cell], chance):
                silent.setdefault((arm, seed), set()).add(group)
    absent = {arm: frozenset(missing[arm] | (checked - above[arm])) for arm in panel.arms}
    frozen = {place: frozenset(found) for place, found in silent.items()}
    return Signal(absent, frozenset(groups.index) - checked, frozen)


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


def _without_clean(panel: Panel, arm: int) -> frozenset[int]:
    """The groups whose clean cells are missing in every seed of an arm."""
    clean = panel.conditions["role"] == "clean"
    known = clean.to_numpy() & np.isfinite(panel.values[arm]).any(0)
    groups = panel.columns["group"]
    return frozenset(np.unique(groups).tolist()) - frozenset(groups[known].tolist())
