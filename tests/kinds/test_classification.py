"""Classification and regression: labels are read and shuffled; a cell's value follows from its columns."""

import dataclasses
import math

import numpy as np
import pytest

from itt_jax import kinds, tasks
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.rows import Rows
from itt_jax.data.sources import LocalFiles
from itt_jax.data.table import Table
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.kinds.kind import Gold
from itt_jax.metrics import metric
from itt_jax.ragged import Ragged
from itt_jax.tasks.table import table_task

TEXTS = [
    f"{who} {does} {what}." for who in ("Ada", "Omar", "Mei") for does in ("reads", "sees") for what in ("it", "me")
]


@pytest.mark.parametrize("name", ["accuracy", "r_precision", "macro_f1", "mcc", "f1"])
def test_a_cell_holds_what_its_metric_reads(name):
    random, n = np.random.default_rng(1), len(TEXTS)
    if name == "r_precision":
        task, labels = tasks.get("multi_eurlex"), random.random((n, 21)) < 0.1
        labels[3] = False  # no right label, so the row does not count
    else:
        task, labels = tasks.get("sst2"), random.integers(0, 2, n).astype(np.int32)
        task = dataclasses.replace(task, metric=name)
    rows = Rows(task.name, "test", "en", "general", np.arange(n).astype(str), {task.fields[0]: TEXTS}, labels)
    place = (task.name, "test", "en")
    forms = row_forms(task, rows, {CLEAN_FORM: None}, 0)
    evaluator = Evaluator(train_tokenizer(TEXTS * 5, "bert", 60), 32, {place: forms})
    scores = random.normal(size=(n, len(task.labels)))
    result = evaluator.cell({place: scores}, place, CLEAN_FORM, task)
    columns = {column: np.asarray(result.columns[column]) for column in metric(name).columns}
    counted = result.columns["applicable"]
    assert counted.tolist() == (labels.any(1) if name == "r_precision" else np.ones(n, bool)).tolist()
    assert result.figures["metric"] == name and result.figures["n"] == counted.sum()
    assert result.figures["value"] == pytest.approx(metric(name).value(metric(name).read(columns)[counted]))
    assert result.figures["value"] == pytest.approx(metric(name).score(kinds.kind(task.kind).decode(scores), labels))
    assert result.figures["chance"] == metric(name).chance(labels, task.labels)


def test_predictions_of_outputs():
    outputs = np.array([[0.1, 0.9], [0.8, 0.2]])
    assert kinds.kind("classification").decode(outputs).tolist() == [1, 0]
    assert kinds.kind("regression").decode(outputs[:, :1]).tolist() == [0.1, 0.8]
    assert kinds.kind("multilabel").decode(outputs) is outputs


@pytest.mark.parametrize(
    ("kind", "name", "scores", "labels", "expected"),
    [
        ("classification", "accuracy", [[0, 1], [1, 0]], [1, 1], 0.5),
        ("classification", "accuracy", [[1, 0], [1, 0]], [0, 1], 0.5),  # always one class: the score it deserves
        ("classification", "accuracy", [[0, np.nan], [1, 0]], [1, 1], math.nan),
        ("regression", "spearman", [[1], [5], [9]], [0.1, 0.2, 0.9], 1.0),
        ("regression", "spearman", [[9], [5], [1]], [0.1, 0.2, 0.9], -1.0),
        ("regression", "spearman", [[1], [5], [np.nan]], [0.1, 0.2, 0.9], math.nan),
        ("regression", "spearman", [[1], [2], [3]], [1, 2, 3], 1.0),
        ("regression", "pearson", [[1], [1], [1]], [1, 2, 3], math.nan),
        ("regression", "spearman", [[1], [2], [3]], [2, 2, 2], math.nan),
        ("regression", "spearman", [[1], [np.inf], [3]], [1, 2, 3], math.nan),
    ],
)
def test_dev_values(kind, name, scores, labels, expected):
    found = kinds.kind(kind).dev_value(metric(name), np.array(scores, np.float32), Gold(np.array(labels)))
    assert found == pytest.approx(expected, nan_ok=True)


