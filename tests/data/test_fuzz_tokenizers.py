"""Malformed tokenizer files give one short InputError or a tokenizer that works, in bounded time and memory."""

import io
import json
import pathlib
import tempfile
import time
import tracemalloc
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.vocabulary_training import train_files
from itt_jax.errors import InputError

TRAINING = [
    "The lake froze at dusk, and we saw Oslo.",
    "Die Ärztin in Köln hat es zugelassen.",
    "我爱北京 and U.S.",
] * 4
MARK = {"content": "<e1>", "lstrip": False, "rstrip": False, "single_word": False, "normalized": True, "special": False}
TEXTS = ["The lake froze <e1> at [SEP] dusk.", "Ärztin  我\t", "", "\U0010fffd"]


def xlm_model() -> bytes:
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING),
        model_writer=model,
        vocab_size=80,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def in_json(files: dict[str, bytes]) -> dict[str, bytes]:
    """The tokenizer.json and settings that transformers 5 writes for old files."""
    from transformers import AutoTokenizer

    with tempfile.TemporaryDirectory() as old, tempfile.TemporaryDirectory() as new:
        for name, content in files.items():
            (pathlib.Path(old) / name).write_bytes(content)
        reference = AutoTokenizer.from_pretrained(old)
        reference.add_tokens(["<e1>"])
        reference.save_pretrained(new)
        return {path.name: path.read_bytes() for path in pathlib.Path(new).iterdir()}


@pytest.fixture(scope="module")
def sound() -> list[dict[str, bytes]]:
    """The files of small sound tokenizers."""
    old = [train_files(TRAINING, family, 350) for family in ("bert", "roberta", "xlnet")]
    xlm = {
        "sentencepiece.bpe.model": xlm_model(),
        "tokenizer_config.json": b'{"tokenizer_class": "XLMRobertaTokenizer"}',
    }
    old.append(xlm)
    new = [in_json(files) for files in old]
    settings = json.loads(new[0]["tokenizer_config.json"]) | {"tokenizer_class": "TokenizersBackend"}
    generic = new[0] | {"tokenizer_config.json": json.dumps(settings).encode()}
    legacy = [
        files
        | {"added_tokens.json": b'{"<e1>": 351}', "special_tokens_map.json": b'{"additional_special_tokens": ["<e1>"]}'}
        for files in old
    ]
    config = {"added_tokens_decoder": {"351": MARK}, "tokenizer_class": "BertTokenizer", "padding_side": "right"}
    legacy.append(old[0] | {"tokenizer_config.json": json.dumps(config).encode()})
    return [*old, *new, generic, *legacy]


ODD = [
    None,
    True,
    False,
    -2,
    -1,
    0,
    1,
    5,
    350,
    399,
    10**11,
    2**31,
    -(2**63),
    1e308,
    0.5,
    float("nan"),
    "",
    "[SEP]",
    "a",
]
ODD += [
    "x" * 100_000,
    "\n",
    "\ud800",
    [],
    [None],
    [1, "a"],
    [[]],
    {},
    {"type": "BPE"},
    {"content": 1},
    {"id": None},
    {"a": {}},
]
KEYS = [
    "x",
    "[SEP]",
    "type",
    "padding_side",
    "do_lower_case",
    "bos_token",
    "extra_special_tokens",
    "added_tokens_decoder",
]
INSERTED = [b"\xef\xbb\xbf", b"\x00", b"\n", b"\r\n\r", b" ", b"\xff\xfe", b"x" * 100_000, b"a b c\n"]


def nodes(value, path=()):
    """Paths of the values in a JSON value; of long lists and objects the first and the last."""
    yield path
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, child in items if len(items) < 12 else items[:6] + items[-6:]:
        yield from nodes(child, (*path, key))


def malformed_json(content: bytes, random: Random) -> bytes:
    """JSON with one value replaced or removed, or a strange one added."""
    value = json.loads(content)
    path = random.choice(list(nodes(value)))
    if not path:
        return json.dumps(random.choice(ODD)).encode()
    parent = value
    for key in path[:-1]:
        parent = parent[key]
    action = random.choice(["replace", "replace", "remove", "again"])
    if action == "replace":
        parent[path[-1]] = random.choice(ODD)
    elif action == "remove":
        del parent[path[-1]]
    elif isinstance(parent, list):
        parent.append(parent[path[-1]])
    else:
        parent[random.choice(KEYS)] = random.choice(ODD)
    return json.dumps(value).encode()


def malformed_bytes(content: bytes, random: Random) -> bytes:
    """Bytes cut off, changed, repeated or inserted."""
    place = random.randrange(len(content) + 1)
    action = random.choice(["cut", "change", "change", "remove", "repeat", "insert", "deep", "begin"])
    if action == "cut":
        return content[:place]
    if action == "change":
        return content[:place] + random.randbytes(random.randint(1, 4)) + content[place + 1 :]
    if action == "remove":
        return content[:place] + content[place + random.randint(1, 50) :]
    if action == "repeat":
        return content[:place] + content[max(0, place - random.randint(1, 200)) :]
    if action == "deep":
        return b'{"a":' * 200_000
    inserted = random.choice(INSERTED)
    return (inserted + content) if action == "begin" else content[:place] + inserted + content[place:]


def malformed(bases: list[dict[str, bytes]], random: Random) -> dict[str, bytes]:
    """The files of a tokenizer, one of them malformed or absent."""
    files = dict(random.choice(bases))
    name = random.choice(sorted(files))
    if random.random() < 0.05:
        del files[name]
    elif name.endswith(".json") and random.random() < 0.8:
        files[name] = malformed_json(files[name], random)
    else:
        files[name] = malformed_bytes(files[name], random)
    return files


def check(files: dict[str, bytes]) -> None:
    """Read malformed files."""
    begin = time.monotonic()
    try:
        found = Tokenizer(files, "dir")
    except InputError as error:
        assert "\n" not in str(error) and len(str(error)) < 600, str(error)[:2000]
    else:
        ids = found.encode_whole(TEXTS).values
        assert ((ids >= 0) & (ids < found.vocabulary_size)).all()
        assert len(found.word_starts(ids)) == len(ids)
        assert found.layout.special_tokens(2) >= found.layout.special_tokens(1) > 0
    assert time.monotonic() - begin < 20


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_malformed_files(sound, seed):
    check(malformed(sound, Random(seed)))


@pytest.mark.slow
@pytest.mark.volume
def test_many_malformed_files(sound):
    for seed in range(1500):
        check(malformed(sound, Random(seed)))


def test_a_huge_id_takes_no_memory(sound):
    content = json.loads(sound[4]["tokenizer.json"])
    content["added_tokens"].append(MARK | {"content": "y" * 1_000_000, "id": 10**11})
    tracemalloc.start()
    with pytest.raises(InputError, match="id 100000000000, expected a whole number") as caught:
        Tokenizer(sound[4] | {"tokenizer.json": json.dumps(content).encode()}, "dir")
    assert tracemalloc.get_traced_memory()[1] < 64e6 and len(str(caught.value)) < 300
    tracemalloc.stop()
