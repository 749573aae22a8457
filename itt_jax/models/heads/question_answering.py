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
    """Start and end scores of each token; the mean of the two cross-entropies, as SQuAD's in BERT.

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
        weights = batch.by_example["weights"]
        slots, used = weights.shape[0], weights > 0
        flat, index = outputs.reshape(-1, 2), batch.by_row["example_ids"].reshape(-1)
        labels = batch.by_row["labels"].reshape(-1, 1)
        most = jax.lax.stop_gradient(jax.ops.segment_max(flat, index, slots + 1))
        most = jnp.where(jnp.isfinite(most), most, 0)  # an empty slot has none
        total = jax.ops.segment_sum(jnp.exp(flat - most[index]), index, slots + 1)[:slots]
        normaliser = most[:slots] + jnp.log(jnp.where(used[:, None], total, 1))
        marked = (labels > 0) & (labels & jnp.array([1, 2]) > 0)  # -1 is no label
        gold = jax.ops.segment_sum(jnp.where(marked, flat, 0), index, slots + 1)[:slots]
        losses = jnp.where(used, jnp.mean(normaliser - gold, axis=-1), 0)
        return jnp.sum(losses), jnp.sum(weights)


QUESTION_ANSWERING = QuestionAnsweringKind("question_answering", form="question_answering")
