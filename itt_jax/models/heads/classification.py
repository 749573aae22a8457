"""One class per example."""

import optax
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models.encoder import Params
from itt_jax.models.heads.by_example import ExampleKind, weighted
from itt_jax.models.heads.head import Head


class ClassificationKind(ExampleKind):
    """Logits of the classes; cross-entropy."""

    def loss(
        self, head: Head, params: Params, outputs: Float[Array, "E classes"], batch: Batch, choices: int
    ) -> tuple[Array, Array]:
        losses = optax.softmax_cross_entropy_with_integer_labels(outputs, batch.by_example["labels"])
        return weighted(losses, batch.by_example["weights"])


CLASSIFICATION = ClassificationKind("classification", form="classification", labels=True)
