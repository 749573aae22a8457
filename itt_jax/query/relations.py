"""The relations that a query reads: rows of cells, examples of cells, and the tables of the report.

docs/results_schema.md explains every column; it is made from these tuples and from report/columns.py.
"""

import json
import pathlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from itt_jax import metrics
from itt_jax.analysis.panels import GROUP
from itt_jax.analysis.signal import PANEL, signals
from itt_jax.errors import InputError
from itt_jax.report import columns
from itt_jax.store import Store
from itt_jax.store.parquet import reading
from itt_jax.store.results import has_predictions, read_cells, read_results, read_selection

STORE = "store"
"""First column of every relation: which results folder a row is from."""
NAMES = {"primary": "primary_family"}
"""Tables of the report whose name is a word of SQL -> their relation."""
TABLES = {NAMES.get(name, name): name for name in columns.TABLES}
"""Relation -> table of the report."""
CELLS = ("results", "selection")
"""Relations with one row a cell."""
RELATIONS = (*CELLS, "items", "signal", *TABLES)

TEXT = {"cell", "stage", "model", "arm", "target", "task", "split", "language", "domain", "perturbation", "metric"}
TEXT |= {"claim", "models", "sentence", "source", "baseline", "kind", "subset", "quantity", "domains", "spent", "test"}
TEXT |= {"made_on_arm", "made_on", "leaning", "verdict", "not_judged", "no_signal_seeds", "operator", "over languages"}
TEXT |= {"edits per grapheme", "items changed %", "tokens changed %"}
"""Columns that are text, in every relation that has them; the type of others follows from their values."""
LISTS = {"languages": {"edits"}, "targets": {"primary"}}
"""Columns that are text too -> the tables in which they are a number."""
FLAGS = {"in_domain", "source_language", "changes_label", "attack", "cross_lingual", "agree", "clear", "must_learn"}
WHOLE = {"replicate", "seed", "n", "n_changed", "n_not_applicable", "n_words_lost", "attacked"}
"""Columns of the relations of cells that are whole numbers; those that are none of the three are real numbers."""
ITEMS = pa.schema(
    [
        (STORE, pa.string()),
        ("cell", pa.string()),
        ("item_id", pa.string()),
        ("prediction", pa.string()),
        ("label", pa.string()),
        ("scores", pa.list_(pa.float64())),
        ("item_score", pa.float64()),
        ("changed", pa.bool_()),
        ("applicable", pa.bool_()),
    ]
)
SIGNAL = pa.schema([(name, pa.string()) for name in (STORE, *PANEL, "arm", *GROUP)] + [("has_signal", pa.bool_())])
STORED = ("item_id", "prediction", "label", "scores", "changed", "applicable")
"""Columns that `items` reads from every cell."""


def named(outs: Sequence[pathlib.Path]) -> dict[str, Store]:
    """Name -> results folder: the folder's own name, or its whole path if two have the same.

    Raises:
        InputError: a folder is named twice, even by different paths.
    """
    paths = [out.resolve() for out in outs]
    if twice := [path for path in paths if paths.count(path) > 1]:
        raise InputError(f"--out {twice[0]}: named twice; expected different results folders")
    own = [path.name for path in paths]
    names = [name if own.count(name) == 1 else str(path) for name, path in zip(own, paths, strict=True)]
    return {name: Store(out) for name, out in zip(names, outs, strict=True)}


def cells(stores: Mapping[str, Store], relation: str) -> pa.Table:
    """The relation `results` or `selection`; a folder without dev rows has none in the latter.

    Raises:
        InputError: see `read_results`.
    """
    read = read_results if relation == "results" else read_selection
    frames = [pd.DataFrame() if (own := read(store.out)) is None else own for store in stores.values()]
    return _joined(stores, [_typed(frame.reindex(columns=list(columns.RESULTS))) for frame in frames])


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
    """A frame of cells with the same types whatever it holds."""
    kinds = {name: "string" if name in TEXT else "boolean" if name in FLAGS else "Float64" for name in frame}
    return frame.astype(kinds | dict.fromkeys(WHOLE, "Int64"))


def _joined(stores: Collection[str], frames: Sequence[pd.DataFrame]) -> pa.Table:
    """The rows of several folders; a column that is empty in one has the type of the others, or real numbers."""
    tables = []
    for name, frame in zip(stores, frames, strict=True):
        table = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata(None)
        table = table.cast(pa.schema([(own.name, _plain(own.type)) for own in table.schema]))
        for at, (column, values) in enumerate(zip(table.column_names, table.columns, strict=True)):
            if values.null_count == len(table) and (pa.types.is_floating(values.type) or pa.types.is_null(values.type)):
                table = table.set_column(at, column, pa.nulls(len(table)))
        tables.append(table.add_column(0, STORE, pa.array([name] * len(frame), pa.string())))
    schema = pa.unify_schemas([own.schema for own in tables], promote_options="permissive")
    empty = [(field.name, pa.float64()) for field in schema if pa.types.is_null(field.type)]
    for name, kind in empty:
        schema = schema.set(schema.get_field_index(name), pa.field(name, kind))
    return pa.concat_tables(tables, promote_options="permissive").cast(schema)


