"""Layers under remat or scan equal plain layers: outputs, every state, gradients, dropout."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from itt_jax.families.config import ACTIVATIONS
from itt_jax.models import layers, make_encoder

SIZES = {"layers": 2, "width": 16, "heads": 2, "vocabulary_size": 40, "initializer_range": 0.3}
ROUNDING = 1e-5  # for hidden states, and for gradients relative to the largest
IDS = np.random.default_rng(0).integers(6, 40, (2, 10))
SEGMENTS = np.repeat([[1, 2, 0]], [5, 4, 1], axis=1).repeat(2, axis=0)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("family", ["bert", "xlnet"])  # RoBERTa's layers are BERT's
def test_outputs_and_gradients_equal_plain_layers(family, randomised):
    plain = make_encoder(family, **SIZES)
    params, key = randomised(plain.shapes()), jax.random.key(1)
    options = {"target_mapping": np.eye(10)[None, [2, 7]].repeat(2, axis=0)} if family == "xlnet" else {}

    def loss(params, encoder):
        states = encoder(params, IDS, segment_ids=SEGMENTS, key=key, all_layers=True, **options)
        return sum(jnp.sum(state**3) for state in states), states

    run = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=1)
    (_, expected), gradients = run(params, plain)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradients))
    for way in ({"remat": True}, {"remat": True, "scan_layers": True}):
        (_, states), found = run(params, dataclasses.replace(plain, **way))
        assert len(states) == len(expected) == SIZES["layers"] + 1
        for ours, theirs in zip(states, expected, strict=True):
            np.testing.assert_allclose(ours, theirs, atol=ROUNDING)
        jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=ROUNDING * largest), found, gradients)
    scanned = dataclasses.replace(plain, scan_layers=True)
    last = jax.jit(scanned)(params, IDS, segment_ids=SEGMENTS, key=key, **options)
    np.testing.assert_allclose(last, expected[-1], atol=ROUNDING)


@pytest.mark.slow
@pytest.mark.volume
def test_memories_pass_through_scanned_layers(randomised):
    plain = make_encoder("xlnet", **SIZES)
    params = randomised(plain.shapes())
    memories = list(jax.random.normal(jax.random.key(1), (2, 2, 4, 16)))

    def run(encoder):
        return jax.jit(encoder.with_memories)(params, IDS, mems=memories)

    found, expected = run(dataclasses.replace(plain, scan_layers=True)), run(plain)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=ROUNDING), found, expected)


@pytest.mark.parametrize("offset", [0, 3, 30])
def test_layer_norm_adds_little_to_the_rounding_of_its_input(offset):
    """In float32, LayerNorm is that of float64; of bfloat16, its error is a hundredth of what x has lost."""
    rng, width = np.random.default_rng(0), 768
    norm = layers.LayerNorm(width, epsilon=1e-12, rngs=nnx.Rngs(0))

    def exact(x):
        x = np.asarray(x, np.float64)
        return (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True)

    x = rng.normal(size=(64, width)).astype(np.float32) + np.float32(offset)
    rounded = jnp.asarray(x, jnp.bfloat16)
    np.testing.assert_allclose(norm(x), exact(x), atol=1e-5 * (1 + offset))
    found = norm(rounded)
    assert found.dtype == jnp.float32
    lost = np.abs(exact(rounded) - exact(x)).max()
    assert np.abs(found - exact(rounded)).max() < 0.01 * lost
    nearly = (
        jnp.full((1, width), offset, jnp.bfloat16).at[0, 0].add(offset / 100)
    )  # the sums' difference may be below 0
    assert np.abs(norm(nearly)).max() <= np.sqrt(width)


def test_a_scanned_encoder_compiles_one_layer():
    plain = make_encoder("bert", **SIZES)
    ids = jax.ShapeDtypeStruct((2, 10), jnp.int32)

    def products(encoder):
        return jax.jit(encoder).lower(encoder.shapes(), ids).as_text().count("dot_general")

    assert products(dataclasses.replace(plain, scan_layers=True)) * 2 == products(plain)


def test_activations_and_their_derivatives_are_those_of_transformers():
    torch = pytest.importorskip("torch", reason="parity needs PyTorch, the framework of the reference")
    act2fn = pytest.importorskip("transformers.activations").ACT2FN
    given = np.append(np.linspace(-30, 30, 603), [-3.0, 0.0, 3.0, 6.0, -1e4, 1e4, -1e-30]).astype("f4")
    found = jax.jit(lambda x: {name: jax.vmap(jax.value_and_grad(layers.ACTIVATIONS[name]))(x) for name in ACTIVATIONS})
    for name, (values, derivatives) in found(given).items():
        theirs = torch.tensor(given, requires_grad=True)
        expected = act2fn[name](theirs)
        expected.sum().backward()
        np.testing.assert_allclose(values, expected.detach(), rtol=1e-6, atol=1e-5, err_msg=name)
        np.testing.assert_allclose(derivatives, theirs.grad, atol=1e-5, err_msg=name)
