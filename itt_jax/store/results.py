"""Reading a results folder: the rows of its results, and the examples of its cells."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.folder import Store
from itt_jax.store.parquet import read_table
from itt_jax.store.schema import current_results

if TYPE_CHECKING:
    import pyarrow as pa

KEY = ["task", "split", "domain", "language", "perturbation", "severity", "replicate"]
"""Columns that name the rows on which a model is evaluated, and their form."""
CLEAN_TEXT = "clean"
"""The perturbation of clean text."""
REQUIRED = ["model", "arm", "seed", *KEY, "metric", "value", "n", "cell"]
DEFAULTS = {
    "in_domain": True,
    "source_language": False,
    "chance": 0.0,
    "changes_label": False,
    "attack": False,
    "n_changed": 0,
    "n_not_applicable": 0,
    "n_words_lost": 0,
    "edit_rate": np.nan,
    "token_change_rate": np.nan,
}
ALONE = {"arm": "as given", "seed": 0, "in_domain": True}
"""Values of columns that are absent for a checkpoint evaluated alone; with them its rows form one arm."""
FLAGS = ("changed", "applicable")
"""Columns of every cell."""
Subset = Literal["all", "changed"]


@dataclasses.dataclass(frozen=True)
class CellItems:
    """The examples of one cell.

    Attributes:
        items: int32 codes of the item ids [n], the same for every cell read together.
        values: column -> float64 [n], or [n, k] for a column of lists of one length.
        changed: bool [n], the operator changed the text. applicable: bool [n], the item still has its right answer.
        clusters: int32 codes [n] of the clusters of items that share a text; an item alone is its own cluster.
    """

    items: np.ndarray
    values: dict[str, np.ndarray]
    changed: np.ndarray
    applicable: np.ndarray
    clusters: np.ndarray

    def mask(self, subset: Subset) -> np.ndarray:
        """bool [n]: the examples that count: the applicable ones, or only the changed ones among them."""
        return self.applicable & self.changed if subset == "changed" else self.applicable


def read_results(out: pathlib.Path) -> pd.DataFrame:
    """The rows of results.parquet in today's names, with defaults for columns that describe how rows were chosen.

    Raises:
        InputError: no results, a damaged file, missing columns, a cell that occurs twice, or a value that is
            not finite.
    """
    store = Store(pathlib.Path(out))
    if not files.exists(store.results):
        raise InputError(f"{store.results}: not found; expected the results of a study, so run it first")
    return _rows(store, store.results)


def read_selection(out: pathlib.Path) -> pd.DataFrame | None:
    """The rows of the cells on dev rows, in the form of `read_results`; None if there are none."""
    store = Store(pathlib.Path(out))
    return _rows(store, store.selection) if files.exists(store.selection) else None


def _rows(store: Store, path: pathlib.Path) -> pd.DataFrame:
    frame = read_table(path).to_pandas()
    missing = [name for name in REQUIRED if name not in frame]
    if missing:
        raise InputError(f"{path}: lacks the columns {', '.join(missing)}; found {', '.join(frame.columns)}")
    if not store.is_current:
        frame = current_results(frame)
    for name, default in ({"target": frame["task"]} | DEFAULTS).items():
        if name not in frame:
            frame[name] = default
    for name, value in ALONE.items():
        frame[name] = frame[name].where(frame[name].notna(), value)
    frame.loc[frame["perturbation"] == CLEAN_TEXT, "severity"] = 0.0
    frame = frame.astype({"severity": float, "seed": int, "in_domain": bool, "value": float, "chance": float})
    twice = frame.duplicated(["model", "target", "arm", "seed", "metric", *KEY])
    if twice.any():
        raise InputError(f"{path}: cell {frame.loc[twice, 'cell'].iloc[0]!r} occurs twice")
    known = np.isfinite(frame["value"])
    if not known.all():
        raise InputError(
            f"{path}: cell {frame.loc[~known, 'cell'].iloc[0]!r} has the value "
            f"{frame.loc[~known, 'value'].iloc[0]}, expected a finite score"
        )
    return frame


def is_unchanged(results: pd.DataFrame) -> bool:
    """Whether no text was perturbed and no domain shifted: there is no robustness to report. Attacks, and operators
    that may change the label, do not count."""
    changed = (results["perturbation"] != CLEAN_TEXT) & ~results[["attack", "changes_label"]].astype(bool).any(axis=1)
    return bool(results["in_domain"].astype(bool).all() and not changed.any())


def has_predictions(out: pathlib.Path, results: pd.DataFrame) -> bool:
    """Whether the folder has predictions for any of its results; a published folder may hold results alone."""
    store = Store(pathlib.Path(out))
    return any(map(store.has_cell, results["cell"]))


def read_cells(out: pathlib.Path, columns: Mapping[str, tuple[str, ...]]) -> dict[str, CellItems]:
    """The examples of many cells, read in one pass.

    Args:
        columns: cell -> names of the columns to read; numbers, or lists of numbers of one length.

    Raises:
        InputError: a cell is missing, its file is damaged, or it lacks a column or a value in one.
    """
    store = Store(pathlib.Path(out))
    codes, found = _ItemCodes(store.tables.clusters()), {}
    wanted = {cell: ("item_id", *names, *FLAGS) for cell, names in columns.items()}
    for examples in store.cells.read(wanted, read_dictionary=["item_id"]):
        table, parts = examples.table, examples.parts
        if lacking := [name for name in table.column_names if table.column(name).null_count]:
            raise InputError(f"{examples.path}: has no value in one of the columns {', '.join(lacking)}")
        flags = [table.column(name).to_numpy() for name in FLAGS]
        coded = codes.of(table.column("item_id"), parts)
        names = columns[next(iter(parts))]
        values = {name: _values(table.column(name), parts) for name in names}
        for cell, part in parts.items():
            items, clusters = coded[cell]
            changed, applicable = (own[part] for own in flags)
            found[cell] = CellItems(items, {name: values[name][cell] for name in names}, changed, applicable, clusters)
    return {cell: found[cell] for cell in columns}


def _values(column: "pa.ChunkedArray", parts: Mapping[str, slice]) -> dict[str, np.ndarray]:
    """Cell -> its part of a column: float64 [n], or [n, k] for a column of lists."""
    import pyarrow as pa

    if not pa.types.is_list(column.type):
        numbers = column.to_numpy().astype(np.float64)
        return {cell: numbers[part] for cell, part in parts.items()}
    flat, found = column.cast(pa.list_(pa.float64())).combine_chunks(), {}
    for cell, part in parts.items():
        own = flat[part.start : part.stop]
        found[cell] = own.flatten().to_numpy().reshape(len(own), -1)
    return found


class _ItemCodes:
    """Items and clusters as integers; cells with the same list of items share it.

    Args:
        clusters: item -> its cluster; an item without one is alone.
    """

    def __init__(self, clusters: Mapping[str, str]):
        self._clusters = clusters
        self._items: dict[str, int] = {}
        self._of_item: list[int] = []
        self._names: dict[str, int] = {}
        self._lists: dict[bytes, tuple[np.ndarray, np.ndarray]] = {}
        self._last: tuple[pa.Array, np.ndarray] | None = None

    def of(self, column: "pa.ChunkedArray", parts: Mapping[str, slice]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Cell -> codes of its items, and codes of their clusters: int32 [n] each."""
        chunk = column.unify_dictionaries().combine_chunks()
        if self._last is None or not self._last[0].equals(chunk.dictionary):  # the same for all blocks of the same rows
            own = np.array([self._code(item) for item in chunk.dictionary.to_pylist()], dtype=np.int32)
            self._last = chunk.dictionary, own
        codes = self._last[1][chunk.indices.to_numpy()]
        return {cell: self._shared(codes[part]) for cell, part in parts.items()}

    def _code(self, item: str) -> int:
        code = self._items.setdefault(item, len(self._items))
        if code == len(self._of_item):
            self._of_item.append(self._names.setdefault(self._clusters.get(item, item), len(self._names)))
        return code

    def _shared(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        key = items.tobytes()
        if key not in self._lists:
            clusters = np.array([self._of_item[code] for code in items], dtype=np.int32)
            self._lists[key] = items.copy(), clusters
        return self._lists[key]
