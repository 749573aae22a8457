"""Malformed files: a reader gives rows, or one InputError of one short line, within bounded time and memory."""

import dataclasses
import io
import json
import pathlib
import time
import tracemalloc
from collections.abc import Callable

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itt_jax import tasks
from itt_jax.data.rows import Rows
from itt_jax.data.sources import (
    LocalBitext,
    LocalFiles,
    LocalMentions,
    LocalSentences,
    LocalSquad,
    LocalXmi,
    Source,
    mentions,
    sentences,
)
from itt_jax.errors import InputError
from itt_jax.tasks import Task
from tests.data.sources.own_task import own_task

LONGEST_MESSAGE, SECONDS, BYTES = 2000, 10.0, 200_000_000

TABLE = 'text,label\n"He said ""no""",good\n"two\nlines",bad\nשלום \u2028,good\n'
SQUAD = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": "Oslo is cold. So is Rome?",
                    "sentence_breaks": [[0, 13], [14, 25]],
                    "qas": [{"id": "q", "question": "What?", "answers": [{"text": "Oslo", "answer_start": 0}]}],
                }
            ]
        }
    ]
}
MENTION = {
    "context": {"language": "en", "text": "He saw Oslo.", "sentence_spans": [{"start": 0, "end": 12}]},
    "mentions": [
        {"example_id": "m", "entity_id": "Q1", "mention_span": {"start": 7, "end": 11, "text": "Oslo"}},
    ],
}
ENTITY = {
    "entity_id": "Q1",
    "description": "A city.",
    "description_language": "en",
    "sentence_spans": [{"start": 0, "end": 7}],
}
XMI = (
    '<?xml version="1.0"?><x:XMI xmlns:x="x" xmlns:t="t" xmlns:c="c"><c:Sofa sofaString="Oslo 😀 ist"/>'
    '<t:Sentence begin="0" end="11"/><t:Token begin="0" end="4"/><t:Place begin="0" end="4"/></x:XMI>'
)


def _parquet() -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"text": ["one", "two"] * 20, "label": ["good", "bad"] * 20}), file)
    return file.getvalue()


def _files(format: str, **settings) -> Callable[[str], Source]:
    columns = {"columns": {"text": "text"}, "label": "label"} | settings
    return lambda path: LocalFiles({"test": path}, format, **columns)


def _tagged(source: Source) -> Task:
    labels = {"kind": "token_classification", "labels": ("O", "B-LOC", "I-LOC"), "metric": "entity_f1"}
    return own_task(source, **labels)


def _answered(source: Source) -> Task:
    more = {"kind": "question_answering", "fields": ("question", "context"), "labels": (), "metric": "squad_f1"}
    return own_task(source, **more)


def _pooled(field: str) -> Callable[[Source], Task]:
    return lambda source: own_task(source, kind="retrieval", fields=(field,), labels=(), metric="map_at_20")


# name -> (a well-formed file, its source, a task over it)
READERS: dict[str, tuple[bytes, Callable[[str], Source], Callable[[Source], Task]]] = {
    "csv": (TABLE.encode(), _files("csv"), own_task),
    "tsv": (b'text\tlabel\n"5 disk\tgood\n\nb\tbad\n', _files("tsv"), own_task),
    "quoted tsv": (TABLE.replace(",", "\t").encode(), _files("tsv", quoted=True), own_task),
    "utf-16 csv": (TABLE.encode("utf-16"), _files("csv", encoding="utf-16"), own_task),
    "jsonl": (b'{"text": "a", "label": "good"}\n{"text": "b \\u00e9", "label": "bad"}\n', _files("jsonl"), own_task),
    "parquet": (_parquet(), _files("parquet"), own_task),
    "label_text": (b"good a b\nbad c\n", _files("label_text", columns={"text": 1}, label=0), own_task),
    "conll": (
        "-DOCSTART- O\n\n# id = 1\nOslo B-LOC\n# O\n\n10\u00a0km O\n".encode(),
        _files("conll", columns={"text": 0}, label=1, scheme="iob1"),
        _tagged,
    ),
    "conll by tabs": (
        b"# label = good\n1\ta\tX\n2-3\tb\tX\n\n# label = bad\n1\tc\tX\n",
        _files("conll", columns={"text": 1}, label="label"),
        own_task,
    ),
    "table of tokens": (
        b'id,token,tag\n1,Oslo,B-LOC\n1,",",O\n2,"a ""b""",O\n,c,I-LOC\n',
        _files("conll", columns={"text": "token"}, label="tag", delimiter=",", sentence="id"),
        _tagged,
    ),
    "tokens of documents": (
        b"# newdoc id = 3\nOslo;B-LOC\n;O\na;O\n\n# newdoc\nb;O\n",
        _files("conll", columns={"text": 0}, label=1, delimiter=";", header=False, quoted=False, document="newdoc"),
        lambda source: dataclasses.replace(_tagged(source), documents=True),
    ),
    "squad": (json.dumps(SQUAD).encode(), lambda path: LocalSquad({"test": path}), _answered),
    "sentences": (json.dumps(SQUAD).encode(), lambda path: LocalSentences({"test": path}), _pooled("question")),
    "mentions": (
        json.dumps(MENTION | ENTITY).encode(),
        lambda path: LocalMentions({"test": path}, entities=path),
        _pooled("mention"),
    ),
    "bitext": (
        b"a\ta\nb\tb\n\n",
        lambda path: LocalBitext({"test": path}, {"test": path}, {"test": path}),
        _pooled("text"),
    ),
    "xmi": (XMI.encode(), lambda path: LocalXmi(str(pathlib.Path(path).parent), {"Place": "LOC"}), _tagged),
}

