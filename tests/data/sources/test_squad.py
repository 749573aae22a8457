"""LocalSquad: questions with answers in files and on the hub, and pairs of question and sentence."""

import itertools
import json

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.answers import Answer
from itt_jax.data.sources import Hub, LocalFiles, LocalSquad
from itt_jax.data.sources.sentences import sentences
from itt_jax.data.sources.squad import sentence_breaks
from itt_jax.errors import InputError

FIELDS = ("question", "context")
CONTEXT = "Mr. A. Lee left Rome in 1990. He never came back! Did he?"


def task(source, fields=FIELDS, **more) -> tasks.Task:
    return tasks.Task("asked", "question_answering", fields, (source,), metric="squad_f1", **more)


@pytest.fixture
def squad(tmp_path):
    questions = [
        {"id": "a-1", "question": "When?", "answers": [{"text": "1990", "answer_start": 24}]},
        {"id": "a-2", "question": "Never?", "answers": [{"text": "came back", "answer_start": 39}]},
    ]
    paragraphs = [{"context": CONTEXT, "qas": questions}]
    (tmp_path / "train.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    for question in questions:
        question["answers"] = [{"text": "", "answer_start": 0}]
    (tmp_path / "test.json").write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return tmp_path


def test_rows_of_a_file(squad):
    source = LocalSquad({split: str(squad / f"{split}.json") for split in ("train", "test")})
    rows = tasks.load_rows(task(source), "train", "en")
    assert rows.item_ids.tolist() == ["asked/train/a-1", "asked/train/a-2"]
    assert rows.fields == {"question": ["When?", "Never?"], "context": [CONTEXT] * 2}
    assert rows.select(np.array([1])).labels.items == ((Answer(39, "came back"),),)
    assert tasks.load_rows(task(source), "test", "en").labels is None  # published without answers
    assert tasks.limit(rows, 1).labels.texts in ([["1990"]], [["came back"]])


def test_pairs_of_question_and_sentence(squad):
    source = LocalSquad({"train": str(squad / "train.json")}, sentences=True)
    pairs = tasks.Task(
        "pairs", "retrieval", ("question", "sentence", "context"), (source,), candidates=("sentence", "context")
    )
    rows = tasks.load_rows(pairs, "train", "en")
    assert rows.fields["sentence"] == ["Mr. A. Lee left Rome in 1990.", "He never came back!"]
    assert rows.labels.tolist() == [0, 1] and rows.pool is None


def test_sentences_of_xquad_r(data_root):
    """Our rule finds 98 % of the sentences that LAReQA's files give."""
    paragraphs = sentences(data_root / "crosslingual/xquad_r/xquad-r/en.json")
    given = sum(len(breaks) for _, breaks in paragraphs)
    found = sum(len(set(breaks) & set(sentence_breaks(context))) for context, breaks in paragraphs)
    assert found / given > 0.975
    for context, _ in paragraphs:
        parts = sentence_breaks(context)
        assert parts[0][0] == 0 and parts[-1][1] == len(context)
        assert all(
            stop <= start and not context[stop:start].strip() for (_, stop), (start, _) in itertools.pairwise(parts)
        )


def test_answers_of_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    rows = [
        {"id": f"{language}-{i}", "question": "When?", "context": CONTEXT, "answers": given}
        for language in ("english", "finnish")
        for i, given in enumerate(({"text": ["1990"], "answer_start": [24]}, {"text": ["Rome"], "answer_start": [16]}))
    ]
    (tmp_path / "set").mkdir(exist_ok=True)
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "set" / "train.parquet")
    columns = {name: name for name in FIELDS}
    splits, names = {"train": "train"}, {"en": "english", "fi": "finnish"}
    source = Hub(
        str(tmp_path / "set"),
        columns,
        label="answers",
        splits=splits,
        index="id",
        prefix="{language}-",
        languages=names,
    )
    wanted = task(source, languages=("en", "fi"))
    found = tasks.load_rows(wanted, "train", "fi")
    assert found.item_ids.tolist() == ["asked/train/fi-finnish-0", "asked/train/fi-finnish-1"]
    assert found.labels.texts == [["1990"], ["Rome"]]
    rows[3]["answers"] = {"text": ["Rome"], "answer_start": [17]}
    datasets.Dataset.from_list(rows).to_parquet(tmp_path / "set" / "train.parquet")
    with pytest.raises(InputError, match=r"row \d: answer 'Rome' at 17, where the context holds 'ome '"):
        tasks.load_rows(wanted, "train", "fi")
    other = LocalFiles({"train": "x.jsonl"}, "jsonl", columns, "answers")
    (tmp_path / "x.jsonl").write_text('{"question": "a", "context": "b", "answers": "b"}\n')
    with pytest.raises(InputError, match="no answers with positions"):
        tasks.load_rows(task(other), "train", "en", tmp_path)


def test_span_tasks_that_do_not_fit_are_one_line(squad):
    source = LocalSquad({"train": str(squad / "train.json")})
    with pytest.raises(InputError, match="question_answering has fields question, context"):
        task(source, ("context", "question"))
    with pytest.raises(InputError, match="metric of question_answering task 'asked': 'accuracy'"):
        tasks.Task("asked", "question_answering", FIELDS, (source,))


@pytest.mark.parametrize(
    ("name", "split", "language", "count"),
    [("xquad", "test", "ro", 1190), ("mlqa", "dev", "zh", 504), ("mlqa_english_question", "dev", "de", 512)],
)
def test_published_tasks(data_root, name, split, language, count):
    rows = tasks.load_rows(tasks.get(name), split, language, data_root)
    assert len(rows) == len(rows.labels) == count
    english = tasks.load_rows(tasks.get(name), split, "en", data_root)
    assert set(rows.item_ids) <= set(english.item_ids)


def test_tydiqa_s_parts(data_root):
    parts = [tasks.load_rows(tasks.get("tydiqa"), split, "en", data_root) for split in ("train", "dev", "test")]
    assert sum(map(len, parts)) == 3696 and len({item for part in parts for item in part.item_ids}) == 3696
