"""The loss of the worst of several forms of each item."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int

from itt_jax.batch import Batch
from itt_jax.train.objectives.task import TaskObjective
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True)
class WorstOfObjective:
    """The largest loss among K forms of each item (UEraser-Max, arXiv 2303.15127).

    Forms are compared one after another, without gradients and with the dropout of the step, since their places in rows
    are the same. Then the loss of the chosen forms is minimised. In retrieval, the candidates that compete for a query
    are chosen too, so the loss is not exactly a maximum.

    Attributes:
        own: the loss of one form. forms: K.
    """

    own: TaskObjective
    forms: int

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights of the chosen forms; the batch is made by `packing.pack_forms`."""
        if self.forms == 1:
            return self.own(params, batch, key)
        frozen = jax.lax.stop_gradient(params)
        apart = forms_apart(batch, self.forms)
        losses = jax.lax.map(lambda form: self.own.item_losses(frozen, form, key), apart)  # [K, items]
        worst = jnp.repeat(jnp.argmax(losses, axis=0), self.own.choices)
        return self.own(params, chosen(apart, worst), key)


def forms_apart(batch: Batch, forms: int) -> Batch:
    """The forms of a batch, one after another: every array [K, ...]."""

    def by_form(array: Array) -> Array:
        return jnp.moveaxis(array.reshape(array.shape[0], forms, -1), 1, 0)

    by_example = {
        name: array.T if name == "summary_positions" else jnp.broadcast_to(array, (forms, *array.shape))
        for name, array in batch.by_example.items()
    }
    return Batch({name: by_form(array) for name, array in batch.by_row.items()}, by_example)


def chosen(apart: Batch, form: Int[Array, " E"]) -> Batch:
    """A batch with one of the K forms of each example, in its place."""
    # A slot has the length of its longest form; in shorter forms its last positions are padding, whose example is E.
    examples = apart.by_row["example_ids"].min(0)
    of_token = jnp.append(form, 0)[examples]  # [B, T]
    by_row = {
        name: jnp.take_along_axis(array, of_token[None].astype(jnp.int32), axis=0)[0]
        for name, array in apart.by_row.items()
    }
    by_example = {name: array[0] for name, array in apart.by_example.items()}
    positions = jnp.take_along_axis(apart.by_example["summary_positions"], form[None], axis=0)[0]
    return Batch(by_row, by_example | {"summary_positions": positions})
