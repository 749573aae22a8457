"""Products and sums of activations with parameters.

Activations may be bfloat16, parameters are float32. A parameter's gradient is a sum over tokens, microbatches and
devices. It is float32 from the first term on: a product that ended in bfloat16 would be summed over devices so.
"""

import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from itt_jax.models.hardware import hardware

_LEADING = "ABCE"


def product(spec: str, x: Array, weight: Array, *, dtype: jnp.dtype | None = None) -> Array:
    """`jnp.einsum(spec, x, weight)` in the dtype of x; the gradient of `weight` is summed in float32.

    Args:
        spec: of two factors, without ellipsis; every letter is in two or three of its terms.
        x: activations. weight: float32; parameters, or what all rows share.
        dtype: of the result; None: that of x.
    """
    if x.dtype == weight.dtype:
        return jnp.einsum(spec, x, weight, preferred_element_type=dtype)
    return _rounded(spec, dtype, x, weight)


def dense(x: Float[Array, "*B D"], kernel: Float[Array, "D F"]) -> Float[Array, "*B F"]:
    """`x @ kernel`, as `product`."""
    leading = _LEADING[: x.ndim - 1]
    return product(f"{leading}D,DF->{leading}F", x, kernel)


def shifted(x: Array, bias: Array) -> Array:
    """x + bias in the dtype of x; the gradient of `bias`, which has the last axes of x, is summed in float32."""
    return x + jnp.broadcast_to(bias, x.shape).astype(x.dtype)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _rounded(spec: str, dtype: jnp.dtype | None, x: Array, weight: Array) -> Array:
    return jnp.einsum(spec, x, weight.astype(x.dtype), preferred_element_type=dtype)


def _forward(spec: str, dtype: jnp.dtype | None, x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    rounded = weight.astype(x.dtype)
    return jnp.einsum(spec, x, rounded, preferred_element_type=dtype), (x, rounded)


def _backward(spec: str, dtype: jnp.dtype | None, kept: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    x, rounded = kept
    factors, result = spec.split("->")
    left, right = factors.split(",")
    gradient = gradient.astype(x.dtype)
    of_x = jnp.einsum(f"{result},{right}->{left}", gradient, rounded)
    if hardware().platform == "cpu":  # XLA's backend lacks some products of bfloat16 that end in float32
        x, gradient = x.astype(jnp.float32), gradient.astype(jnp.float32)
    of_weight = jnp.einsum(f"{left},{result}->{right}", x, gradient, preferred_element_type=jnp.float32)
    return of_x, of_weight


_rounded.defvjp(_forward, _backward)
