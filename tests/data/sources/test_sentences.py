"""LAReQA's pool: every sentence a candidate, right ones in every language, as its published code finds them."""

import json

import pytest

from itt_jax.data.sources.sentences import sentence_pool
from itt_jax.errors import InputError
from itt_jax.score.lareqa import right_answers

BREAKS = [[0, 8], [9, 17], [18, 26]]


def write(path, context: str, starts: dict[str, int], breaks=BREAKS):
    questions = [
        {"id": id, "question": f"{id}?", "answers": [{"text": context[start : start + 3], "answer_start": start}]}
        for id, start in starts.items()
    ]
    paragraph = {"context": context, "qas": questions, "sentence_breaks": breaks}
    path.write_text(json.dumps({"data": [{"paragraphs": [paragraph]}]}))
    return path


def test_right_sentences_in_every_language(tmp_path):
    english = write(tmp_path / "en.json", "One two. One two. Sky red.", {"a": 2, "b": 20, "c": 8})
    german = write(tmp_path / "de.json", "Rot ist. Und eins. Zwei ab", {"a": 0, "b": 1, "c": 10})
    pool, queries = sentence_pool({"en": english, "de": german})
    assert pool.ids == ("en_1_0", "en_1_1", "en_1_2", "de_1_0", "de_1_1", "de_1_2")
    assert pool.languages == ("en",) * 3 + ("de",) * 3
    assert pool.fields["sentence"][:3] == ["One two.", "One two.", "Sky red."]
    assert [(query.id, query.right) for query in queries["en"]] == [("a", (0, 1, 3)), ("b", (2, 3))]
    assert [query.id for query in queries["de"]] == ["a", "b", "c"]
    assert queries["de"][2].right == (4,)


def test_other_files_are_refused(tmp_path):
    path = write(tmp_path / "en.json", "One two. One two. Sky red.", {}, [[0, 80]])
    with pytest.raises(InputError, match=r"en\.json, paragraph 1: sentence_breaks: expected pairs within the 26"):
        sentence_pool({"en": path})
    path.write_text('{"data": [{"paragraphs": [{"context": "a", "qas": []}]}]}')
    with pytest.raises(InputError, match="expected 'sentence_breaks'"):
        sentence_pool({"en": path})


def test_published_files(data_root, tmp_path):
    languages = ("ar", "de", "en", "es", "tr", "zh")
    pool, queries = sentence_pool({code: data_root / f"crosslingual/xquad_r/xquad-r/{code}.json" for code in languages})
    (tmp_path / "lareqa").symlink_to((data_root / "crosslingual/xquad_r/xquad-r").resolve())
    expected = right_answers(tmp_path, languages)
    assert {code: {query.id: [pool.ids[i] for i in query.right] for query in own} for code, own in queries.items()} == (
        expected
    )
