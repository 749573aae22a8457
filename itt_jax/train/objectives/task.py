"""The loss of a task."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from itt_jax.batch import Batch
from itt_jax.models import Encoder, Head, apply_model
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True)
class TaskObjective:
    """The loss of one task's head.

    Attributes:
        index: the task's place in params["heads"]; without the task's name, tasks of one shape share a program.
        choices: number of examples per item.
    """

    encoder: Encoder
    head: Head
    index: int
    dropout: bool
    choices: int = 1

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights, float32 []; the batch is as `Head.loss` reads it."""
        return self.loss(params, self.outputs(params, batch, key), batch)

    def outputs(
        self, params: Params, batch: Batch, key: jax.Array, embeddings: Float[Array, "B T D"] | None = None
    ) -> Array:
        """The head's outputs.

        Args:
            embeddings: read in place of the word embeddings of the batch.
        """
        dropout_key = key if self.dropout else None
        return apply_model(
            self.encoder, self.head, self.own(params), batch, key=dropout_key, input_embeddings=embeddings
        )

    def loss(self, params: Params, outputs: Array, batch: Batch) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights of outputs."""
        return self.head.loss(self.own(params), outputs, batch, self.choices)

    def item_losses(self, params: Params, batch: Batch, key: jax.Array) -> Float[Array, " items"]:
        """The loss of each item, 0 in empty slots."""
        outputs = self.outputs(params, batch, key)
        return self.head.kind.item_losses(self.head, self.own(params), outputs, batch, self.choices)

    def word_embeddings(self, params: Params, batch: Batch) -> Float[Array, "B T D"]:
        """The word embeddings of a batch, float32."""
        return self.encoder.word_embeddings(params["encoder"]).astype(jnp.float32)[batch.by_row["input_ids"]]

    def own(self, params: Params) -> Params:
        """The parameters of this task's model: {"encoder", "head"}."""
        return {"encoder": params["encoder"], "head": params["heads"][self.index]}
