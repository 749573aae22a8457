"""Malformed checkpoints: a whole model, or one InputError of one short line, within bounded time and memory."""

import contextlib
import copy
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import time

import jax
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from itt_jax.errors import InputError
from itt_jax.models import export, from_pretrained, load_model, make_encoder, make_head, pretrained_encoder
from itt_jax.models.embedder import MODULES, PROMPTS, SETTINGS, read_sentence_model, sentence_files

LONGEST_MESSAGE, SECONDS, KILOBYTES = 2000, 10.0, 400_000
SIZES = {"layers": 2, "width": 8, "heads": 2, "feed_forward": 8, "vocabulary_size": 12, "max_positions": 8}
FAMILIES = ("bert", "roberta", "xlnet")
CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
SHARD = "model-00001-of-00001.safetensors"


@pytest.fixture(scope="module")
def models(tmp_path_factory, randomised):
    """Family -> a checkpoint directory with a classifier."""
    found = {}
    for family in FAMILIES:
        encoder = make_encoder(family, **SIZES)
        head = make_head(encoder, "classification", 2)
        params = {"encoder": randomised(encoder.shapes()), "head": randomised(head.shapes())}
        found[family] = tmp_path_factory.mktemp("models") / family
        export(found[family], encoder, params, head, ("no", "yes"))
    return found


def _check(directory: pathlib.Path) -> bool:
    """Whether every way to read a directory gives a whole model; checks that a refusal is one short line."""
    begin, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    whole = True
    signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits for something"))
    signal.alarm(120)
    try:
        for read in (pretrained_encoder, from_pretrained, load_model):
            try:
                found = read(directory)
            except InputError as error:
                whole = False
                assert len(str(error).splitlines()) == 1 and 10 < len(str(error)) <= LONGEST_MESSAGE, str(error)
                str(error).encode()  # can be printed
                continue
            if read is from_pretrained:
                encoder, params = found
                assert jax.tree.map(lambda x: x.shape, params) == jax.tree.map(lambda x: x.shape, encoder.shapes())
    finally:
        signal.alarm(0)
    assert time.process_time() - begin < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < KILOBYTES
    return whole


def _copy(models: dict[str, pathlib.Path], family: str, folder: pathlib.Path) -> pathlib.Path:
    shutil.rmtree(folder, ignore_errors=True)
    return pathlib.Path(shutil.copytree(models[family], folder))


# --- What is done to a file

_NUMBERS = [None, True, False, -1, 0, 1, 3, 10**9, 2**31, 2**63, -(2**70), 0.5, -0.1, 1e999, float("nan")]
_TEXTS = ["", "x", "gelu", "absolute", "relative_key", "bert", "BertModel", "a" * 100_000, "\ud800", "LABEL_0\nx"]
_CONTAINERS = [[], {}, [5], [None], ["BertForMaskedLM"], [[]], {"0": 1}, {"a": {"b": []}}, {"0": "x", "2": "y"}]
VALUES = st.sampled_from([*_NUMBERS, *_TEXTS, *_CONTAINERS])
_KEYS = {
    "bert": ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "type_vocab_size"],
    "xlnet": ["d_model", "n_layer", "n_head", "d_inner", "d_head", "clamp_len", "mem_len", "untie_r", "attn_type"],
}
_KEYS["bert"] += ["max_position_embeddings", "hidden_act", "position_embedding_type", "hidden_dropout_prob"]
_KEYS["roberta"] = _KEYS["bert"]
_EVERY = ["model_type", "architectures", "vocab_size", "pad_token_id", "layer_norm_eps", "initializer_range"]
_EVERY += [
    "id2label",
    "label2id",
    "num_labels",
    "problem_type",
    "is_decoder",
    "tie_word_embeddings",
    "classifier_dropout",
]
CONFIGS = st.sampled_from(FAMILIES).flatmap(
    lambda family: st.tuples(
        st.just(family), st.dictionaries(st.sampled_from(_KEYS[family] + _EVERY), VALUES, min_size=1, max_size=3)
    )
)
_PIECES = [b"9" * 5000, b"[" * 50_000, b'{"a":' * 50_000, b'"', b"}", b"\xff\xfe", b"\x00", b"null", b"NaN", b"\n"]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "repeat", "cut"]),
        st.floats(0, 1),
        st.integers(1, 40),
        st.one_of(st.sampled_from(_PIECES), st.binary(max_size=12)),
    ),
    min_size=1,
    max_size=3,
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F8_E4M3", "F8_E5M2", "F4", "I8", "BOOL", "C64", "U64", "BF16", "F64", "x", None, 5]),
        "shape": st.sampled_from([[], [0], [8], [-1], [10**18], [2**62, 2**62], [1, 8], "x", None, [0.5], [True]]),
        "data_offsets": st.sampled_from([[0, 4], [4, 0], [-1, 3], [0, 10**18], [], None, [0, 2**70], ["0", "4"]]),
    },
)
_OUTSIDE = ["../../etc/passwd", "/etc/passwd", "../outside.safetensors", "a/b.safetensors", "..\\x.safetensors"]
_ABSENT = ["absent.safetensors", f"{'x' * 300}.safetensors", "\0.safetensors", "\ud800.safetensors"]
_NO_FILE = ["fifo.safetensors", "loop.safetensors", "pytorch_model.bin", "", ".", "..", f"./{SHARD}"]
PLACES = st.sampled_from([*_OUTSIDE, *_ABSENT, *_NO_FILE, 5, None, [SHARD], {}, True])


