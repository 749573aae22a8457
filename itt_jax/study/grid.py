"""The store as arrays: for each model, target and metric, the values of its cells and the influence of each item."""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Literal

import numpy as np
import pandas as pd

from itt_jax.errors import InputError
from itt_jax.study import influence
from itt_jax.tasks.metrics import COUNTS, ITEM_VALUE, LABEL_COUNTS, MEANS, RIGHT_OR_WRONG

KEY = ["task", "split", "domain", "language", "perturbation", "severity", "replicate"]
LEVELS = ["domain", "language", "task", "split", "perturbation", "severity", "replicate"]
ABOUT = ["adapted", "source_language", "chance", "changes_label"]
GROUP = ["task", "split", "domain", "language"]
CLEAN = "clean"
REQUIRED = ["model", "arm", "seed", *KEY, "metric", "value", "n", "cell"]
Subset = Literal["all", "changed"]


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell's examples: items int32 codes [n], predictions and labels float64 [n], masks bool [n].

    Of tagging, predictions are the items' counts [n, 3] (`tasks.metrics.tagging_counts`) and labels say nothing. Where
    the metric is a mean of items' own scores (answers), predictions are these and labels 1. Of several labels an item
    predictions are the counts of each class [n, classes, 3].
    """

    items: np.ndarray
    prediction: np.ndarray
    label: np.ndarray
    changed: np.ndarray
    applicable: np.ndarray

    def mask(self, subset: Subset) -> np.ndarray:
        """The examples that count: those that the operator applies to, or of these only the changed ones."""
        return self.applicable & self.changed if subset == "changed" else self.applicable


@dataclasses.dataclass(frozen=True)
class Block:
    """All cells of one model, target and metric.

    Attributes:
        conditions: one row for each condition (columns KEY, ABOUT, role, group, twin).
            role is "clean", "perturbed", "control" (by an operator that may change the label: in no average over
            noise), "twin" (clean text, the items of one perturbed condition alone), "worst cell" (the lowest score over
            operators, severities and replicates) or "worst item" (an item counts as right only if it is right under all
            of them). twin is the row of a perturbed condition's clean counterpart.
        values: float64 [A, S, K], NaN where a cell is missing. sizes: int [A, S, K] items in the cell.
        influence: float32 [A, S, K, I]. members: bool [K, I], the items of each condition.
        items: int [I], codes of the store's items.
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
    items: np.ndarray

    @property
    def is_mean(self) -> bool:
        """Whether the metric is a mean over items, so that tests on single items apply."""
        return self.metric in MEANS

    @property
    def right_or_wrong(self) -> bool:
        """Whether it is the share of items that are right, so that items right everywhere can be counted."""
        return self.metric in RIGHT_OR_WRONG

    @functools.cached_property
    def levels(self) -> list[tuple]:
        """Each condition's values of LEVELS."""
        return list(self.conditions[LEVELS].itertuples(index=False, name=None))

    @functools.cached_property
    def columns(self) -> dict[str, np.ndarray]:
        """The conditions' columns as arrays [K]."""
        return {name: self.conditions[name].to_numpy() for name in self.conditions}


def read_results(out: pathlib.Path) -> pd.DataFrame:
    """results.parquet, with defaults for the columns that say how its rows were chosen.

    Raises:
        InputError: no results, missing columns, or the same cell twice.
    """
    path = out / "results.parquet"
    if not path.is_file():
        raise InputError(f"{path}: not found; expected the results of a study, so run it first")
    frame = pd.read_parquet(path)
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise InputError(f"{path}: lacks the columns {', '.join(missing)}; found {', '.join(frame.columns)}")
    defaults = {"target": frame["task"], "adapted": True, "source_language": False, "chance": 0.0}
    defaults |= {
        "changes_label": False,
        "n_changed": 0,
        "n_not_applicable": 0,
        "n_words_lost": 0,
        "edit_rate": np.nan,
        "token_change_rate": np.nan,
    }
    for name, default in defaults.items():
        if name not in frame:
            frame[name] = default
    frame.loc[frame["perturbation"] == CLEAN, "severity"] = 0.0
    frame = frame.astype({"severity": float, "seed": int, "value": float, "chance": float})
    twice = frame.duplicated(["model", "target", "arm", "seed", "metric", *KEY])
    if twice.any():
        raise InputError(f"{path}: cell {frame.loc[twice, 'cell'].iloc[0]!r} stands there twice")
    return frame


