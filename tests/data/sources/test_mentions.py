"""Mewsli-X's files: queries, candidates and pairs as XTREME-R's code makes them."""

import json

import pytest

from itt_jax import tasks
from itt_jax.data.sources import LocalMentions
from itt_jax.errors import InputError

TEXT = "It rained. The verdict came back for Smith, who {left} late.\nNo one spoke."
SPANS = [{"start": 0, "end": 10}, {"start": 11, "end": 61}, {"start": 62, "end": 76}]


def mention(start: int, text: str, entity: str = "Q2", id: str = "m1") -> dict:
    return {
        "example_id": id,
        "mention_span": {"start": start, "end": start + len(text), "text": text},
        "entity_id": entity,
    }


def context(language: str = "en") -> dict:
    return {"language": language, "text": TEXT, "sentence_spans": SPANS}


def entity(id: str, text: str) -> dict:
    spans = [{"start": 0, "end": text.index(".") + 1}]
    return {"entity_id": id, "description": text, "sentence_spans": spans, "description_language": "de"}


def write(path, records: list) -> str:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return str(path)


@pytest.fixture
def source(tmp_path):
    entities = [entity("Q1", "Ein  Ort\nam Meer. Mehr."), entity("Q2", "Ein Mann.")]
    records = [
        {"context": context(), "mentions": [mention(37, "Smith"), mention(3, "rained", "Q1", "m2")]},
        {"context": context("ja"), "mentions": [mention(37, "Smith", "Q1", "m3")]},
    ]
    write(tmp_path / "candidates.jsonl", entities)
    return LocalMentions({"test": write(tmp_path / "mentions.jsonl", records)}, str(tmp_path / "candidates.jsonl"))


def mewslix(source, **more) -> tasks.Task:
    options = {"fields": ("mention",), "metric": "mrr_at_20", "languages": ("en", "ja")} | more
    return tasks.Task("mentions", "retrieval", sources=(source,), **options)


def test_mentions_and_entities(source):
    rows = tasks.load_rows(mewslix(source), "test", "en")
    assert rows.fields["mention"] == [
        "Smith: The verdict came back for { Smith } , who (left) late.",
        "rained: It { rained } .",
    ]
    assert rows.item_ids.tolist() == ["mentions/test/en-m1", "mentions/test/en-m2"]
    assert rows.pool.fields["entity"] == ["Ein Ort am Meer.", "Ein Mann."]
    assert [own.tolist() for own in rows.labels.arrays()] == [[1], [0]]
    assert tasks.load_rows(mewslix(source), "test", "ja").labels.values.tolist() == [0]


def test_pairs(tmp_path):
    record = {
        "contextual_mention": {"context": context(), "mention": mention(37, "Smith")},
        "entity": entity("Q2", "Ein."),
    }
    source = LocalMentions({"train": write(tmp_path / "pairs.jsonl", [record])})
    task = mewslix(source, fields=("mention", "entity"), metric="accuracy", candidates=("entity",), languages=("en",))
    rows = tasks.load_rows(task, "train", "en")
    assert rows.fields["entity"] == ["Ein."] and rows.labels.tolist() == [0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (mention(36, "Smith"), "line 1: mention 'Smith' at 36 to 41, where the text holds ' Smit'"),
        (mention(5, TEXT[5:20]), "is not inside one sentence"),
        (mention(37, "Smith", "Q9"), "entity 'Q9' is not among the candidates"),
    ],
)
def test_wrong_mentions_are_named(source, tmp_path, wrong, message):
    write(tmp_path / "mentions.jsonl", [{"context": context(), "mentions": [wrong]}])
    with pytest.raises(InputError, match=message):
        tasks.load_rows(mewslix(source), "test", "en")