def _edited(content: bytes, edits: list) -> bytes:
    for how, where, length, piece in edits:
        at = int(where * len(content))
        old = content[at : at + length]
        new = {"insert": piece + old, "replace": piece, "delete": b"", "repeat": old * 2, "cut": b""}[how]
        content = content[:at] + new + (b"" if how == "cut" else content[at + length :])
    return content


def _with_header(content: bytes, change) -> bytes:
    """A safetensors file with another header."""
    (size,) = struct.unpack("<Q", content[:8])
    header = change(content[8 : 8 + size])
    return struct.pack("<Q", len(header)) + header + content[8 + size :]


def _fuzz(strategy, examples: int, check) -> None:
    settled = settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    settled(given(strategy)(check))()


def _configs(models, folder, examples):
    def check(drawn):
        family, changes = drawn
        directory = _copy(models, family, folder)
        values = json.loads((directory / CONFIG).read_text()) | changes
        (directory / CONFIG).write_text(json.dumps(values))
        _check(directory)

    _fuzz(CONFIGS, examples, check)


def _config_bytes(models, folder, examples):
    def check(edits):
        directory = _copy(models, "bert", folder)
        (directory / CONFIG).write_bytes(_edited((directory / CONFIG).read_bytes(), edits))
        _check(directory)

    _fuzz(EDITS, examples, check)


def _weight_bytes(models, folder, examples):
    def check(drawn):
        edits, in_header = drawn
        directory = _copy(models, "bert", folder)
        content = (directory / WEIGHTS).read_bytes()
        changed = _with_header(content, lambda header: _edited(header, edits)) if in_header else _edited(content, edits)
        (directory / WEIGHTS).write_bytes(changed)
        _check(directory)

    _fuzz(st.tuples(EDITS, st.booleans()), examples, check)


def _headers(models, folder, examples):
    def check(drawn):
        number, entry = drawn
        directory = _copy(models, "bert", folder)

        def change(header: bytes) -> bytes:
            entries = json.loads(header)
            entries[sorted(entries)[number % len(entries)]] |= entry
            return json.dumps(entries).encode()

        (directory / WEIGHTS).write_bytes(_with_header((directory / WEIGHTS).read_bytes(), change))
        _check(directory)

    _fuzz(st.tuples(st.integers(0, 100), ENTRIES), examples, check)