def read_cells(out: pathlib.Path, names: np.ndarray) -> dict[str, Cell]:
    """The examples of the named cells, read in one pass.

    Raises:
        InputError: a cell's file is missing or lacks a column.
    """
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    paths = {str(out / "cells" / f"{name}.parquet"): name for name in names}
    absent = [path for path in paths if not pathlib.Path(path).is_file()]
    if absent:
        raise InputError(f"{absent[0]}: not found, though results.parquet names it ({len(absent)} such cells)")
    boolean = [("changed", pa.bool_()), ("applicable", pa.bool_())]
    kinds: dict[tuple[str, ...], list[str]] = {}
    for path in paths:
        held = pq.read_schema(path).names
        summed = (COUNTS, (ITEM_VALUE,), (LABEL_COUNTS,))
        columns = next((names for names in summed if names[0] in held), ("prediction", "label"))
        kinds.setdefault(columns, []).append(path)
    codes: dict[str, int] = {}
    seen: dict[tuple, np.ndarray] = {}
    cells = {}
    for names, own in kinds.items():
        kind = pa.list_(pa.float64()) if names == (LABEL_COUNTS,) else pa.float64()
        schema = pa.schema([("item_id", pa.string()), *((name, kind) for name in names), *boolean])
        dataset = pyarrow.dataset.dataset(own, schema=schema, format="parquet")
        parts: dict[str, list] = {}
        for tagged in dataset.scanner(use_threads=False).scan_batches():
            parts.setdefault(tagged.fragment.path, []).append(tagged.record_batch)
        for path in own:
            table = pa.Table.from_batches(parts[path], schema=schema)
            if table.num_rows and any(column.null_count for column in table.columns):
                raise InputError(f"{path}: has no value in one of the columns {', '.join(schema.names)}")
            *values, changed, applicable = (_values(table.column(column)) for column in schema.names[1:])
            if names == COUNTS:
                values = np.stack(values, axis=1), np.zeros(table.num_rows)
            elif names == (ITEM_VALUE,):
                values = values[0], np.ones(table.num_rows)
            elif names == (LABEL_COUNTS,):
                values = values[0].reshape(table.num_rows, -1, 3), np.zeros(table.num_rows)
            prediction, label = values
            items = _encode(table.column("item_id"), codes, seen)
            cells[paths[path]] = Cell(items, prediction, label, changed, applicable)
    return cells


def _values(column) -> np.ndarray:
    """A column's values, those of lists one after another."""
    flat = column.combine_chunks()
    return flat.flatten().to_numpy() if hasattr(flat, "flatten") and flat.type.num_fields else column.to_numpy()


def _encode(column, codes: dict[str, int], seen: dict[tuple, np.ndarray]) -> np.ndarray:
    """Item ids as integers; cells of one evaluation set hold the same list, so a list is encoded once."""
    chunk = column.combine_chunks()
    key = (chunk.offset, len(chunk), *(bytes(buffer) for buffer in chunk.buffers() if buffer is not None))
    if key not in seen:
        seen[key] = np.array([codes.setdefault(item, len(codes)) for item in chunk.to_pylist()], dtype=np.int32)
    return seen[key]


def blocks(results: pd.DataFrame, cells: dict[str, Cell], subset: Subset = "all") -> Iterator[Block]:
    """The blocks of a store. Of subset "changed", a condition has only the items that its operator changed."""
    for (model, target, metric), rows in results.groupby(["model", "target", "metric"], sort=False):
        block = _block(str(model), str(target), str(metric), rows, cells, subset)
        if block is not None:
            yield block


def _block(model: str, target: str, metric: str, rows: pd.DataFrame, cells: dict[str, Cell], subset: Subset):
    arms, seeds = tuple(dict.fromkeys(rows["arm"])), tuple(sorted(set(rows["seed"])))
    conditions, names = _conditions(rows, arms, seeds, cells, subset)
    if conditions.empty:
        return None
    used = [cells[name] for name in names.ravel() if name is not None]
    items = np.unique(np.concatenate([cell.items for cell in used]))
    shape = (len(arms), len(seeds), len(conditions))
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, len(items)), dtype=np.float32)
    members = np.zeros((len(conditions), len(items)), dtype=bool)
    masks = conditions["mask_of"].to_numpy()
    for (arm, seed, k), name in np.ndenumerate(names):
        if name is None or (masks[k] >= 0 and names[arm, seed, masks[k]] is None):
            continue
        cell = cells[name]
        keep = cell.applicable
        if masks[k] >= 0:
            keep = keep & _among(cell, cells[names[arm, seed, masks[k]]], subset)
        where = np.searchsorted(items, cell.items[keep])
        value, part = influence.measure(metric, cell.prediction[keep], cell.label[keep])
        values[arm, seed, k], sizes[arm, seed, k] = value, len(where)
        influences[arm, seed, k, where] = part
        members[k, where] = True
    block = Block(model, target, metric, arms, seeds, conditions, values, sizes, influences, members, items)
    return block if subset == "changed" else _with_worst(block, names, cells)


