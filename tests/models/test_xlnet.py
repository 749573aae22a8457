"""XLNet against the transformers library, with every parameter redrawn."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.models import xlnet
from itt_jax.models.encoder import Encoder, make_encoder

torch = pytest.importorskip("torch", reason="parity tests need PyTorch")
transformers = pytest.importorskip("transformers", reason="parity tests need transformers")

TOLERANCE = 1e-4
SMALL = {"vocab_size": 90, "d_model": 48, "n_layer": 3, "n_head": 4, "d_inner": 96, "model_type": "xlnet"}


def redraw(model, seed=0):
    """Every parameter drawn anew, none left at zero or one, at a scale that makes attention uneven."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if "layer_norm.weight" in name:
                parameter.copy_(1 + 0.3 * draw)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * draw)
            elif "bias" in name or "seg_embed" in name or "emb" in name:
                parameter.copy_(draw)
            else:
                parameter.copy_(draw * 2 * parameter.shape[0] ** -0.5 / 1.5)
    return model.eval()


def numpy_of(tensor):
    return tensor.detach().numpy().copy()


def convert(encoder, model):
    """The parameters of a transformers XLNetModel, through the table that checkpoints use."""
    state = model.state_dict()
    params, used = {}, set()
    for theirs, ours, transpose in xlnet.KEYS:
        for i in range(encoder.config.layers if "{i}" in theirs else 1):
            name = theirs.format(i=i)
            node, *path = params, *ours.format(i=i).split(".")
            for part in path[:-1]:
                node = node.setdefault(part, {})
            value = numpy_of(state[name])
            node[path[-1]] = jnp.asarray(value.T if transpose else value)
            used.add(name)
    assert used == set(state)
    assert jax.tree.map(lambda x: x.shape, params) == jax.tree.map(lambda x: x.shape, encoder.shapes())
    return params


def build(seed=0, **changes):
    """(their model, our encoder, our parameters) of one small configuration."""
    values = SMALL | changes
    theirs = redraw(transformers.XLNetModel(transformers.XLNetConfig(**values)), seed)
    encoder = Encoder(xlnet.Config.from_huggingface(values))
    return theirs, encoder, convert(encoder, theirs)


def draw_batch(rows=3, length=14, vocabulary=90, seed=0, padded=None):
    """Tokens with lengths that differ, padded left or right, and three token types."""
    random = np.random.default_rng(seed)
    batch = {"input_ids": random.integers(0, vocabulary, (rows, length)).astype(np.int32)}
    batch["token_type_ids"] = np.sort(random.integers(0, 3, (rows, length)), axis=1).astype(np.int32)
    if padded is not None:
        real = np.arange(length)[None] < np.linspace(length // 2, length, rows).astype(int)[:, None]
        real = real if padded == "right" else real[:, ::-1]
        batch["attention_mask"] = real.astype(np.int32)
        batch["input_ids"] = np.where(real, batch["input_ids"], 5).astype(np.int32)
        batch["token_type_ids"] = np.where(real, batch["token_type_ids"], 3).astype(np.int32)
    return batch


def run_theirs(model, batch, **options):
    tensors = {
        name: torch.from_numpy(np.ascontiguousarray(value)).to(torch.float32 if value.dtype.kind == "f" else torch.int64)
        for name, value in batch.items()
    }
    if "attention_mask" in tensors:
        tensors["attention_mask"] = tensors["attention_mask"].float()
    return model(**tensors, **options)


def run_ours(encoder, params, batch, **options):
    return encoder(params, **{name: jnp.asarray(value) for name, value in batch.items()}, **options)


def assert_near(ours, theirs, where=None):
    difference = np.abs(np.asarray(ours) - numpy_of(theirs))
    assert np.max(difference if where is None else difference[where]) <= TOLERANCE


@pytest.mark.parametrize("padded", [None, "left", "right"])
def test_all_layers_equal_transformers(padded):
    theirs, encoder, params = build()
    batch = draw_batch(padded=padded)
    expected = run_theirs(theirs, batch, output_hidden_states=True).hidden_states
    for ours, reference in zip(run_ours(encoder, params, batch, all_layers=True), expected, strict=True):
        assert_near(ours, reference)
