"""Checkpoints: export and import give the same bytes, transformers reads ours, and every fault is named."""

import json
import shutil

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from itt_jax.errors import InputError
from itt_jax.models import export, from_pretrained, load_model, local_folder, make_encoder, make_head

SIZES = {"layers": 2, "width": 16, "heads": 2, "vocabulary_size": 40, "max_positions": 12, "pad_id": 1}
HEADS = [
    ("classification", 3),
    ("regression", 1),
    ("token_classification", 4),
    ("question_answering", 2),
    ("multiple_choice", 1),
    ("language", 40),
]
WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module", params=["bert", "roberta", "xlnet", pytest.param("modernbert", marks=pytest.mark.slow)])
def model(request, randomised):
    encoder = make_encoder(request.param, **SIZES)
    return encoder, randomised(encoder.shapes())


@pytest.fixture
def saved(tmp_path, randomised):
    """A BERT classifier's directory, its config and its tensors, for tests to corrupt."""
    encoder = make_encoder("bert", **SIZES)
    head = make_head(encoder, "classification", 3)
    params = {"encoder": randomised(encoder.shapes()), "head": randomised(head.shapes())}
    export(tmp_path, encoder, params, head, ("no", "maybe", "yes"))
    config = json.loads((tmp_path / "config.json").read_text())
    return tmp_path, config, load_file(tmp_path / WEIGHTS)


def same(a, b) -> bool:
    """Whether two trees have the same structure, dtypes and bits."""
    return jax.tree.structure(a) == jax.tree.structure(b) and all(
        x.dtype == y.dtype and np.array_equal(np.asarray(x).view(np.uint32), np.asarray(y).view(np.uint32))
        for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    )


@pytest.mark.parametrize(("kind", "outputs"), HEADS, ids=[kind for kind, _ in HEADS])
def test_export_then_import_gives_the_same_bytes(model, kind, outputs, randomised, tmp_path):
    encoder, params = model
    if kind == "language":
        kind = "permuted_lm" if encoder.family == "xlnet" else "masked_lm"
    head = make_head(encoder, kind, outputs)
    params = {"encoder": params, "head": randomised(head.shapes(), 1)}
    labels = tuple(f"name {i}" for i in range(outputs)) if kind in ("classification", "token_classification") else None
    export(tmp_path, encoder, params, head, labels)
    encoder_again, head_again, params_again, labels_again = load_model(tmp_path)
    assert (encoder_again, head_again, labels_again) == (encoder, head, labels)
    assert same(params_again, params)
    bare, bare_params = from_pretrained(tmp_path)
    assert bare == encoder and same(bare_params, params["encoder"])
    files = [(tmp_path / name).read_bytes() for name in ("config.json", WEIGHTS)]
    export(tmp_path, encoder_again, params_again, head_again, labels_again)
    assert [(tmp_path / name).read_bytes() for name in ("config.json", WEIGHTS)] == files
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", WEIGHTS]


def test_exported_files_follow_the_umask(saved):
    saved[0].joinpath("new").touch()
    assert {path.stat().st_mode for path in saved[0].iterdir()} == {saved[0].joinpath("new").stat().st_mode}


def test_a_bare_encoder_comes_back(model, tmp_path):
    encoder, params = model
    export(tmp_path, encoder, params)
    again, params_again = from_pretrained(tmp_path)
    assert again == encoder and same(params_again, params)
    loaded, head, whole, labels = load_model(tmp_path)
    assert (loaded, head, labels) == (encoder, None, None) and same(whole, {"encoder": params})
    config = json.loads((tmp_path / "config.json").read_text())
    for named, message in ((["BertForSpeech"], "unknown architecture"), ("BertModel", "expected class names in")):
        (tmp_path / "config.json").write_text(json.dumps(config | {"architectures": named}))
        with pytest.raises(InputError, match=message):
            load_model(tmp_path)