def _among(cell: Cell, other: Cell, subset: Subset) -> np.ndarray:
    """Which examples of `cell` are items that count in `other`."""
    if len(cell.items) == len(other.items) and (cell.items == other.items).all():
        return other.mask(subset)
    return np.isin(cell.items, other.items[other.mask(subset)])


def _conditions(rows: pd.DataFrame, arms: tuple, seeds: tuple, cells: dict[str, Cell], subset: Subset):
    """The conditions of a block, and the cell's name (or None) of each arm, seed and condition [A, S, K].

    A perturbed condition whose items are not all applicable (or, of subset "changed", any) is compared with the
    clean scores of the same items: a "twin" condition. With fewer than two such items it is left out.
    """
    frame = rows.drop_duplicates(KEY)[[*KEY, *ABOUT]].reset_index(drop=True)
    frame["role"] = np.where(frame["perturbation"] == CLEAN, "clean", "perturbed")
    frame.loc[frame["changes_label"].astype(bool), "role"] = "control"
    frame["group"] = frame.groupby(GROUP, sort=False).ngroup()
    index = pd.MultiIndex.from_frame(frame[KEY])
    names = np.full((len(arms), len(seeds), len(frame)), None, dtype=object)
    places = [
        rows["arm"].map(arms.index),
        rows["seed"].map(seeds.index),
        index.get_indexer(pd.MultiIndex.from_frame(rows[KEY])),
    ]
    names[tuple(np.asarray(place) for place in places)] = rows["cell"].to_numpy()
    clean = dict(zip(frame.loc[frame["role"] == CLEAN, "group"], frame.index[frame["role"] == CLEAN], strict=True))
    frame["twin"] = frame["group"].map(clean).fillna(-1).astype(int)
    frame["mask_of"] = -1
    twins, empty = [], []
    for k in frame.index[(frame["role"] == "perturbed") & (frame["twin"] >= 0)]:
        kept = [cells[name].mask(subset) for name in names[:, :, k].ravel() if name is not None]
        if min(mask.sum() for mask in kept) < 2:
            empty.append(k)
        elif not all(mask.all() for mask in kept):
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


def _with_worst(block: Block, names: np.ndarray, cells: dict[str, Cell]) -> Block:
    """Add to each group its worst cell and, for accuracy, its worst case item by item."""
    conditions = block.conditions
    extra, values, sizes, influences, members = [], [], [], [], []

    def add(row, role, value, size, part, member):
        extra.append(row.assign(role=role, perturbation=role, severity=np.nan, replicate=0))
        values.append(value)
        sizes.append(size)
        influences.append(part)
        members.append(member)

    for _, rows in conditions[conditions["role"] == "perturbed"].groupby("group"):
        at = rows.index.to_numpy()
        if len(at) < 2:
            continue
        mean = block.values[:, :, at].mean(1)
        worst = at[np.where(np.isnan(mean), np.inf, mean).argmin(1)]
        arms = np.arange(len(block.arms))
        size, part = block.sizes[arms, :, worst], block.influence[arms, :, worst]
        add(rows.iloc[:1], "worst cell", block.values[arms, :, worst], size, part, block.members[worst].any(0))
        if block.right_or_wrong and all(block.members[k].sum() == block.members[at[0]].sum() for k in at):
            add(rows.iloc[:1], "worst item", *_worst_items(block, at, names, cells), block.members[at[0]])
    if not extra:
        return block
    return dataclasses.replace(
        block,
        conditions=pd.concat([conditions, *extra], ignore_index=True),
        values=np.concatenate([block.values, np.stack(values, 2)], 2),
        sizes=np.concatenate([block.sizes, np.stack(sizes, 2)], 2),
        influence=np.concatenate([block.influence, np.stack(influences, 2)], 2),
        members=np.concatenate([block.members, np.stack(members)]),
    )


def _worst_items(block: Block, at: np.ndarray, names: np.ndarray, cells: dict[str, Cell]):
    """Value, size and influence [A, S, ...] of: right under every condition in `at`; NaN where a cell is missing."""
    shape = block.values.shape[:2]
    values, sizes = np.full(shape, np.nan), np.zeros(shape, dtype=int)
    influences = np.zeros((*shape, len(block.items)), dtype=np.float32)
    for arm, seed in np.ndindex(shape):
        if any(name is None for name in names[arm, seed, at]):
            continue
        right = np.ones(len(block.items), dtype=bool)
        member = block.members[at[0]]
        for name in names[arm, seed, at]:
            cell = cells[name]
            right[np.searchsorted(block.items, cell.items)] &= cell.prediction == cell.label
        everything = right[member]
        values[arm, seed], part = influence.measure("accuracy", everything, np.ones(len(everything)))
        sizes[arm, seed] = len(everything)
        influences[arm, seed, member] = part
    return values, sizes, influences
