"""Scores of folders: official figures, averages and their tasks, errors."""

import json
import shutil

import pytest

from itt_jax.errors import InputError
from itt_jax.score import BENCHMARKS, score, write_predictions
from itt_jax.score.formats import FORMATS

# What XTREME's own `evaluate_test.py` expects of its mock data. From Python 3.12 on, `sum` may give another last digit.
EXPECTED = {
    "pawsx": {"accuracy": 51.42857142857143},
    "xnli": {"accuracy": 30.666666666666668},
    "panx": {"f1": 57.50793650793652, "precision": 54.729166666666664, "recall": 62.750000000000014},
    "udpos": {"f1": 70.21746048354693, "precision": 71.02232625883823, "recall": 69.54982073976082},
    "bucc2018": {"f1": 55.0, "precision": 55.0, "recall": 55.0},
    "tatoeba": {"accuracy": 53.611111111111114},
    "xquad": {"exact_match": 77.27272727272727, "f1": 79.9586776859504},
    "mlqa": {"exact_match": 57.142857142857146, "f1": 81.76870748299321},
    "tydiqa": {"exact_match": 88.88888888888889, "f1": 97.22222222222223},
}
EXACTLY = {"rel": 1e-14, "abs": 0}
XTREME_R = tuple(BENCHMARKS["xtreme-r"].tasks)


def test_official_mock_data_of_xtreme(mock_data):
    scores = score("xtreme", mock_data / "predictions", mock_data / "labels")
    assert set(scores.tasks) == set(EXPECTED)
    for task, expected in EXPECTED.items():
        assert scores.tasks[task] == pytest.approx(expected, **EXACTLY), task
    assert scores.absent == ()
    assert set(scores.overall.of) == set(EXPECTED)
    qa = [(EXPECTED[task]["exact_match"] + EXPECTED[task]["f1"]) / 2 for task in ("xquad", "mlqa", "tydiqa")]
    assert scores.groups["qa"].value == pytest.approx(sum(qa) / 3)
    assert scores.overall.value == pytest.approx(
        (
            sum(qa)
            + 51.42857142857143
            + 30.666666666666668
            + 57.50793650793652
            + 70.21746048354693
            + 55
            + 53.611111111111114
        )
        / 9
    )


def test_official_mock_data_by_current_seqeval(mock_data):
    scores = score("xtreme", mock_data / "predictions", mock_data / "labels", tagging="seqeval")
    assert scores.tasks["udpos"]["f1"] == pytest.approx(70.3981, abs=5e-5)
    assert scores.tasks["panx"] == pytest.approx(EXPECTED["panx"], **EXACTLY)
    assert any("seqeval;" in note for note in scores.notes)


def test_official_mock_data_of_xtreme_r(mock_data, tmp_path):
    """The mock data has the languages of XTREME, so only tasks that XTREME-R did not extend can be scored."""
    for side in ("predictions", "labels"):
        for task in ("mewslix", "xnli", "mlqa", "tydiqa"):
            shutil.copytree(mock_data / side / task, tmp_path / side / task)
    scores = score("xtreme-r", tmp_path / "predictions", tmp_path / "labels")
    assert scores.tasks["mewslix"] == pytest.approx({"map@20": 14.39025156130419}, **EXACTLY)
    for task in ("xnli", "mlqa", "tydiqa"):
        assert scores.tasks[task] == pytest.approx(EXPECTED[task], **EXACTLY)
    assert scores.overall is None and scores.groups == {}
    assert set(scores.absent) == set(XTREME_R) - set(scores.tasks)


@pytest.mark.parametrize("benchmark", ["xtreme", "xtreme-r"])
def test_perfect_predictions_score_100_everywhere(folders, benchmark):
    tasks = tuple(BENCHMARKS[benchmark].tasks)
    scores = score(benchmark, *folders(benchmark, *tasks))
    assert set(scores.figures) == set(tasks) and set(scores.figures.values()) == {100.0}
    assert scores.overall.value == 100.0 and set(scores.overall.of) == set(tasks)
    assert {group.value for group in scores.groups.values()} == {100.0}
    for task, official in BENCHMARKS[benchmark].tasks.items():
        assert tuple(scores.languages[task]) == official.languages


