"""How the kernel for TPUs (tpu_attention.py) divides attention into blocks, and what is too large for it."""

from typing import NamedTuple, Self

import jax.numpy as jnp
from jaxtyping import Array, Float

LANES = 128
"""Of a TPU's vector."""
_SCORES_BYTES = 2**20
"""Most bytes of scores, in the dtype of q and of all heads in a vector, that the kernel computes at once: what it makes
of them fits the on-chip memory."""
_ROWS = 8


class Shape(NamedTuple):
    """What a kernel is compiled for.

    Attributes:
        size: of a head. dropped: how many of 2^32 probabilities are dropped.
        rows, queries: of a block.
    """

    size: int
    dropped: int
    rows: int
    queries: int

    @classmethod
    def of(cls, q: Float[Array, "B T N H"], dropped: int) -> Self:
        """That of queries that `fit`, with as many scores at once as the memory has room for."""
        rows, length, _, size = q.shape
        most = _SCORES_BYTES // q.dtype.itemsize // (LANES // size)
        queries = next(own for own in (512, 384, 256, LANES) if length % own == 0 and own * length <= most)
        # Products of float32 have parts, which take more memory with each row.
        count = min(_ROWS, max(1, most // length**2)) if q.dtype == jnp.bfloat16 else 1
        return cls(size, dropped, next(own for own in range(count, 0, -1) if rows % own == 0), queries)


def fit(q: Float[Array, "B T N H"], heads: int) -> bool:
    """Whether the kernel can compute attention for so many of the heads: they fill vectors, and a block the memory."""
    _, length, _, size = q.shape
    if length % LANES or size % 8 or LANES % size or heads % (LANES // size):
        return False
    return longest(q.dtype.itemsize, size) >= length


def longest(itemsize: int, size: int) -> int:
    """The longest rows that the kernel takes, for numbers of so many bytes and heads of a size."""
    return _SCORES_BYTES // (itemsize * LANES * max(2, LANES // size))
