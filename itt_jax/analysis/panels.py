"""A results folder as arrays: the values of all cells of a model, target and metric, and their items' influences."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from itt_jax import metrics
from itt_jax.analysis.clustering import Places, clustered_cells
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import (
    CLEAN_TEXT,
    KEY,
    CellItems,
    Subset,
    has_predictions,
    read_cells,
    read_results,
    read_selection,
)

LEVELS = ["domain", "language", "task", "split", "perturbation", "severity", "replicate"]
"""The levels of an average, from the outermost."""
ABOUT = ["in_domain", "source_language", "chance", "changes_label", "attack"]
GROUP = ["task", "split", "domain", "language"]
"""Columns that name a group of rows; its clean score decides whether it has signal."""
SPENT = ("succeeded", "queries", "edits")
"""Columns of a cell under attack: whether the goal was reached, and with how many queries and edits."""
TOGETHER = 1 << 18
"""Number of examples of cells processed together: a few megabytes."""
_Batch = tuple[tuple[np.ndarray, np.ndarray, np.ndarray], list[tuple[CellItems, CellItems | None]]]
"""Arms, seeds and conditions of cells with the same items, ordered by condition, and each cell with its counterpart."""
Cells = Mapping[str, CellItems] | None
"""The items of every cell; None if a folder holds only results."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """All cells of one model, target and metric. Axes: A arms, S seeds, K conditions, I items, C clusters of items.

    Items that share a text are one cluster; most items are a cluster of their own.

    Attributes:
        conditions: one row a condition (columns KEY, ABOUT, role, group, twin).
            role is "clean"; "perturbed"; "attack" (texts chosen against each model: in no average over noise);
            "control" (an operator that may change the label: in none either); "twin" (clean text, on the items of
            one perturbed or attacked condition alone); "empty" (one of these with fewer than two items); "worst cell"
            (the score of the worst operator, severity and replicate, chosen on other items) or "worst item" (an item
            counts as right only if it is right under all of them).
            twin is the row of a perturbed or attacked condition's clean counterpart.
        values: float64 [A, S, K], NaN if a cell is missing. sizes: int [A, S, K], items in the cell.
        influence: float32 [A, S, K, C], of clusters; NaN if a condition has only one cluster.
        members: bool [K, I], the items of each condition. shares: float32 [K, C], the share of them in each cluster.
        items: int [I], codes of the folder's items; empty if the folder holds only results. Then a condition
            that lost items has no twin, because its clean counterpart is the score of the other items.
        clusters: int [C], codes of the folder's clusters.
    """

    model: str
    target: str
    metric: str
    arms: tuple[str, ...]
    seeds: tuple[int, ...]
    conditions: pd.DataFrame
    values: np.ndarray
    sizes: np.ndarray
    influence: np.ndarray
    members: np.ndarray
    shares: np.ndarray
    items: np.ndarray
    clusters: np.ndarray

    @property
    def has_items(self) -> bool:
        """Whether intervals and tests over items are possible."""
        return len(self.items) > 0

    @property
    def lost_items(self) -> bool:
        """Whether the clean counterpart of a perturbed condition is unknown."""
        return bool(((self.columns["role"] == "perturbed") & (self.columns["twin"] < 0)).any())

    @property
    def is_mean(self) -> bool:
        """Whether the metric is a mean over items; then tests on single items apply."""
        return metrics.metric(self.metric).is_mean

    @property
    def right_or_wrong(self) -> bool:
        """Whether the metric is the share of right items; then items that are right everywhere can be counted."""
        return metrics.metric(self.metric).right_or_wrong

    @functools.cached_property
    def levels(self) -> list[tuple]:
        """Each condition's values of LEVELS."""
        return list(self.conditions[LEVELS].itertuples(index=False, name=None))

    @functools.cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The conditions' columns as arrays [K]."""
        return {name: self.conditions[name].to_numpy() for name in self.conditions}


def read(out: pathlib.Path) -> tuple[pd.DataFrame, pd.DataFrame | None, Cells]:
    """The rows of a folder's results, those of its cells on dev rows (None without any), and the items of both.

    Raises:
        InputError: a cell has more or fewer examples than its row says; see also `read_results` and `read_cells`.
    """
    results, selection = read_results(out), read_selection(out)
    if not has_predictions(out, results):
        return results, selection, None
    rows = results if selection is None else pd.concat([results, selection], ignore_index=True)
    columns = {metric: metrics.metric(metric).columns for metric in rows["metric"].unique()}
    named, of, attacks = (rows[name].to_numpy() for name in ("cell", "metric", "attack"))
    own = zip(named, of, attacks, strict=True)
    cells = read_cells(out, {cell: (*columns[name], *SPENT) if attack else columns[name] for cell, name, attack in own})
    for cell, expected in zip(named, (rows["n"] + rows["n_not_applicable"]).astype(int).to_numpy(), strict=True):
        found = len(cells[cell].items)
        if found != expected:
            raise InputError(
                f"{Store(out).cells.file(cell)}: cell {cell!r} holds {found} examples, expected {expected}: "
                "n and n_not_applicable in results.parquet"
            )
    return results, selection, cells