def test_the_average_of_xtreme_r_counts_xcopa_once_and_notes_that_lareqa_is_missing(folders):
    predictions, labels = folders("xtreme-r", *(task for task in XTREME_R if task != "lareqa"))
    for language in BENCHMARKS["xtreme-r"].tasks["xcopa"].languages:
        write_predictions(predictions, "xtreme-r", "xcopa", language, [1, 0, 1])
    scores = score("xtreme-r", predictions, labels)
    third = 100 / 3
    assert scores.overall.value == pytest.approx((8 * 100 + third) / 9)
    assert len(scores.overall.of) == 9 and "lareqa" not in scores.overall.of
    assert scores.groups["classification"].of == pytest.approx({"xnli": 100.0, "xcopa": third})
    assert scores.groups["multi_choice"].of == pytest.approx({"xcopa": third})
    assert set(scores.groups["retrieval"].of) == {"tatoeba", "mewslix"}
    assert scores.absent == ("lareqa",)
    assert any(note.startswith("lareqa is left out") for note in scores.notes)


def test_lareqa_searches_the_candidates_of_all_languages(folders):
    predictions, labels = folders("xtreme-r", "lareqa")
    # The right English sentence first, then a wrong one, then those of the other ten languages.
    languages = BENCHMARKS["xtreme-r"].tasks["lareqa"].languages
    others = [code for code in languages if code != "en"]
    ranking = {f"q{n}": [f"en_{n}_1", f"en_{n}_0", *(f"{code}_{n}_1" for code in others)] for n in (1, 2)}
    write_predictions(predictions, "xtreme-r", "lareqa", "de", ranking)
    found = score("xtreme-r", predictions, labels).languages["lareqa"]
    expected = 100 * (1 + sum(i / (i + 1) for i in range(2, 12))) / 11
    assert found["de"]["map@20"] == pytest.approx(expected)
    assert found["th"]["map@20"] == 100.0


def test_missing_answers_score_0_and_are_counted(folders):
    predictions, labels = folders("xtreme", "xquad")
    write_predictions(predictions, "xtreme", "xquad", "de", {"q1": "the paris"})
    scores = score("xtreme", predictions, labels)
    assert scores.languages["xquad"]["de"] == {"exact_match": 50.0, "f1": 50.0}
    assert "xquad: 1 items have no prediction and score 0" in scores.notes


def test_question_answering_enters_averages_as_the_mean_of_exact_match_and_f1(folders):
    predictions, labels = folders("xtreme", "tydiqa")
    for language in BENCHMARKS["xtreme"].tasks["tydiqa"].languages:
        write_predictions(predictions, "xtreme", "tydiqa", language, {"q1": "Paris", "q2": "in 1900 or"})
    scores = score("xtreme", predictions, labels)
    assert scores.tasks["tydiqa"] == pytest.approx({"exact_match": 50.0, "f1": 75.0})
    assert scores.figures["tydiqa"] == pytest.approx(62.5)


def test_absent_tasks_and_strange_folders_are_reported(folders):
    predictions, labels = folders("xtreme", "xnli", "pawsx", "panx")
    shutil.rmtree(labels / "pawsx")
    (predictions / "tatoba").mkdir()
    scores = score("xtreme", predictions, labels)
    assert set(scores.tasks) == {"xnli", "panx"} and "pawsx" in scores.absent
    assert "pawsx: has predictions but no labels; not scored" in scores.notes
    assert "folder 'tatoba' is not a task of xtreme; did you mean 'tatoeba'?" in scores.notes
    assert scores.overall is None and not scores.groups