def _indices(models, folder, examples):
    def check(drawn):
        changes, edits = drawn
        directory = _copy(models, "bert", folder)
        shutil.move(directory / WEIGHTS, directory / SHARD)
        shutil.copy(directory / SHARD, folder.parent / "outside.safetensors")
        os.mkfifo(directory / "fifo.safetensors")
        os.symlink("loop.safetensors", directory / "loop.safetensors")
        names = sorted(load_file(directory / SHARD))
        places = dict.fromkeys(names, SHARD) | {names[at % len(names)]: place for at, place in changes.items()}
        content = json.dumps({"metadata": {}, "weight_map": places}).encode()
        (directory / INDEX).write_bytes(_edited(content, edits))
        whole = _check(directory)
        assert not whole or not changes or edits

    changes = st.dictionaries(st.integers(0, 100), PLACES, max_size=2)
    _fuzz(st.tuples(changes, st.one_of(st.just([]), EDITS)), examples, check)


def _sentence_files(models, folder, examples):
    """Those of sentence-transformers; reading them needs no weights."""
    modules = [{"type": f"sentence_transformers.models.{name}", "path": path} for name, path in _MODULES]
    contents = {
        MODULES: modules,
        "1_Pooling/config.json": {"pooling_mode_mean_tokens": True, "include_prompt": True},
        "2_Dense/config.json": {"in_features": 8, "out_features": 8, "activation_function": "torch.nn.Tanh"},
        SETTINGS: {"max_seq_length": 8, "do_lower_case": False},
        PROMPTS: {"prompts": {"query": "query: "}, "default_prompt_name": "query"},
    }

    def check(drawn):
        name, key, value, edits = drawn
        shutil.rmtree(folder, ignore_errors=True)
        for place in ("1_Pooling", "2_Dense"):
            (folder / place).mkdir(parents=True)
        for other, content in contents.items():
            (folder / other).write_text(json.dumps(content))
        changed = copy.deepcopy(contents[name])
        own = changed[key % len(changed)] if isinstance(changed, list) else changed
        own[sorted(own)[key % len(own)]] = value
        (folder / name).write_bytes(_edited(json.dumps(changed).encode(), edits))
        for read in (read_sentence_model, sentence_files):
            try:
                read(folder)
            except InputError as error:
                assert len(str(error).splitlines()) == 1 and len(str(error)) <= LONGEST_MESSAGE, str(error)
                str(error).encode()

    places = st.sampled_from(["../outside", "/etc", "\0", "1_Pooling", "x" * 300, "\ud800"])
    values = st.one_of(VALUES, places, st.sampled_from(["mean", "cls", "max"]))
    edits = st.one_of(st.just([]), EDITS)
    _fuzz(st.tuples(st.sampled_from(sorted(contents)), st.integers(0, 5), values, edits), examples, check)


_MODULES = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"), ("Normalize", ""))
KINDS = {
    "configs": _configs,
    "bytes of configs": _config_bytes,
    "bytes of weights": _weight_bytes,
    "headers": _headers,
    "indices": _indices,
    "sentence files": _sentence_files,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_few_malformed_checkpoints(models, kind, tmp_path):
    KINDS[kind](models, tmp_path / "model", 6)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("kind", KINDS)
def test_a_thousand_malformed_checkpoints(models, kind, tmp_path):
    KINDS[kind](models, tmp_path / "model", 1 + 1000 // len(KINDS))


@pytest.mark.parametrize("family", FAMILIES)
def test_well_formed_checkpoints_are_read(models, family):
    assert _check(models[family])


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS, INDEX, SHARD])
def test_what_is_no_regular_file_is_refused_without_waiting(models, name, tmp_path):
    def fifo(path):
        os.mkfifo(path)

    def folder(path):
        path.mkdir()

    for number, put in enumerate(
        (fifo, folder, lambda path: os.symlink(path, path), lambda path: os.symlink("/dev/zero", path))
    ):
        directory = _copy(models, "bert", tmp_path / str(number))
        if name in (INDEX, SHARD):
            names = load_file(directory / WEIGHTS)
            shutil.move(directory / WEIGHTS, directory / SHARD)
            (directory / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, SHARD)}))
        (directory / name).unlink()
        put(directory / name)
        assert not _check(directory)


