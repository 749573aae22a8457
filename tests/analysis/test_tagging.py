"""Statistics of tagging: the metric from counts, exact influences, stores that mix kinds."""

import json

import numpy as np
import pandas as pd
import pytest

from itt_jax import tasks
from itt_jax.ragged import Ragged
from itt_jax.store import Store
from itt_jax.store.results import read_cells
from itt_jax.study import influence
from itt_jax.tasks import metrics
from itt_jax.tasks.tagging_metrics import entity_scores
from itt_jax.tasks.task import TAGGING_METRICS

NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def drawn_tags(seed: int, n: int = 60) -> tuple[Ragged, Ragged]:
    """Predictions and labels of n items, some without words."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 12, n)
    labels = Ragged.of([random.integers(0, 5, length) for length in lengths], np.int32)
    keep = random.random(len(labels.values)) < 0.7
    return labels.with_values(np.where(keep, labels.values, random.integers(0, 5, len(keep)))), labels


@pytest.mark.parametrize("metric", ["entity_f1", "entity_f1_0.0.12"])
def test_counts_of_items_sum_to_the_metric_of_all(metric):
    predictions, labels = drawn_tags(0)
    counts = metrics.tagging_counts(metric, predictions, labels, NAMES)
    named = [[[NAMES[tag] for tag in row] for row in rows.arrays()] for rows in (labels, predictions)]
    expected = entity_scores(*named, metrics.CONVENTIONS[metric])["f1"]
    assert metrics.of_counts(counts.sum(0)) == pytest.approx(expected, abs=1e-12) and 0.2 < expected < 0.9
    for i in (0, 7, 59):  # an item's counts are those of the item alone
        one = metrics.tagging_counts(metric, predictions[np.array([i])], labels[np.array([i])], NAMES)
        assert one[0].tolist() == counts[i].tolist()


def test_tag_accuracy_is_the_share_of_right_words():
    predictions, labels = drawn_tags(1)
    counts = metrics.tagging_counts("tag_accuracy", predictions, labels, NAMES)
    assert metrics.of_counts(counts.sum(0)) == pytest.approx(np.mean(predictions.values == labels.values))


@pytest.mark.parametrize("metric", TAGGING_METRICS)
def test_influences_are_those_of_leaving_one_item_out(metric):
    predictions, labels = drawn_tags(2)
    counts = metrics.tagging_counts(metric, predictions, labels, NAMES).astype(float)
    n = len(counts)
    value, found = influence.measure(metric, counts, np.zeros(n))
    left = np.array([influence.measure(metric, np.delete(counts, i, 0), np.zeros(n - 1))[0] for i in range(n)])
    assert value == pytest.approx(metrics.of_counts(counts.sum(0)))
    expected = (left.mean() - left) * (n - 1) / n * np.sqrt(n / (n - 1))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    # the jackknife's standard error is that of resampled items
    random = np.random.default_rng(0)
    drawn = [metrics.of_counts(counts[random.integers(0, n, n)].sum(0)) for _ in range(3000)]
    assert np.sqrt((found**2).sum()) == pytest.approx(np.std(drawn), rel=0.1)


def test_chance_is_the_best_single_tag():
    task = tasks.get("embedded_entities_general")
    rows = tasks.load_rows(task, "test", "en")
    constant = [
        metrics.value(task, rows.labels.with_values(np.full_like(rows.labels.values, t)), rows.labels) for t in range(7)
    ]
    assert metrics.chance_of(task, rows.labels) == max(constant) < 0.5


def test_cells_of_tagging_and_of_classification_are_read_together(tmp_path):
    store = Store(tmp_path)
    predictions, labels = drawn_tags(3, 6)
    counts = metrics.tagging_counts("entity_f1", predictions, labels, NAMES)
    items = {"item_id": [f"t/test/{i}" for i in range(6)], "changed": np.zeros(6, bool), "applicable": np.ones(6, bool)}
    tags = {
        "prediction": predictions.arrays(),
        "label": labels.arrays(),
        **dict(zip(metrics.COUNTS, counts.T, strict=True)),
    }
    store.write_cell({"cell": "tags"}, items | tags)
    store.write_cell({"cell": "classes"}, items | {"prediction": np.arange(6), "label": np.ones(6, np.int32)})
    cells = read_cells(tmp_path, {"classes": ("prediction", "label"), "tags": metrics.COUNTS})
    assert [cells["tags"].values[name].tolist() for name in metrics.COUNTS] == counts.T.tolist()
    assert cells["classes"].values["prediction"].tolist() == list(range(6))
    assert (cells["tags"].items == cells["classes"].items).all()
    stored = pd.read_parquet(tmp_path / "cells" / "tags.parquet")
    assert [list(row) for row in stored["prediction"]] == [row.tolist() for row in predictions.arrays()]
    assert json.loads(json.dumps(stored["correct"].tolist())) == counts[:, 0].tolist()
