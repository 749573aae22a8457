"""XLNet's attention: relative positions, segments compared instead of embedded, and two streams.

Letters: B rows, T query positions, S key positions (memories, then the T positions), K relative positions, N heads,
H head size, D width, P predictions. Source: XLNet (arXiv 1906.08237), Transformer-XL (arXiv 1901.02860); numerics as
`transformers.models.xlnet`.
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray

from itt_jax.models.attention import attention, taken
from itt_jax.models.dropout import dropout, subkey
from itt_jax.models.layers import layer_norm
from itt_jax.models.products import product, shifted

# Hugging Face's term for a masked score. A query that may attend to nothing then weighs its keys evenly, as there; keys
# of other segments get minus infinity instead, so that such a query stays inside its own segment.
_MASKED = -1e30


class Shared(NamedTuple):
    """The values that every layer of a forward pass reads, computed once.

    Attributes:
        positions: embeddings of the relative positions, the same for all rows; float32, since gradients of arrays
            that all rows share are sums over tokens.
        content_mask, query_mask: terms added to the scores of the two streams; None if everything is visible.
        same_type: whether query and key have the same token type; None leaves the segment term out.
        target_mapping: the positions that the query stream predicts; None without a query stream.
    """

    positions: Float[Array, "K D"]
    content_mask: Float[Array, "#B 1 T S"] | None
    query_mask: Float[Array, "#B 1 T S"] | None
    same_type: Bool[Array, "B 1 T S"] | None
    target_mapping: Float[Array, "B P T"] | None


def sinusoids(queries: int, keys: int, width: int, *, both_ways: bool, clamp: int | None) -> np.ndarray:
    """Embeddings of the relative positions from `keys` down to 1 - `queries` (to 0 unless `both_ways`): float32 [K, D].

    Distances beyond `clamp` become `clamp`. Computed in float32 and in Hugging Face's order: at distance 500, a
    differently rounded angle changes the sine by 3e-5.
    """
    distances = np.arange(keys, -queries if both_ways else -1, -1, dtype=np.float32)
    if clamp is not None:
        distances = np.clip(distances, -clamp, clamp)
    frequencies = 1 / np.power(np.float32(10000), np.arange(0, width, 2, dtype=np.float32) / np.float32(width))
    angles = distances[:, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)


def relative_shift(
    scores: Float[Array, "B N P K"], keys: int, places: Int[Array, "B P"] | None = None
) -> Float[Array, "B N P S"]:
    """Scores by relative position -> scores by key, S = `keys`.

    The score of query i and key j is in column T - i + j: each row starts one column before the row above it, as if the
    same numbers were read in rows that are one shorter.

    Args:
        places: the positions i of the queries, of T = S; None: all T of them, in order.
    """
    if places is not None:
        columns = (keys - places)[:, None, :, None] + np.arange(keys)
        return jnp.take_along_axis(scores, jnp.minimum(columns, scores.shape[-1] - 1), axis=3)
    *leading, queries, relative = scores.shape
    scores = scores.reshape(*leading, relative, queries)[..., 1:, :]
    return scores.reshape(*leading, queries, relative - 1)[..., :keys]


def scores_by_head(q: Float[Array, "B T N H"], table: Float[Array, "N K H"]) -> Float[Array, "B N T K"]:
    """Products of the queries with a float32 table that all rows share, float32; the factors are in the dtype of q.

    Heads lead both factors: with the shared axis elsewhere, XLA's CPU backend has no bfloat16 product that sums in
    float32.
    """
    scores = product("NBTH,NKH->NBTK", q.transpose(2, 0, 1, 3), table, dtype=jnp.float32)
    return scores.transpose(1, 0, 2, 3)


def stream_masks(
    queries: int,
    memories: int,
    *,
    both_ways: bool,
    same_length: bool,
    attention_mask: Int[Array, "B T"] | None,
    perm_mask: Int[Array, "B T T"] | None,
    segment_ids: Int[Array, "B T"] | None,
) -> tuple[Float[Array, "#B 1 T S"] | None, Float[Array, "#B 1 T S"] | None]:
    """(content_mask, query_mask) of `Shared`. In the content stream a token always sees itself.

    Args:
        queries, memories: T, and S - T; every memory is seen, unless `same_length` gives all queries equally many keys.
        attention_mask: 1 for real tokens. perm_mask: 1 where i must not see j.
        segment_ids: i sees only its own segment.
    """
    row, column = np.arange(queries)[:, None], np.arange(memories + queries)
    hidden = None
    if not both_ways:
        hidden = jnp.asarray((column > row + memories) | (same_length & (column < row)))[None]
    padding = None if attention_mask is None else (attention_mask == 0)[:, None, :]
    order = None if perm_mask is None else perm_mask > 0
    for mask in (padding, order):
        if mask is not None:
            mask = jnp.pad(mask, ((0, 0), (0, 0), (memories, 0)))
            hidden = mask if hidden is None else hidden | mask
    content_mask = query_mask = None
    if hidden is not None:
        content_mask = jnp.where(hidden & (column != row + memories), _MASKED, 0.0)[:, None]
        query_mask = jnp.where(hidden, _MASKED, 0.0)[:, None]
    if segment_ids is not None:
        same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
        content_mask = jnp.where(same, 0.0 if content_mask is None else content_mask, -jnp.inf)
        query_mask = jnp.where(same, 0.0 if query_mask is None else query_mask, -jnp.inf)
    return content_mask, query_mask


class QueryBiases(nnx.Module):
    """The vectors [N, H] added to a query for its content, position and segment terms (r_w, r_r and r_s)."""

    def __init__(self, config: Any, *, rngs: nnx.Rngs) -> None:
        init = nnx.initializers.normal(config.initializer_range)
        shape = (config.heads, config.width // config.heads)
        self.content_bias, self.position_bias, self.segment_bias = (
            nnx.Param(init(rngs.params(), shape)) for _ in range(3)
        )


class RelativeAttention(nnx.Module):
    """Attention of one layer, with residual and LayerNorm; owns its query biases unless all layers share one set."""

    factors: Any = None

    def __init__(self, config: Any, *, dtype: Any, rngs: nnx.Rngs) -> None:
        init = nnx.initializers.normal(config.initializer_range)
        heads, size = config.heads, config.width // config.heads
        self.query, self.key, self.value, self.output, self.position = (
            nnx.Param(init(rngs.params(), (config.width, heads, size))) for _ in range(5)
        )
        self.segment_embedding = nnx.Param(init(rngs.params(), (2, heads, size)))
        if config.untied_biases:
            self.biases = QueryBiases(config, rngs=rngs)
        self.norm = layer_norm(config, rngs)
        self.rate, self.dtype = config.dropout, dtype

    def __call__(
        self,
        content: Float[Array, "B T D"],
        query: Float[Array, "B P D"] | None,
        shared: Shared,
        biases: QueryBiases,
        memory: Float[Array, "B M D"] | None,
        key: PRNGKeyArray | None,
        backend: str = "auto",
        places: Int[Array, "B P"] | None = None,
    ) -> tuple[Float[Array, "B T D"], Float[Array, "B P D"] | None]:
        """Both streams after attention; the query stream stays None if there is none.

        Args:
            places: the positions of the content stream to compute, without memories and query stream; None: all.
        """
        seen = content if memory is None else jnp.concatenate([memory.astype(self.dtype), content], axis=1)
        k, v = self._project(seen, self.key), self._project(seen, self.value)
        r = product("KD,DNH->NKH", shared.positions, self.position[...])  # float32: all rows share it

        def attend(q: Array, mask: Array | None, key: PRNGKeyArray | None) -> Array:
            return self._attend(q, k, v, r, mask, same_type, biases, key, backend, places)

        content, same_type = taken(content, places), _rows(shared.same_type, places)
        attended = attend(self._project(content, self.query), _rows(shared.content_mask, places), subkey(key, 0))
        new_content = self._finish(content, attended, subkey(key, 1))
        if query is None:
            return new_content, None
        mapping = shared.target_mapping
        q = jnp.einsum("BPNH,BPT->BTNH", self._project(query, self.query), mapping)
        attended = jnp.einsum("BTNH,BPT->BPNH", attend(q, shared.query_mask, subkey(key, 2)), mapping)
        return new_content, self._finish(query, attended, subkey(key, 3))

    def _project(self, x: Float[Array, "B T D"], weight: nnx.Param) -> Float[Array, "B T N H"]:
        return product("BTD,DNH->BTNH", x, weight[...], factors=self.factors)

    def _attend(
        self,
        q: Float[Array, "B T N H"],
        k: Float[Array, "B S N H"],
        v: Float[Array, "B S N H"],
        r: Float[Array, "N K H"],
        mask: Float[Array, "#B 1 T S"] | None,
        same_type: Bool[Array, "B 1 T S"] | None,
        biases: QueryBiases,
        key: PRNGKeyArray | None,
        backend: str,
        places: Int[Array, "B T"] | None,
    ) -> Float[Array, "B T N H"]:
        """Attention whose scores are content + position + segment terms, all scaled by 1 / sqrt(H)."""
        scale = q.shape[-1] ** -0.5
        scores = scores_by_head(shifted(q, biases.position_bias[...]) * scale, r)
        bias = relative_shift(scores, k.shape[1], places)
        if same_type is not None:
            embedding = self.segment_embedding[...].transpose(1, 0, 2)
            score = scores_by_head(shifted(q, biases.segment_bias[...]) * scale, embedding)
            bias += jnp.where(same_type, score[..., :1], score[..., 1:])
        if mask is not None:
            bias += mask
        q = shifted(q, biases.content_bias[...])
        return attention(q, k, v, bias=bias, dropout_rate=self.rate, key=key, backend=backend)

    def _finish(
        self, x: Float[Array, "B T D"], attended: Float[Array, "B T N H"], key: PRNGKeyArray | None
    ) -> Float[Array, "B T D"]:
        """Projection to the encoder's width, residual and LayerNorm."""
        output = product("BTNH,DNH->BTD", attended, self.output[...], factors=self.factors)
        return self.norm(x + dropout(output, self.rate, key)).astype(self.dtype)


def _rows(x: Array | None, places: Int[Array, "B P"] | None) -> Array | None:
    """The rows [B, 1, P, S] of a mask [#B, 1, T, S] that belong to the queries at some places; None: all."""
    return x if x is None or places is None else taken(x[:, 0], places)[:, None]
