"""Several labels a row: how they are read, what the metrics say of them, and how far one item moves them."""

import json

import numpy as np
import pytest
from sklearn.metrics import f1_score

from itt_jax import perturb, tasks
from itt_jax.analysis.panels import columns_of, sides
from itt_jax.data.sources import LocalFiles
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.grid import CLEAN, Grid, perturbed_block
from itt_jax.evaluate.token_noise import TOKEN_NOISES
from itt_jax.store import Store
from itt_jax.store.results import read_cells
from itt_jax.study import influence
from itt_jax.study.sheet import label_texts
from itt_jax.tasks import Task, label_metrics, metrics
from itt_jax.tasks.retrieval_metrics import r_precision, r_precisions
from itt_jax.tasks.task import MULTILABEL_METRICS

TOPICS = ("trade", "health", "work", "law")


def own_task(folder, metric="r_precision", **changes) -> Task:
    source = LocalFiles({"test": str(folder / "rows.jsonl")}, "jsonl", {"text": "text"}, "labels", **changes)
    return Task("topics", "multilabel", ("text",), (source,), TOPICS, metric=metric)


@pytest.fixture
def rows_file(tmp_path):
    labels = [["trade"], ["law", "trade"], ["health", "work", "law"], [], ["work"], ["health"]]
    texts = [f"Sentence number {i} is about {' and '.join(own) or 'nothing'} ." for i, own in enumerate(labels)]
    lines = [json.dumps({"text": text, "labels": own}) for text, own in zip(texts, labels, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(lines) + "\n")
    return tmp_path


def drawn(seed: int, n: int = 50, classes: int = 6):
    random = np.random.default_rng(seed)
    labels = random.random((n, classes)) < random.uniform(0.1, 0.5, classes)
    labels[0], labels[:, -1] = False, False  # a row and a class without any
    return random.normal(size=(n, classes)) + 1.5 * labels - 0.5, labels


def test_labels_are_read_and_refused_with_their_place(rows_file):
    rows = tasks.load_rows(own_task(rows_file), "test", "en")
    assert rows.labels.dtype == bool
    assert rows.labels.astype(int).tolist() == [
        [1, 0, 0, 0], [1, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0],
    ]  # fmt: skip
    assert label_texts(own_task(rows_file), rows)[1:4] == ["trade | law", "health | work | law", ""]
    renamed = {"trade": "trade", "health": "health", "work": None, "law": "law"}
    without = tasks.load_rows(own_task(rows_file, labels=renamed), "test", "en")
    assert len(without) == 6 and not without.labels[:, 2].any() and without.labels[2].sum() == 2
    del renamed["law"]
    with pytest.raises(InputError, match=r"rows.jsonl, line 2: label 'law' is not of task 'topics'; expected trade"):
        tasks.load_rows(own_task(rows_file, labels=renamed), "test", "en")
    with pytest.raises(InputError, match="metric of multilabel task 'topics'"):
        own_task(rows_file, metric="accuracy")
    with pytest.raises(InputError, match="names of several labels hold no space"):
        Task("topics", "multilabel", ("text",), own_task(rows_file).sources, ("a b", "c"), metric="r_precision")
    with pytest.raises(InputError, match="metric of classification task"):
        Task("t", "classification", ("text",), own_task(rows_file).sources, ("a", "c"), metric="r_precision")


def test_metrics_are_scikit_learns():
    scores, labels = drawn(0)
    predicted = scores > 0
    for name, average in (("label_micro_f1", "micro"), ("label_macro_f1", "macro")):
        expected = f1_score(labels, predicted, average=average, zero_division=0)
        assert metrics.METRICS[name](scores, labels) == pytest.approx(expected, abs=1e-12)
        assert label_metrics.f1(predicted, labels, average) == pytest.approx(expected)
    by_document = r_precisions(scores, labels)
    assert np.isnan(by_document[0]) and np.nanmean(by_document) == pytest.approx(r_precision(scores, labels))
    best = [set(np.argsort(-own)[: gold.sum()]) for own, gold in zip(scores, labels, strict=True)]
    shares = [
        len(top & set(np.flatnonzero(gold))) / gold.sum() for top, gold in zip(best, labels, strict=True) if gold.any()
    ]
    assert r_precision(scores, labels) == pytest.approx(np.mean(shares))


def test_chance_is_the_best_answer_that_never_changes():
    _, labels = drawn(1, classes=4)
    sets = np.array([[(k >> c) & 1 for c in range(4)] for k in range(16)]) * 2.0 - 1
    for name in ("label_micro_f1", "label_macro_f1"):
        best = max(metrics.METRICS[name](np.tile(own, (len(labels), 1)), labels) for own in sets)
        assert metrics.chance_of_labels(name, labels) == pytest.approx(best)
    by_share = np.tile(labels.mean(0), (len(labels), 1))
    assert metrics.chance_of_labels("r_precision", labels) == r_precision(by_share, labels) < 1
    assert metrics.chance_of_labels("r_precision", np.zeros((3, 2), bool)) == 0


@pytest.mark.parametrize("metric", MULTILABEL_METRICS)
def test_influences_are_those_of_leaving_one_item_out(metric):
    scores, labels = drawn(2)
    if metric == "r_precision":
        scores, labels = scores[1:], labels[1:]
        scores, labels = scores[labels.any(1)], labels[labels.any(1)]
        held = r_precisions(scores, labels)
    else:
        held = metrics.label_counts(scores, labels)
    n = len(held)
    value, found = influence.measure(metric, held, np.zeros(n))
    assert value == pytest.approx(metrics.METRICS[metric](scores, labels))
    left = np.array([metrics.METRICS[metric](np.delete(scores, i, 0), np.delete(labels, i, 0)) for i in range(n)])
    expected = (left.mean() - left) * (n - 1) / n * np.sqrt(n / (n - 1))
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("metric", MULTILABEL_METRICS)
def test_gold_predictions_score_100_percent_under_every_operator(metric, rows_file, tmp_path):
    task = own_task(rows_file, metric)
    rows = tasks.load_rows(task, "test", "en")
    tokenizer = train_tokenizer(rows.fields["text"] * 5, "bert", 150)
    names = [name for name, operator in perturb.CATALOG.items() if "en" in operator.languages]
    variants = {CLEAN: None} | {(name, 0.3, 0): None for name in names}
    block = perturbed_block(task, rows, variants, 0)
    cells = Grid(tokenizer, 128, {("topics", "test", "en"): block})
    (own,) = cells._blocks.values()
    # two rows of noise may become one text; then no model can tell them apart, so such forms are left out here
    store, scored = Store(tmp_path), 0
    for variant in variants:
        texts = block.forms[variant].fields["text"]
        if len(set(texts)) < len(texts):
            continue
        scores = np.zeros((len(own.inputs.examples), len(TOPICS)), np.float32)
        scores[own.inputs.index[variant]] = np.where(rows.labels, 3.0, -3.0)
        result = cells.cell({("topics", "test", "en"): scores}, ("topics", "test", "en"), variant, task)
        assert result.figures["value"] == 1.0 and result.figures["chance"] < 1, variant
        assert result.figures["n"] == (5 if metric == "r_precision" else 6)
        scored += 1
    assert scored > 0.9 * len(variants)
    store.write_cell({"cell": "last"}, result.columns)
    cell = read_cells(tmp_path, {"last": columns_of(metric)})["last"]
    value, _ = influence.measure(metric, *(side[cell.applicable] for side in sides(metric, cell)))
    assert value == 1.0 and len(cell.items) == 6
    assert [own.tolist() for own in result.columns["label"]] == [np.flatnonzero(own).tolist() for own in rows.labels]


def test_token_noises_reach_rows_of_several_labels(rows_file):
    task = own_task(rows_file, "label_micro_f1")
    rows = tasks.load_rows(task, "test", "en")
    block = perturbed_block(task, rows, {CLEAN: None} | {(name, 0.2, 0): None for name in TOKEN_NOISES}, 0)
    assert {name for name, _, _ in block.token_noises} == set(TOKEN_NOISES)
