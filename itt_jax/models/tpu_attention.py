"""Attention for TPUs in one pass over whole rows of keys, with dropout of probabilities drawn inside the kernel.

Queries, keys and values stay as the products before them write them, [B, T, D]: a block has 128 lanes, with two heads
of 64 side by side, and no head is copied out of it. Products read 128 lanes anyway, so those of other heads are set to
zero on one side instead. Scores are [keys, queries]: sums over keys then run down a vector's rows, and each product but
the last reads its operands as they lie. All keys of a query are there at once, so the softmax is not corrected
afterwards, and the backward pass computes scores again and keeps nothing but its arguments.

Dropout is that of `dropout.py`, with words for each row and head: both passes, any division into blocks or over devices
and attention by XLA drop the same probabilities.

Source: Dao et al. 2022 (arXiv 2205.14135), for the backward pass.
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.experimental import pallas as pl
from jax.experimental.pallas import tpu as pltpu
from jaxtyping import Array, Bool, Float, Int, UInt32

from itt_jax.models.dropout import is_kept, scale_of
from itt_jax.models.hardware import hardware
from itt_jax.models.tpu_blocks import LANES, Shape

_FEW = -1e30  # what a score of another segment becomes


def on_one_device(
    dropped: int,
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
    words: UInt32[Array, "B N 2"],
) -> Float[Array, "B T N H"]:
    """Attention inside segments; padding (segment 0) attends to padding.

    Args:
        dropped: how many of 2^32 probabilities are dropped.
        q, k, v: bfloat16 or float32; they `tpu_blocks.fit`.
        segments: None: one segment.
    """
    rows, length, *_ = q.shape
    if segments is None:
        segments = jnp.zeros((rows, length), jnp.int32)
    flat = (x.reshape(rows, length, -1) for x in (q, k, v))
    shape = Shape.of(q, dropped)
    return _attention(shape, *flat, segments[:, None], words.reshape(rows, 1, -1)).reshape(q.shape)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attention(
    shape: Shape,
    q: Float[Array, "B T D"],
    k: Float[Array, "B T D"],
    v: Float[Array, "B T D"],
    segments: Int[Array, "B 1 T"],
    words: UInt32[Array, "B 1 2*N"],
) -> Float[Array, "B T D"]:
    (found,) = _called(_forward, shape, (q,), (k, v), segments, words, ("query",))
    return found


def _attention_forward(shape: Shape, *given: Array) -> tuple[Array, tuple[Array, ...]]:
    return _attention(shape, *given), given


def _attention_backward(shape: Shape, given: tuple[Array, ...], gradient: Array) -> tuple[Array | None, ...]:
    q, k, v, segments, words = given
    results = ("query", "key", "key")
    return (*_called(_backward, shape, (q, gradient), (k, v), segments, words, results), None, None)


_attention.defvjp(_attention_forward, _attention_backward)


def _called(
    kernel: Callable[..., None],
    shape: Shape,
    by_query: tuple[Float[Array, "B T D"], ...],
    by_key: tuple[Float[Array, "B T D"], ...],
    segments: Int[Array, "B 1 T"],
    words: UInt32[Array, "B 1 2*N"],
    results: tuple[str, ...],
) -> list[Float[Array, "B T D"]]:
    """A kernel over blocks of rows, then of lanes, then of queries.

    Args:
        by_query: read in blocks of queries. by_key: read in whole rows.
        results: "query" or "key" for each, how it is written; scratch memory has the sums of those by key.
    """
    q = by_query[0]
    batch, length, width = q.shape
    rows, queries = shape.rows, shape.queries
    whole = pl.BlockSpec((rows, length, LANES), lambda b, g, i: (b, 0, g))
    blocks = {"query": pl.BlockSpec((rows, queries, LANES), lambda b, g, i: (b, i, g)), "key": whole}
    of_row = functools.partial(pl.BlockSpec, index_map=lambda b, g, i: (b, 0, 0))
    sums = [pltpu.VMEM((rows, length, LANES), jnp.float32) for way in results if way == "key"]
    called = pl.pallas_call(
        functools.partial(kernel, shape),
        grid=(batch // rows, width // LANES, length // queries),
        in_specs=[
            of_row((rows, 1, words.shape[-1]), memory_space=pltpu.SMEM),
            of_row((rows, 1, length)),
            *[blocks["query"]] * len(by_query),
            *[blocks["key"]] * len(by_key),
        ],
        out_specs=[blocks[way] for way in results],
        out_shape=[jax.ShapeDtypeStruct(q.shape, q.dtype)] * len(results),
        scratch_shapes=[pltpu.VMEM((rows, length, LANES), jnp.int32), *sums],
        compiler_params=pltpu.CompilerParams(dimension_semantics=("parallel", "arbitrary", "arbitrary")),
        cost_estimate=pl.CostEstimate(
            flops=2 * (2 if kernel is _forward else 5) * q.size * length,
            bytes_accessed=(len(by_query) + len(by_key) + len(results)) * q.size * q.dtype.itemsize,
            transcendentals=q.size // shape.size * length,
        ),
        name=f"tpu_attention{kernel.__name__}",
        metadata={  # for accelerators/schedules.py
            "elements_of_a_step": str(rows * queries * LANES),  # of a result
            "steps_in_turn": str(width // LANES * (length // queries)),
        },
        interpret=hardware().platform != "tpu",
    )
    return called(words, segments, *by_query, *by_key)


# The kernels first compute the products of all heads of a block: they run beside the softmax of the head before.


def _forward(shape: Shape, words: Any, segments: Any, q: Any, k: Any, v: Any, found: Any, spread: Any) -> None:
    _spread(segments, spread)
    scores = [[_product(k[row], own, 1, 1) for own in _heads(shape, q[row])] for row in range(shape.rows)]
    for row in range(shape.rows):
        same = _same_segment(shape, segments, spread, row)
        parts = []
        for head, own_scores in enumerate(scores[row]):
            exponentials, total = _exponentials(shape, own_scores, same)
            if shape.dropped:
                exponentials = jnp.where(_kept(shape, words, row, head, len(same)), exponentials, 0.0)
            mean = _product(v[row], exponentials.astype(v.dtype), 0, 0)
            parts.append(_lines(shape, head, mean) * (scale_of(shape.dropped) / total))
        found[row] = jnp.concatenate(parts).T.astype(found.dtype)


def _backward(
    shape: Shape,
    words: Any,
    segments: Any,
    q: Any,
    gradient: Any,
    k: Any,
    v: Any,
    of_q: Any,
    of_k: Any,
    of_v: Any,
    spread: Any,
    sum_k: Any,
    sum_v: Any,
) -> None:
    _spread(segments, spread)

    @pl.when(pl.program_id(2) == 0)
    def _() -> None:
        sum_k[...] = jnp.zeros_like(sum_k)
        sum_v[...] = jnp.zeros_like(sum_v)

    of_scores_scale = scale_of(shape.dropped) * shape.size**-0.5
    own_q, own_gradient = ([_heads(shape, x[row]) for row in range(shape.rows)] for x in (q, gradient))
    scores = [[_product(k[row], own, 1, 1) for own in own_q[row]] for row in range(shape.rows)]
    products = [[_product(v[row], own, 1, 1) for own in own_gradient[row]] for row in range(shape.rows)]
    for row in range(shape.rows):
        same = _same_segment(shape, segments, spread, row)
        parts = []
        for head, (own_scores, of_probabilities) in enumerate(zip(scores[row], products[row], strict=True)):
            exponentials, total = _exponentials(shape, own_scores, same)
            probabilities = kept_probabilities = exponentials * (1 / total)
            if shape.dropped:
                kept = _kept(shape, words, row, head, len(same))
                kept_probabilities = jnp.where(kept, probabilities, 0.0)
                of_probabilities = jnp.where(kept, of_probabilities, 0.0)
            mean = (probabilities * of_probabilities).sum(0, keepdims=True)
            of_scores = (probabilities * (of_probabilities - mean)).astype(q.dtype)
            sum_v[row] += _product(kept_probabilities.astype(q.dtype), own_gradient[row][head], 1, 0)
            sum_k[row] += _product(of_scores, own_q[row][head], 1, 0)
            parts.append(_lines(shape, head, _product(k[row], of_scores, 0, 0)))
        of_q[row] = (jnp.concatenate(parts) * of_scores_scale).T.astype(of_q.dtype)

    @pl.when(pl.program_id(2) == pl.num_programs(2) - 1)
    def _() -> None:
        of_k[...] = (sum_k[...] * of_scores_scale).astype(of_k.dtype)
        of_v[...] = (sum_v[...] * scale_of(shape.dropped)).astype(of_v.dtype)


def _spread(segments: Any, spread: Any) -> None:
    """Writes the segment of each key into all lanes of its line, once for all heads of a block of rows."""

    @pl.when((pl.program_id(1) == 0) & (pl.program_id(2) == 0))
    def _() -> None:
        for row in range(len(spread)):
            spread[row] = jnp.broadcast_to(segments[row], (LANES, spread.shape[1])).T


def _same_segment(shape: Shape, segments: Any, spread: Any, row: int) -> Bool[Array, "T Q"]:
    """Whether key and query are of one segment."""
    of_queries = segments[row, :, pl.ds(pl.program_id(2) * shape.queries, shape.queries)]
    return jnp.concatenate([spread[row]] * (shape.queries // LANES), axis=1) == of_queries


def _heads(shape: Shape, x: Float[Array, "Q L"]) -> list[Float[Array, "Q L"]]:
    """For each head, x with zeros in the lanes of the others."""
    lane = jax.lax.broadcasted_iota(jnp.int32, x.shape, 1)
    firsts = range(0, LANES, shape.size)
    return [jnp.where((lane >= first) & (lane < first + shape.size), x, jnp.zeros_like(x)) for first in firsts]


def _lines(shape: Shape, head: int, x: Float[Array, "L Q"]) -> Float[Array, "H Q"]:
    """The lines of one head."""
    return x[head * shape.size : (head + 1) * shape.size]


def _product(x: Array, y: Array, over_x: int, over_y: int) -> Float[Array, "..."]:
    """A product over an axis of each, summed in float32."""
    precision = jax.lax.Precision.HIGHEST if x.dtype == jnp.float32 else None
    dimensions = (((over_x,), (over_y,)), ((), ()))
    return jax.lax.dot_general(x, y, dimensions, precision=precision, preferred_element_type=jnp.float32)


def _exponentials(
    shape: Shape, scores: Float[Array, "T Q"], same: Bool[Array, "T Q"]
) -> tuple[Float[Array, "T Q"], Float[Array, "1 Q"]]:
    """The numerators of the softmax and their sum over keys."""
    scores = jnp.where(same, scores, _FEW)
    of_base_two = shape.size**-0.5 * math.log2(math.e)
    exponentials = jnp.exp2((scores - scores.max(0, keepdims=True)) * of_base_two)
    return exponentials, exponentials.sum(0, keepdims=True)


def _kept(shape: Shape, words: Any, row: int, head: int, keys: int) -> Bool[Array, "T Q"]:
    """Which probabilities of a block are kept."""
    at = 2 * (pl.program_id(1) * (LANES // shape.size) + head)
    key, query = (jax.lax.broadcasted_iota(jnp.uint32, (keys, shape.queries), axis) for axis in (0, 1))
    first = (pl.program_id(2) * shape.queries).astype(jnp.uint32)
    return is_kept((query + first) * jnp.uint32(keys) + key, words[row, 0, at], words[row, 0, at + 1], shape.dropped)
