"""Checkpoint directories: what is saved is loaded again, and damage is refused in one line."""

import errno
import json
import shutil

import jax
import numpy as np
import pytest

from itt_jax import files
from itt_jax.config import EncoderSpec
from itt_jax.data.contamination import Digests, contaminated, digests
from itt_jax.data.tokenizing import load_tokenizer, train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import checkpoint_name, export, make_head
from itt_jax.models.embedder import Embedder, SentenceModel, read_sentence_model
from itt_jax.study.stages import Given
from itt_jax.train.checkpoint import (
    convert,
    export_checkpoint,
    load_checkpoint,
    load_seen,
    save_checkpoint,
    saved_encoder,
)
from itt_jax.train.trees import save_tree
from tests.train.toy import FAMILIES, same, tiny_encoder


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    encoder = tiny_encoder("bert", layers=2)
    head = make_head(encoder, "classification", 3, "max_mean", True)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    directory = tmp_path_factory.mktemp("checkpoint") / "stage"
    tokenizer = train_tokenizer(["a small text", "another text"], "bert", 40)
    seen = Digests(np.array([1, 2**63], np.uint64), np.array([7], np.uint64), ("toy/train/en", "corpus"))
    save_checkpoint(directory, encoder, params, head, ("no", "maybe", "yes"), "toy", tokenizer, seen=seen)
    return directory, encoder, params, head, tokenizer


def test_everything_is_loaded_again(saved):
    directory, encoder, params, head, tokenizer = saved
    found = load_checkpoint(directory)
    assert (found.encoder, found.head, found.labels, found.task) == (encoder, head, ("no", "maybe", "yes"), "toy")
    assert same(found.params, params)
    assert all(type(leaf) is np.ndarray for leaf in jax.tree.leaves(found.params))  # on no device
    assert found.tokenizer.fingerprint == tokenizer.fingerprint
    assert (found.seen.fields.tolist(), found.seen.inputs.tolist()) == ([1, 2**63], [7])
    assert found.seen.sources == ("toy/train/en", "corpus")


def test_the_folder_of_a_stage_is_read_as_its_checkpoint(saved, tmp_path):
    shutil.copytree(saved[0], tmp_path / "abc" / "checkpoint")
    (tmp_path / "abc" / "record.json").write_text("{}")
    assert same(load_checkpoint(tmp_path / "abc").params, saved[2])
    assert checkpoint_name(tmp_path / "abc") == checkpoint_name(tmp_path / "abc" / "checkpoint") == "abc"
    shutil.rmtree(tmp_path / "abc" / "checkpoint")
    with pytest.raises(InputError, match="this stage's checkpoint was removed"):
        load_checkpoint(tmp_path / "abc")


