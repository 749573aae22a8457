"""Modules of sentence-transformers after pooling, as LaBSE has them: values of PyTorch, and what is refused."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from itt_jax import tasks
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.vectors import vectors_of
from itt_jax.models import export, make_encoder
from itt_jax.models.embedder import Embedder, read_sentence_model
from itt_jax.models.sentence_modules import TORCH_ACTIVATIONS, Dense, Normalize, read_params, transformed
from itt_jax.study.predictor import load_predictor
from itt_jax.train.checkpoint import convert

ROUNDING = 1e-5
MODULES = "Transformer", "Pooling", "Dense", "Normalize"  # LaBSE's
CONFIG = {"in_features": 8, "out_features": 6, "bias": True, "activation_function": "torch.nn.modules.activation.Tanh"}
RANDOM = np.random.default_rng(0)
WEIGHTS = {"linear.weight": RANDOM.normal(size=(6, 8)).astype("f4"), "linear.bias": RANDOM.normal(size=6).astype("f4")}


@pytest.fixture
def folder(tmp_path):
    """write(config, weights, modules, package): a checkpoint directory with the files of sentence-transformers."""

    def write(config=CONFIG, weights=WEIGHTS, modules=MODULES, package="sentence_transformers.models"):
        places = ["" if kind == "Transformer" else f"{i}_{kind}" for i, kind in enumerate(modules)]
        listed = [{"path": place, "type": f"{package}.{kind}"} for place, kind in zip(places, modules, strict=True)]
        (tmp_path / "modules.json").write_text(json.dumps(listed))
        for kind, place in zip(modules, places, strict=True):
            (tmp_path / place).mkdir(exist_ok=True)
            if kind == "Pooling":
                (tmp_path / place / "config.json").write_text(json.dumps({"pooling_mode_cls_token": True}))
            if kind == "Dense":
                (tmp_path / place / "config.json").write_text(json.dumps(config))
                if weights:
                    save_file(weights, tmp_path / place / "model.safetensors")
        return tmp_path

    return write


@pytest.mark.parametrize("package", ["sentence_transformers.models", "sentence_transformers.base.modules.dense"])
def test_the_layers_of_labse_are_read(folder, package):
    made = folder(package=package)
    dense = Dense("2_Dense", 8, 6, True, "tanh")
    assert read_sentence_model(made).embedder == Embedder("cls", modules=(dense,))
    assert str(Embedder("cls", modules=(dense,))) == "summary token in the last layer, then dense 8 x 6 (tanh)"
    assert read_sentence_model(made, "cls").embedder == Embedder()
    before = read_sentence_model(folder(modules=("Transformer", "Pooling", "Normalize", "Dense", "Normalize")))
    assert before.embedder.modules == (Normalize(), Dense("3_Dense", 8, 6, True, "tanh"))


@pytest.mark.parametrize("name", TORCH_ACTIVATIONS)
def test_values_are_those_of_torch(folder, name):
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    linear = torch.nn.Linear(8, 6, bias=name != "ReLU")
    weights = {f"linear.{key}": value.detach().numpy() for key, value in linear.named_parameters()}
    activation = getattr(torch.nn, name)()
    dotted = f"{type(activation).__module__}.{name}"
    config = CONFIG | {"bias": name != "ReLU", "activation_function": dotted, "module_input_name": "sentence_embedding"}
    made = folder(config, weights, ("Transformer", "Pooling", "Normalize", "Dense"))
    modules = read_sentence_model(made).embedder.modules
    given = RANDOM.normal(size=(5, 8)).astype("f4") * 3
    given[0] = 0
    found = transformed(read_params(made, modules, 8), modules, jnp.asarray(given))
    expected = activation(linear(torch.nn.functional.normalize(torch.tensor(given)))).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


@pytest.mark.slow
def test_a_checkpoint_with_dense_layers_gives_their_vectors(folder, tmp_path):
    texts = [f"{who} {does} it" for who in ("Ada", "Omar", "Mei") for does in ("reads", "wrote")] + ["it"]
    tokenizer = train_tokenizer(texts * 5, "bert", 90)
    sizes = {"layers": 1, "width": 8, "heads": 2, "max_positions": 64, "initializer_range": 0.5}
    encoder = make_encoder("bert", vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id, **sizes)
    made = folder()
    export(made, encoder, encoder.init(jax.random.key(0)))
    tokenizer.save(made)
    convert(made, tmp_path / "ours")
    examples = assemble(tokenizer, [tokenizer.encode(texts)], 64)
    for directory in (made, tmp_path / "ours"):
        found = load_predictor(directory, tasks.get("tatoeba"))
        assert found.note.endswith("summary token in layer 1, then dense 8 x 6 (tanh).")
        vectors = vectors_of(found.encoder, None, found.params, examples, found.embedder)
        pooled = vectors_of(found.encoder, None, found.params, examples, Embedder("cls"))
        expected = np.tanh(pooled @ WEIGHTS["linear.weight"].T + WEIGHTS["linear.bias"])
        np.testing.assert_allclose(vectors, expected, atol=ROUNDING)
        assert np.ptp(vectors, axis=0).min() > 0.01


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"config": CONFIG | {"activation_function": "torch.nn.modules.activation.PReLU"}},
            r"2_Dense/config.json: activation_function: 'torch.nn.modules.activation.PReLU' is not supported; expected",
        ),
        ({"config": CONFIG | {"activation_function": "mine.Tanh"}}, "'mine.Tanh' is not supported"),
        ({"config": CONFIG | {"activation_function": None}}, "activation_function: None is not supported"),
        ({"config": CONFIG | {"use_residual": True}}, "use_residual: True is not supported"),
        ({"config": CONFIG | {"module_input_name": "token_embeddings"}}, "module_input_name: 'token_embeddings' is"),
        ({"config": CONFIG | {"out_features": "6"}}, "out_features: expected a count of at least 1, found '6'"),
        ({"config": CONFIG | {"in_features": 7}}, "in_features: expected 8, found 7"),
        ({"config": CONFIG | {"out_features": 5}}, r"linear.weight: expected floats \(5, 8\), found F32 \(6, 8\)"),
        ({"config": CONFIG | {"bias": False}}, "expected tensors linear.weight, found linear.bias, linear.weight"),
        ({"weights": None}, "2_Dense: neither model.safetensors nor .*; pickled weights are not read"),
        ({"weights": {name: own.astype("i4") for name, own in WEIGHTS.items()}}, "expected floats .*, found I32"),
        ({"modules": ("Transformer", "Dense", "Pooling")}, "expected Transformer and Pooling, then Dense"),
        ({"package": "custom_st"}, "found custom_st.Transformer, custom_st.Pooling"),
    ],
)
def test_what_is_not_followed_is_named(folder, changes, message):
    made = folder(**changes)
    with pytest.raises(InputError, match=message):
        read_params(made, read_sentence_model(made).embedder.modules, 8)