def test_links_to_files_are_followed(models, tmp_path):
    """The hub's cache links a snapshot to its blobs."""
    (tmp_path / "snapshot").mkdir()
    for name in (CONFIG, WEIGHTS):
        os.symlink(models["bert"] / name, tmp_path / "snapshot" / name)
    assert _check(tmp_path / "snapshot")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 10**9}, "config.json: num_hidden_layers: expected at most 1000, found 1000000000"),
        ({"num_hidden_layers": 2**40}, "config.json: num_hidden_layers: expected at most"),
        ({"num_hidden_layers": 1000}, "config.json: num_hidden_layers 1000, found weights of"),
        ({"architectures": [5]}, r"config.json: architectures: expected class names in a list, found \[5\]"),
        ({"model_type": ["bert"]}, r"config.json: unknown model_type \['bert'\]"),
        ({"layer_norm_eps": float("nan")}, "config.json: NaN is not JSON; expected a number"),
        (
            {"layer_norm_eps": 10**400},
            "config.json: layer_norm_eps: expected a finite number of at least 0, found 1000",
        ),
        ({"pad_token_id": 12}, "config.json: pad_token_id: expected 0 to 11, found 12"),
        (
            {"vocab_size": 13},
            r"fit config.json: bert.embeddings.word_embeddings.weight \(expected \(13, 8\), found",
        ),
        (
            {"max_position_embeddings": 9},
            r"bert.embeddings.position_embeddings.weight \(expected \(9, 8\), found",
        ),
        ({"position_embedding_type": "relative_key"}, "config.json: position_embedding_type: 'relative_key' is not"),
        ({"hidden_act": "a" * 10**6}, "config.json: unknown hidden_act 'aaaa"),
    ],
)
def test_values_of_the_config_are_refused_by_name(models, changes, message, tmp_path):
    directory = _copy(models, "bert", tmp_path / "model")
    (directory / CONFIG).write_text(json.dumps(json.loads((directory / CONFIG).read_text()) | changes))
    for read in (from_pretrained, pretrained_encoder):
        with pytest.raises(InputError, match=message):
            read(directory)
    assert not _check(directory)


def test_a_deep_config_and_a_large_one_are_refused(models, tmp_path):
    directory = _copy(models, "bert", tmp_path / "model")
    (directory / CONFIG).write_text('{"a": ' * 200_000 + "1" + "}" * 200_000)
    with pytest.raises(InputError, match=r"config.json: JSON nested too deeply"):
        from_pretrained(directory)
    with open(directory / CONFIG, "wb") as file:
        file.truncate(200_000_000)
    with pytest.raises(InputError, match=r"config.json: found 200000000 bytes, expected at most"):
        from_pretrained(directory)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "I8"])
def test_dtypes_of_parameters_are_refused_by_name(models, dtype, tmp_path):
    directory = _copy(models, "bert", tmp_path / "model")
    tensors = load_file(directory / WEIGHTS)
    name = "bert.embeddings.LayerNorm.weight"
    tensors[name] = tensors[name].astype("i1")
    save_file(tensors, directory / WEIGHTS)

    def change(header: bytes) -> bytes:
        entries = json.loads(header)
        entries[name]["dtype"] = dtype
        return json.dumps(entries).encode()

    (directory / WEIGHTS).write_bytes(_with_header((directory / WEIGHTS).read_bytes(), change))
    with pytest.raises(InputError, match=rf"{name} \(expected floats of 16, 32 or 64 bits, found {dtype}\)"):
        from_pretrained(directory)


@pytest.mark.parametrize("place", ["../outside", "/etc", "\0", "x" * 300, "\ud800", 5, None, "absent"])
def test_folders_of_sentence_files_are_beside_them(place, tmp_path):
    modules = [
        {"type": f"sentence_transformers.a.{kind}", "path": own}
        for kind, own in (("Transformer", ""), ("Pooling", place))
    ]
    (tmp_path / MODULES).write_text(json.dumps(modules))
    with pytest.raises(InputError, match=r"no such file|lone surrogate|expected modules with type and path"):
        read_sentence_model(tmp_path)
    with contextlib.suppress(InputError):
        assert sentence_files(tmp_path).keys() == {MODULES}
