"""The results of a folder: the rows of results.parquet, and the examples of its cells."""

import dataclasses
import pathlib
from typing import Literal

import numpy as np
import pandas as pd

from itt_jax.errors import InputError
from itt_jax.tasks.metrics import COUNTS, ITEM_VALUE, LABEL_COUNTS

KEY = ["task", "split", "domain", "language", "perturbation", "severity", "replicate"]
CLEAN_TEXT = "clean"
"""The perturbation of clean text."""
REQUIRED = ["model", "arm", "seed", *KEY, "metric", "value", "n", "cell"]
Subset = Literal["all", "changed"]


@dataclasses.dataclass(frozen=True)
class CellItems:
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
    frame.loc[frame["perturbation"] == CLEAN_TEXT, "severity"] = 0.0
    frame = frame.astype({"severity": float, "seed": int, "value": float, "chance": float})
    twice = frame.duplicated(["model", "target", "arm", "seed", "metric", *KEY])
    if twice.any():
        raise InputError(f"{path}: cell {frame.loc[twice, 'cell'].iloc[0]!r} stands there twice")
    return frame


def read_cells(out: pathlib.Path, names: np.ndarray) -> dict[str, CellItems]:
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
            cells[paths[path]] = CellItems(items, prediction, label, changed, applicable)
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
