"""Cells as the analysis reads them: each by the columns that its metric names."""

import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.metrics import metric
from itt_jax.ragged import Ragged
from itt_jax.store import Store
from itt_jax.store.results import read_cells, read_results

METRIC_OF = {"classes": "accuracy", "tags": "entity_f1", "sets": "label_micro_f1"}
TAGS = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
ITEMS = {"item_id": [f"t/test/{i}" for i in range(6)], "changed": np.zeros(6, bool), "applicable": np.ones(6, bool)}


def test_cells_of_several_metrics_are_read_together(tmp_path):
    random, store = np.random.default_rng(3), Store(tmp_path)
    labels = Ragged.of([random.integers(0, 5, length) for length in random.integers(0, 12, 6)], np.int32)
    predictions = labels.with_values(random.integers(0, 5, len(labels.values)).astype(np.int32))
    counts = metric("entity_f1").record(predictions, labels, TAGS)
    tags = ITEMS | {"prediction": predictions.arrays(), "label": labels.arrays()} | counts
    store.cells.write([({"cell": "tags"}, tags)])
    sets = random.random((6, 4)) < 0.5
    of_labels = metric("label_micro_f1").record(random.normal(size=(6, 4)), sets)
    store.cells.write([({"cell": "sets"}, ITEMS | {name: list(own) for name, own in of_labels.items()})])
    store.cells.write([({"cell": "classes"}, ITEMS | {"prediction": np.arange(6), "label": np.ones(6, np.int32)})])
    cells = read_cells(tmp_path, {cell: metric(name).columns for cell, name in METRIC_OF.items()})
    statistic = {cell: metric(name).read(cells[cell].values) for cell, name in METRIC_OF.items()}
    assert statistic["classes"].tolist() == [0, 1, 0, 0, 0, 0]
    assert cells["classes"].values["prediction"].tolist() == list(range(6))
    np.testing.assert_array_equal(statistic["tags"], metric("entity_f1").read(counts))
    np.testing.assert_array_equal(statistic["sets"], metric("label_micro_f1").read(of_labels))
    assert (cells["tags"].items == cells["classes"].items).all()
    stored = store.read_cell("tags")
    assert [list(row) for row in stored["prediction"]] == [row.tolist() for row in predictions.arrays()]


def test_missing_cells_and_columns_are_one_line(tmp_path):
    store, columns = Store(tmp_path), metric("accuracy").columns
    store.cells.write([({"cell": "one"}, ITEMS | {"prediction": np.arange(6), "label": [None, *range(5)]})])
    with pytest.raises(
        InputError, match=r"cells: cell 'other' not found, though results.parquet or selection.parquet names it"
    ):
        read_cells(tmp_path, {"one": columns, "other": columns})
    with pytest.raises(InputError, match=r"\.parquet: cell 'one' lacks the columns item_value"):
        read_cells(tmp_path, {"one": metric("squad_f1").columns})
    with pytest.raises(InputError, match=r"\.parquet: has no value in one of the columns label$"):
        read_cells(tmp_path, {"one": columns})


def test_a_damaged_file_is_named(tmp_path):
    store = Store(tmp_path)
    store.cells.write([({"cell": "one"}, ITEMS)])
    store.write_results([{"cell": "one"}])
    store.results.write_bytes(store.results.read_bytes()[:100])
    with pytest.raises(InputError, match=r"results\.parquet: damaged"):
        read_results(tmp_path)
    (tmp_path / "domains.parquet").write_bytes(b"PAR1")
    with pytest.raises(InputError, match=r"domains\.parquet: damaged"):
        store.tables.distances()
    assert not store.tables.has_distances("x")  # a run makes them again