_LONG = [b"9" * 5000, b"[" * 20_000, b'{"a":' * 20_000, b"a" * 20_000, b" \n" * 5000]
_CHARACTERS = [bytes([byte]) for byte in b"\"'\n\r\t, \0\\{}[]:<>&#-;\x1c"]
_UNICODE = ["\ufeff".encode(), "\u2028".encode(), "\u00a0".encode(), "\u3000".encode(), "\x85".encode(), b"\xff\xfe"]
_WORDS = [
    b"text",
    b"label",
    b"good",
    b"null",
    b"true",
    b"NaN",
    b"-1",
    b"1e999",
    b"0.5",
    b"\r\n",
    b"\xed\xa0\x80",
    b"B-",
]
_PHRASES = [b"# label = x", b"-DOCSTART-", b'<!DOCTYPE a [<!ENTITY b "c">]>', b"&b;", b'"\\ud800"', b'"answers": []']
_MEMBERS = [b'"id": 1', b'"start": null', b'"start": -3', b'begin="-1"', b'end="99"']
PIECES = [*_LONG, *_CHARACTERS, *_UNICODE, *_WORDS, *_PHRASES, *_MEMBERS]
EDIT = st.tuples(
    st.sampled_from(["insert", "replace", "delete", "repeat", "cut"]),
    st.floats(0, 1),
    st.integers(1, 40),
    st.one_of(st.sampled_from(PIECES), st.binary(max_size=12)),
)


def _edited(content: bytes, edits: list) -> bytes:
    for how, where, length, piece in edits:
        at = int(where * len(content))
        old = content[at : at + length]
        new = {"insert": piece + old, "replace": piece, "delete": b"", "repeat": old * 2, "cut": b""}[how]
        content = content[:at] + new + (b"" if how == "cut" else content[at + length :])
    return content


def _rows(name: str, path: pathlib.Path) -> Rows:
    _, source, task = READERS[name]
    return tasks.load_rows(task(source(str(path))), "all" if name == "xmi" else "test", "en")


def _check(folder: pathlib.Path, name: str, content: bytes) -> None:
    path = folder / name.replace(" ", "_") / "rows.xml"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    for cached in (mentions._entities, sentences._pool):
        cached.cache_clear()
    begin = time.process_time()
    tracemalloc.start()
    try:
        rows = _rows(name, path)
        assert len(rows) and all(len(texts) == len(rows) for texts in rows.fields.values())
    except InputError as error:
        assert str(error) and len(str(error).splitlines()) == 1 and len(str(error)) <= LONGEST_MESSAGE, str(error)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert time.process_time() - begin < SECONDS
    assert peak < BYTES and pyarrow.default_memory_pool().max_memory() < BYTES


@pytest.mark.parametrize("name", READERS)
def test_well_formed_files_are_read(name, tmp_path):
    (tmp_path / "rows.xml").write_bytes(READERS[name][0])
    assert len(_rows(name, tmp_path / "rows.xml"))


def _fuzz(folder: pathlib.Path, name: str, examples: int) -> None:
    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(EDIT, min_size=1, max_size=4))
    def fuzz(edits):
        _check(folder, name, _edited(READERS[name][0], edits))

    fuzz()


@pytest.mark.parametrize("name", READERS)
def test_a_few_malformed_files(name, tmp_path):
    _fuzz(tmp_path, name, 8)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("name", READERS)
def test_a_thousand_malformed_files(name, tmp_path):
    _fuzz(tmp_path, name, 1 + 1000 // len(READERS))
