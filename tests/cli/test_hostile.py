"""Checkpoints made to do harm, on the command line: each is refused by name, at once, in little memory."""

import json
import os
import shutil
import struct
import time
import tracemalloc
import zipfile

import jax
import numpy as np
import pytest

from itt_jax import main
from itt_jax.data.vocabulary_training import train_files
from itt_jax.models import export, make_encoder, make_head

SECONDS, BYTES = 20, 100_000_000
DEEP = '{"a":' * 200_000 + "1" + "}" * 200_000
WIDE = f"[{'[],' * (1 << 22)}[]]"
STUDY = """
from itt_jax.config import EncoderSpec, Study, Target

study = Study(
    name="x",
    encoders=(EncoderSpec("m", "bert", checkpoint={checkpoint!r}),),
    targets=(Target("t", "embedded_sentiment_legal"),),
    arms=("direct",),
    seeds=(0,),
    max_length=24,
)
"""


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A classifier of two labels with its tokenizer, in Hugging Face's format."""
    folder = tmp_path_factory.mktemp("sound") / "model"
    encoder = make_encoder("bert", layers=1, width=8, heads=2, feed_forward=8, vocabulary_size=200, max_positions=32)
    head = make_head(encoder, "classification", 2)
    params = jax.tree.map(lambda x: np.zeros(x.shape, "f4"), {"encoder": encoder.shapes(), "head": head.shapes()})
    export(folder, encoder, params, head, ("no", "yes"))
    for name, content in train_files(["the patient slept well"] * 9, "bert", 120).items():
        (folder / name).write_bytes(content)
    return folder


def changed(name, **values):
    """A JSON file with other values."""

    def harm(folder):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()) | values))

    return harm


def written(name, content):
    return lambda folder: (folder / name).write_text(content)


def put(name, what):
    """Something else in place of a file."""

    def harm(folder):
        (folder / name).unlink(missing_ok=True)
        what(folder / name)

    return harm


def loop(path):
    os.symlink(path.name, path)


def endless(path):
    os.symlink("/dev/zero", path)


def huge(path):
    with open(path, "wb") as file:
        file.truncate(1 << 36)


def shards(place):
    """An index that says where the tensors are."""
    return written("model.safetensors.index.json", json.dumps({"weight_map": {"a": place}}))


def modules(kind, path):
    """One of sentence-transformers' modules."""
    return written("modules.json", json.dumps([{"type": kind, "path": path}]))


def without_weights(harm):
    def both(folder):
        (folder / "model.safetensors").unlink()
        harm(folder)

    return both


def claimed_header(folder):
    """A safetensors file whose header claims 2^60 bytes."""
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + content[8:])


def bomb(folder):
    """Digests of the training text that are larger than their file."""
    np.savez_compressed(folder / "seen.npz", fields=np.zeros(1 << 22, "u8"), inputs=np.zeros(0, "u8"))


def claimed_array(folder):
    with zipfile.ZipFile(folder / "seen.npz", "w") as archive:
        for name in ("fields", "inputs"):
            header = b"{'descr': '<u8', 'fortran_order': False, 'shape': (1152921504606846976,), }"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)


