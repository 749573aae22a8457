"""Products and sums of activations with parameters, and rows of tables.

Activations may be bfloat16, parameters are float32. A parameter's gradient is a sum over tokens, microbatches and
devices. It is float32 from the first term on: a product in bfloat16 would be summed over devices in bfloat16.

The factors of a product may be bfloat16 even if activations are float32. Matrix units (TPUs, tensor cores, AMX)
multiply bfloat16 and add in float32 anyway; TPUs do this to float32 factors by default, XLA's CPU backend never does.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from itt_jax.models.hardware import hardware

_LEADING = "ABCE"


def product(spec: str, x: Array, weight: Array, *, factors: Any = None, dtype: Any = None) -> Array:
    """`jnp.einsum(spec, x, weight)` in the dtype of x; the gradient of `weight` is summed in float32.

    Args:
        spec: an einsum of two factors, without ellipsis; every letter is in two or three of its terms.
        x: activations. weight: float32; parameters, or another array that all rows share.
        factors: the dtype to which both factors are rounded, here and in the gradients; None: that of x.
        dtype: dtype of the result; None: that of x.
    """
    factors = x.dtype if factors is None else jnp.dtype(factors)
    if factors == weight.dtype:
        return jnp.einsum(spec, x, weight, preferred_element_type=dtype)
    return _rounded(spec, factors, x.dtype, dtype or x.dtype, x, weight)


def dense(x: Float[Array, "*B D"], kernel: Float[Array, "D F"], factors: Any = None) -> Float[Array, "*B F"]:
    """`x @ kernel`, as `product`."""
    leading = _LEADING[: x.ndim - 1]
    return product(f"{leading}D,DF->{leading}F", x, kernel, factors=factors)


@jax.custom_vjp
def shifted(x: Array, bias: Array) -> Array:
    """x + bias in the dtype of x; the gradient of `bias`, which has the last axes of x, is summed in float32."""
    return x + jnp.broadcast_to(bias, x.shape).astype(x.dtype)


def _shift(x: Array, bias: Array) -> tuple[Array, Array]:
    return shifted(x, bias), bias


def _of_shift(bias: Array, gradient: Array) -> tuple[Array, Array]:
    if hardware().platform != "tpu" or gradient.dtype == jnp.float32:
        return gradient, gradient.astype(jnp.float32).sum(range(gradient.ndim - bias.ndim))
    # A TPU's matrix units sum over tokens in a seventh of the time. Fewer lines than eight, or known ones, would be
    # replaced by a sum.
    flat = gradient.reshape(-1, bias.size)
    ones = jax.lax.optimization_barrier(jnp.ones((8, len(flat)), flat.dtype))
    return gradient, jnp.einsum("AB,BD->AD", ones, flat, preferred_element_type=jnp.float32)[0].reshape(bias.shape)


shifted.defvjp(_shift, _of_shift)


def rows_of(table: Float[Array, "V D"], ids: Int[Array, "*B"]) -> Float[Array, "*B D"]:
    """`jnp.take(table, ids, axis=0)`; devices that share the rows of a batch sum the table's gradient once.

    XLA would let the sum over ids start from the gradient that the table has as a language model's kernel. That is then
    summed over devices first, set to zero on all but one, and summed over devices again with the rest.
    """
    if jax.sharding.get_abstract_mesh().shape.get("data", 1) == 1:
        return jnp.take(table, ids, axis=0)
    return _taken(len(table), table, ids)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _taken(size: int, table: Array, ids: Array) -> Array:
    return jnp.take(table, ids, axis=0)


def _take(size: int, table: Array, ids: Array) -> tuple[Array, Array]:
    return jnp.take(table, ids, axis=0), ids


def _put(size: int, ids: Array, gradient: Array) -> tuple[Array, None]:
    gradient = gradient.reshape(-1, gradient.shape[-1])
    # With a row more than the table, this cannot start from another gradient of the table.
    return jax.ops.segment_sum(gradient, ids.reshape(-1), size + 1)[:size], None


_taken.defvjp(_take, _put)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1, 2, 3))
def _rounded(spec: str, factors: Any, activations: Any, dtype: Any, x: Array, weight: Array) -> Array:
    return jnp.einsum(spec, x.astype(factors), weight.astype(factors), preferred_element_type=dtype)


def _forward(
    spec: str, factors: Any, activations: Any, dtype: Any, x: Array, weight: Array
) -> tuple[Array, tuple[Array, Array]]:
    x, weight = x.astype(factors), weight.astype(factors)
    return jnp.einsum(spec, x, weight, preferred_element_type=dtype), (x, weight)


def _backward(
    spec: str, factors: Any, activations: Any, dtype: Any, kept: tuple[Array, Array], gradient: Array
) -> tuple[Array, Array]:
    x, weight = kept
    terms, result = spec.split("->")
    left, right = terms.split(",")
    gradient = gradient.astype(factors)
    of_x = jnp.einsum(f"{result},{right}->{left}", gradient, weight, preferred_element_type=activations)
    if hardware().platform == "cpu" and set(left) & set(right) & set(result):
        # XLA's backend lacks some products of stacks of bfloat16 matrices with float32 results.
        x, gradient = x.astype(jnp.float32), gradient.astype(jnp.float32)
    of_weight = jnp.einsum(f"{left},{result}->{right}", x, gradient, preferred_element_type=jnp.float32)
    return of_x, of_weight


_rounded.defvjp(_forward, _backward)