def test_a_stage_that_is_not_made_yet_is_named_as_such(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: no such directory; expected a checkpoint"):
        load_checkpoint(tmp_path / "nowhere")
    (tmp_path / "plan.json").write_text("{}")
    with pytest.raises(InputError, match=r"stages/abc: this stage has no checkpoint yet; `run` with --out"):
        load_checkpoint(tmp_path / "stages" / "abc")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_bare_encoder_is_loaded_again_and_replaced_whole(family, tmp_path):
    encoder = tiny_encoder(family)
    for seed in (0, 1):
        params = {"encoder": encoder.init(jax.random.key(seed))}
        save_checkpoint(tmp_path / "encoder", encoder, params)
        found = load_checkpoint(tmp_path / "encoder")
        assert found.encoder == encoder and found.head is None and same(found.params, params)
    assert [path.name for path in tmp_path.iterdir()] == ["encoder"]


def test_an_export_is_loaded_again(saved, tmp_path):
    _, encoder, params, _, _ = saved
    head = make_head(encoder, "classification", 2)
    whole = {"encoder": params["encoder"], "head": head.init(jax.random.key(1))}
    save_checkpoint(tmp_path / "ours", encoder, whole, head, ("no", "yes"))
    export_checkpoint(tmp_path / "ours", tmp_path / "theirs")
    from itt_jax.models import load_model

    _, _, found, labels = load_model(tmp_path / "theirs")
    assert same(found, whole) and labels == ("no", "yes")


def test_an_export_carries_what_it_was_trained_on_and_convert_takes_it_back(saved, tmp_path):
    _, encoder, params, _, tokenizer = saved
    seen = digests(["a text that was trained on"])
    save_checkpoint(tmp_path / "ours", encoder, {"encoder": params["encoder"]}, tokenizer=tokenizer, seen=seen)
    export_checkpoint(tmp_path / "ours", tmp_path / "theirs")
    convert(tmp_path / "theirs", tmp_path / "again")
    for folder in ("theirs", "again"):
        found = load_seen(tmp_path / folder)
        assert contaminated(["A TEXT that was trained on!", "another one"], found).tolist() == [True, False]
        assert Given(spec=EncoderSpec("e", "bert", checkpoint=str(tmp_path / folder))).seen(None).inputs == seen.inputs
    (tmp_path / "theirs" / "seen.npz").unlink()
    assert not len(load_seen(tmp_path / "theirs").inputs)  # as of any directory that was not exported here
    (tmp_path / "ours" / "seen.npz").unlink()
    with pytest.raises(InputError, match=r"seen.npz: expected digests of the checkpoint's training text"):
        load_seen(tmp_path / "ours")


def test_what_sentence_transformers_says_of_vectors_is_kept(saved, tmp_path):
    _, encoder, params, _, tokenizer = saved
    export(tmp_path / "theirs", encoder, params["encoder"])
    tokenizer.save(tmp_path / "theirs")
    modules = [
        {"path": "", "type": "sentence_transformers.models.Transformer"},
        {"path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]
    (tmp_path / "theirs" / "1_Pooling").mkdir()
    contents = {
        "modules.json": modules,
        "1_Pooling/config.json": {"pooling_mode_cls_token": True},
        "sentence_bert_config.json": {"max_seq_length": 20},
    }
    for name, content in contents.items():
        (tmp_path / "theirs" / name).write_text(json.dumps(content))
    expected = read_sentence_model(tmp_path / "theirs")
    assert expected == SentenceModel(Embedder("cls"), 20)
    convert(tmp_path / "theirs", tmp_path / "ours")
    export_checkpoint(tmp_path / "ours", tmp_path / "again")
    for folder in ("ours", "again"):
        assert read_sentence_model(tmp_path / folder) == expected
        assert all((tmp_path / folder / n).read_bytes() == (tmp_path / "theirs" / n).read_bytes() for n in contents)


def test_convert_and_export_lose_no_file(saved, tmp_path):
    directory, *_ = saved
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    for write, source in ((convert, "theirs"), (export_checkpoint, directory)):
        with pytest.raises(
            InputError, match=r"^OUT_DIR .*mine: not empty \(it holds 'thesis.txt'\); expected a new or"
        ):
            write(source, tmp_path / "mine")
        with pytest.raises(InputError, match=r"^OUT_DIR .*thesis.txt: a file; expected a new or"):
            write(source, tmp_path / "mine" / "thesis.txt")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_added_tokens_survive_convert_and_export(saved, tmp_path):
    _, encoder, params, _, tokenizer = saved
    export(tmp_path / "theirs", encoder, params["encoder"])
    tokenizer.save(tmp_path / "theirs")
    (tmp_path / "theirs" / "added_tokens.json").write_text(json.dumps({"<e1>": tokenizer.vocabulary_size}))
    convert(tmp_path / "theirs", tmp_path / "ours")
    export_checkpoint(tmp_path / "ours", tmp_path / "again")
    for found in (load_checkpoint(tmp_path / "ours").tokenizer, load_tokenizer(tmp_path / "again")):
        assert found.encode(["a <e1>small text"]).values.tolist().count(tokenizer.vocabulary_size) == 1


def largest_array_file(directory):
    files = (path for path in (directory / "params").rglob("*") if path.is_file())
    return max(files, key=lambda path: path.stat().st_size)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def resign(directory):
    files.write_manifest(directory)


def edit(directory, **values):
    path = directory / "checkpoint.json"
    described = json.loads(path.read_text())
    for name, value in values.items():
        described[name] = described[name] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(described))
    resign(directory)


DAMAGES = {
    "no params": lambda directory: shutil.rmtree(directory / "params"),
    "truncated arrays": lambda directory: truncate(largest_array_file(directory)),
    "one bit of the arrays": lambda directory: flip(largest_array_file(directory)),
    "truncated description": lambda directory: truncate(directory / "checkpoint.json"),
    "truncated digests": lambda directory: truncate(directory / "seen.npz"),
    "no tokenizer file": lambda directory: (directory / "tokenizer" / "vocab.txt").unlink(),
    "no manifest": lambda directory: (directory / files.MANIFEST).unlink(),
    "nothing": shutil.rmtree,
    "other format": lambda directory: edit(directory, format=99),
    "other shapes": lambda directory: edit(directory, config={"width": 48}),
    "other structure": lambda directory: edit(directory, config={"layers": 3}),
    "many layers": lambda directory: edit(directory, config={"layers": 1000}),
}


@pytest.mark.parametrize(
    "damage", [pytest.param(name, marks=[pytest.mark.slow] * (name == "many layers")) for name in DAMAGES]
)
def test_damage_is_one_clear_line(saved, tmp_path, damage):
    directory = tmp_path / "stage"
    shutil.copytree(saved[0], directory)
    DAMAGES[damage](directory)
    with pytest.raises(InputError) as error:
        load_checkpoint(directory)
    assert "\n" not in str(error.value) and str(directory) in str(error.value)


def test_a_failed_write_leaves_the_old_one(saved, tmp_path):
    _, encoder, params, head, _ = saved
    save_checkpoint(tmp_path / "stage", encoder, params, head)
    with pytest.raises(KeyError):
        save_checkpoint(tmp_path / "stage", encoder, {"encoder": params["encoder"]}, head)
    assert same(load_checkpoint(tmp_path / "stage").params, params)
    assert [path.name for path in tmp_path.iterdir()] == ["stage"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "checkpoint.json: JSON nested too deeply"),
        ("[]", "checkpoint.json: expected a JSON object"),
        ("{}", "checkpoint.json: format None of another version"),
        ('{"format": 3}', "checkpoint.json: expected the description of an encoder"),
        ('{"format": 3, "family": "bert", "config": {"depth": 2}}', "checkpoint.json: expected the description"),
        ('{"format": 3, "family": "bert", "config": {"layers": 0}}', "num_hidden_layers: expected a count"),
        ('{"format": 3, "family": ["bert"], "config": {}}', "unknown encoder family"),
    ],
)
def test_a_malformed_description_is_one_error(tmp_path, text, message):
    (tmp_path / "checkpoint.json").write_text(text)
    files.write_manifest(tmp_path)
    for read in (load_checkpoint, saved_encoder):
        with pytest.raises(InputError, match=message):
            read(tmp_path)


@pytest.mark.parametrize("text", ["[1]", "5", '{"a": 1}', "[" * 100_000])
def test_a_malformed_manifest_is_one_error(tmp_path, text):
    (tmp_path / files.MANIFEST).write_text(text)
    with pytest.raises(InputError, match=r"expected a size and a checksum|not a complete checkpoint"):
        load_checkpoint(tmp_path)


def test_a_full_disk_is_the_system_s_error(tmp_path, monkeypatch):
    def full(*given):
        raise ValueError("RESOURCE_EXHAUSTED: Error writing: No space left on device [os_error_code='28']")

    monkeypatch.setattr("orbax.checkpoint.v1.save", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*tree'") as raised:
        save_tree(tmp_path / "tree", {"a": np.zeros(2)})
    assert raised.value.errno == errno.ENOSPC