def panels_of(results: pd.DataFrame, cells: Cells, subset: Subset = "all") -> Iterator[Panel]:
    """The panels of a results folder; with subset "changed", only the items that an operator changed."""
    for (model, target, metric), rows in results.groupby(["model", "target", "metric"], sort=False):
        if cells is None:
            yield _panel_of_values(str(model), str(target), str(metric), rows)
            continue
        panel = _panel(str(model), str(target), str(metric), rows, cells, subset)
        if panel is not None:
            yield panel


def _panel(
    model: str, target: str, metric: str, rows: pd.DataFrame, cells: Mapping[str, CellItems], subset: Subset
) -> Panel | None:
    """The panel of these rows with the values and influences of their cells; None if no condition is left."""
    arms, seeds = tuple(rows["arm"].unique()), tuple(np.unique(rows["seed"]).tolist())
    conditions, names = _conditions(rows, arms, seeds, cells, subset)
    if conditions.empty:
        return None
    used = [cells[name] for name in names.ravel() if name is not None]
    items, clusters = _codes([cell.items for cell in used]), _codes([cell.clusters for cell in used])
    shape = (len(arms), len(seeds), len(conditions))
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, len(clusters)), dtype=np.float32)
    members = np.zeros((len(conditions), len(items)), dtype=bool)
    shares = np.zeros((len(conditions), len(clusters)), dtype=np.float32)
    masks, measure, places = conditions["mask_of"].to_numpy(), metrics.metric(metric), Places(items, clusters)
    others = names[:, :, masks]
    others[:, :, masks < 0] = ""
    for (arm, seed, k), found in _together(names, cells, others):
        here, where = places.of(found[0][0])
        kept = np.stack(
            [
                cell.applicable if other is None else cell.applicable & _among(cell, other, subset)
                for cell, other in found
            ]
        )
        statistics = np.stack([measure.read(cell.values) for cell, _ in found])
        value, part, share = clustered_cells(measure, statistics, kept, where, len(clusters))
        values[arm, seed, k], sizes[arm, seed, k], influences[arm, seed, k] = value, kept.sum(1), part
        shares[k] = share  # those of a condition's last cell remain
        own, first = np.unique(k, return_index=True)
        row, column = np.nonzero(np.logical_or.reduceat(kept, first))
        members[own[row], here[column]] = True
    about = (values, sizes, influences, members, shares, items, clusters)
    panel = Panel(model, target, metric, arms, seeds, conditions, *about)
    return panel if subset == "changed" else _with_worst(panel, names, cells)


