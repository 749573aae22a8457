"""GELU, x times the normal distribution function, and its derivative (Hendrycks and Gimpel 2016, arXiv 1606.08415)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from itt_jax.models.hardware import hardware

_TANH = (0.79782814, 0.03646879, -1.2486031e-4, -3.0581283e-5, 1.1190987e-6)
"""The distribution function is (1 + tanh(x p(x^2))) / 2 to 7e-6, and x times that is GELU to 4e-6. p was fitted to make
the largest error of GELU as small as possible."""

_FAST_PRODUCTS = ("TPU v6 lite", "TPU7x")
"""Devices whose matrix units wait for GELU; on earlier TPUs it is computed beside a product at no cost."""


def gelu(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """GELU in float32, whatever the dtype of x.

    By erf, as Hugging Face computes it; jax.nn's, by erfc, takes TPUs several times as long. Of bfloat16 by tanh, which
    TPUs have an instruction for: its error is far below the rounding of any but the smallest results.
    """
    if x.dtype == jnp.bfloat16:
        return _of_bfloat16(x)
    y = x.astype(jnp.float32)
    return (y * (0.5 + 0.5 * jax.lax.erf(y * np.float32(np.sqrt(0.5))))).astype(x.dtype)


@jax.custom_vjp
def _of_bfloat16(x: Float[Array, "..."]) -> Float[Array, "..."]:
    y = x.astype(jnp.float32)
    return (y * _distribution(y)).astype(x.dtype)


def _forward(x: Array) -> tuple[Array, Array]:
    found = _of_bfloat16(x)
    if hardware().kind in _FAST_PRODUCTS:
        # The compiler would compute tanh again inside of each product that reads the result.
        found = jax.lax.optimization_barrier(found)
    return found, x


def _backward(x: Array, gradient: Array) -> tuple[Array]:
    y = x.astype(jnp.float32)
    density = jnp.exp(-0.5 * y * y) * np.float32(1 / np.sqrt(2 * np.pi))
    return (((_distribution(y) + y * density) * gradient.astype(jnp.float32)).astype(x.dtype),)


_of_bfloat16.defvjp(_forward, _backward)


def _distribution(y: Float[Array, "..."]) -> Float[Array, "..."]:
    """The normal distribution function of float32."""
    square = y * y
    inner = functools.reduce(lambda found, factor: found * square + np.float32(factor), reversed(_TANH))
    return 0.5 + 0.5 * jnp.tanh(y * inner)
