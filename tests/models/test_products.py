"""Gradients of parameters are float32 sums, whatever the dtype of the activations."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.models.hardware import Hardware, compiling_for
from itt_jax.models.products import dense, product, shifted
from itt_jax.train.compiling import compiler_options
from tests.train.toy import same, tiny_encoder

MANY = 4097  # as a sum of ones in bfloat16: 4096, or 256 where each term is rounded
EXACT = 1e-5  # float32 sums in another order, relative to the largest of a gradient
SPECS = ("ABD,DF->ABF", "BTD,DNH->BTNH", "BTNH,DNH->BTD", "NBTH,NKH->NBTK", "BTD,VD->BTV")
FAMILIES = ("bert", "xlnet", "deberta", "modernbert", "eurobert")  # RoBERTa's layers are BERT's


@pytest.mark.slow
def test_products_and_their_gradients_are_those_of_einsum():
    sizes = dict(zip("ABDFTNHKV", (2, 3, 4, 5, 6, 2, 3, 7, 8), strict=True))
    rng = np.random.default_rng(0)
    terms = {spec: spec.split("->")[0].split(",") for spec in SPECS}
    drawn = {
        spec: [rng.standard_normal([2, *(sizes[letter] for letter in term)], np.float32) for term in terms[spec]]
        for spec in SPECS
    }

    @functools.partial(jax.jit, static_argnums=(1, 2))
    def gradients(given, function, dtype):
        def of(spec, x, weight):
            def squares(x, weight):
                found = function(spec, x, weight)
                assert found.dtype == dtype
                return jnp.sum(found.astype(jnp.float32) ** 2)

            return jax.vmap(jax.value_and_grad(squares, (0, 1)))(x.astype(dtype), weight)

        return {spec: of(spec, *own) for spec, own in given.items()}

    expected = gradients(drawn, jnp.einsum, jnp.float32)
    assert same(gradients(drawn, product, jnp.float32), expected)
    rounded = functools.partial(product, factors=jnp.bfloat16)
    for function, activations in ((product, jnp.bfloat16), (rounded, jnp.float32)):
        found = gradients(drawn, function, activations)
        for spec in SPECS:
            for one, other, dtype in zip(found[spec][1], expected[spec][1], (activations, jnp.float32), strict=True):
                assert one.dtype == dtype and not np.array_equal(one, other)
                error = np.abs(one.astype(jnp.float32) - other)
                assert error.max() < 0.02 * np.abs(other).max(), spec


def test_a_gradient_counts_every_token():
    ones = jnp.ones((MANY, 1), jnp.bfloat16)
    for function, weight in ((dense, jnp.zeros((1, 1))), (shifted, jnp.zeros(1))):
        found = jax.grad(lambda own, function=function: jnp.sum(function(ones, own).astype(jnp.float32)))(weight)
        assert found.dtype == jnp.float32 and float(found.sum()) == MANY


@pytest.mark.parametrize("platform", ["cpu", "tpu"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_gradient_of_a_shift_is_the_sum_over_tokens_in_float32(platform, dtype):
    """Also as a TPU's program sums, for a bias of two axes and for a stack of runs."""
    x = jnp.asarray(np.random.default_rng(0).standard_normal((3, 2, 500, 4, 8)), dtype)
    bias = jnp.ones((3, 4, 8))
    with compiling_for(Hardware(platform, ())):
        found = jax.vmap(shifted)(x, bias)
        of_x, of_bias = jax.vmap(lambda x, bias, own: jax.vjp(shifted, x, bias)[1](own))(x, bias, found)
    assert found.dtype == of_x.dtype == dtype and of_bias.dtype == jnp.float32
    np.testing.assert_array_equal(of_x, found)
    np.testing.assert_allclose(of_bias, np.asarray(found, np.float64).sum((1, 2)), rtol=1e-5)


def test_the_result_may_have_another_dtype():
    found = product("BD,DF->BF", jnp.ones((1, MANY), jnp.bfloat16), jnp.ones((MANY, 1)), dtype=jnp.float32)
    assert found.dtype == jnp.float32 and float(found[0, 0]) == MANY


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_stacked_gradients_with_rounded_factors_are_close(family):
    """Two runs in one program, packed rows; compiled as stages are."""
    encoder = tiny_encoder(family)
    rng = np.random.default_rng(0)
    runs = [
        jax.tree.map(lambda leaf: jnp.asarray(0.2 * rng.standard_normal(leaf.shape, np.float32)), encoder.shapes())
        for _ in range(2)
    ]
    ids, segments = rng.integers(10, 60, (4, 16)), np.repeat([[1, 1, 2, 0]], 4, axis=1).repeat(4, axis=0)

    def gradients(encoder):
        def total(params):
            hidden = encoder(params, ids, segment_ids=segments)
            return jnp.sum(jnp.where(segments[..., None] > 0, hidden, 0) ** 3)

        together = jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)
        return jax.jit(jax.vmap(jax.grad(total)), compiler_options=compiler_options())(together)

    expected = gradients(encoder)
    found = gradients(dataclasses.replace(encoder, factors=jnp.bfloat16))
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(expected))
    for (path, other), one in zip(jax.tree.leaves_with_path(expected), jax.tree.leaves(found), strict=True):
        error = float(jnp.abs(one - other).max())
        assert one.dtype == jnp.float32 and error < 0.05 * largest, jax.tree_util.keystr(path)
    assert not same(found, expected)


@pytest.mark.slow
@pytest.mark.volume
@pytest.mark.parametrize("family", FAMILIES)
def test_the_gradient_of_rows_is_the_sum_of_their_gradients(family):
    """As over devices: computing in bfloat16, only float32 sums differ."""
    encoder = dataclasses.replace(tiny_encoder(family), dtype=jnp.bfloat16)
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: jnp.asarray(0.2 * rng.standard_normal(leaf.shape, np.float32)), encoder.shapes())
    ids, types = rng.integers(10, 60, (4, 16)), rng.integers(0, 2, (4, 16))

    @functools.partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
    @jax.grad
    def gradient(params, rows):
        hidden = encoder(params, ids, token_type_ids=types).astype(jnp.float32)
        return jnp.sum(rows[:, None, None] * hidden**3)

    whole = gradient(params, jnp.ones(4))
    parts = [gradient(params, jnp.asarray(row, jnp.float32)) for row in np.eye(4)]
    for (path, expected), *own in zip(jax.tree.leaves_with_path(whole), *map(jax.tree.leaves, parts), strict=True):
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        np.testing.assert_allclose(sum(own), expected, atol=EXACT * np.abs(expected).max(), rtol=0, err_msg=name)
