"""Losses over tokens that compete with one another inside an example: one value an example."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.data.spans import FIRST, LAST


def span_losses(scores: Float[Array, "B T 2"], batch: Batch) -> Float[Array, " E"]:
    """The mean of the two cross-entropies of an answer's first and last token (SQuAD, as in BERT), 0 for empty slots.

    Each is over all tokens of the example: question, special tokens and context. Published code takes the padding of a
    row along; here rows hold several examples and no padding counts.

    Args:
        batch: labels int32 [B, T], FIRST and LAST at one token each of every example; example_ids [B, T];
            weights [E].
    """
    slots = batch.slots
    flat, index = scores.reshape(-1, 2), batch.by_row["example_ids"].reshape(-1)
    labels = batch.by_row["labels"].reshape(-1, 1)
    most = jax.lax.stop_gradient(jax.ops.segment_max(flat, index, slots + 1))
    most = jnp.where(jnp.isfinite(most), most, 0)  # an empty slot has none
    total = jax.ops.segment_sum(jnp.exp(flat - most[index]), index, slots + 1)[:slots]
    used = batch.by_example["weights"] > 0
    normaliser = most[:slots] + jnp.log(jnp.where(used[:, None], total, 1))
    marked = (labels > 0) & (labels & jnp.array([FIRST, LAST]) > 0)
    gold = jax.ops.segment_sum(jnp.where(marked, flat, 0), index, slots + 1)[:slots]
    return jnp.where(used, jnp.mean(normaliser - gold, axis=-1), 0)


def pair_losses(
    vectors: Float[Array, "E D"], scale: Float[Array, ""], weights: Float[Array, " E"]
) -> tuple[Float[Array, " I"], Float[Array, " I"]]:
    """Cross-entropy of each query over the candidates of the batch, its own being right, and each item's weight.

    As `BertForRetrieval` in XTREME-R's code: scaled cosines, in-batch candidates, the queries' direction alone.

    Args:
        vectors: of length 1; of item i the query at 2 i, its candidate at 2 i + 1. weights: 0 for empty slots.
    """
    queries, candidates, used = vectors[0::2], vectors[1::2], weights[0::2]
    logits = scale * queries @ candidates.T
    logits = jnp.where(used[None, :] > 0, logits, -jnp.inf)
    own = jnp.diagonal(logits)
    losses = jax.nn.logsumexp(logits, axis=1) - own
    return jnp.where(used > 0, losses, 0), used
