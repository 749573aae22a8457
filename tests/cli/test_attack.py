"""`attack`: figures and texts of a checkpoint under attack, continued where it stopped, and wrong input in one line."""

import csv
import json
import os

import pytest

from itt_jax import main, tasks
from itt_jax.attack.csv_files import COLUMNS, read_csv
from itt_jax.errors import InputError
from itt_jax.perturb.sheet import read_sheet
from itt_jax.study import attack_runs
from tests.system.runs import untrained

TASK = tasks.get("embedded_sentiment_legal")
ROWS = 12


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """An untrained encoder with a head for the task."""
    return untrained(tmp_path_factory.mktemp("checkpoint") / "untrained", TASK)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    monkeypatch.setattr(attack_runs, "PART", 5)
    monkeypatch.setattr("itt_jax.study.progress.SAY_SECONDS", 3600)


def attack(checkpoint, out, *more) -> int:
    arguments = ["--checkpoint", checkpoint, "--task", TASK.name, "--out", out, "--max-length", 32, "--rows", ROWS]
    arguments += ["--languages", "de"] if "--languages" not in more else []
    return main.main(["attack", *map(str, arguments), *map(str, more)])


def contents(out) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


@pytest.mark.slow
def test_an_attack_gives_figures_and_a_csv(checkpoint, tmp_path, capsys):
    assert attack(checkpoint, tmp_path / "out", "--budget", 40, "--csv", tmp_path / "rows.csv", "--json") == 0
    (figures,) = json.loads(capsys.readouterr().out)
    assert figures["rows"] == ROWS == figures["attacked"] + figures["skipped"] and figures["language"] == "de"
    assert figures["attacked"] > 0 and 0 < figures["queries"] <= 40
    assert figures["accuracy_under_attack"] == (figures["attacked"] - figures["succeeded"]) / ROWS
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "out/results.csv").read_bytes()
    with open(tmp_path / "rows.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[: len(COLUMNS)] == list(COLUMNS) and len(rows) == ROWS
    for row in rows:
        wrong = row["perturbed_output"] != row["ground_truth_output"]
        assert row["result_type"] == ("Failed" if not wrong else row["result_type"])
        assert (row["result_type"] == "Skipped") == (row["original_output"] != row["ground_truth_output"])
    # what was written is read again, with the same figures
    assert main.main(["attack", "--read", str(tmp_path / "rows.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [figures]
    # successes are judged by people; a sheet without verdicts is written again
    assert attack(checkpoint, tmp_path / "out", "--budget", 40, "--sheet", tmp_path / "sheet.csv", "--json") == 0
    capsys.readouterr()
    lines = read_sheet(tmp_path / "sheet.csv")
    assert len(lines) == figures["succeeded"] and {line.operator for line in lines} <= {"deepwordbug"}
    assert {line.perturbed for line in lines} == {
        row["perturbed_text"] for row in rows if row["result_type"] == "Successful"
    }
    # nothing is computed again, and nothing changes
    before = contents(tmp_path / "out")
    assert attack(checkpoint, tmp_path / "out", "--budget", 40) == 0
    assert contents(tmp_path / "out") == before and "under attack" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize("recipe", ["deepwordbug", "charmer"])
def test_a_stopped_attack_continues_with_the_same_bytes(checkpoint, tmp_path, monkeypatch, capsys, recipe):
    more = ["--recipe", recipe, "--budget", 90]
    assert attack(checkpoint, tmp_path / "whole", *more) == 0
    done, write = [], attack_runs.PartsFolder.write_part

    def stop_after_one(self, language, number, rows):
        write(self, language, number, rows)
        done.append(number)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(attack_runs.PartsFolder, "write_part", stop_after_one)
        assert attack(checkpoint, tmp_path / "stopped", *more) == 130
    assert "to continue: python -m itt_jax.main attack" in capsys.readouterr().err
    assert done == [0] and not (tmp_path / "stopped/results.csv").exists()
    left = tmp_path / "stopped" / "rows" / ".de-0001.jsonl.another-host.7.0123abcd"  # by a process that was killed
    left.write_text("{")
    os.utime(left, (0, 0))
    assert attack(checkpoint, tmp_path / "stopped", *more) == 0
    assert contents(tmp_path / "stopped") == contents(tmp_path / "whole")


@pytest.mark.slow
def test_accuracy_before_the_attack_is_that_of_evaluate(checkpoint, tmp_path, capsys):
    from itt_jax.store.results import read_results
    from itt_jax.study.evaluation import evaluate_checkpoint
    from itt_jax.study.request import Evaluation

    assert attack(checkpoint, tmp_path / "attack", "--budget", 1, "--json", "--languages", "de", "ru") == 0
    figures = {own["language"]: own for own in json.loads(capsys.readouterr().out)}
    asked = Evaluation(checkpoint, TASK.name, languages=("de", "ru"), max_length=32, rows=ROWS)
    evaluate_checkpoint(asked, tmp_path / "evaluate", quiet=True)
    for row in read_results(tmp_path / "evaluate").itertuples():
        own = figures[row.language]
        assert own["accuracy"] == pytest.approx(row.value) and own["accuracy_under_attack"] == own["accuracy"]
        assert own["queries"] == 1 and own["succeeded"] == 0


@pytest.mark.slow
def test_recipes_of_a_config(checkpoint, tmp_path, capsys):
    (tmp_path / "own.py").write_text(
        "from itt_jax.attack import Attack\n"
        "from itt_jax.attack.candidates import WordSwaps\n"
        "from itt_jax.attack.constraints import LongWords\n"
        "from itt_jax.attack.search.greedy import GreedyWords\n"
        'attacks = (Attack("mine", GreedyWords("delete"), WordSwaps(("homoglyph",)), (LongWords(6),), budget=30),)\n'
    )
    assert attack(checkpoint, tmp_path / "out", "--recipe", "mine", "--config", tmp_path / "own.py") == 0
    found = read_csv(tmp_path / "out/results.csv")
    assert max(own.queries for own in found) <= 30 and {own.result for own in found} != {"skipped"}


def test_textattacks_own_csv_is_read(tmp_path):
    path = tmp_path / "theirs.csv"
    path.write_text(
        '"original_text","perturbed_text","original_score","perturbed_score","original_output","perturbed_output",'
        '"ground_truth_output","num_queries","result_type"\n'
        '"a [[good]] film","a [[goood]] film",0.01,0.7,1,0,1,23,"Successful"\n'
        '"[[[[Premise]]]]: x\n[[[[Hypothesis]]]]: [[y]]","[[[[Premise]]]]: x\n[[[[Hypothesis]]]]: [[z]]",'
        '0.2,0.3,1,1,1.0,7.0,"Failed"\n'
    )
    first, second = read_csv(path)
    assert (first.fields, first.text, first.edits, first.words_changed) == (
        {"text": "a good film"}, "a goood film", 1, 1,
    )  # fmt: skip
    assert (first.result, first.queries, second.result, second.queries) == ("succeeded", 23, "failed", 7)
    assert second.text == "Premise: x\nHypothesis: z"
    for line, message in (
        ('"a","b",0.01,0.7', "line 4: no value in column 'original_output'; expected 9 values"),
        ('"a","b",0,1,1,0,1,2.5,"Failed"', "line 4: num_queries: found '2.5', expected a whole number"),
    ):
        short = tmp_path / "short.csv"
        short.write_text(path.read_text().replace("\n[[[[Hyp", " [[[[Hyp") + line + "\n")
        with pytest.raises(InputError, match=message):
            read_csv(short)


def test_long_texts_are_read(tmp_path):
    csv.field_size_limit(131_072)  # as in a new process
    text, header = "word " * 30_000, ",".join(COLUMNS)
    (tmp_path / "long.csv").write_text(f"{header}\n{text},{text}s,0,1,1,0,1,2,Successful\n")
    (own,) = read_csv(tmp_path / "long.csv")
    assert (own.clusters, own.edits, own.words) == (len(text), 1, 30_000)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--budget", "0"], "budget: found 0, expected at least 1"),
        (["--recipe", "deepwordbog"], "unknown recipe 'deepwordbog'; did you mean 'deepwordbug'"),
        (["--edits", "3"], "--edits does not go with recipe 'deepwordbug'; expected charmer"),
        (["--draws", "3"], "--draws does not go with recipe 'deepwordbug'; expected worst_of, greedy_operators"),
        (["--recipe", "charmer", "--edits", "0"], "--edits: found 0"),
        (["--recipe", "worst_of", "--operators", "swop"], "unknown perturbation 'swop'; did you mean 'swap'"),
        (["--recipe", "worst_of", "--operators", "negation"], "operator 'negation' may change the label"),
        (["--recipe", "worst_of", "--severity", "2"], "severity: found 2.0"),
        (["--recipe", "worst_of", "--draws", "0"], "found 0 draws"),
        (["--recipe", "worst_of", "--lexicon", "absent.txt"], "--lexicon absent.txt: none of the operators swap, "),
        (["--recipe", "worst_of", "--operators", "word_list", "--lexicon", "x"], "unknown perturbation"),
        (["--recipe", "textfooler", "--lexicon", "a{b}.txt"], "lexicon a{b}.txt: No such file"),
        (["--shift", "1"], "--shift goes with tasks of kind regression"),
        (["--field", "premise"], "unknown --field that may be edited"),
        (["--rows", "0"], "--rows: found 0"),
        (["--languages", "xx"], "unknown language of task"),
        (["--read", "x.csv"], "--checkpoint does not go with --read"),
        (["--languages", "de"], "--checkpoint absent: no such directory"),
        (["--config", "broken.py"], "attacks: expected a tuple of Attack"),
        (["--config", "unfit.py"], "attack 'mine': Beam takes words, Alphabet makes clusters"),
    ],
)
def test_what_does_not_fit_is_one_line(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.py").write_text("attacks = 3")
    (tmp_path / "unfit.py").write_text(
        "from itt_jax.attack import Attack\n"
        "from itt_jax.attack.candidates import Alphabet\n"
        "from itt_jax.attack.search.beam import Beam\n"
        'attacks = (Attack("mine", Beam(), Alphabet()),)\n'
    )
    assert attack("absent", "out", *arguments) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ") and err.count("\n") == 1 and message in " ".join(err.split()), err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_folder_of_something_else_is_refused(checkpoint, tmp_path, capsys):
    assert attack(checkpoint, tmp_path / "out", "--budget", 3) == 0
    assert attack(checkpoint, tmp_path / "out", "--budget", 4) == 2
    assert "holds another attack (attack differs)" in capsys.readouterr().err
    (tmp_path / "files").mkdir()
    (tmp_path / "files/x").write_text("")
    assert attack(checkpoint, tmp_path / "files") == 2
    assert "holds files, but no attack" in capsys.readouterr().err
    (tmp_path / "bad.csv").write_text("a,b\n1,2\n")
    assert main.main(["attack", "--read", str(tmp_path / "bad.csv")]) == 2
    assert "no column 'original_text'" in capsys.readouterr().err
