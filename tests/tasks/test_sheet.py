"""Validity sheets of a task, from the command line: written, judged, read."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from itt_jax import main, tasks
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.perturb.sheet import read_sheet, sampled
from itt_jax.ragged import Ragged
from itt_jax.tasks.sheet import judged_texts, task_sheet


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = main.main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(autouse=True)
def no_data(monkeypatch):
    monkeypatch.delenv("ITT_JAX_DATA", raising=False)


def test_written_judged_and_read(capsys, tmp_path):
    path = tmp_path / "sheet.csv"
    arguments = ["perturb", "--sheet", str(path), "--task", "embedded_inference_medical", "--rows", "24"]
    arguments += ["--names", "swap", "delete", "--languages", "en", "de", "--severity", "0.5", "--seed", "7"]
    code, out, _ = run(capsys, *arguments)
    assert code == 0 and "24 rows, 2 operators, 2 languages" in out and "verdict" in out
    lines = read_sheet(path)
    rows = tasks.load_rows(tasks.get("embedded_inference_medical"), "test", "de")
    for one in lines:
        if one.language == "de":
            place = rows.item_ids.tolist().index(one.item)
            assert one.clean == "\n".join(f"{name}: {texts[place]}" for name, texts in rows.fields.items())
            assert one.label == ("entailment", "neutral", "contradiction")[rows.labels[place]]
    assert main.main(arguments) == 0  # nothing is judged yet
    capsys.readouterr()
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *cells = csv.reader(file)
    for row in cells[:6]:
        row[-1] = "valid" if row[2] == "swap" else "invalid"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *cells])
    code, out, _ = run(capsys, "perturb", "--read-sheet", str(path), "--json")
    counts = {(one["operator"], one["language"]): one for one in json.loads(out)}
    assert code == 0 and set(counts) == {(name, at) for name in ("swap", "delete") for at in ("all", "en", "de")}
    assert counts["swap", "all"]["share"] == 1 and counts["delete", "all"]["share"] == 0
    assert counts["swap", "all"]["unjudged"] + counts["delete", "all"]["unjudged"] == 18
    code, out, _ = run(capsys, "perturb", "--read-sheet", str(path))
    assert code == 0 and "1.00 [0.44, 1.00]" in out and "0.00 [0.00, 0.56]" in out
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "") and "contains 6 verdicts" in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sheet", "s.csv"], "required: --task"),
        (["--sheet", "s.csv", "--task", "xnly"], "did you mean 'xnli'"),
        (["--sheet", "s.csv", "--task", "embedded_inference_legal", "--languages", "xx"], "unknown language of task"),
        (["--sheet", "s.csv", "--task", "embedded_inference_legal", "--names", "swp"], "did you mean 'swap'"),
        (["--sheet", "s.csv", "--task", "embedded_inference_legal", "--rows", "0"], "rows: found 0"),
        (["--sheet", "s.csv", "--task", "embedded_inference_legal", "--split", "tset"], "tset"),
        (["--sheet", "s.csv", "--task", "embedded_inference_legal", "--in", "x"], "--in does not go with --sheet"),
        (["--read-sheet", "s.csv"], "s.csv: no such file"),
        (["--read-sheet", "s.csv", "--seed", "1"], "--seed does not go with --read-sheet"),
        (["--name", "swap", "--severity", "0.1"], "required: --language"),
        (["--name", "swap", "--severity", "0.1", "--language", "en", "--rows", "3"], "--rows does not go with --name"),
        (["--name", "swap", "--severity", "0.1", "--language", "en", "--lexicon", "x"], "does not use a lexicon"),
        (["--name", "swap+swop", "--severity", "0.1", "--language", "en"], "did you mean 'swap'"),
    ],
)
def test_wrong_input_is_one_line_and_code_2(capsys, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "perturb", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert message in err
    assert list(tmp_path.iterdir()) == []


def test_lexicons_and_composed_operators_on_the_command_line(capsys, tmp_path):
    source, lexicon = tmp_path / "in.txt", tmp_path / "negations.tsv"
    source.write_text("It is never late.\n", encoding="utf-8")
    lexicon.write_text("is\tisn't\nnever\talways\n", encoding="utf-8")
    out = tmp_path / "out.txt"
    arguments = ["--severity", "1", "--language", "en", "--in", str(source), "--out", str(out)]
    assert main.main(["perturb", "--name", "negation", *arguments, "--lexicon", str(lexicon)]) == 0
    assert out.read_text() in ("It isn't never late.\n", "It is always late.\n")
    assert main.main(["perturb", "--name", "word_duplicate+tautology", *arguments]) == 0
    assert out.read_text() == "It It is is never never late late and true is true.\n"


def rows_with(labels, **fields: list[str]) -> Rows:
    return Rows("t", "test", "en", "general", np.array(["t/test/0", "t/test/1"], dtype=object), fields, labels)


def test_labels_in_words():
    texts = {"text": ["Anna lives in Rome .", "Nobody does ."]}
    panx = tasks.get("panx")
    tags = Ragged.of(
        [[panx.labels.index(tag) for tag in row.split()] for row in ("B-PER O O B-LOC O", "O O O")], np.int32
    )
    assert judged_texts(panx, rows_with(tags, **texts)).labels == ["Anna/B-PER Rome/B-LOC", ""]
    assert judged_texts(tasks.get("sst2"), rows_with(np.array([0, 1]), **texts)).labels == ["negative", "positive"]
    assert judged_texts(tasks.get("stsb"), rows_with(np.array([0.5, 5], np.float32), **texts)).labels == ["0.5", "5"]
    with pytest.raises(InputError, match="no labels to judge by"):
        judged_texts(panx, rows_with(None, **texts))


def test_answers_are_shown_and_protected():
    contexts = ["Anna lives in Rome.", "The sky is blue today."]
    answers = Answers(((Answer(14, "Rome"), Answer(14, "Rome")), (Answer(11, "blue"), Answer(4, "sky"))))
    rows = rows_with(answers, question=["Where does she live?", "Which colour?"], context=contexts)
    task = dataclasses.replace(tasks.get("xquad"), editable=("context",))
    texts = judged_texts(task, rows)
    assert texts.labels == ["Rome", "blue | sky"]
    assert set(texts.editable) == {"context"}
    for one in sampled([texts], ["delete", "distractor"], 1.0, 9):
        question, context = one.perturbed.split("\n")
        assert question == one.clean.split("\n")[0]
        assert all(answer in context for answer in one.label.split(" | "))


@pytest.mark.slow
def test_real_rows(data_root, tmp_path):
    lines = task_sheet(tmp_path / "s.csv", "xnli", rows=100, data_root=data_root, severity=0.3)
    assert len(lines) == 100
    assert len({one.language for one in lines}) == 15
    assert read_sheet(tmp_path / "s.csv") == lines


def test_a_sheet_of_a_task_of_a_config(capsys, tmp_path):
    about = "t = get('embedded_inference_medical')"
    own = "(replace(t, name='mine', languages=('en',)),)"
    (tmp_path / "own.py").write_text(
        f"from dataclasses import replace\nfrom itt_jax.tasks import get\n{about}\ntasks = {own}\n"
    )
    arguments = ["perturb", "--sheet", str(tmp_path / "sheet.csv"), "--task", "mine", "--rows", "4", "--names", "swap"]
    assert main.main([*arguments, "--config", str(tmp_path / "own.py")]) == 0
    assert {one.item.partition("/")[0] for one in read_sheet(tmp_path / "sheet.csv")} == {"mine"}
    code, _, err = run(capsys, *arguments[:2], str(tmp_path / "other.csv"), *arguments[3:])
    assert code == 2 and "unknown task 'mine'" in err
