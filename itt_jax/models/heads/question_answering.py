"""The first and the last token of an answer."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Encoder, Params
from itt_jax.models.heads.by_token import TokenHead
from itt_jax.models.heads.head import Head, HeadKind


class QuestionAnsweringKind(HeadKind):
    """Start and end scores of each token; the mean of the two cross-entropies, as for SQuAD in BERT.

    Each is over all tokens of the example: question, special tokens and context. Published code includes a row's
    padding; here rows hold several examples and no padding counts.
    """

    def fixed_outputs(self, encoder: Encoder) -> int:
        return 2

    def build(self, head: Head, rngs: nnx.Rngs) -> nnx.Module:
        return TokenHead(head, 0.0, rngs)

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "B T 2"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        """labels int32 [B, T] have bit 0 at an example's first answer token and bit 1 at its last."""
        weights, normaliser = batch.by_example["weights"], _normaliser(outputs, batch)
        slots, flat, index = batch.slots, outputs.reshape(-1, 2), batch.by_row["example_ids"].reshape(-1)
        labels = batch.by_row["labels"].reshape(-1, 1)
        marked = (labels > 0) & (labels & jnp.array([1, 2]) > 0)  # -1 is no label
        gold = jax.ops.segment_sum(jnp.where(marked, flat, 0), index, slots + 1)[:slots]
        losses = jnp.where(weights > 0, jnp.mean(normaliser - gold, axis=-1), 0)
        return jnp.sum(weights * losses), jnp.sum(weights)

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        """The mean of the first token's and the last token's, each over the tokens of an example."""
        index = batch.by_row["example_ids"]

        def log_probabilities(scores: Array) -> Array:
            return scores - jnp.pad(_normaliser(scores, batch), ((0, 1), (0, 0)))[index]

        log_p, log_q = log_probabilities(outputs), log_probabilities(others)
        apart = (jnp.exp(log_p) - jnp.exp(log_q)) * (log_p - log_q)
        return jnp.sum(jnp.where((index < batch.slots)[..., None], apart, 0)) / 2


def _normaliser(outputs: Float[Array, "B T 2"], batch: Batch) -> Float[Array, "E 2"]:
    """The logarithm of the sum of exponentials over the tokens of each example; 0 in empty slots."""
    slots, used = batch.slots, batch.by_example["weights"] > 0
    flat, index = outputs.reshape(-1, 2), batch.by_row["example_ids"].reshape(-1)
    most = jax.lax.stop_gradient(jax.ops.segment_max(flat, index, slots + 1))
    most = jnp.where(jnp.isfinite(most), most, 0)  # an empty slot has none
    total = jax.ops.segment_sum(jnp.exp(flat - most[index]), index, slots + 1)[:slots]
    return most[:slots] + jnp.log(jnp.where(used[:, None], total, 1))


QUESTION_ANSWERING = QuestionAnsweringKind("question_answering", form="question_answering")
