"""One of several choices per item; each choice is an example."""

from typing import ClassVar

import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Encoder, Params
from itt_jax.models.heads.by_example import ExampleKind, weighted
from itt_jax.models.heads.head import Head, symmetric_divergence


class MultipleChoiceKind(ExampleKind):
    """A score for each choice; cross-entropy over an item's choices, which fill consecutive slots."""

    by_item: ClassVar[bool] = True

    def fixed_outputs(self, encoder: Encoder) -> int:
        return 1

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E 1"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        labels, weights = (batch.by_example[name].reshape(-1, choices)[:, 0] for name in ("labels", "weights"))
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs.reshape(-1, choices), labels)
        return weighted(losses, weights)

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        apart = symmetric_divergence(outputs.reshape(-1, choices), others.reshape(-1, choices))
        return jnp.sum(batch.by_example["weights"][::choices] * apart)


MULTIPLE_CHOICE = MultipleChoiceKind("multiple_choice", form="multiple_choice")