def test_text_and_json_hold_the_figures(folders):
    scores = score("xtreme", *folders("xtreme", "xnli", "pawsx"))
    assert json.loads(json.dumps(scores.as_dict()))["figures"] == {"pawsx": 100.0, "xnli": 100.0}
    text = scores.text()
    assert "xnli: accuracy 100.00 (mean of 15 languages)" in text
    assert "classification: 100.00 = mean of pawsx 100.00, xnli 100.00" in text
    assert all(len(line) <= 120 for line in text.splitlines() if not line.startswith(("note", "absent")))


def _write(path, text):
    path.write_text(text, encoding="utf-8")


BAD = {
    "a language is missing": (
        lambda p, q: (p / "xnli/test-sw.tsv").unlink(),
        r"predictions/xnli/test-sw.tsv: no such file; xnli is scored on all of its languages: ar bg",
    ),
    "a label is missing": (
        lambda p, q: _write(p / "xnli/test-de.tsv", "neutral\nneutral\n"),
        r"xnli/test-de.tsv: found 2 labels, expected 3",
    ),
    "a label is misspelt": (
        lambda p, q: _write(p / "xnli/test-de.tsv", "neutral\nentailmnt\nneutral\n"),
        r"xnli/test-de.tsv, line 2: unknown label 'entailmnt'; did you mean 'entailment'",
    ),
    "a tag is missing": (
        lambda p, q: _write(p / "panx/test-hu.tsv", "B-PER\nI-PER\n\nB-LOC\n"),
        r"panx/test-hu.tsv: sentence 1: found 2 predicted tags, expected 3",
    ),
    "no JSON": (
        lambda p, q: _write(p / "xquad/test-el.json", '{\n"q1": "Paris",\n}'),
        r"xquad/test-el.json, line [23]: not JSON",
    ),
    "an answer is no text": (
        lambda p, q: _write(p / "xquad/test-el.json", '{"q1": null}'),
        r"xquad/test-el.json: 'q1': expected a string, found NoneType",
    ),
    "an id twice": (
        lambda p, q: _write(p / "xquad/test-el.json", '{"q1": "a", "q2": "b", "q1": "c"}'),
        r"xquad/test-el.json: 'q1' occurs twice",
    ),
    "an id twice in the labels": (
        lambda p, q: _write(q / "xquad/test-el.json", (q / "xquad/test-el.json").read_text().replace("q2", "q1")),
        r"labels/xquad/test-el.json: question id 'q1' occurs twice",
    ),
    "ranked ids that are no text": (
        lambda p, q: _write(p / "mewslix/test-ja.json", '{"m1": ["Q1", ["Q2"]]}'),
        r"mewslix/test-ja.json: 'm1': expected a list of ids, found \['Q2'\] in it",
    ),
    "right ids in another form": (
        lambda p, q: _write(q / "mewslix/test-ja.json", '{"m1": [], "m2": ["Q2"]}'),
        r"labels/mewslix/test-ja.json: 'm1' has no right id",
    ),
    "labels in another form": (
        lambda p, q: _write(q / "xquad/test-el.json", '{"data": [{"context": "x"}]}'),
        r"labels/xquad/test-el.json: not SQuAD's form",
    ),
    "pairs without a tab": (
        lambda p, q: _write(p / "bucc2018/test-fr.tsv", "fr-1\ten-1\nfr-2 en-2\n"),
        r"bucc2018/test-fr.tsv, line 2: expected two ids with a tab between",
    ),
    "no text": (
        lambda p, q: (p / "xnli/test-de.tsv").write_bytes(b"\xff\xfe"),
        r"xnli/test-de.tsv, line 1: not valid utf-8",
    ),
    "a byte order mark between two files that were joined": (
        lambda p, q: _write(p / "panx/test-de.tsv", "O\nO\n\n\ufeffB-PER\n\n"),
        r"panx/test-de.tsv, line 4: a byte order mark within the file; remove it \(were files joined\?\)",
    ),
    "empty": (
        lambda p, q: [_write(folder / "xnli/test-de.tsv", "") for folder in (p, q)],
        r"xnli/test-de.tsv: nothing to score",
    ),
}


