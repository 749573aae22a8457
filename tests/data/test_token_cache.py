"""Examples kept in files equal those made, and nothing else or half-written is ever found under a key."""

import dataclasses
import hashlib
import json
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from itt_jax import files, kinds, tasks
from itt_jax.data import packing, token_cache
from itt_jax.data.answers import Answer, Answers
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.token_cache import cached, examples_key
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.windows import Windows
from itt_jax.models import make_encoder, make_head
from itt_jax.ragged import Ragged
from itt_jax.tasks.inputs import kept_examples
from itt_jax.train.jobs import TaskData

LENGTH = 90
TEXTS = ["The sky is blue today", "a very long tale, told by an idiot", "to be", "so it goes", "x"]
KINDS = {
    "classification": "xnli",
    "multilabel": "multi_eurlex",
    "regression": "stsb",
    "token_classification": "panx",
    "question_answering": "xquad",
    "multiple_choice": "xcopa",
    "retrieval": "squad_sentences",
}
# Digests of what `Kind.encode` gives, with token_cache.VERSION: a deliberate change must raise the version.
GOLDEN = {
    "classification": (5, "ff8ca9268ee07427"),
    "multilabel": (5, "56a13947d0af8385"),
    "regression": (5, "a9c221864a4651c3"),
    "token_classification": (5, "e854cd403e1c0406"),
    "question_answering": (5, "51b04623aaf72d0d"),
    "multiple_choice": (5, "303544398e5421c3"),
    "retrieval": (5, "e8d9fa750de04d0f"),
}


@pytest.fixture(scope="module")
def tokenizer():
    letters = "abcdefghijklmnopqrstuvwxyz"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", *letters, *(f"##{letter}" for letter in letters)]
    return Tokenizer({"vocab.txt": "\n".join([*pieces, "the", "sky", "##le", "so"]).encode()})


def material(kind: str) -> tuple[tasks.Task, Rows]:
    """A task of the catalogue and rows of its form."""
    task = tasks.get(KINDS[kind])
    n = len(TEXTS)
    fields = {name: TEXTS[i:] + TEXTS[:i] for i, name in enumerate(task.fields)}
    labels = {
        "classification": np.arange(n, dtype=np.int32) % 2,
        "multilabel": np.eye(n, max(2, len(task.labels)), dtype=bool),
        "regression": np.linspace(0, 5, n).astype(np.float32),
        "token_classification": Ragged.of([range(len(text.split(" "))) for text in fields[task.fields[0]]], np.int32),
        "question_answering": Answers(tuple((Answer(0, fields[task.fields[-1]][i][:2].strip()),) for i in range(n))),
        "multiple_choice": np.arange(n, dtype=np.int32) % 2,
        "retrieval": None,
    }[kind]
    ids = np.array([f"{task.name}/test/{i}" for i in range(n)])
    return task, Rows(task.name, "test", "en", "general", ids, fields, labels)