@pytest.mark.parametrize(
    ("class_name", "changes"),
    [
        ("BertModel", {}),
        ("BertForSequenceClassification", {"num_labels": 3}),
        ("BertForMaskedLM", {}),
        ("RobertaForSequenceClassification", {"num_labels": 3}),
        ("XLMRobertaForMultipleChoice", {}),
        ("XLNetForSequenceClassification", {"num_labels": 3}),
        ("XLNetLMHeadModel", {}),
    ],
)
def test_transformers_loads_the_export(class_name, changes, reference, torch, tmp_path):
    sizes = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
    if class_name.startswith("XLNet"):
        sizes = {"n_layer": 2, "d_model": 32, "n_head": 4, "d_inner": 48}
    model = reference(class_name, {"vocab_size": 60, **sizes, **changes})
    model.save_pretrained(tmp_path / "theirs")
    if class_name == "BertModel":
        export(tmp_path / "ours", *from_pretrained(tmp_path / "theirs"))
    else:
        encoder, head, params, labels = load_model(tmp_path / "theirs")
        export(tmp_path / "ours", encoder, params, head, labels)
    before, after = load_file(tmp_path / "theirs" / WEIGHTS), load_file(tmp_path / "ours" / WEIGHTS)
    assert before.keys() == after.keys()
    assert all(before[name].tobytes() == after[name].tobytes() for name in before)
    again, report = type(model).from_pretrained(tmp_path / "ours", output_loading_info=True)
    assert not any(report.values())
    ids = torch.arange(10, 34).reshape((1, 2, 12) if "Choice" in class_name else (2, 12))
    with torch.no_grad():  # sums run in another order where arrays begin elsewhere in memory
        torch.testing.assert_close(again.eval()(ids)[0], model(ids)[0], rtol=0, atol=1e-6)


def test_shards_are_read_through_their_index(saved):
    directory, _, tensors = saved
    expected = from_pretrained(directory)[1]
    names = sorted(tensors)
    places = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
    for shard in set(places.values()):
        save_file({name: tensors[name] for name in names if places[name] == shard}, directory / shard)
    (directory / WEIGHTS).unlink()
    (directory / f"{WEIGHTS}.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    assert same(from_pretrained(directory)[1], expected)
    absent = "bert.pooler.dense.bias"
    (directory / places[names[0]]).write_bytes(b"")
    with pytest.raises(InputError, match=r"00001-of-00002.safetensors: not a complete"):
        from_pretrained(directory)
    (directory / places[names[0]]).unlink()
    with pytest.raises(InputError, match=r"00001-of-00002\.safetensors"):
        from_pretrained(directory)
    places[absent] = places[names[1]]
    save_file({name: tensors[name] for name in names if places[name] != places[names[1]]}, directory / places[names[0]])
    kept = {name: tensors[name] for name in names if places[name] == places[names[1]] and name != absent}
    save_file(kept, directory / places[names[1]])
    (directory / f"{WEIGHTS}.index.json").write_text(json.dumps({"weight_map": places}))
    with pytest.raises(InputError, match=r"missing keys: bert\.pooler\.dense\.bias"):
        from_pretrained(directory)


def test_everything_wrong_is_in_one_error(saved):
    directory, _, tensors = saved
    del tensors["bert.encoder.layer.1.output.dense.bias"], tensors["bert.pooler.dense.weight"]
    tensors["bert.embeddings.LayerNorm.weight"] = np.ones(17, np.float32)
    tensors["bert.encoder.layer.0.attention.self.query.weight"] = np.ones((16, 16), np.int32)
    tensors["bert.encoder.layer.2.output.dense.bias"] = np.ones(16, np.float32)
    tensors["adapter.weight"] = np.ones(1, np.float32)
    save_file(tensors, directory / WEIGHTS)
    with pytest.raises(InputError) as error:
        from_pretrained(directory)
    message = str(error.value)
    for part in (
        str(directory),
        "missing keys: bert.encoder.layer.1.output.dense.bias, bert.pooler.dense.weight",
        "unused keys: adapter.weight, bert.encoder.layer.2.output.dense.bias",
        "bert.embeddings.LayerNorm.weight (expected (16,), found (17,))",
        "query.weight (expected floats of 16, 32 or 64 bits, found I32)",
    ):
        assert part in message
    assert "\n" not in message and "classifier" not in message


def test_a_head_is_left_out_only_if_the_architecture_names_it(saved):
    directory, config, _ = saved
    (directory / "config.json").write_text(json.dumps(config | {"architectures": ["BertModel"]}))
    with pytest.raises(InputError, match=r"unused keys: classifier\.bias, classifier\.weight"):
        from_pretrained(directory)


def test_a_missing_head_is_an_error_only_in_load_model(saved):
    directory, _, tensors = saved
    save_file({name: value for name, value in tensors.items() if "classifier" not in name}, directory / WEIGHTS)
    from_pretrained(directory)
    with pytest.raises(InputError, match=r"missing keys: classifier\.bias, classifier\.weight"):
        load_model(directory)


def test_old_names_buffers_and_half_precision_are_read(saved):
    directory, _, tensors = saved
    rounded = {name: value.astype(ml_dtypes.bfloat16) for name, value in tensors.items()}
    save_file({name: value.astype(np.float32) for name, value in rounded.items()}, directory / WEIGHTS)
    expected = from_pretrained(directory)[1]
    old = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): value
        for name, value in rounded.items()
    }
    old["bert.embeddings.position_ids"] = np.arange(12)[None]
    save_file(old, directory / WEIGHTS)
    assert same(from_pretrained(directory)[1], expected)


