"""`score` on the command line: text, JSON, questions, errors of one line."""

import json
import pathlib

import pytest

from itt_jax import main


def run(capsys, *arguments) -> tuple[int, str, str]:
    code = main.main(["score", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_text_and_json(capsys, folders):
    predictions, labels = folders("xtreme", "xnli", "udpos")
    arguments = ("--benchmark", "xtreme", "--predictions", predictions, "--labels", labels)
    code, text, _ = run(capsys, *arguments)
    assert code == 0 and "udpos: precision 100.00, recall 100.00, f1 100.00 (mean of 33 languages)" in text
    assert "entity F1 by the rules of seqeval-0.0.12" in text
    _, found, _ = run(capsys, *arguments, "--json", "--tagging", "seqeval")
    scores = json.loads(found)
    assert scores["languages"]["xnli"]["sw"] == {"accuracy": 100.0}
    assert scores["overall"] is None and any("rules of seqeval;" in note for note in scores["notes"])


@pytest.mark.slow
def test_multichecklist_is_written_answered_and_scored(capsys, templates, tmp_path):
    arguments = ("--benchmark", "multichecklist", "--labels", templates)
    code, out, _ = run(capsys, *arguments, "--write", tmp_path / "questions")
    assert code == 0 and out.splitlines() == [
        str(tmp_path / "questions" / f"test-{code}.json") for code in ("en", "es")
    ]
    for path in map(pathlib.Path, out.splitlines()):
        content = json.loads(path.read_text(encoding="utf-8"))
        asked = [q for article in content["data"] for paragraph in article["paragraphs"] for q in paragraph["qas"]]
        answers = {question["id"]: question["answers"][0]["text"] for question in asked}
        (tmp_path / path.name).write_text(json.dumps(answers), encoding="utf-8")
    code, out, _ = run(capsys, *arguments, "--predictions", tmp_path)
    assert code == 0 and "comparison: error_rate 0.00 (mean of 2 languages)" in out
    assert "multichecklist average: 0.00 = mean of comparison 0.00" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--benchmark", "xtreem", "--labels", "x", "--predictions", "y"), "did you mean 'xtreme'"),
        (("--benchmark", "xtreme", "--labels", "x"), "give their folder (--predictions)"),
        (("--benchmark", "xtreme", "--labels", "x", "--predictions", "nowhere"), "nowhere: no such folder"),
        (("--benchmark", "xtreme", "--labels", "x", "--write", "y"), "for multichecklist only"),
        (("--benchmark", "xtreme"), "--labels"),
    ],
)
def test_wrong_input_is_one_line(capsys, arguments, message):
    code, out, err = run(capsys, *arguments)
    assert code == 2 and not out and message in err and err.startswith("error: ") and err.count("\n") == 1
