"""cuDNN's attention with one mask for all heads of a row, alone and in a stack of runs.

`jax.nn.dot_product_attention` passes the mask to cuDNN as a bias. Its rule for vmap takes only biases of every head,
N times as large, so `_by_rows` replaces that rule: a stack is one call over the rows of all runs. Functions with a rule
for vmap cannot be differentiated, so the rule for gradients is outside and calls one for each pass.

cuDNN also writes the gradient of the bias, which has the bias's shape and is not used; JAX has no option against it.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int


def _by_rows(function: Callable[..., Any]) -> Any:
    """A function of trees of arrays [B, ...] that vmap calls once, with the rows of all runs, [R B, ...]."""
    folding = jax.custom_batching.custom_vmap(function)

    @folding.def_vmap
    def _(runs: int, batched: list[Any], *given: Any) -> tuple[Any, Any]:
        def fold(x: Array, own: bool) -> Array:
            x = x if own else jnp.broadcast_to(x, (runs, *x.shape))
            return x.reshape(runs * x.shape[1], *x.shape[2:])

        found = folding(*jax.tree.map(fold, given, tuple(batched)))
        found = jax.tree.map(lambda x: x.reshape(runs, x.shape[0] // runs, *x.shape[1:]), found)
        return found, jax.tree.map(lambda _: True, found)

    return folding


def _call(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
) -> Float[Array, "B T N H"]:
    mask = None if segments is None else segments[:, None, :, None] == segments[:, None, None, :]
    return jax.nn.dot_product_attention(q, k, v, mask=mask, implementation="cudnn")


def _differentiated(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
) -> tuple[Float[Array, "B T N H"], Callable[[Array], tuple[Array, ...]]]:
    return jax.vjp(lambda q, k, v: _call(q, k, v, segments), q, k, v)


@_by_rows
def _forward(*given: Any) -> tuple[Float[Array, "B T N H"], list[Array]]:
    """The result, and the arrays that its pullback keeps: those of JAX's wrapper have rows or are empty."""
    found, pullback = _differentiated(*given)
    return found, jax.tree.leaves(pullback)


@_by_rows
def _backward(
    segments: Int[Array, "B T"] | None, kept: list[Array], gradient: Float[Array, "B T N H"]
) -> tuple[Array, ...]:
    """The gradients of q, k and v. A pullback is for one number of rows, so its structure is traced for this one."""
    _, pullback = jax.eval_shape(_differentiated, gradient, gradient, gradient, segments)
    return jax.tree.unflatten(jax.tree.structure(pullback), kept)(gradient)


def _forward_rule(*given: Any) -> tuple[Array, tuple[Any, list[Array]]]:
    found, kept = _forward(*given)
    return found, (given[-1], kept)


def _backward_rule(kept: tuple[Any, list[Array]], gradient: Array) -> tuple[Array | None, ...]:
    return (*_backward(*kept, gradient), None)


_attention = jax.custom_vjp(_by_rows(_call))
_attention.defvjp(_forward_rule, _backward_rule)


def on_one_device(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
) -> Float[Array, "B T N H"]:
    """Attention inside segments; padding (segment 0) attends to padding, so every query has a key.

    Args:
        q, k, v: bfloat16 or float16.
        segments: None: one segment, and no mask.
    """
    return _attention(q, k, v, segments)
