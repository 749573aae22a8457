"""`evaluate` of tasks of the user's own: those of a config, and tables named on the command line."""

import csv
import json

import pytest

from itt_jax import main, tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study.evaluation import Evaluation, evaluate_checkpoint
from itt_jax.study.perturbations import parse_perturbations
from itt_jax.tasks import Task
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")
NOISES = ["swap:0.2", "keyboard:0.2"]
OWN = """
from itt_jax import tasks as catalogue
from itt_jax.tasks import Task

about = catalogue.get("embedded_sentiment_legal")
tasks = (Task("mine", about.kind, about.fields, about.sources, about.labels, languages=about.languages, parallel=True),)
"""


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """An untrained encoder with a head for the task."""
    return untrained(tmp_path_factory.mktemp("checkpoint") / "untrained", TASK)


@pytest.fixture(autouse=True)
def without_a_report(monkeypatch):
    """Reports have tests of their own."""
    monkeypatch.setattr("itt_jax.analysis.analyse", lambda out: None)
    monkeypatch.setattr("itt_jax.report.write_report", lambda out, analysis: out / "report/index.html")
    monkeypatch.setattr("itt_jax.report.summary_markdown", lambda analysis: "")
    monkeypatch.setattr("itt_jax.study.progress.SAY_SECONDS", 3600)


def evaluate(checkpoint, out, *more) -> int:
    arguments = ["--checkpoint", checkpoint, "--out", out, "--max-length", 32, "--rows", 8, *more]
    return main.main(["evaluate", *map(str, arguments)])


def values(out):
    return read_results(out)[["language", "perturbation", "severity", "value", "edit_rate"]].values.tolist()


def table(path, delimiter=",", language="en", labels=TASK.labels):
    rows = tasks.load_rows(TASK, "test", language)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["number", "review", "stars"])
        writer.writerows(
            [i, text, labels[k]] for i, (text, k) in enumerate(zip(rows.fields["text"], rows.labels, strict=True))
        )
    return path


