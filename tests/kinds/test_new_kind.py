"""A kind and a metric from outside the package: added to their tuples, they load, train, evaluate and select."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import kinds, metrics, tasks
from itt_jax.config import Recipe
from itt_jax.data.sources import LocalFiles
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.metrics.metric import FromPredictions
from itt_jax.models import make_encoder, make_head
from itt_jax.train.stage import TaskData, fine_tune


class Ordinal(kinds.Kind):
    """Ordered classes, predicted by the median of their probabilities."""

    name = "ordinal"
    summary = "one of several ordered classes"
    head = "classification"
    dev_metric = "distance"

    def outcomes(self, task):
        return ("rank",)

    def decode(self, scores):
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        below = np.cumsum(shares / shares.sum(axis=1, keepdims=True), axis=1) < 0.5
        return below.sum(axis=1).astype(np.int32)


class Distance(FromPredictions, metrics.Metric):
    """The mean distance of ranks; lower is better, and influence is that of leaving one item out."""

    name = "distance"
    summary = "mean distance of ranks"
    outcomes = ("rank",)
    highest = 4.0
    higher_is_better = False

    def value(self, items):
        return float(np.abs(items[:, 0] - items[:, 1]).mean())


STARS = ("one", "two", "three", "four", "five")


@pytest.fixture
def task(tmp_path, monkeypatch):
    """Reviews whose number of "good" is their rank."""
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, Ordinal()))
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, Distance()))
    lines = [f"{' '.join(['good'] * i + ['bad'] * (4 - i))} case {n}\t{STARS[i]}" for n in range(16) for i in range(5)]
    (tmp_path / "rows.tsv").write_text("\n".join(["text\tstars", *lines]) + "\n")
    source = LocalFiles({"test": str(tmp_path / "rows.tsv")}, "tsv", {"text": "text"}, "stars")
    return tasks.Task("reviews", "ordinal", ("text",), (source,), STARS, metric="distance")


def test_it_trains_and_evaluates(task):
    rows = tasks.load_rows(task, "test", "en")
    tokenizer = train_tokenizer(rows.fields["text"], "bert", 80)
    encoder = make_encoder(
        "bert", vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id, layers=1, width=16, heads=2,
        feed_forward=32, max_positions=32,
    )  # fmt: skip
    kind = kinds.kind(task.kind)
    head = make_head(encoder, kind.head, kind.outputs(task))
    examples = kind.encode(task, tokenizer, rows, 24)
    data = TaskData(task.name, head, examples, task.kind, kind.classes(task), kind.gold(task, rows, examples))
    recipe = Recipe(steps=60, batch_size=16, max_length=24, evaluate_every=20, warmup=0.0, dropout=False)
    result = fine_tune(encoder, [data], data, {"encoder": encoder.init(jax.random.key(0))}, recipe, 1e-2, 0)
    found = dict(result.dev_history)
    assert found[result.best_step] == max(found.values()) > -0.8  # -1.2 for always "three"
    place, noisy = (task.name, "test", "en"), ("swap", 0.3, 0)
    forms = row_forms(task, rows, {CLEAN_FORM: None, noisy: None}, 0)
    evaluator = Evaluator(tokenizer, 24, {place: forms})
    scores = evaluator.predict(encoder, head, result.params)
    clean, perturbed = (evaluator.cell(scores, place, key, task) for key in (CLEAN_FORM, noisy))
    assert clean.figures["value"] == pytest.approx(-found[result.best_step]) and clean.figures["metric"] == "distance"
    assert perturbed.figures["value"] > clean.figures["value"]
    items = metrics.metric("distance").read(clean.columns)
    value, influence = metrics.metric("distance").influence(items)
    assert value == pytest.approx(clean.figures["value"]) and len(influence) == len(rows)


def test_metrics_of_other_kinds_do_not_fit(task):
    with pytest.raises(InputError, match=r"unknown metric of ordinal task 'reviews': 'accuracy'.* known: distance"):
        dataclasses.replace(task, metric="accuracy")
    with pytest.raises(InputError, match="unknown metric of classification task 'reviews': 'distance'"):
        dataclasses.replace(task, kind="classification")