def arrays(value, path=""):
    """Name and value of every array, and of everything else, in a tree of dataclasses."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from arrays(getattr(value, field.name), f"{path}.{field.name}")
    else:
        yield path, value


def assert_same(one, other):
    for (name, a), (_, b) in zip(arrays(one), arrays(other), strict=True):
        assert type(a) is type(b), name
        if isinstance(a, np.ndarray):
            assert a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b), name
        else:
            assert a == b, name


@pytest.mark.parametrize("kind", KINDS)
def test_examples_of_every_kind_come_back_mapped(tmp_path, tokenizer, kind):
    task, rows = material(kind)
    made = kinds.kind(task.kind).encode(task, tokenizer, rows, LENGTH)
    calls = []
    for _ in range(2):
        found = cached(tmp_path, "key", lambda: calls.append(1) or made)
        assert_same(found, made)
        for name, array in arrays(found):
            assert not isinstance(array, np.ndarray) or (not array.flags.writeable and type(array) is np.ndarray), name
    assert len(calls) == 1
    assert sorted(os.listdir(tmp_path)) == ["key"]


def test_rows_of_a_task_are_tokenised_once(tmp_path, tokenizer, monkeypatch):
    task, rows = material("multiple_choice")
    made = kept_examples(tmp_path, task, tokenizer, rows, LENGTH)
    assert_same(made, kinds.kind(task.kind).encode(task, tokenizer, rows, LENGTH))
    other = dataclasses.replace(task, labels=task.labels[::-1])
    assert not np.array_equal(kept_examples(tmp_path, other, tokenizer, rows, LENGTH).ids, made.ids)
    monkeypatch.setattr(Tokenizer, "encode", None)
    assert_same(kept_examples(tmp_path, task, tokenizer, rows, LENGTH), made)


@pytest.mark.parametrize("kind", KINDS)
def test_examples_belong_to_this_version(tokenizer, kind):
    found = hashlib.sha256()
    task, rows = material(kind)
    for name, array in arrays(kinds.kind(task.kind).encode(task, tokenizer, rows, LENGTH)):
        found.update(f"{name} {getattr(array, 'dtype', array)}".encode())
        found.update(np.ascontiguousarray(array).tobytes() if isinstance(array, np.ndarray) else b"")
    assert GOLDEN[kind] == (token_cache.VERSION, found.hexdigest()[:16])


def assert_same_batch(one, other):
    for part, expected in zip(one, other, strict=True):
        assert part.keys() == expected.keys() and all(np.array_equal(part[name], expected[name]) for name in part)


def test_mapped_examples_pack_stream_and_have_the_same_digest(tmp_path, tokenizer):
    task, rows = material("classification")
    made = kinds.kind(task.kind).encode(task, tokenizer, rows, LENGTH)
    found = cached(tmp_path, "key", lambda: made)
    head = make_head(make_encoder("bert", layers=1, width=8, heads=1, vocabulary_size=99), "classification", 2)
    one, other = (TaskData(task.name, head, examples, kinds.kind(task.kind), 2) for examples in (found, made))
    assert one.digest() == other.digest()
    plan = packing.plan_rows(made.lengths, 3, LENGTH)
    pairs = [
        (packing.pack_step(own, [4, 0, 2], plan, 3), packing.pad_step(own, [1, 3], LENGTH, 3)) for own in (found, made)
    ]
    for one, other in zip(*pairs, strict=True):
        assert_same_batch(one, other)
    for (at, one), (_, other) in zip(
        packing.stream(found, 2, LENGTH, 4), packing.stream(made, 2, LENGTH, 4), strict=True
    ):
        assert len(at)
        assert_same_batch(one, other)


def test_no_examples(tmp_path, tokenizer):
    nothing = Ragged(np.zeros(0, np.int32), np.zeros(1, np.int64))
    for _ in range(2):
        assert_same(cached(tmp_path, "key", lambda: nothing), nothing)


def test_values_of_other_types(tmp_path, monkeypatch):
    @dataclasses.dataclass(frozen=True)
    class Own:
        tokens: Ragged
        name: str
        share: float

    monkeypatch.setattr(token_cache, "TYPES", (*token_cache.TYPES, Own))
    own = Own(Ragged(np.arange(3, dtype=np.int32), np.array([0, 3])), "de", 0.5)
    for _ in range(2):
        assert_same(cached(tmp_path, "key", lambda: own), own)
    with pytest.raises(TypeError, match="cannot keep list"):
        cached(tmp_path, "other", lambda: dataclasses.replace(own, name=[]))


def test_a_key_depends_on_everything_that_examples_are_made_from(tokenizer):
    _, rows = material("classification")
    other_tokenizer = Tokenizer({"vocab.txt": tokenizer._files["vocab.txt"] + b"\nblue"})
    first, second = rows.fields
    moved = dict(rows.fields) | {first: ["The sky is blue", " todaya very", *TEXTS[2:]]}
    moved[first][1] = " today" + TEXTS[1]
    keys = [
        examples_key(tokenizer, rows, 24, "classification"),
        examples_key(other_tokenizer, rows, 24, "classification"),
        examples_key(tokenizer, rows, 25, "classification"),
        examples_key(tokenizer, rows, 24, "regression"),
        examples_key(tokenizer, rows.select(np.arange(4)), 24, "classification"),
        examples_key(tokenizer, rows.select(np.array([1, 0, 2, 3, 4])), 24, "classification"),
        examples_key(tokenizer, dataclasses.replace(rows, labels=1 - rows.labels), 24, "classification"),
        examples_key(tokenizer, dataclasses.replace(rows, labels=rows.labels.astype(np.float32)), 24, "classification"),
        examples_key(tokenizer, dataclasses.replace(rows, labels=None), 24, "classification"),
        examples_key(tokenizer, dataclasses.replace(rows, fields=moved), 24, "classification"),
        examples_key(
            tokenizer, dataclasses.replace(rows, fields={second: rows.fields[second], first: rows.fields[first]}), 24,
            "classification",
        ),
    ]  # fmt: skip
    assert len(set(keys)) == len(keys)
    assert "".join(moved[first][:2]) == "".join(TEXTS[:2])
    same = dataclasses.replace(rows, labels=rows.labels.copy(), item_ids=rows.item_ids[::-1])
    assert examples_key(tokenizer, same, 24, "classification") == keys[0]


@pytest.mark.parametrize(
    "harm", ["array_cut", "array_gone", "array_flipped", "array_folder", "json_cut", "json_gone", "unknown_type"]
)
def test_a_damaged_folder_is_made_again(tmp_path, caplog, harm):
    tokens = Ragged(np.arange(5000, dtype=np.int32), np.array([0, 5000]))
    cached(tmp_path, "key", lambda: tokens)
    described, array = tmp_path / "key" / "arrays.json", tmp_path / "key" / "values.npy"
    if harm == "unknown_type":
        described.write_text(json.dumps({"type": "Secret", "fields": {}}))
    elif harm.endswith("gone"):
        (described if harm.startswith("json") else array).unlink()
    elif harm == "array_folder":
        array.unlink()
        array.mkdir()
    elif harm == "array_flipped":
        content = array.read_bytes()
        array.write_bytes(content[:999] + bytes([content[999] ^ 1]) + content[1000:])
    else:
        path = described if harm.startswith("json") else array
        path.write_bytes(path.read_bytes()[:-10])
    calls = []
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert_same(cached(tmp_path, "key", lambda: calls.append(1) or tokens), tokens)
    assert len(calls) == 1
    assert "cannot be read" in caplog.text
    assert os.listdir(tmp_path) == ["key"]


def test_a_failure_leaves_nothing(tmp_path, monkeypatch, caplog):
    tokens = Ragged(np.arange(3, dtype=np.int32), np.array([0, 3]))

    def broken(path):
        raise OSError("no space left")

    monkeypatch.setattr(files, "_sync", broken)
    assert cached(tmp_path, "key", lambda: tokens) is tokens
    assert "not kept (no space left)" in caplog.text
    assert os.listdir(tmp_path) == []


def test_concurrent_makers_of_one_key_all_get_it(tmp_path):
    tokens = Ragged(np.arange(100_000, dtype=np.int32), np.array([0, 100_000]))
    everyone = threading.Barrier(4, timeout=30)

    def make():
        everyone.wait()
        return tokens

    with ThreadPoolExecutor(4) as threads:
        found = [threads.submit(cached, tmp_path, "key", make) for _ in range(4)]
    for one in found:
        assert_same(one.result(), tokens)
        assert not one.result().values.flags.writeable
    assert os.listdir(tmp_path) == ["key"]


def test_every_field_of_examples_can_be_kept():
    assert {field.type for field in dataclasses.fields(Examples)} <= {
        np.ndarray, np.ndarray | None, int, Windows | None
    }  # fmt: skip