def _plain(kind: pa.DataType) -> pa.DataType:
    """Text is `string`, however pandas stores it."""
    return pa.string() if pa.types.is_large_string(kind) else kind


def files_of(stores: Mapping[str, Store], relation: str) -> dict[str, pathlib.Path]:
    """Folder -> the file of a table of the report, if it has one."""
    paths = {name: store.report / "tables" / f"{TABLES[relation]}.csv" for name, store in stores.items()}
    return {name: path for name, path in paths.items() if path.is_file()}


def table(stores: Mapping[str, Store], relation: str) -> pa.Table | None:
    """A table of the report, from all folders that have it; None if none has.

    Raises:
        InputError: a file is damaged.
    """
    found = files_of(stores, relation)
    return _joined(list(found), list(map(_read_csv, found.values()))) if found else None


def _read_csv(path: pathlib.Path) -> pd.DataFrame:
    kinds = dict.fromkeys(TEXT, "string") | dict.fromkeys(FLAGS, "boolean")
    kinds |= {name: "string" for name, numbers in LISTS.items() if path.stem not in numbers}
    try:
        return pd.read_csv(path, dtype=kinds, keep_default_na=False, na_values=[""])
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: damaged, or not a table of a report: {error}") from error


def items(stores: Mapping[str, Store], results: pa.Table) -> pa.Table:
    """The examples of the cells in `results`, which is the relation or a part of it.

    Raises:
        InputError: a folder has no predictions, or a cell is missing or damaged.
    """
    rows, found = results.select([STORE, "cell", "metric"]).to_pylist(), {}
    for name, store in stores.items():
        measures = {row["cell"]: metrics.metric(row["metric"]) for row in rows if row[STORE] == name}
        wanted = {
            cell: list(dict.fromkeys([*STORED, *(own.columns if own.is_mean else ())]))
            for cell, own in measures.items()
        }
        for examples in store.cells.read(wanted):
            with reading(examples.path):
                for cell in examples.parts:
                    found[name, cell] = _items_of(name, cell, examples.of(cell).to_pandas(), measures[cell])
    tables = [found[row[STORE], row["cell"]] for row in rows]
    return pa.concat_tables(tables) if tables else ITEMS.empty_table()


def check_items(stores: Mapping[str, Store]) -> None:
    """Check that every folder has predictions.

    Raises:
        InputError: a folder has none; a published folder may hold only results.
    """
    for store in stores.values():
        if not has_predictions(store.out, read_results(store.out)):
            raise InputError(f"--out {store.out}: has no predictions of single rows, which the relation `items` holds")


def signal(stores: Mapping[str, Store]) -> pa.Table:
    """Which groups have signal, arm by arm; unknown (null) without dev rows or their predictions.

    Raises:
        InputError: see `read_results`; a cell on dev rows is missing or damaged.
    """
    rows = []
    for name, store in stores.items():
        results, dev = read_results(store.out), read_selection(store.out)
        known_cells = None
        if dev is not None and has_predictions(store.out, dev):
            columns = zip(dev["cell"], dev["metric"], strict=True)
            known_cells = read_cells(store.out, {cell: metrics.metric(measure).columns for cell, measure in columns})
        found = signals(results, dev, known_cells)
        for key, own in found.items():
            for arm, absent in own.absent.items():
                for number, group in enumerate(own.groups):
                    known = None if number in own.unchecked else number not in absent
                    rows.append(dict(zip(SIGNAL.names, (name, *key, arm, *group, known), strict=True)))
    return pa.Table.from_pylist(rows, schema=SIGNAL)


def _items_of(name: str, cell: str, frame: pd.DataFrame, measure: metrics.Metric) -> pa.Table:
    found: dict[str, Any] = {STORE: [name] * len(frame), "cell": [cell] * len(frame)}
    found |= {column: frame[column].tolist() for column in ("item_id", "changed", "applicable")}
    found |= {column: [_text(value) for value in frame[column]] for column in ("prediction", "label")}
    found["scores"] = [np.ravel(value).astype(float) for value in frame["scores"]]
    found["item_score"] = np.full(len(frame), np.nan)
    if measure.is_mean and len(frame):
        statistic = measure.read({column: np.stack(frame[column].to_numpy()) for column in measure.columns})
        found["item_score"] = np.where(frame["applicable"], statistic.astype(float), np.nan)
    found["item_score"] = pa.array(found["item_score"], from_pandas=True)
    return pa.table(found, schema=ITEMS)


def _text(value: Any) -> str | None:
    """A prediction or label as text; a list as JSON."""
    if isinstance(value, np.ndarray):
        return json.dumps(value.tolist(), ensure_ascii=False)
    return None if value is None else str(value)
