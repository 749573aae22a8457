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
"""Columns that name a group of rows, whose clean score decides whether it has signal."""
SPENT = ("succeeded", "queries", "edits")
"""Columns of a cell under attack: whether the goal was reached, and with how many queries and edits."""
Cells = Mapping[str, CellItems] | None
"""The items of every cell; None where a folder holds its results alone."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """All cells of one model, target and metric. Axes: A arms, S seeds, K conditions, I items, C clusters of items.

    Items that share a text are one cluster; most items are a cluster of their own.

    Attributes:
        conditions: one row a condition (columns KEY, ABOUT, role, group, twin).
            role is "clean"; "perturbed"; "attack" (texts chosen against each model: part of no average over noise);
            "control" (an operator that may change the label: part of none either); "twin" (clean text, on the items of
            one perturbed or attacked condition alone); "empty" (one of these with fewer than two items); "worst cell"
            (the score of the worst operator, severity and replicate, chosen on other items) or "worst item" (an item
            counts as right only if it is right under all of them).
            twin is the row of a perturbed or attacked condition's clean counterpart.
        values: float64 [A, S, K], NaN where a cell is missing. sizes: int [A, S, K], items in the cell.
        influence: float32 [A, S, K, C], of clusters; NaN where a condition has one cluster alone.
        members: bool [K, I], the items of each condition. shares: float32 [K, C], the share of them in each cluster.
        items: int [I], codes of the folder's items; none where the folder holds its results alone. Then a condition
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
        """Whether the metric is a mean over items, so that tests on single items apply."""
        return metrics.metric(self.metric).is_mean

    @property
    def right_or_wrong(self) -> bool:
        """Whether the metric is the share of right items, so that items right everywhere can be counted."""
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
    own = zip(rows["cell"], rows["metric"].map(columns), rows["attack"], strict=True)
    cells = read_cells(out, {cell: (*names, *SPENT) if attack else names for cell, names, attack in own})
    for row in rows.itertuples():
        found, expected = len(cells[row.cell].items), int(row.n + row.n_not_applicable)
        if found != expected:
            raise InputError(
                f"{Store(out).cells.file(row.cell)}: cell {row.cell!r} holds {found} examples, expected {expected}: "
                "n and n_not_applicable in results.parquet"
            )
    return results, selection, cells


def panels_of(results: pd.DataFrame, cells: Cells, subset: Subset = "all") -> Iterator[Panel]:
    """The panels of a results folder; with subset "changed" a condition has only the items its operator changed."""
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
    """The panel of these rows with the values and influences of their cells; None where no condition is left."""
    arms, seeds = tuple(dict.fromkeys(rows["arm"])), tuple(sorted(set(rows["seed"])))
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
    for k, mask in enumerate(masks):
        for at, found in _together(names[:, :, k], cells, names[:, :, mask] if mask >= 0 else None):
            kept = np.stack(
                [
                    cell.applicable if other is None else cell.applicable & _among(cell, other, subset)
                    for cell, other in found
                ]
            )
            here, where = places.of(found[0][0])
            statistics = [measure.read(cell.values) for cell, _ in found]
            value, part, share = clustered_cells(measure, statistics, kept, where, len(clusters))
            arm, seed = zip(*at, strict=True)
            values[arm, seed, k], sizes[arm, seed, k], influences[arm, seed, k] = value, kept.sum(1), part
            shares[k] = share[-1]
            members[k, here[kept.any(0)]] = True
    about = (values, sizes, influences, members, shares, items, clusters)
    panel = Panel(model, target, metric, arms, seeds, conditions, *about)
    return panel if subset == "changed" else _with_worst(panel, names, cells)


