"""Reading a results folder: the rows of its results, and the examples of its cells."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from itt_jax.errors import InputError
from itt_jax.store.folder import Store
from itt_jax.store.parquet import reading
from itt_jax.store.schema import current_results

if TYPE_CHECKING:
    import pyarrow as pa

KEY = ["task", "split", "domain", "language", "perturbation", "severity", "replicate"]
"""Columns that name the rows and the form in which a model is evaluated."""
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
"""Values of columns that a checkpoint evaluated alone lacks, so that its rows form one arm."""
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
        """The examples that count: the applicable ones, or of these the changed ones alone."""
        return self.applicable & self.changed if subset == "changed" else self.applicable


def read_results(out: pathlib.Path) -> pd.DataFrame:
    """The rows of results.parquet in today's names, with defaults for columns that describe how rows were chosen.

    Raises:
        InputError: no results, a damaged file, missing columns, or the same cell twice.
    """
    store = Store(pathlib.Path(out))
    if not store.results.is_file():
        raise InputError(f"{store.results}: not found; expected the results of a study, so run it first")
    return _rows(store, store.results)


def read_selection(out: pathlib.Path) -> pd.DataFrame | None:
    """The rows of the cells on dev rows, as `read_results` gives those of the evaluation; None where there are none."""
    store = Store(pathlib.Path(out))
    return _rows(store, store.selection) if store.selection.is_file() else None


def _rows(store: Store, path: pathlib.Path) -> pd.DataFrame:
    with reading(path):
        frame = pd.read_parquet(path)
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
    return frame


def is_unchanged(results: pd.DataFrame) -> bool:
    """Whether no text was perturbed and no domain shifted, so that there is no robustness to speak of. Attacks and
    operators that may change the label do not count."""
    changed = (results["perturbation"] != CLEAN_TEXT) & ~results[["attack", "changes_label"]].astype(bool).any(axis=1)
    return bool(results["in_domain"].astype(bool).all() and not changed.any())


def read_cell(out: pathlib.Path, cell: str, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of one cell, one row an example.

    Raises:
        InputError: the cell is not there, or its file is damaged.
    """
    path = Store(pathlib.Path(out)).cell(cell)
    if not path.is_file():
        raise InputError(f"{path}: not found, though results.parquet names it")
    with reading(path):
        return pd.read_parquet(path, columns=list(columns))


def has_predictions(out: pathlib.Path, results: pd.DataFrame) -> bool:
    """Whether the folder has the predictions of any of its results; a published one may hold results alone."""
    store = Store(pathlib.Path(out))
    return any(store.has_cell(cell) for cell in results["cell"])


def read_cells(out: pathlib.Path, columns: Mapping[str, tuple[str, ...]]) -> dict[str, CellItems]:
    """The examples of many cells, read in one pass.

    Args:
        columns: cell -> names of the columns to read; numbers, or lists of numbers of one length.

    Raises:
        InputError: a cell is missing, its file is damaged or holds another cell, or it lacks a value in one of the
            columns.
    """
    store = Store(pathlib.Path(out))
    paths = {cell: store.cell(cell) for cell in columns}
    if absent := [path for path in paths.values() if not path.is_file()]:
        raise InputError(f"{absent[0]}: not found, though results.parquet names it ({len(absent)} such cells)")
    groups: dict[tuple[str, ...], list[str]] = {}
    for cell, names in columns.items():
        groups.setdefault(names, []).append(cell)
    codes = _ItemCodes(store.clusters())
    found = {}
    for names, cells in groups.items():
        for cell, table in _tables({cell: paths[cell] for cell in cells}, names).items():
            values = {name: _values(table.column(name)) for name in names}
            changed, applicable = (table.column(name).to_numpy() for name in ("changed", "applicable"))
            items, clusters = codes.of(table.column("item_id"))
            found[cell] = CellItems(items, values, changed, applicable, clusters)
    return found


def _tables(paths: Mapping[str, pathlib.Path], columns: tuple[str, ...]) -> "dict[str, pa.Table]":
    """Cell -> its columns, numbers as float64."""
    import pyarrow as pa
    import pyarrow.dataset
    import pyarrow.parquet as pq

    first = next(iter(paths.values()))
    with reading(first):
        held = pq.read_schema(first)
    types = {name: pa.float64() for name in columns}
    for name in set(columns) & set(held.names):
        if pa.types.is_list(held.field(name).type):
            types[name] = pa.list_(pa.float64())
    flags = [("changed", pa.bool_()), ("applicable", pa.bool_())]
    schema = pa.schema([("item_id", pa.string()), *types.items(), *flags])
    names = {str(path): cell for cell, path in paths.items()}
    dataset = pyarrow.dataset.dataset(list(names), schema=schema, format="parquet")
    for fragment in dataset.get_fragments():
        with reading(fragment.path):
            about = fragment.physical_schema.metadata or {}
        if b"cell" in about and (own := json.loads(about[b"cell"]).get("cell")) != names[fragment.path]:
            raise InputError(f"{fragment.path}: holds cell {own!r}; expected {names[fragment.path]!r}, as it is named")
    parts: dict[str, list[Any]] = {}
    try:
        for tagged in dataset.scanner(use_threads=False).scan_batches():
            parts.setdefault(tagged.fragment.path, []).append(tagged.record_batch)
    except (pa.ArrowException, OSError):
        for fragment in dataset.get_fragments():  # only the one that is damaged fails again
            with reading(fragment.path):
                fragment.to_table(schema=schema)
        raise
    found = {}
    for path, cell in names.items():
        table = pa.Table.from_batches(parts[path], schema=schema)
        if table.num_rows and any(column.null_count for column in table.columns):
            raise InputError(f"{path}: has no value in one of the columns {', '.join(schema.names)}")
        found[cell] = table
    return found


def _values(column: "pa.ChunkedArray") -> np.ndarray:
    """A column as [n], one of lists as [n, k]."""
    flat = column.combine_chunks()
    return flat.flatten().to_numpy().reshape(len(flat), -1) if flat.type.num_fields else column.to_numpy()


class _ItemCodes:
    """Items and clusters as integers; cells of one evaluation set hold the same list, so each is encoded once.

    Args:
        clusters: item -> its cluster; an item without one is alone.
    """

    def __init__(self, clusters: Mapping[str, str]):
        self._clusters = clusters
        self._codes: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._lists: dict[tuple, tuple[np.ndarray, np.ndarray]] = {}

    def of(self, column: "pa.ChunkedArray") -> tuple[np.ndarray, np.ndarray]:
        """The codes of items and of their clusters: int32 [n] each."""
        chunk = column.combine_chunks()
        key = (chunk.offset, len(chunk), *(bytes(buffer) for buffer in chunk.buffers() if buffer is not None))
        if key not in self._lists:
            items = chunk.to_pylist()
            named = items, [self._clusters.get(item, item) for item in items]
            self._lists[key] = tuple(
                np.array([codes.setdefault(name, len(codes)) for name in names], dtype=np.int32)
                for codes, names in zip(self._codes, named, strict=True)
            )
        return self._lists[key]
