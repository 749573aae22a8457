"""What a stage minimises: hashable functions of (params, batch, key)."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from itt_jax.batch import Batch
from itt_jax.models import Encoder, Head, apply_model
from itt_jax.train.losses import pair_losses, span_losses
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True)
class TaskObjective:
    """Cross-entropy (of several labels: of each) or squared error (regression) of one task; tagging: of words, choice:
    over an item's choices.

    `index` is the task's place in params["heads"]; its name stays out, so that tasks of one shape share a program.
    """

    encoder: Encoder
    head: Head
    index: int
    dropout: bool
    choices: int = 1

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights, float32 []; labels [E] are class numbers or scores as given, of
        several labels bool [E, classes], of tagging [B, T] class numbers, -1 where there is none."""
        own = {"encoder": params["encoder"], "head": params["heads"][self.index]}
        scores = apply_model(self.encoder, self.head, own, batch, key=key if self.dropout else None)
        if self.head.kind == "token_classification":
            labelled = (batch.by_row["labels"] >= 0).astype(scores.dtype)
            losses = optax.softmax_cross_entropy_with_integer_labels(scores, jnp.maximum(batch.by_row["labels"], 0))
            return jnp.sum(labelled * losses), jnp.sum(labelled)
        if self.head.kind == "embedding":
            losses, weights = pair_losses(scores, own["head"]["scale"], batch.by_example["weights"])
            return jnp.sum(losses), jnp.sum(weights)
        if self.head.kind == "question_answering":
            losses = span_losses(scores, batch)
            return jnp.sum(losses), jnp.sum(batch.by_example["weights"])
        labels, weights = batch.by_example["labels"], batch.by_example["weights"]
        if self.head.kind == "multiple_choice":  # an item's examples fill slots side by side
            scores, labels, weights = (array.reshape(-1, self.choices) for array in (scores, labels, weights))
            labels, weights = labels[:, 0], weights[:, 0]
        if self.head.kind == "regression":
            losses = jnp.square(scores[:, 0] - labels)
        elif self.head.kind == "multilabel":  # the mean over labels, as Hugging Face's
            losses = optax.sigmoid_binary_cross_entropy(scores, labels.astype(scores.dtype)).mean(-1)
        else:
            losses = optax.softmax_cross_entropy_with_integer_labels(scores, labels)
        return jnp.sum(weights * losses), jnp.sum(weights)
