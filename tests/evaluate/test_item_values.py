"""Metrics that are means of what items score: a cell's value is the mean of its column, for each of them."""

import dataclasses

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.pools import Pool
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.grid import CLEAN, Grid, perturbed_block
from itt_jax.evaluate.ranking import Ranked, ranked_cell
from itt_jax.ragged import Ragged
from itt_jax.tasks import metrics, retrieval_metrics
from itt_jax.tasks.task import RANKING_METRICS, SPAN_METRICS

TEXTS = [
    f"{who} {does} {what}." for who in ("Ada", "Omar", "Mei") for does in ("reads", "sees") for what in ("it", "me")
]


def test_these_are_all():
    """Of spans see test_answers."""
    assert set(metrics.MEANS) == {"accuracy", "r_precision", *RANKING_METRICS, *SPAN_METRICS}
    assert set(metrics.RIGHT_OR_WRONG) < set(metrics.MEANS)


@pytest.mark.parametrize("metric", RANKING_METRICS)
def test_rankings(metric):
    random = np.random.default_rng(0)
    right = [random.choice(40, random.integers(1, 4), replace=False) for _ in range(30)]
    indices = np.stack([random.permutation(40)[:20] for _ in right])
    pool = Pool(tuple(f"Q{i}" for i in range(40)), ("en",) * 40, {"text": [f"t{i}" for i in range(40)]})
    rows = Rows("found", "test", "en", "general", np.arange(30).astype(str), {}, Ragged.of(right, np.int64), pool)
    task = dataclasses.replace(tasks.get("lareqa"), metric=metric)
    value, columns = ranked_cell(task, rows, Ranked(np.zeros((30, 20), np.float32), indices))
    mean = getattr(
        retrieval_metrics, {"map_at_20": "mean_average_precision_at", "mrr_at_20": "mean_reciprocal_rank_at"}[metric]
    )
    assert value == pytest.approx(columns["item_value"].mean()) and 0 < value < 1
    assert value == pytest.approx(mean(columns["prediction"], columns["label"], 20))


@pytest.mark.parametrize("name", ["accuracy", "r_precision"])
def test_classes(name):
    random, n = np.random.default_rng(1), len(TEXTS)
    if name == "accuracy":
        task, labels = tasks.get("sst2"), random.integers(0, 2, n).astype(np.int32)
    else:
        task, labels = tasks.get("multi_eurlex"), random.random((n, 21)) < 0.1
        labels[3] = False  # no right label, so the row counts nowhere
    rows = Rows(task.name, "test", "en", "general", np.arange(n).astype(str), {task.fields[0]: TEXTS}, labels)
    place = (task.name, "test", "en")
    grid = Grid(train_tokenizer(TEXTS * 5, "bert", 60), 32, {place: perturbed_block(task, rows, {CLEAN: None}, 0)})
    result = grid.cell({place: random.normal(size=(n, len(task.labels)))}, place, CLEAN, task)
    if name == "accuracy":
        by_item, counted = result.columns["prediction"] == labels, np.ones(n, bool)
    else:
        by_item, counted = result.columns["item_value"], result.columns["applicable"]
        assert not counted[3] and by_item[3] == 0
    assert task.metric == name and result.figures["n"] == counted.sum()
    assert result.figures["value"] == pytest.approx(np.mean(by_item[counted]))