def test_shuffled_labels_are_the_same_labels_unrelated_to_rows():
    task = tasks.get("embedded_sentiment_general")
    rows = tasks.load_rows(task, "dev", "en")
    kind = kinds.kind(task.kind)
    shuffled = kind.shuffle(task, rows, 3)
    assert np.bincount(shuffled.labels).tolist() == np.bincount(rows.labels).tolist()
    assert 0.3 < np.mean(shuffled.labels == rows.labels) < 0.7 and shuffled.fields == rows.fields
    assert (kind.shuffle(task, rows, 3).labels == shuffled.labels).all()
    assert kind.label_bytes(shuffled.labels) != kind.label_bytes(rows.labels)
    assert kind.join([rows.labels, shuffled.labels]).tolist() == [*rows.labels, *shuffled.labels]


def regression(path, **more) -> tasks.Task:
    source = LocalFiles({"test": str(path)}, "jsonl", {"text": "t"}, "y", **more)
    return tasks.Task("graded", "regression", ("text",), (source,), score_range=(0.0, 5.0), metric="pearson")


def test_scores_are_read_and_refused_with_their_place(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"t": "a", "y": "4.5"}\n{"t": "b", "y": "n/a"}\n{"t": "c", "y": "0"}\n')
    rows = tasks.load_rows(regression(path, labels={"n/a": None}), "test", "en")
    assert rows.labels.dtype == np.float32 and rows.labels.tolist() == [4.5, 0.0]
    assert kinds.kind("regression").label_texts(regression(path), rows) == ["4.5", "0"]
    with pytest.raises(InputError, match=r"rows.jsonl, line 2: score 'n/a'; expected a number from 0 to 5"):
        tasks.load_rows(regression(path), "test", "en")
    path.write_text('{"t": "a", "y": "0_1"}\n')  # float("0_1") is 1.0
    with pytest.raises(InputError, match=r"line 1: score '0_1'; expected a number"):
        tasks.load_rows(regression(path), "test", "en")
    with pytest.raises(InputError, match="regression needs a score_range and no labels"):
        dataclasses.replace(regression(path), score_range=(1.0, 1.0))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("0,5", r"t.tsv, line 3: score '0,5'; expected a number such as 0.5"),
        ("nan", r"t.tsv, line 3: score 'nan'; expected a number such as 0.5"),
        ("0.50", r"t.tsv, line 2: score 0.5, as in all 2 rows; expected scores that differ"),
    ],
)
def test_scores_of_a_table_are_numbers_that_differ(tmp_path, second, message):
    (tmp_path / "t.tsv").write_text(f"text\tscore\na\t0.5\nb\t{second}\n")
    with pytest.raises(InputError, match=message):
        table_task(tmp_path / "t.tsv", ["text"], "score", "regression", outputs=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "clasification"}, "unknown kind of task 'clasification'; did you mean 'classification'"),
        ({"metric": "spearman"}, "unknown metric of classification task 'sst2': 'spearman'"),
        ({"metric": "acuracy"}, "did you mean 'accuracy'"),
        ({"labels": ("one",)}, "classification needs at least two labels"),
        ({"labels": ("a", "b", "c"), "metric": "f1"}, "metric 'f1' needs two labels"),
        ({"sources": ()}, "needs fields and sources"),
        ({"source_language": "de"}, "its source_language 'de' is not among its languages, en"),
    ],
)
def test_tasks_that_do_not_fit_together(change, message):
    with pytest.raises(InputError, match=message):
        dataclasses.replace(tasks.get("sst2"), **change)


@pytest.mark.parametrize(
    ("labels", "found"),
    [(Answers(((Answer(0, "a"),),)), "answers with positions"), (Ragged.of([[0]], int), "candidates")],
)
@pytest.mark.parametrize("task", ["sst2", "multi_eurlex", "embedded_similarity_general", "embedded_entities_general"])
def test_a_source_whose_labels_are_no_texts_is_refused(task, labels, found):
    task = tasks.get(task)
    table = Table({task.fields[0]: ["a"]}, labels, ["0"], "row {}".format)
    with pytest.raises(InputError, match=f"row 0: expected a label, found {found}"):
        kinds.kind(task.kind).read_labels(task, {}, table)
