"""The measured maximum rate of matrix products on this device: the denominator of model FLOP utilisation."""

import functools
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_BUDGET = 0.25  # seconds to measure, after compiling
_MOST = 32
# A square product, and those of a base encoder's feed-forward over 512 tokens; larger ones to fill an accelerator.
_SHAPES = ((1024, 1024, 1024), (512, 768, 3072), (512, 3072, 768))
_LARGER = 8


@functools.cache
def matmul_rate(dtype: Any) -> float:
    """The highest measured rate of matrix products on the default device, in FLOP/s.

    It is the best single run of [M, K] x [K, N] products, 2 M K N FLOP each: a square one, and the two of a base-size
    encoder's feed-forward (on accelerators with eight times the rows and a larger square). Operands are `dtype`, sums
    are float32, at JAX's default precision. The rate describes this machine in its present state (shared cores, clock,
    heat), not a data sheet. Takes a quarter of a second and three compilations, once per process.
    """
    return measured(dtype)[0]


def measured(dtype: Any) -> tuple[float, tuple[int, int, int]]:
    """(FLOP/s, [M, K, N]) of the fastest product; measured at each call."""
    scale = 1 if jax.default_backend() == "cpu" else _LARGER
    found = (0.0, _SHAPES[0])
    for rows, inner, outer in _SHAPES:
        square = rows == inner == outer
        shape = (rows * scale, inner * scale, outer * scale) if square else (rows * scale, inner, outer)
        found = max(found, (_rate(shape, dtype), shape))
    return found


def _rate(shape: tuple[int, int, int], dtype: Any) -> float:
    """FLOP/s of the fastest run of one product, within its share of the time budget."""
    rows, inner, outer = shape
    rng = np.random.default_rng(0)
    a, b = (jax.device_put(rng.random(size, np.float32).astype(dtype)) for size in ((rows, inner), (inner, outer)))
    product = jax.jit(lambda a, b: jnp.matmul(a, b, preferred_element_type=jnp.float32)).lower(a, b).compile()
    jax.block_until_ready(product(a, b))
    best, ends = np.inf, perf_counter() + _BUDGET / len(_SHAPES)
    for _ in range(_MOST):
        began = perf_counter()
        jax.block_until_ready(product(a, b))
        now = perf_counter()
        best = min(best, now - began)
        if now > ends:
            break
    return 2.0 * rows * inner * outer / best
