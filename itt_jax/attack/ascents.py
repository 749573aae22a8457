"""Ascents of the loss in the space of word embeddings (FGSM, PGD), projected to the nearest tokens.

FGSM: Goodfellow et al. 2015; PGD: Madry et al. 2018; projection to tokens: Gong et al. 2018 (arXiv 1801.07175).
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from itt_jax.attack.asking import Ascent, Norm
from itt_jax.attack.gradients import Changed, GradientReader, closed, embedded, loss_of
from itt_jax.batch import Batch
from itt_jax.data.vocabularies import Located
from itt_jax.models import Encoder, Head


class AscentFinder(GradientReader):
    """Finds the tokens to which ascents lead, for one classifier."""

    def ascents(
        self,
        texts: Sequence[tuple[str, ...]],
        field: int,
        labels: Sequence[int],
        ascent: Ascent,
        edits: int,
        language: str,
    ) -> list[list[str]]:
        """For each text, texts of one field with tokens replaced by those nearest to their moved embeddings.

        After each step of the ascent: the token whose replacement gains most by first order, the best two, and so on.

        Args:
            texts: the fields of each text. field: number of the field that moves. labels: correct classes.
            edits: maximum number of tokens replaced.
        """
        located = self.tokenizer.locate_whole([own[field] for own in texts])
        made: list[list[Changed | None]] = [[] for _ in texts]
        for batch, examples in self.batches(self.examples(texts, labels, language), field):
            static = {"encoder": self.encoder, "head": self.head, "ascent": ascent}
            found = nearest_tokens(self.params, batch, field + 1, self.barred, self.begins, **static)
            ids, gains = jax.device_get(found)
            for i, row, places in examples:
                made[i] = self._decoded(texts[i][field], located[i], ids[:, row, places], gains[:, row, places], edits)
        return self.surviving(made, language)

    def _decoded(
        self, text: str, located: Located, ids: np.ndarray, gains: np.ndarray, edits: int
    ) -> list[Changed | None]:
        """The changed texts of all steps.

        Args:
            ids: int [steps, tokens]. gains: float32 [steps, tokens].
        """
        found = []
        for new, gain in zip(ids, gains, strict=True):
            order = [int(place) for place in np.argsort(-gain, kind="stable")[:edits] if np.isfinite(gain[place])]
            for count in range(1, len(order) + 1):
                found.append(self.changed(text, located, {place: int(new[place]) for place in order[:count]}))
        return found


@functools.partial(jax.jit, static_argnames=("encoder", "head", "ascent"))
def nearest_tokens(
    params: dict[str, Any],
    batch: Batch,
    field: Int[Array, ""],
    barred: Bool[Array, " V"],
    begins: Bool[Array, " V"],
    *,
    encoder: Encoder,
    head: Head,
    ascent: Ascent,
) -> tuple[Int[Array, "S B T"], Float[Array, "S B T"]]:
    """After each of S steps, the other token nearest to each moved embedding, and the gain of replacing by it.

    The gain is g . (E_new - E_old), where g is the gradient before the step; -inf if no token may be written.

    Args:
        field: number of the field that moves, from 1. barred, begins: see `gradients.closed`.
    """
    table, given = embedded(params, batch, encoder)
    ids, movable = batch.by_row["input_ids"], (batch.by_row["field_ids"] == field)[..., None]
    scale = embedding_scale(table, ascent.norm)
    squares = jnp.sum(table**2, axis=-1)

    def nearest(row: tuple[Array, Array]) -> tuple[Array, Array]:
        """For each position of a row the nearest open token, and whether there is one."""
        points, own = row
        distances = squares - 2 * jnp.einsum("TD,VD->TV", points, table)
        distances = jnp.where(closed(own, barred, begins), jnp.inf, distances)
        return jnp.argmin(distances, axis=-1), jnp.isfinite(distances).any(axis=-1)

    def ascended(moved: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        """One step; the nearest tokens after it, and the gain of each replacement to first order."""
        gradient = jax.grad(lambda moved: loss_of(params, batch, given + moved, encoder, head))(moved) * movable
        moved = moved + ascent.step_size * scale * direction(gradient, ascent.norm)
        moved = projected(moved, ascent.radius * scale, ascent.norm)
        new, possible = jax.lax.map(nearest, (given + moved, ids))
        gain = jnp.sum(gradient * (table[new] - given), axis=-1)
        return moved, (new, jnp.where(possible, gain, -jnp.inf))

    return jax.lax.scan(ascended, jnp.zeros_like(given), length=ascent.steps)[1]


def embedding_scale(table: Float[Array, "V D"], norm: Norm) -> Float[Array, ""]:
    """The unit of step sizes and radii: the mean norm of word embeddings; for "linf", that over sqrt(D)."""
    mean = jnp.mean(jnp.linalg.norm(table, axis=-1))
    return mean if norm == "l2" else mean / jnp.sqrt(table.shape[-1])


def direction(gradient: Float[Array, "... D"], norm: Norm) -> Float[Array, "... D"]:
    """For each token, the move of norm 1 that raises the loss most; 0 if its gradient is 0."""
    if norm == "linf":
        return jnp.sign(gradient)
    length = jnp.linalg.norm(gradient, axis=-1, keepdims=True)
    return jnp.where(length > 0, gradient / jnp.where(length > 0, length, 1), 0)


def projected(moved: Float[Array, "... D"], radius: Float[Array, ""] | float, norm: Norm) -> Float[Array, "... D"]:
    """The nearest point of the ball around the embedding, for each token."""
    if norm == "linf":
        return jnp.clip(moved, -radius, radius)
    length = jnp.linalg.norm(moved, axis=-1, keepdims=True)
    return moved * (radius / jnp.maximum(length, radius))