HARMS = {
    "deep config": (written("config.json", DEEP), "config.json: JSON nested too deeply"),
    "deep tokenizer": (written("tokenizer.json", DEEP), "tokenizer.json: JSON nested too deeply"),
    "wide config": (written("config.json", WIDE), "values, expected at most 8388608"),
    "layers": (changed("config.json", num_hidden_layers=10**9), "config.json: num_hidden_layers: expected at most"),
    "more layers than tensors": (
        changed("config.json", num_hidden_layers=1000),
        "config.json: num_hidden_layers 1000, found weights of",
    ),
    "outputs": (
        changed("config.json", num_labels=10**9, id2label=None, label2id=None),
        "config.json: num_labels: expected 1 to 1048576 outputs, found 1000000000",
    ),
    "architectures": (changed("config.json", architectures=[5]), "architectures: expected class names in a list"),
    "number": (changed("config.json", initializer_range=10**400), "initializer_range: expected a finite number"),
    "digits": (written("config.json", f'{{"a": {"9" * 5000}}}'), "config.json: not JSON (Exceeds the limit"),
    "NaN": (written("config.json", '{"a": NaN}'), "config.json: NaN is not JSON; expected a number"),
    "Infinity": (written("tokenizer_config.json", '{"a": -Infinity}'), "tokenizer_config.json: -Infinity is not JSON"),
    "key twice": (written("config.json", '{"a": 1, "a": 2}'), "config.json: 'a' occurs twice"),
    "long value": (changed("config.json", hidden_act="a" * 10**7), "config.json: unknown hidden_act 'aaaa"),
    "huge config": (put("config.json", huge), "config.json: found 68719476736 bytes, expected at most"),
    "id": (
        changed("tokenizer_config.json", added_tokens_decoder={str(10**11): {"content": "<x>"}}),
        "tokenizer_config.json: added_tokens_decoder: id 100000000000, expected a whole number from 0",
    ),
    "name upwards": (without_weights(shards("../../etc/passwd")), "weight_map: 'a' is in '../../etc/passwd', expected"),
    "absolute name": (without_weights(shards("/etc/x.safetensors")), "weight_map: 'a' is in '/etc/x.safetensors'"),
    "no name": (without_weights(shards(5)), "weight_map: 'a' is in 5, expected the name of a safetensors file"),
    "header": (claimed_header, "model.safetensors: not a complete safetensors file"),
    "compressed digests": (bomb, "seen.npz: expected digests of the checkpoint's training text (its arrays are"),
    "digests": (claimed_array, "seen.npz: expected digests of the checkpoint's training text ("),
    "module": (
        modules("sentence_transformers.models.Pooling", "../../etc"),
        "modules.json: expected modules with type and path, found",
    ),
    "module without a folder": (
        modules("sentence_transformers.models.Dense", ""),
        "modules.json: expected a folder for each dense layer, found the encoder's",
    ),
    "module in the encoder's folder": (
        modules("sentence_transformers.models.Dense", "./."),
        "modules.json: expected a folder for each dense layer, found the encoder's",
    ),
}
PLACES = ("config.json", "adapter_config.json", "model.safetensors", "tokenizer.json", "vocab.txt", "seen.npz")
PLACES += ("tokenizer_config.json", "added_tokens.json", "modules.json", "checkpoint.json")
KINDS = {os.mkfifo: "no regular file (a pipe)", loop: "cannot be read (Too many", endless: "no regular file (a device)"}
for at, place in enumerate(PLACES):
    kind, message = list(KINDS.items())[at % len(KINDS)]
    HARMS[f"{kind.__name__} {place}"] = put(place, kind), f"{place}: {message}"
HARMS["pipe vocab.txt"] = put("vocab.txt", os.mkfifo), "vocab.txt: no regular file (a pipe)"
HARMS["huge vocab.txt"] = put("vocab.txt", huge), "vocab.txt: found 68719476736 bytes, expected at most 134217728"


def refused(command, message, capsys):
    """Check that a command line is refused in one short line."""
    begin = time.process_time()
    assert main.main(command) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("error: ") and message in error and len(error) < 2100, error
    assert time.process_time() - begin < SECONDS


@pytest.mark.parametrize("harm", HARMS)
def test_a_hostile_checkpoint_is_not_converted(sound, harm, tmp_path, capsys):
    folder = shutil.copytree(sound, tmp_path / "model")
    do, message = HARMS[harm]
    do(folder)
    tracemalloc.start()  # Python's objects and numpy's arrays; it slows imports, so only here
    try:
        refused(["convert", str(folder), str(tmp_path / "out")], message, capsys)
        assert tracemalloc.get_traced_memory()[1] < BYTES
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("harm", ["deep config", "layers", "outputs", "mkfifo tokenizer.json", "huge vocab.txt"])
def test_a_hostile_checkpoint_is_not_evaluated(sound, harm, tmp_path, capsys):
    folder = shutil.copytree(sound, tmp_path / "model")
    do, message = HARMS[harm]
    do(folder)
    (tmp_path / "rows.csv").write_text("text,label\nthe patient slept,yes\n")
    own = ["--task-file", str(tmp_path / "rows.csv"), "--text", "text", "--label", "label"]
    refused(["evaluate", "--checkpoint", str(folder), *own, "--out", str(tmp_path / "out")], message, capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "harm", ["deep config", "layers", "more layers than tensors", "number", "NaN", "mkfifo tokenizer.json", "header"]
)
def test_a_study_does_not_start_from_a_hostile_checkpoint(sound, harm, tmp_path, capsys):
    folder = shutil.copytree(sound, tmp_path / "model")
    do, message = HARMS[harm]
    do(folder)
    (tmp_path / "study.py").write_text(STUDY.format(checkpoint=str(folder)))
    refused(["run", "--config", str(tmp_path / "study.py"), "--out", str(tmp_path / "out")], message, capsys)
    assert not list(tmp_path.glob("out/stages/*/record.json"))