def test_a_task_of_a_config_equals_the_same_task_of_the_catalogue(checkpoint, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    more = ["--perturbations", *NOISES, "--languages", "de"]
    assert evaluate(checkpoint, tmp_path / "theirs", "--task", TASK.name, *more) == 0
    assert evaluate(checkpoint, tmp_path / "mine", "--task", "mine", "--config", tmp_path / "own.py", *more) == 0
    # noise is drawn by item id, which begins with the name of the task
    clean = [[row for row in values(tmp_path / name) if row[1] == "clean"] for name in ("mine", "theirs")]
    assert clean[0] == clean[1] and len(clean[0]) == 1
    (tmp_path / "own.py").write_text(OWN.replace('"mine"', "about.name"))
    assert evaluate(checkpoint, tmp_path / "same", "--task", TASK.name, "--config", tmp_path / "own.py", *more) == 0
    assert values(tmp_path / "same") == values(tmp_path / "theirs")
    assert set(read_results(tmp_path / "same")["cell"]) == set(read_results(tmp_path / "theirs")["cell"])


def test_a_table_equals_a_task_with_local_files(checkpoint, tmp_path):
    path = table(tmp_path / "reviews.csv")
    columns = ["--task-file", path, "--text", "review", "--label", "stars"]
    assert evaluate(checkpoint, tmp_path / "table", *columns, "--perturbations", *NOISES) == 0
    source = LocalFiles({"test": str(path)}, "csv", {"review": "review"}, "stars")
    task = Task("reviews", "classification", ("review",), (source,), TASK.labels)
    asked = Evaluation(checkpoint, "reviews", parse_perturbations(NOISES), max_length=32, rows=8, tasks=(task,))
    evaluate_checkpoint(asked, tmp_path / "files")
    assert values(tmp_path / "table") == values(tmp_path / "files")
    assert set(read_results(tmp_path / "table")["cell"]) == set(read_results(tmp_path / "files")["cell"])


def test_labels_of_a_table_are_read_by_name_or_as_told(checkpoint, tmp_path):
    """A German tsv; the labels that differ from the checkpoint's are named in the folder's description."""
    found = {}
    for name, labels, more in (
        ("name", TASK.labels, ()),
        ("synonym", ("NEG", "Pos"), ()),
        ("number", ("0", "1"), ("--labels", "negative=0,positive=1")),
        ("told", ("bad", "good"), ("--labels", "positive=good,negative=bad")),
        ("turned", ("bad", "good"), ("--labels", "0=good,1=bad")),
    ):
        path = table(tmp_path / f"{name}.tsv", "\t", "de", labels)
        columns = ["--task-file", path, "--text", "review", "--label", "stars", "--language", "de"]
        assert evaluate(checkpoint, tmp_path / name, *columns, "--perturbations", "none", *more) == 0
        found[name] = values(tmp_path / name)
    scores = {name: own for name, ((language, _, _, own, _),) in found.items() if language == "de"}
    assert scores.pop("turned") == pytest.approx(1 - scores["name"]) != scores["name"]
    assert scores == dict.fromkeys(("name", "synonym", "number", "told"), scores["name"])
    plan = Store(tmp_path / "synonym").plan()
    assert "Labels of the table: " in plan["description"] and "NEG = negative" in plan["description"]


def test_pairs_with_scores_need_no_labels(checkpoint, tmp_path):
    from itt_jax.tasks.table import table_task

    rows = [{"a": "one text", "b": "another text", "score": score} for score in (4.5, 0, "2")]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = table_task(tmp_path / "pairs.jsonl", ["a", "b"], "score", "regression", outputs=1)
    assert (task.score_range, task.metric, task.fields) == ((0.0, 4.5), "spearman", ("a", "b"))
    assert tasks.load_rows(task, "test", "en").labels.tolist() == [4.5, 0.0, 2.0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task-file", "r.csv", "--text", "review"], "expected --text COLUMN and --label COLUMN"),
        (["--task-file", "r.csv", "--text", "reviw", "--label", "stars"], "r.csv, line 2: no column 'reviw'"),
        (["--task-file", "r.csv", "--text", "review", "--label", "number"], "the labels are 0, 1, 2"),
        (["--task-file", "r.csv", "--text", "review", "--label", "stars", "--task", "xnli"], "--task does not go with"),
        (["--task-file", "r.csv", "--text", "review", "--label", "stars", "--language", "english"], "unknown language"),
        (["--task-file", "r.csv", "--text", "a", "b", "c", "--label", "stars"], "--text: expected one column or two"),
        (["--task-file", "r.xlsx", "--text", "a", "--label", "b"], "expected a name that ends in .csv, .tsv, .jsonl"),
        (["--task-file", "absent.csv", "--text", "a", "--label", "b"], "absent.csv: no such file"),
        (["--task", TASK.name, "--label", "stars"], "--label goes with --task-file"),
        (["--text", "review"], "--text goes with --task-file"),
        ([], "expected --task, or --task-file with --text and --label"),
        (["--task", "mine", "--config", "absent.py"], "config absent.py: no such file"),
        (
            ["--task", "mine", "--config", "none.py"],
            "none.py: expected a variable 'tasks', a tuple of Task, or a 'study'",
        ),
        (["--task", "mine", "--config", "own.py", "--rows", "0"], "--rows: found 0"),
        (["--task", "mne", "--config", "own.py"], "did you mean 'mine'"),
        (
            ["--task", "mine", "--config", "own.py", "--perturbations", "code_mix:0.1", "--lexicon", "nope.txt"],
            "lexicon nope.txt: No such file or directory",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(checkpoint, tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    table(tmp_path / "r.csv")
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "none.py").write_text("from itt_jax import tasks")
    assert evaluate(checkpoint, "out", *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert not (tmp_path / "out").exists()
