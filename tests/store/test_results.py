"""Cells as the analysis reads them: each by the columns that its metric names."""

import shutil

import numpy as np
import pandas as pd
import pytest

from itt_jax.errors import InputError
from itt_jax.metrics import metric
from itt_jax.ragged import Ragged
from itt_jax.store import Store
from itt_jax.store.results import read_cell, read_cells, read_results

METRIC_OF = {"classes": "accuracy", "tags": "entity_f1", "sets": "label_micro_f1"}
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
ITEMS = {"item_id": [f"t/test/{i}" for i in range(6)], "changed": np.zeros(6, bool), "applicable": np.ones(6, bool)}


def test_cells_of_several_metrics_are_read_together(tmp_path):
    random, store = np.random.default_rng(3), Store(tmp_path)
    labels = Ragged.of([random.integers(0, 5, length) for length in random.integers(0, 12, 6)], np.int32)
    predictions = labels.with_values(random.integers(0, 5, len(labels.values)).astype(np.int32))
    counts = metric("entity_f1").record(predictions, labels, TAGS)
    store.write_cell({"cell": "tags"}, ITEMS | {"prediction": predictions.arrays(), "label": labels.arrays()} | counts)
    sets = random.random((6, 4)) < 0.5
    of_labels = metric("label_micro_f1").record(random.normal(size=(6, 4)), sets)
    store.write_cell({"cell": "sets"}, ITEMS | {name: list(own) for name, own in of_labels.items()})
    store.write_cell({"cell": "classes"}, ITEMS | {"prediction": np.arange(6), "label": np.ones(6, np.int32)})
    cells = read_cells(tmp_path, {cell: metric(name).columns for cell, name in METRIC_OF.items()})
    statistic = {cell: metric(name).read(cells[cell].values) for cell, name in METRIC_OF.items()}
    assert statistic["classes"].tolist() == [0, 1, 0, 0, 0, 0]
    assert cells["classes"].values["prediction"].tolist() == list(range(6))
    np.testing.assert_array_equal(statistic["tags"], metric("entity_f1").read(counts))
    np.testing.assert_array_equal(statistic["sets"], metric("label_micro_f1").read(of_labels))
    assert (cells["tags"].items == cells["classes"].items).all()
    stored = pd.read_parquet(tmp_path / "cells" / "tags.parquet")
    assert [list(row) for row in stored["prediction"]] == [row.tolist() for row in predictions.arrays()]


def test_missing_cells_and_columns_are_one_line(tmp_path):
    Store(tmp_path).write_cell({"cell": "one"}, ITEMS | {"prediction": np.arange(6), "label": np.arange(6)})
    columns = metric("accuracy").columns
    with pytest.raises(InputError, match=r"other.parquet: not found, though results.parquet names it"):
        read_cells(tmp_path, {"one": columns, "other": columns})
    with pytest.raises(InputError, match="has no value in one of the columns"):
        read_cells(tmp_path, {"one": metric("squad_f1").columns})


def test_a_damaged_file_is_named(tmp_path):
    """Cut short, or with its end intact and its pages overwritten."""
    store, columns = Store(tmp_path), metric("accuracy").columns
    for cell in ("one", "other"):
        store.write_cell({"cell": cell}, ITEMS | {"prediction": np.arange(6), "label": np.arange(6)})
    store.write_results([{"cell": "one"}])
    whole = store.cell("other").read_bytes()
    for damaged in (whole[:60], b"\xff" * 400 + whole[400:], b""):
        store.cell("other").write_bytes(damaged)
        with pytest.raises(InputError, match=r"^[^\n]*cells/other\.parquet: damaged, or no parquet file of ours: "):
            read_cells(tmp_path, {"one": columns, "other": columns})
    for read in (lambda: read_cell(tmp_path, "other", columns), lambda: store.write_results([{"cell": "other"}])):
        with pytest.raises(InputError, match=r"cells/other\.parquet: damaged"):
            read()
    store.results.write_bytes(store.results.read_bytes()[:100])
    with pytest.raises(InputError, match=r"results\.parquet: damaged"):
        read_results(tmp_path)
    (tmp_path / "domains.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"domains\.parquet: damaged"):
        store.distances()
    assert not store.has_distances("x")  # a run makes them again


def test_cells_in_the_files_of_others_are_refused(tmp_path):
    store, columns = Store(tmp_path), metric("accuracy").columns
    for cell in ("one", "other"):
        store.write_cell({"cell": cell}, ITEMS | {"prediction": np.arange(6), "label": np.arange(6)})
    shutil.copy(store.cell("one"), store.cell("other"))
    with pytest.raises(InputError, match=r"other\.parquet: holds cell 'one'; expected 'other', as it is named"):
        read_cells(tmp_path, {"one": columns, "other": columns})
