"""`evaluate` of tasks of the user's own: those of a config, and tables named on the command line."""

import csv
import dataclasses
import json

import pandas as pd
import pytest

from itt_jax import main, tasks
from itt_jax.data.sources import LocalFiles
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study.evaluation import evaluate_checkpoint
from itt_jax.study.perturbations import parse_perturbations
from itt_jax.study.request import Evaluation
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


@pytest.mark.parametrize(
    ("name", "encoding", "rows", "options"),
    [
        ("t.csv", "utf-8", 'review;stars\n"good; really";positive\nbäd;negative\n', ["--delimiter", ";"]),
        ("t.csv", "cp1252", "review,stars\ngood,positive\nbäd,negative\n", ["--encoding", "cp1252"]),
        ("t.tsv", "utf-8", 'review\tstars\n"good\tone"\tpositive\nbäd\tnegative\n', ["--quoted"]),
        ("t.csv", "utf-8", 'review,stars\n5" good,positive\nbäd,negative\n', ["--no-quoted"]),
        ("t.txt", "utf-8", "review\tstars\ngood\tpositive\nbäd\tnegative\n", ["--delimiter", r"\t"]),
        ("t.csv", "utf-8", "good,positive\nbäd,negative\n", ["--no-header"]),
    ],
)
def test_a_table_is_read_as_told(checkpoint, tmp_path, monkeypatch, name, encoding, rows, options):
    (tmp_path / name).write_text(rows, encoding=encoding)
    asked = []
    monkeypatch.setattr("itt_jax.study.evaluation.evaluate_checkpoint", lambda own, *rest, **more: asked.append(own))
    monkeypatch.setattr(Store, "plan", lambda self: {"description": ""})
    columns = ("0", "1") if "--no-header" in options else ("review", "stars")
    columns = ["--task-file", tmp_path / name, "--text", columns[0], "--label", columns[1]]
    assert evaluate(checkpoint, tmp_path / "out", *columns, *options) == 0
    found = tasks.load_rows(asked[0].tasks[0], "test", "en")
    (texts,) = found.fields.values()
    assert "good" in texts[0] and texts[1] == "bäd" and found.labels.tolist() == [1, 0]


def test_an_evaluation_with_a_study_takes_its_settings_and_options_precede_them(checkpoint, tmp_path, capsys):
    (tmp_path / "study.py").write_text(
        "from itt_jax.config import *\n"
        f"target = Target('own', {TASK.name!r}, test_split='dev', recipe=Recipe(steps=1))\n"
        "encoder = EncoderSpec('bert', 'bert', corpus=(Corpus('embedded'),))\n"
        "study = Study('mine', (encoder,), (target,), ('direct',), (Perturbation('swap', (0.2,)),),"
        "languages=('de', 'zh'), evaluation_rows=3, max_length=16, noise_seed=5)\n"
    )
    arguments = ["--checkpoint", checkpoint, "--task", TASK.name, "--config", tmp_path / "study.py"]
    assert main.main(["evaluate", *map(str, [*arguments, "--out", tmp_path / "a"])]) == 0
    assert "as in study 'mine' (options precede it): perturbations ['swap'], languages" in capsys.readouterr().err
    own = Store(tmp_path / "a").plan()["evaluation"]
    taken = {name: own[name] for name in ("languages", "split", "rows", "noise_seed", "max_length")}
    assert taken == {"languages": ["de"], "split": "dev", "rows": 3, "noise_seed": 5, "max_length": 16}
    assert [noise["name"] for noise in own["perturbations"]] == ["swap"]
    options = ["--rows", 2, "--seed", 0, "--languages", "en", "--perturbations", "none", "--out", tmp_path / "b"]
    assert main.main(["evaluate", *map(str, [*arguments, *options])]) == 0
    own = Store(tmp_path / "b").plan()["evaluation"]
    assert (own["rows"], own["noise_seed"], own["languages"], own["perturbations"]) == (2, 0, ["en"], [])
    assert (own["max_length"], own["split"]) == (16, "dev")


def test_an_evaluation_does_not_say_how_a_checkpoint_was_trained(checkpoint, tmp_path):
    path, rows = table(tmp_path / "reviews.csv"), ["--perturbations", "swap:0.2"]
    columns = ["--task-file", path, "--text", "review", "--label", "stars"]
    assert evaluate(checkpoint, tmp_path / "out", *columns, *rows) == 0
    frame = pd.read_parquet(tmp_path / "out" / "results.parquet")
    assert frame[["arm", "seed", "in_domain"]].isna().all().all()
    assert read_results(tmp_path / "out")[["arm", "seed", "in_domain"]].values.tolist() == [["as given", 0, True]] * 2


def test_rows_with_another_content_are_named(checkpoint, tmp_path, capsys):
    path = table(tmp_path / "reviews.csv")
    columns = ["--task-file", path, "--text", "review", "--label", "stars", "--perturbations", "none"]
    assert evaluate(checkpoint, tmp_path / "out", *columns) == 0
    path.write_text(path.read_text() + "300,one more,positive\n")
    capsys.readouterr()
    assert evaluate(checkpoint, tmp_path / "out", *columns) == 0
    said = capsys.readouterr().err
    assert f"changed: rows of reviews/test/en ({path}): content has changed, 300 -> 301 rows" in said


def test_unnamed_outputs_far_below_chance_are_a_warning(checkpoint, tmp_path, monkeypatch, capsys):
    from itt_jax.study import evaluation

    columns = ["--task", TASK.name, "--languages", "en", "--perturbations", "none"]
    for name in ("FAR_BELOW", "LEAST_BELOW"):  # so that the score of an untrained model counts as far below
        monkeypatch.setattr(evaluation, name, -100)
    assert evaluate(checkpoint, tmp_path / "named", *columns) == 0
    assert "warning" not in capsys.readouterr().err
    load = evaluation.load_predictor
    monkeypatch.setattr(evaluation, "load_predictor", lambda *own: dataclasses.replace(load(*own), unnamed=True))
    assert evaluate(checkpoint, tmp_path / "unnamed", *columns) == 0
    assert "of guessing. The checkpoint's outputs have no names" in capsys.readouterr().err
    assert "--labels 0=positive,... would say" in Store(tmp_path / "unnamed").plan()["description"]


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
        (
            ["--task-file", "empty.csv", "--text", "a", "--label", "b"],
            "empty.csv, line 3: column 'b': expected a label",
        ),
        (["--task-file", "r.csv", "--text", "a", "--label", "stars", "--no-header"], "--no-header: expected numbers"),
        (["--task-file", "r.csv", "--text", "a", "--label", "b", "--delimiter", "::"], "expected one character"),
        (["--task-file", "r.csv", "--text", "a", "--label", "b", "--encoding", "utf-9"], "unknown encoding 'utf-9'"),
        (["--task-file", "r.jsonl", "--text", "a", "--label", "b", "--no-header"], "--header does not go with jsonl"),
        (["--task", TASK.name, "--quoted"], "--quoted goes with --task-file"),
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
    (tmp_path / "empty.csv").write_text("a,b\nx,positive\ny,\nz,\n")
    (tmp_path / "none.py").write_text("from itt_jax import tasks")
    assert evaluate(checkpoint, "out", *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and message in err
    assert not (tmp_path / "out").exists()
