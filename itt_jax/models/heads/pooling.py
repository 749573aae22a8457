"""From hidden states of tokens to one vector per example."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from itt_jax import errors
from itt_jax.batch import Batch, most_examples
from itt_jax.models.heads.head import Head

POOLINGS = ("pretrained", "cls", "mean", "max_mean")


def pooled(head: Head, hidden: Float[Array, "B T D"], batch: Batch) -> Float[Array, "E K"]:
    """Each example's vector, by the head's pooling."""
    rows = batch.by_example["summary_rows"]
    if head.pooling in ("pretrained", "cls"):
        return hidden[rows, batch.by_example["summary_positions"]]
    examples, slots = batch.by_row["example_ids"], rows.shape[0]

    def pool(groups: Int[Array, "B T"]) -> Float[Array, "E K"]:
        """The vector of each group of tokens; tokens of group `slots` are dropped."""
        mean, count, flat, index = _means(hidden, groups, slots)
        if head.pooling == "mean":
            return mean
        most = jax.ops.segment_max(flat, index, slots + 1)[:slots]
        return jnp.concatenate([jnp.where(count > 0, most, 0), mean], axis=-1)

    if not head.pair_features:
        return pool(examples)
    a, b = (pool(jnp.where(batch.by_row["field_ids"] == field, examples, slots)) for field in (1, 2))
    return jnp.concatenate([a, b, jnp.abs(a - b), a * b], axis=-1)


def summary_places(batch: Batch) -> Int[Array, "B P"]:
    """The position of the summary token of each segment, 1 to P, of each row; 0 where there is none.

    Compared with all examples, as a scatter into rows on several devices would need communication.
    """
    rows, segments, positions = (batch.by_example[name] for name in ("summary_rows", "segments", "summary_positions"))
    count, length = batch.row_shape
    own = (rows == np.arange(count)[:, None, None]) & (segments == np.arange(1, most_examples(length) + 1)[:, None])
    return jnp.sum(jnp.where(own, positions, 0), axis=-1)


def mean_of_examples(values: Float[Array, "B T K"], batch: Batch) -> Float[Array, "E K"]:
    """The mean of each example's tokens, special ones included; float32."""
    return _means(values, batch.by_row["example_ids"], batch.by_example["summary_rows"].shape[0])[0]


def _means(values: Float[Array, "B T K"], groups: Int[Array, "B T"], slots: int) -> tuple[Array, Array, Array, Array]:
    """(means [slots, K], counts [slots, 1], the values float32 [B T, K], their groups [B T])."""
    flat, index = values.astype(jnp.float32).reshape(-1, values.shape[-1]), groups.reshape(-1)
    # Group `slots` collects padding and tokens that are not pooled; it is dropped.
    count = jax.ops.segment_sum(jnp.ones_like(flat[:, :1]), index, slots + 1)[:slots]
    mean = jax.ops.segment_sum(flat, index, slots + 1)[:slots] / jnp.maximum(count, 1)
    return mean, count, flat, index


def embed(
    hidden_layers: tuple[Float[Array, "B T D"], ...],
    mask: Int[Array, "B T"],
    *,
    layer: int = -1,
    pooling: Literal["mean", "cls"] = "mean",
    positions: Int[Array, " B"] | None = None,
) -> Float[Array, "B D"]:
    """One vector per row, for retrieval.

    Args:
        hidden_layers: the encoder's output with all_layers; index 0 is the embeddings, k is layer k.
        mask: 1 for real tokens; mean pooling is over them.
        positions: position of the token that "cls" reads; default: the first real one (for XLNet, pass the last).

    Raises:
        InputError: no such layer or pooling.
    """
    if not -len(hidden_layers) <= layer < len(hidden_layers):
        raise errors.InputError(f"layer {layer}: expected one of 0 (embeddings) to {len(hidden_layers) - 1}")
    hidden = hidden_layers[layer].astype(jnp.float32)
    if pooling == "mean":
        weights = (mask > 0).astype(jnp.float32)
        total = jnp.einsum("BT,BTD->BD", weights, hidden)
        return total / jnp.maximum(weights.sum(1, keepdims=True), 1)
    if pooling == "cls":
        positions = jnp.argmax(mask > 0, axis=1) if positions is None else positions
        return jnp.take_along_axis(hidden, positions[:, None, None], axis=1)[:, 0]
    raise errors.unknown("pooling", pooling, ("mean", "cls"))
