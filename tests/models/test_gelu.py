"""GELU of every bfloat16 number against scipy's, in float64."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import norm

from itt_jax.models.gelu import gelu
from itt_jax.models.hardware import Hardware, compiling_for

HALF_A_STEP = 2.0**-8
"""Of bfloat16 numbers, relative."""


def every_finite_number():
    bits = np.arange(1 << 16, dtype=np.uint16)
    exponents = np.uint16(0x7F80)
    return jax.lax.bitcast_convert_type(bits[bits & exponents != exponents], jnp.bfloat16)


def test_of_bfloat16_it_is_exact_but_for_rounding():
    x = every_finite_number()
    exact = np.asarray(x, np.float64) * norm.cdf(np.asarray(x, np.float64))
    found = jax.jit(gelu)(x)
    assert found.dtype == jnp.bfloat16
    assert np.all(np.abs(np.asarray(found, np.float64) - exact) <= 4e-6 + HALF_A_STEP * np.abs(exact))


def test_so_is_its_derivative():
    x = every_finite_number()
    wide = np.asarray(x, np.float64)
    exact = norm.cdf(wide) + wide * norm.pdf(wide)
    found = jax.jit(jax.vmap(jax.grad(gelu)))(x)
    assert np.all(np.abs(np.asarray(found, np.float64) - exact) <= 8e-6 + HALF_A_STEP * np.abs(exact))


def test_of_float32_it_is_that_of_erf():
    x = np.linspace(-10, 10, 10_001, dtype=np.float32)
    np.testing.assert_allclose(gelu(jnp.asarray(x)), x * norm.cdf(x.astype(np.float64)), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("kind", "kept"), [("TPU v5 lite", False), ("TPU v6 lite", True)])
def test_where_products_are_fast_training_computes_it_once(kind, kept):
    own = Hardware("tpu", (SimpleNamespace(device_kind=kind),), bytes=1)
    with compiling_for(own):
        trained = jax.make_jaxpr(jax.grad(lambda x: gelu(x).sum()))(jnp.ones(4, jnp.bfloat16))
    assert ("optimization_barrier" in str(trained)) == kept
