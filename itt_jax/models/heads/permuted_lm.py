"""Permuted language model: XLNet's, through its two streams."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from itt_jax.batch import Batch
from itt_jax.models.heads.language import LanguageKind


class PermutedLMKind(LanguageKind):
    """Scores of the query stream, which does not see the token it predicts."""

    def encoder_inputs(self, batch: Batch) -> dict[str, Array]:
        """Permutation mask and target mapping.

        Args:
            batch: ranks [B, T], places in the factorisation order, -1 for context that is not predicted; positions
                [B, P] of the predictions, whose weights [B, P] are 0 at empty places.
        """
        ranks = batch.by_row["ranks"]
        # Position i must not see a predicted j unless i comes later in the factorisation order.
        hidden = (ranks[:, None, :] >= 0) & (ranks[:, :, None] <= ranks[:, None, :])
        # The query stream sums what maps to a position, so an empty place (position 0) must map nowhere.
        real = (batch.by_row["weights"] > 0)[..., None]
        mapping = jax.nn.one_hot(batch.by_row["positions"], ranks.shape[1]) * real
        return {"perm_mask": hidden.astype(jnp.float32), "target_mapping": mapping}


PERMUTED_LM = PermutedLMKind("permuted_lm", form="permuted_lm")