def _codes(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """The different codes, ascending; cells of the same rows share an array."""
    return np.unique(np.concatenate(list({id(array): array for array in arrays}.values())))


def _together(
    names: np.ndarray, cells: Mapping[str, CellItems], others: np.ndarray | None = None
) -> Iterator[tuple[list[tuple[int, int]], list[tuple[CellItems, CellItems | None]]]]:
    """The cells [A, S] of one condition that are there, those of the same items together: their places (arm, seed), and
    each with the one of `others`, without which it is left out."""
    found: dict[tuple[int, int], tuple[list, list]] = {}
    for at, name in np.ndenumerate(names):
        other = None if others is None else others.item(at)
        if name is None or (others is not None and other is None):
            continue
        cell = cells[name]
        own = found.setdefault((id(cell.items), id(cell.clusters)), ([], []))
        own[0].append(at)
        own[1].append((cell, None if other is None else cells[other]))
    yield from found.values()


def _panel_of_values(model: str, target: str, metric: str, rows: pd.DataFrame) -> Panel:
    """A panel of the scores that the results hold, without items."""
    arms, seeds = tuple(dict.fromkeys(rows["arm"])), tuple(sorted(set(rows["seed"])))
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
    frame = rows.drop_duplicates(KEY)[[*KEY, *ABOUT]].reset_index(drop=True)
    frame["role"] = np.where(frame["perturbation"] == CLEAN_TEXT, "clean", "perturbed")
    frame.loc[frame["changes_label"].astype(bool), "role"] = "control"
    frame.loc[frame["attack"].astype(bool), "role"] = "attack"
    frame["group"] = frame.groupby(GROUP, sort=False).ngroup()
    index = pd.MultiIndex.from_frame(frame[KEY])
    places = [
        rows["arm"].map(arms.index),
        rows["seed"].map(seeds.index),
        index.get_indexer(pd.MultiIndex.from_frame(rows[KEY])),
    ]
    is_clean = frame["role"] == "clean"
    clean = dict(zip(frame.loc[is_clean, "group"], frame.index[is_clean], strict=True))
    frame["twin"] = frame["group"].map(clean).fillna(-1).astype(int)
    return frame, tuple(np.asarray(place) for place in places)


def _among(cell: CellItems, other: CellItems, subset: Subset) -> np.ndarray:
    """Which examples of `cell` are items that count in `other`: bool [n]."""
    if cell.items is other.items or np.array_equal(cell.items, other.items):
        return other.mask(subset)
    return np.isin(cell.items, other.items[other.mask(subset)])


def _conditions(rows: pd.DataFrame, arms: tuple, seeds: tuple, cells: Mapping[str, CellItems], subset: Subset):
    """The conditions of a panel, and the cell's name (or None) of each arm, seed and condition [A, S, K].

    A perturbed condition some of whose items do not count (not applicable or, in subset "changed", unchanged), or an
    attack on some of the items alone, is compared with the clean scores of those that do: a "twin" condition. With
    fewer than two of them it is left out.
    """
    frame, places = _grid(rows, arms, seeds)
    names = np.full((len(arms), len(seeds), len(frame)), None, dtype=object)
    names[places] = rows["cell"].to_numpy()
    frame["mask_of"] = -1
    twins, empty = [], []
    roles = ["perturbed"] if subset == "changed" else ["perturbed", "attack"]
    twin = frame["twin"].to_numpy()
    for k in np.flatnonzero(frame["role"].isin(roles) & (twin >= 0)):
        kept = [cells[name].mask(subset) for name in names[:, :, k].ravel() if name is not None]
        clean = {len(cells[name].items) for name in names[:, :, twin[k]].ravel() if name is not None}
        if min(map(np.count_nonzero, kept)) < 2:
            empty.append(k)
        elif not all(mask.all() for mask in kept) or {len(mask) for mask in kept} != clean:
            twins.append(k)
    extra = frame.loc[twins].assign(
        role="twin", mask_of=twins, chance=frame.loc[frame.loc[twins, "twin"], "chance"].to_numpy()
    )
    names = np.concatenate([names, names[:, :, frame.loc[twins, "twin"]]], axis=2)
    frame.loc[twins, "twin"] = len(frame) + np.arange(len(twins))
    if subset == "changed":
        frame.loc[twins, "mask_of"] = twins
    frame = pd.concat([frame, extra], ignore_index=True)
    frame.loc[empty, "role"] = "empty"
    if subset == "changed" and not twins and not (frame["role"] == "perturbed").any():
        return frame.iloc[:0], names
    return frame, names


def _with_worst(panel: Panel, names: np.ndarray, cells: Mapping[str, CellItems]) -> Panel:
    """Add each group's worst cell and, where the metric counts right items, its worst case item by item."""
    conditions, places = panel.conditions, panel.members.astype(int).sum(1)
    extra, parts, members, shares = [], [], [], []
    for _, rows in conditions[conditions["role"] == "perturbed"].groupby("group"):
        at = rows.index.to_numpy()
        if len(at) < 2:
            continue
        found = {"worst cell": _worst_cell(panel, at, names, cells)}
        if panel.right_or_wrong and (places[at] == places[at[0]]).all():
            found["worst item"] = _worst_items(panel, at, names, cells)
        for role, part in found.items():
            extra.append(rows.iloc[:1].assign(role=role, perturbation=role, severity=np.nan, replicate=0))
            parts.append(part)
            members.append(panel.members[at].any(0))
            shares.append(panel.shares[at].mean(0))
    if not extra:
        return panel
    values, sizes, influences = (np.stack(arrays, 2) for arrays in zip(*parts, strict=True))
    return dataclasses.replace(
        panel,
        conditions=pd.concat([conditions, *extra], ignore_index=True),
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
    half = np.random.default_rng(0).permutation(clusters) % 2  # the same for every arm, which are compared
    shape = (2, *panel.values.shape[:2], len(at))
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, clusters), dtype=np.float32)
    places = Places(panel.items, panel.clusters)
    for number, k in enumerate(at):
        for own, found in _together(names[:, :, k], cells):
            arm, seed = zip(*own, strict=True)
            _, where = places.of(found[0][0])
            statistics = [measure.read(cell.values) for cell, _ in found]
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
        for own, found in _together(names[:, :, k], cells):
            items, where = places.of(found[0][0])
            arm, seed = (np.array(part)[:, None] for part in zip(*own, strict=True))
            right[arm, seed, items] &= np.stack([measure.read(cell.values) for cell, _ in found]) == 1
            cluster[items] = where
    found = right[there][:, member].astype(np.float64)
    if len(found):
        kept = np.ones(found.shape, dtype=bool)
        values[there], influences[there], _ = clustered_cells(
            measure, found, kept, cluster[member], len(panel.clusters)
        )
        sizes[there] = member.sum()
    return values, sizes, influences