@pytest.mark.parametrize("spoil", [lambda raw: raw[:-5], lambda raw: raw[:40], lambda raw: b"", lambda raw: b"x" * 99])
def test_truncated_and_corrupt_files_are_refused(saved, spoil):
    directory, _, _ = saved
    path = directory / WEIGHTS
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(InputError, match=f"{WEIGHTS}: not a complete safetensors file"):
        load_model(directory)


def test_weights_that_mean_something_else_are_refused(saved):
    folder, config, _ = saved
    (folder / "adapter_config.json").write_text("{}")
    with pytest.raises(InputError, match=r"adapter_config\.json: adapters are not supported"):
        load_model(folder)
    (folder / "adapter_config.json").unlink()
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"load_in_8bit": True}}))
    with pytest.raises(InputError, match=r"config\.json: quantization_config: quantised weights are not supported"):
        load_model(folder)


def test_pickled_weights_are_not_read(saved):
    directory, _, _ = saved
    shutil.move(directory / WEIGHTS, directory / "pytorch_model.bin")
    with pytest.raises(InputError, match="pickled weights are not read"):
        from_pretrained(directory)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "no such file"),
        ("{", "config.json: not JSON"),
        ("[]", "expected a JSON object"),
        ('{"model_type": "brt"}', "config.json: unknown model_type 'brt'; did you mean 'bert'"),
        ('{"model_type": "bert", "is_decoder": true}', "config.json: is_decoder: True is not supported"),
    ],
)
def test_faults_of_the_config_name_the_file(saved, text, message):
    directory, _, _ = saved
    (directory / "config.json").unlink()
    if text is not None:
        (directory / "config.json").write_text(text)
    with pytest.raises(InputError, match=message) as error:
        from_pretrained(directory)
    assert "config.json" in str(error.value)


def test_a_decoder_that_differs_from_the_tied_table_is_refused(randomised, tmp_path):
    encoder = make_encoder("bert", **SIZES)
    head = make_head(encoder, "masked_lm", 40)
    export(tmp_path, encoder, {"encoder": randomised(encoder.shapes()), "head": randomised(head.shapes())}, head)
    tensors = load_file(tmp_path / WEIGHTS)
    decoder = {"cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"]}
    decoder["cls.seq_relationship.weight"] = np.zeros((2, 16), np.float32)
    save_file(tensors | decoder, tmp_path / WEIGHTS)
    load_model(tmp_path)
    decoder["cls.predictions.decoder.weight"] = decoder["cls.predictions.decoder.weight"] + 1
    save_file(tensors | decoder, tmp_path / WEIGHTS)
    with pytest.raises(InputError, match=r"cls\.predictions\.decoder\.weight \(expected the same values as bert\."):
        load_model(tmp_path)


def test_heads_that_hugging_face_lacks_are_not_exported(model, randomised, tmp_path):
    encoder, params = model
    head = make_head(encoder, "classification", 3, "mean")
    whole = {"encoder": params, "head": randomised(head.shapes())}
    with pytest.raises(InputError, match="pooling 'mean'"):
        export(tmp_path / "a", encoder, whole, head)
    head = make_head(encoder, "classification", 3)
    whole = {"encoder": params, "head": randomised(head.shapes())}
    with pytest.raises(InputError, match="labels: expected 3 names"):
        export(tmp_path / "b", encoder, whole, head, ("yes", "no"))
    stacked = jax.tree.map(lambda x: np.stack([x, x]), params)
    with pytest.raises(InputError, match="parameters do not fit the model"):
        export(tmp_path / "c", encoder, stacked)
    assert not any(tmp_path.iterdir())


def test_a_checkpoint_neither_local_nor_on_the_hub_is_named(tmp_path, monkeypatch):
    """A hub id is downloaded without pickled files; one that is not available is one clear error."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def fetched(name, allow_patterns, ignore_patterns):
        asked.append((name, tuple(allow_patterns)))
        if name == "absent":
            raise LocalEntryNotFoundError("no way to the hub")
        huggingface_hub.utils.validate_repo_id(name)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    assert local_folder(tmp_path) == tmp_path
    assert not asked
    assert local_folder("some/encoder") == tmp_path
    assert not [pattern for _, patterns in asked for pattern in patterns if "bin" in pattern or "pt" in pattern]
    with pytest.raises(InputError, match="checkpoint absent: no such directory, and not available from the hub"):
        local_folder("absent")
    with pytest.raises(InputError, match="nor a hub id"):
        local_folder("runs/no/such folder")
