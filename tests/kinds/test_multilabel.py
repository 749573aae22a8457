"""Multilabel: how labels are read, and cells of right predictions under every operator."""

import json

import numpy as np
import pytest

from itt_jax import kinds, metrics, tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.noises import TOKEN_NOISES
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.store import Store
from itt_jax.store.results import read_cells
from itt_jax.tasks import Task
from tests.kinds.operators import every_form

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


def test_labels_are_read_and_refused_with_their_place(rows_file):
    rows = tasks.load_rows(own_task(rows_file), "test", "en")
    assert rows.labels.dtype == bool
    assert rows.labels.astype(int).tolist() == [
        [1, 0, 0, 0], [1, 0, 0, 1], [0, 1, 1, 1], [0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0],
    ]  # fmt: skip
    assert kinds.kind("multilabel").label_texts(own_task(rows_file), rows)[1:4] == [
        "trade | law",
        "health | work | law",
        "",
    ]
    renamed = {"trade": "trade", "health": "health", "work": None, "law": "law"}
    without = tasks.load_rows(own_task(rows_file, labels=renamed), "test", "en")
    assert len(without) == 6 and not without.labels[:, 2].any() and without.labels[2].sum() == 2
    del renamed["law"]
    with pytest.raises(
        InputError, match=r"rows.jsonl, line 2: label 'law' is unknown in task 'topics'; expected trade"
    ):
        tasks.load_rows(own_task(rows_file, labels=renamed), "test", "en")
    with pytest.raises(InputError, match="metric of multilabel task 'topics'"):
        own_task(rows_file, metric="accuracy")
    with pytest.raises(InputError, match="multilabel names cannot contain spaces"):
        Task("topics", "multilabel", ("text",), own_task(rows_file).sources, ("a b", "c"), metric="r_precision")
    with pytest.raises(InputError, match="metric of classification task"):
        Task("t", "classification", ("text",), own_task(rows_file).sources, ("a", "c"), metric="r_precision")


@pytest.mark.parametrize("metric", ["r_precision", "label_micro_f1", "label_macro_f1"])
def test_gold_predictions_score_100_percent_under_every_operator(metric, rows_file, tmp_path):
    task = own_task(rows_file, metric)
    rows = tasks.load_rows(task, "test", "en")
    tokenizer = train_tokenizer(rows.fields["text"] * 5, "bert", 150)
    variants = every_form("en", 0.3)
    forms = row_forms(task, rows, variants, 0)
    evaluator = Evaluator(tokenizer, 128, {("topics", "test", "en"): forms})
    (own,) = evaluator._blocks.values()
    # forms in which two rows become one text are skipped, since no model can distinguish them
    store, scored = Store(tmp_path), 0
    for variant in variants:
        texts = forms.forms[variant].fields["text"]
        if len(set(texts)) < len(texts):
            continue
        scores = np.zeros((len(own.inputs.examples), len(TOPICS)), np.float32)
        scores[own.inputs.index[variant]] = np.where(rows.labels, 3.0, -3.0)
        result = evaluator.cell({("topics", "test", "en"): scores}, ("topics", "test", "en"), variant, task)
        assert result.figures["value"] == 1.0 and result.figures["chance"] < 1, variant
        assert result.figures["n"] == (5 if metric == "r_precision" else 6)
        scored += 1
    assert scored > 0.9 * len(variants)
    store.cells.write([({"cell": "last"}, result.columns)])
    cell = read_cells(tmp_path, {"last": metrics.metric(metric).columns})["last"]
    value, _ = metrics.metric(metric).influence(metrics.metric(metric).read(cell.values)[cell.applicable])
    assert value == 1.0 and len(cell.items) == 6
    assert [own.tolist() for own in result.columns["label"]] == [np.flatnonzero(own).tolist() for own in rows.labels]


def test_token_noises_apply(rows_file):
    task = own_task(rows_file, "label_micro_f1")
    rows = tasks.load_rows(task, "test", "en")
    forms = row_forms(task, rows, {CLEAN_FORM: None} | {(name, 0.2, 0): None for name in TOKEN_NOISES}, 0)
    assert {name for name, _, _ in forms.token_noises} == set(TOKEN_NOISES)
