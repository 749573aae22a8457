"""One attention front for every encoder: the XLA reference, attention masks.

Attention takes queries, keys and values as [B, T, N, H] and works head-major inside: on CPU the batched matrix
products over [B, N, T, H] run up to twice as fast as over [B, T, N, H]. Fused kernels are in fused_attention.py.
"""

from typing import NamedTuple, Self

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, Shaped

from itt_jax.models import fused_attention
from itt_jax.models.dropout import dropout

_BLOCK = 128  # tiles of TPUs; XLA's products of smaller blocks are slower per score everywhere


class AttentionMask(NamedTuple):
    """Which keys each query may attend to, in the two forms that backends read; they agree at every real query.

    Attributes:
        allowed: broadcastable to [B, N, T, S]; False hides a key from a query. None: everything is allowed.
        segments: queries attend to keys of their own segment; 0 is padding and what attention_mask hides. None: one
            segment.
        window: queries attend to keys at most this many positions away (inclusive). None: at any distance.
    """

    allowed: Bool[Array, "#B #N #T S"] | None = None
    segments: Int[Array, "B S"] | None = None
    window: int | None = None

    @classmethod
    def of(cls, attention_mask: Int[Array, "B S"] | None, segment_ids: Int[Array, "B S"] | None) -> Self:
        """The mask of a batch; `allowed` is [B, 1, 1, S] without segments, [B, 1, T, S] with them.

        Args:
            attention_mask: 1 for real tokens; None: all, or with segments those whose segment is not 0.
            segment_ids: 0 is padding, 1, 2 ... are the packed examples of a row.
        """
        if segment_ids is None:
            if attention_mask is None:
                return cls()
            real = attention_mask > 0
            return cls(real[:, None, None, :], real.astype(jnp.int32))
        real = segment_ids > 0 if attention_mask is None else (segment_ids > 0) & (attention_mask > 0)
        same = segment_ids[:, :, None] == segment_ids[:, None, :]
        return cls((same & real[:, None, :])[:, None], jnp.where(real, segment_ids, 0))

    def at(self, places: Int[Array, "B P"] | None) -> Self:
        """This mask for the queries at some places of each row, P in place of T; None: for all."""
        if places is None or self.allowed is None:
            return self
        allowed = None
        if self.segments is not None:
            allowed = taken(self.segments, places)[:, None, :, None] == self.segments[:, None, None, :]
        if self.window is not None:
            distances = places[:, None, :, None] - np.arange(self.allowed.shape[-1])
            near = jnp.abs(distances) <= self.window
            allowed = near if allowed is None else allowed & near
        return type(self)(allowed)

    def within(self, window: int | None, length: int) -> Self:
        """This mask of rows of `length` positions with a window; without effect if no key is farther away."""
        if window is None or window >= length - 1:
            return self
        near = near_keys(length, window)[None, None]
        return self._replace(allowed=near if self.allowed is None else self.allowed & near, window=window)


EVERYTHING = AttentionMask()


def taken(x: Shaped[Array, "#B T ..."], places: Int[Array, "B P"] | None) -> Shaped[Array, "B P ..."]:
    """The values at some places of each row; None: at all of them."""
    if places is None:
        return x
    x = jnp.broadcast_to(x, (len(places), *x.shape[1:]))
    return jnp.take_along_axis(x, places.reshape(*places.shape, *[1] * (x.ndim - 2)), axis=1)


def near_keys(length: int, window: int) -> Bool[np.ndarray, "T T"]:
    """Whether a key is at most `window` positions away from a query."""
    positions = np.arange(length)
    return np.abs(positions[:, None] - positions) <= window


def segment_starts(segment_ids: Int[Array, "B T"]) -> Int[Array, "B T"]:
    """For each position, the index at which its run of equal segment ids begins."""
    positions = jnp.arange(segment_ids.shape[1], dtype=jnp.int32)[None]
    previous = jnp.pad(segment_ids[:, :-1], ((0, 0), (1, 0)), constant_values=-1)
    return jax.lax.cummax(jnp.where(segment_ids != previous, positions, 0), axis=1)


