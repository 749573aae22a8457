"""Files of small benchmarks, written here, and the official mock data if present."""

import json
import pathlib
from collections.abc import Callable, Mapping

import pytest

from itt_jax.score import benchmarks

# Written for these tests: two languages, of which Spanish has two translations of some rows. A | is a tab.
SMALL = pathlib.Path(__file__).parent / "small_templates.txt"
PERFECT = {
    "xnli": ["neutral", "entailment", "contradiction"],
    "pawsx": ["0", "1", "1"],
    "tatoeba": ["4", "17", "2"],
    "xcopa": [0, 1, 1],
    "panx": [["B-PER", "I-PER", "O"], ["B-LOC"]],
    "udpos": [["NOUN", "X"], ["VERB", "PUNCT"]],
    "bucc2018": [("de-1", "en-7"), ("de-2", "en-9")],
    "spans": {"q1": "Paris", "q2": "1900"},
    "mewslix": {"m1": ["Q1"], "m2": ["Q2"]},
    "lareqa": {"l1": [], "l2": []},
}


def perfect(task: str):
    """Correct predictions for two or three items of a task (for LAReQA see `lareqa_gold`)."""
    return PERFECT["spans" if task in ("xquad", "mlqa", "tydiqa") else task]


def squad(questions: Mapping[str, str]) -> dict:
    """Questions with one answer each, in SQuAD's form, in paragraphs of two sentences."""
    paragraphs = [
        {
            "context": f"Nothing here. It was {answer}.",
            "sentence_breaks": [[0, 13], [14, 23 + len(answer)]],
            "qas": [{"id": id, "question": "What?", "answers": [{"text": answer, "answer_start": 21}]}],
        }
        for id, answer in questions.items()
    ]
    return {"data": [{"title": "t", "paragraphs": paragraphs}]}


@pytest.fixture
def folders(tmp_path) -> Callable[..., tuple[pathlib.Path, pathlib.Path]]:
    """A function of (benchmark, tasks) that writes perfect predictions and their labels."""
    from itt_jax.score import write_predictions

    def make(benchmark: str, *tasks: str) -> tuple[pathlib.Path, pathlib.Path]:
        predictions, labels = tmp_path / "predictions", tmp_path / "labels"
        for task in tasks:
            official = benchmarks.get(benchmark).tasks[task]
            for language in official.languages:
                gold = perfect(task)
                if official.format.name == "answers" or task == "lareqa":
                    path = labels / official.file(language)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(json.dumps(squad({"q1": "Paris", "q2": "1900"})), encoding="utf-8")
                else:
                    write_predictions(labels, benchmark, task, language, gold)
                if task == "lareqa":
                    ranked = [f"{code}_{{}}_1" for code in official.languages]
                    gold = {f"q{n}": [candidate.format(n) for candidate in ranked] for n in (1, 2)}
                write_predictions(predictions, benchmark, task, language, gold)
        return predictions, labels

    return make


@pytest.fixture(scope="session")
def mock_data(data_root) -> pathlib.Path:
    """XTREME's mock predictions and labels."""
    return data_root / "official" / "mock_test_data"


@pytest.fixture
def templates(tmp_path) -> pathlib.Path:
    """A file of MultiCheckList templates in the published form."""
    lines = SMALL.read_text(encoding="utf-8").rstrip().split("\n")
    rows = [(line.split("|") + [""] * 6)[:6] for line in lines]
    path = tmp_path / "templates.tsv"
    path.write_text("\n".join("\t".join(row) for row in rows), encoding="utf-8")
    return path