def _codes(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """The distinct codes, ascending; cells of the same rows share an array."""
    return np.unique(np.concatenate(list({id(array): array for array in arrays}.values())))


def _together(names: np.ndarray, cells: Mapping[str, CellItems], others: np.ndarray | None = None) -> Iterator[_Batch]:
    """The existing cells [A, S, K], those with the same items together.

    Args:
        others: names of their counterparts [A, S, K]; cells whose counterpart is missing are left out. "" for none.
    """
    found: dict[tuple[int, int], tuple[list, list]] = {}
    count = 0
    for k in range(names.shape[2]):
        for at, name in np.ndenumerate(names[:, :, k]):
            other = "" if others is None else others[(*at, k)]
            if name is None or other is None:
                continue
            cell = cells[name]
            own = found.setdefault((id(cell.items), id(cell.clusters)), ([], []))
            own[0].append((*at, k))
            own[1].append((cell, cells[other] if other else None))
            count += len(cell.items)
        if count >= TOGETHER or k == names.shape[2] - 1:
            for places, pairs in found.values():
                arm, seed, condition = np.array(places).T
                yield (arm, seed, condition), pairs
            found, count = {}, 0


def _panel_of_values(model: str, target: str, metric: str, rows: pd.DataFrame) -> Panel:
    """A panel of the scores that the results hold, without items."""
    arms, seeds = tuple(rows["arm"].unique()), tuple(np.unique(rows["seed"]).tolist())
    conditions, places = _grid(rows, arms, seeds)
    shape = (len(arms), len(seeds), len(conditions))
    values, sizes, lost = np.full(shape, np.nan), np.zeros(shape, dtype=int), np.zeros(shape, dtype=int)
    for array, column in ((values, "value"), (sizes, "n"), (lost, "n_not_applicable")):
        array[places] = rows[column].to_numpy()
    smallest = np.where(np.isnan(values), np.iinfo(int).max, sizes).min((0, 1))
    twin = conditions["twin"].to_numpy()
    fewer = (np.isfinite(values) & np.isfinite(values[:, :, twin]) & (sizes != sizes[:, :, twin])).any((0, 1))
    conditions.loc[(lost > 0).any((0, 1)) | fewer, "twin"] = -1
    conditions.loc[conditions["role"].isin(["perturbed", "attack"]) & (smallest < 2), "role"] = "empty"
    by_condition, none = np.zeros((shape[2], 0), np.float32), np.zeros(0, int)
    absent = (np.zeros((*shape, 0), np.float32), by_condition > 0, by_condition, none, none)
    return Panel(model, target, metric, arms, seeds, conditions, values, sizes, *absent)


def _grid(rows: pd.DataFrame, arms: tuple, seeds: tuple) -> tuple[pd.DataFrame, tuple[np.ndarray, ...]]:
    """The conditions of a panel with role, group and twin, and the place (arm, seed, condition) of each row."""
    number = rows.groupby(KEY, sort=False, dropna=False).ngroup().to_numpy()  # in the order of their first rows
    frame = rows[[*KEY, *ABOUT]].iloc[np.unique(number, return_index=True)[1]].reset_index(drop=True)
    is_attack, is_control = (frame[name].to_numpy().astype(bool) for name in ("attack", "changes_label"))
    is_clean = (frame["perturbation"] == CLEAN_TEXT).to_numpy()
    role = np.select([is_attack, is_control, is_clean], ["attack", "control", "clean"], "perturbed")
    group = frame.groupby(GROUP, sort=False).ngroup().to_numpy()
    clean, twin = np.flatnonzero(role == "clean"), np.full(group.max(initial=0) + 1, -1)
    twin[group[clean]] = clean
    places = (pd.Index(arms).get_indexer(rows["arm"]), pd.Index(seeds).get_indexer(rows["seed"]), number)
    return frame.assign(role=role, group=group, twin=twin[group]), places


def _among(cell: CellItems, other: CellItems, subset: Subset) -> np.ndarray:
    """Which examples of `cell` are items that count in `other`: bool [n]."""
    if cell.items is other.items or np.array_equal(cell.items, other.items):
        return other.mask(subset)
    return np.isin(cell.items, other.items[other.mask(subset)])


def _conditions(rows: pd.DataFrame, arms: tuple, seeds: tuple, cells: Mapping[str, CellItems], subset: Subset):
    """The conditions of a panel, and the cell's name (or None) of each arm, seed and condition [A, S, K].

    If some items of a perturbed condition do not count (not applicable or, in subset "changed", unchanged), or an
    attack was on only some items, the condition is compared with the clean scores of those that do count: a "twin"
    condition. With fewer than two such items it is left out.
    """
    frame, places = _grid(rows, arms, seeds)
    names = np.full((len(arms), len(seeds), len(frame)), None, dtype=object)
    names[places] = rows["cell"].to_numpy()
    halved, empty = [], []
    roles = ["perturbed"] if subset == "changed" else ["perturbed", "attack"]
    twin = frame["twin"].to_numpy()
    for k in np.flatnonzero(frame["role"].isin(roles) & (twin >= 0)):
        kept = [cells[name].mask(subset) for name in names[:, :, k].ravel() if name is not None]
        clean = {len(cells[name].items) for name in names[:, :, twin[k]].ravel() if name is not None}
        counts = [np.count_nonzero(mask) for mask in kept]
        if min(counts) < 2:
            empty.append(k)
        elif counts != [len(mask) for mask in kept] or {len(mask) for mask in kept} != clean:
            halved.append(k)
    twins = np.array(halved, dtype=int)
    names = np.concatenate([names, names[:, :, twin[twins]]], axis=2)
    chance = frame["chance"].to_numpy()[twin[twins]]
    extra = frame.iloc[twins].assign(role="twin", mask_of=twins, chance=chance)
    role, twin, mask_of = frame["role"].to_numpy(copy=True), twin.copy(), np.full(len(frame), -1)
    role[empty], twin[twins] = "empty", len(frame) + np.arange(len(twins))
    if subset == "changed":
        mask_of[twins] = twins
    frame = pd.concat([frame.assign(role=role, twin=twin, mask_of=mask_of), extra], ignore_index=True)
    if subset == "changed" and not halved and not (frame["role"] == "perturbed").any():
        return frame.iloc[:0], names
    return frame, names


def _with_worst(panel: Panel, names: np.ndarray, cells: Mapping[str, CellItems]) -> Panel:
    """Add each group's worst cell and, if the metric counts right items, its worst case item by item."""
    conditions, places = panel.conditions, panel.members.sum(1)
    roles, firsts, parts, members, shares = [], [], [], [], []
    role, group = panel.columns["role"], panel.columns["group"]
    for number in np.unique(group[role == "perturbed"]):
        at = np.flatnonzero((role == "perturbed") & (group == number))
        if len(at) < 2:
            continue
        found = {"worst cell": _worst_cell(panel, at, names, cells)}
        if panel.right_or_wrong and (places[at] == places[at[0]]).all():
            found["worst item"] = _worst_items(panel, at, names, cells)
        for own, part in found.items():
            roles.append(own)
            firsts.append(at[0])
            parts.append(part)
            members.append(panel.members[at].any(0))
            shares.append(panel.shares[at].mean(0))
    if not roles:
        return panel
    extra = conditions.iloc[firsts].assign(role=roles, perturbation=roles, severity=np.nan, replicate=0)
    values, sizes, influences = (np.stack(arrays, 2) for arrays in zip(*parts, strict=True))
    return dataclasses.replace(
        panel,
        conditions=pd.concat([conditions, extra], ignore_index=True),
        values=np.concatenate([panel.values, values], 2),
        sizes=np.concatenate([panel.sizes, sizes], 2),
        influence=np.concatenate([panel.influence, influences], 2),
        members=np.concatenate([panel.members, np.stack(members)]),
        shares=np.concatenate([panel.shares, np.stack(shares)]),
    )


def _worst_cell(panel: Panel, at: np.ndarray, names: np.ndarray, cells: Mapping[str, CellItems]):
    """Value, size and influence [A, S, ...] of the worst of the conditions in `at`; NaN if a cell is missing.

    The lowest of many scores is low by chance too. So half of the clusters choose the condition, for each arm by its
    mean over seeds, the other half measures it, and the other way round; the value is the mean over the items of both.
    """
    measure, clusters = metrics.metric(panel.metric), len(panel.clusters)
    half = np.random.default_rng(0).permutation(clusters) % 2  # the same for all arms, since they are compared
    shape = (2, *panel.values.shape[:2], len(at))
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, clusters), dtype=np.float32)
    places = Places(panel.items, panel.clusters)
    for (arm, seed, number), found in _together(names[:, :, at], cells):
        _, where = places.of(found[0][0])
        statistics = np.stack([measure.read(cell.values) for cell, _ in found])
        applicable = np.stack([cell.applicable for cell, _ in found])
        for side in (0, 1):
            kept = applicable & (half[where] == side)
            value, part, _ = clustered_cells(measure, statistics, kept, where, clusters)
            place = (side, arm, seed, number)
            values[place], influences[place], sizes[place] = value, part, kept.sum(1)
    mean = values.mean(2)
    chosen = np.where(np.isnan(mean), np.inf, measure.sign * mean).argmin(2)  # [2, A]
    arms = np.arange(len(panel.arms))
    halves, size, parts = (
        [array[1 - own, arms, :, chosen[own]] for own in (0, 1)] for array in (values, sizes, influences)
    )
    share = [own / np.maximum(sum(size), 1) for own in size]
    whole = sum(one * own for one, own in zip(halves, share, strict=True))
    return whole, sum(size), sum(one * own[..., None] for one, own in zip(parts, share, strict=True))


def _worst_items(panel: Panel, at: np.ndarray, names: np.ndarray, cells: Mapping[str, CellItems]):
    """Value, size and influence [A, S, ...] of being right under every condition in `at`; NaN if a cell is missing."""
    shape = panel.values.shape[:2]
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, len(panel.clusters)), dtype=np.float32)
    measure, member = metrics.metric(panel.metric), panel.members[at[0]]
    places, there = Places(panel.items, panel.clusters), (names[:, :, at] != None).all(2)  # noqa: E711
    right, cluster = np.ones((*shape, len(panel.items)), dtype=bool), np.zeros(len(panel.items), dtype=int)
    for k in at:
        for (arm, seed, _), found in _together(names[:, :, [k]], cells):
            items, where = places.of(found[0][0])
            right[arm[:, None], seed[:, None], items] &= np.stack([measure.read(cell.values) for cell, _ in found]) == 1
            cluster[items] = where
    found = right[there][:, member].astype(np.float64)
    if len(found):
        kept = np.ones(found.shape, dtype=bool)
        values[there], influences[there], _ = clustered_cells(
            measure, found, kept, cluster[member], len(panel.clusters)
        )
        sizes[there] = member.sum()
    return values, sizes, influences