CONTENT = {
    "labels": "B-LOC\nO\n",
    "choices": '{"label": 1}\n{"label": 0}\n',
    "label_sets": '["B-LOC"]\n[]\n',
    "tags": "B-LOC\nI-LOC\n\nO\n",
    "answers": '{"q": "B-LOC"}\n',
    "pairs": "fr-1\ten-1\n",
    "rankings": '{"q": ["a", "b"]}\n',
}


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_a_byte_order_mark_is_no_prediction(form, tmp_path):
    path = tmp_path / "file"
    _write(path, CONTENT[form.name])
    plain = form.read(path, ())
    _write(path, "\ufeff" + CONTENT[form.name])
    assert form.read(path, ()) == plain
    _write(path, "\ufeff" + CONTENT[form.name].replace("\n", "\r\n"))
    assert form.read(path, ()) == plain


def test_a_byte_order_mark_costs_no_entity(folders):
    predictions, labels = folders("xtreme", "panx")
    for path in predictions.rglob("*.tsv"):
        _write(path, "\ufeff" + path.read_text(encoding="utf-8"))
    assert score("xtreme", predictions, labels).tasks["panx"]["f1"] == 100


@pytest.mark.parametrize("wrong", BAD)
def test_wrong_files_are_named(folders, wrong):
    spoil, message = BAD[wrong]
    predictions, labels = folders("xtreme", "xnli", "panx", "xquad", "bucc2018")
    folders("xtreme-r", "mewslix")
    spoil(predictions, labels)
    with pytest.raises(InputError, match=message):
        score("xtreme", predictions, labels)
        # Mewsli-X belongs to the other benchmark, whose further languages are not written here.
        shutil.rmtree(predictions / "panx")
        shutil.rmtree(predictions / "xquad")
        score("xtreme-r", predictions, labels)


@pytest.mark.parametrize(
    ("line", "message"),
    [("not json", "line 2: expected a JSON object"), ('{"label": 2}', "line 2: unknown label 2"), ("[1]", "line 2")],
)
def test_wrong_choices_are_named(folders, line, message):
    predictions, labels = folders("xtreme-r", "xcopa")
    _write(predictions / "xcopa/test-qu.jsonl", f'{{"label": 0}}\n{line}\n{{"label": 1}}\n')
    with pytest.raises(InputError, match=f"xcopa/test-qu.jsonl, {message}"):
        score("xtreme-r", predictions, labels)


def test_lareqa_needs_sentence_breaks(folders):
    predictions, labels = folders("xtreme-r", "lareqa")
    path = labels / "lareqa/test-hi.json"
    content = json.loads(path.read_text())
    del content["data"][0]["paragraphs"][1]["sentence_breaks"]
    _write(path, json.dumps(content))
    with pytest.raises(InputError, match=r"test-hi.json: paragraph 2 has no sentence_breaks"):
        score("xtreme-r", predictions, labels)
    content["data"][0]["paragraphs"][1]["sentence_breaks"] = [3]
    _write(path, json.dumps(content))
    with pytest.raises(InputError, match=r"test-hi.json: paragraph 2 is not XQuAD-R's"):
        score("xtreme-r", predictions, labels)
    path.unlink()
    with pytest.raises(InputError, match=r"lareqa/hi.json: no such file"):
        score("xtreme-r", predictions, labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xtremer", "p", "l"), "unknown benchmark 'xtremer'; did you mean 'xtreme-r'"),
        (("xtreme", None, "l"), "no predictions to score"),
        (("xtreme", "nowhere", "l"), "nowhere: no such folder"),
        (("xtreme", ".", ".", "seqeval-2"), "did you mean 'seqeval'"),
        (("xtreme", ".", "."), "holds no task of xtreme that has labels"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message):
        score(*arguments)