def attention(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B S K H"],
    v: Float[Array, "B S K H"],
    *,
    mask: AttentionMask = EVERYTHING,
    bias: Float[Array, "#B #N T S"] | None = None,
    dropout_rate: float = 0.0,
    key: PRNGKeyArray | None = None,
    backend: str = "auto",
) -> Float[Array, "B T N H"]:
    """Scaled dot-product attention; softmax in float32 whatever the dtype of q.

    Args:
        q, k, v: one compute dtype; scores are q k^T / sqrt(H). There may be fewer heads of keys and values, each shared
            by N / K consecutive heads of queries (Ainslie et al. 2023, arXiv 2305.13245).
        mask: a padding query, or one that may attend to no key, gets some mean of values: finite, never NaN, and
            never used.
        bias: added to the scaled scores (XLNet's position and segment terms, scaled by the caller).
        dropout_rate, key: dropout of the attention probabilities; key None switches it off.
        backend: see fused_attention.py; "auto" is the fastest that can compute this here. With a window, whatever the
            backend, long rows are computed by splash on TPUs and elsewhere in blocks (`by_blocks`), short ones whole;
            "xla" computes all rows whole.

    Raises:
        InputError: the requested backend cannot compute this.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.
    """
    dropped = key is not None and dropout_rate > 0
    if k.shape[2] != q.shape[2]:
        k, v = (jnp.repeat(x, q.shape[2] // x.shape[2], axis=2) for x in (k, v))
    if mask.window is not None and bias is None and backend != "xla" and q.shape[1] > 3 * _block(mask.window):
        if fused_attention.has_window_kernel(q, k, dropped=dropped):
            return fused_attention.by_pallas(q, k, v, mask.segments, mask.window)
        return by_blocks(q, k, v, mask.segments, mask.window, dropout_rate, key)
    if mask.window is not None:
        backend = "xla"
    hidden = mask.segments is None and mask.allowed is not None
    chosen = fused_attention.choose(backend, q, k, bias=bias is not None, dropped=dropped, hidden=hidden)
    if chosen == "cudnn":
        return fused_attention.by_cudnn(q, k, v, mask.segments)
    if chosen == "pallas":
        return fused_attention.by_pallas(q, k, v, mask.segments, dropout_rate=dropout_rate, key=key)
    return by_xla(q, k, v, mask.allowed, bias, dropout_rate, key)


def by_xla(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B S N H"],
    v: Float[Array, "B S N H"],
    allowed: Bool[Array, "#B #N #T S"] | None,
    bias: Float[Array, "#B #N T S"] | None,
    dropout_rate: float,
    key: PRNGKeyArray | None,
) -> Float[Array, "B T N H"]:
    """The reference, which stores every score."""
    q, k, v = (x.transpose(0, 2, 1, 3) for x in (q, k, v))
    scores = jnp.einsum("BNTH,BNSH->BNTS", q * q.shape[-1] ** -0.5, k, preferred_element_type=jnp.float32)
    if bias is not None:
        scores += bias
    if allowed is not None:
        scores = jnp.where(allowed, scores, jnp.finfo(jnp.float32).min)
    probabilities = jax.nn.softmax(scores, axis=-1).astype(v.dtype)
    probabilities = dropout(probabilities, dropout_rate, key, streams=2)
    return jnp.einsum("BNTS,BNSH->BNTH", probabilities, v).transpose(0, 2, 1, 3)


def by_blocks(
    q: Float[Array, "B T N H"],
    k: Float[Array, "B T N H"],
    v: Float[Array, "B T N H"],
    segments: Int[Array, "B T"] | None,
    window: int,
    dropout_rate: float = 0.0,
    key: PRNGKeyArray | None = None,
) -> Float[Array, "B T N H"]:
    """Attention inside a window and inside segments: a block of queries reads its own keys and those of two neighbours.

    Memory and work grow with T instead of its square. Padding (segment 0) attends to padding.
    """
    rows, length = q.shape[:2]
    block = _block(window)
    count = -(-length // block)
    segments = jnp.ones((rows, length), jnp.int32) if segments is None else segments

    def blocks(x: Array, before: int, after: int, fill: int = 0) -> Array:
        """[B, T, ...] -> [B, C + before + after, block, ...], with whole blocks of `fill` at the ends."""
        missing = (before * block, count * block - length + after * block)
        x = jnp.pad(x, ((0, 0), missing, *[(0, 0)] * (x.ndim - 2)), constant_values=fill)
        return x.reshape(rows, -1, block, *x.shape[2:])

    def with_neighbours(x: Array, fill: int = 0) -> Array:
        """[B, T, ...] -> [B, C, 3 * block, ...]: each block between the two beside it."""
        x = blocks(x, 1, 1, fill)
        return jnp.concatenate([x[:, :-2], x[:, 1:-1], x[:, 2:]], axis=2)

    near = np.abs(np.arange(block, 2 * block)[:, None] - np.arange(3 * block)) <= window
    queries_of, keys_of = blocks(segments, 0, 0, -1), with_neighbours(segments, -1)
    allowed = (queries_of[..., :, None] == keys_of[..., None, :]) & near
    q, k, v, allowed = (
        x.reshape(rows * count, *x.shape[2:]) for x in (blocks(q, 0, 0), *map(with_neighbours, (k, v)), allowed)
    )
    found = by_xla(q, k, v, allowed[:, None], None, dropout_rate, key)
    return found.reshape(rows, count * block, *found.shape[2:])[:, :length]


def _block(window: int) -> int:
    """Length of the blocks for a window: a query's keys lie in its own block and the two beside it."""
    return max(window, _BLOCK)
