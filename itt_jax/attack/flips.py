"""Flips of tokens by gradient: score(i, v) = g_i . (E_v - E_i), the change of the loss to first order.

g_i is the gradient of -log p(label) with respect to the word embedding of token i, E the table of word embeddings.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from itt_jax.attack.gradients import Changed, GradientReader, closed, embedded, loss_gradient
from itt_jax.batch import Batch
from itt_jax.data.vocabularies import Located
from itt_jax.models import Encoder, Head

SPARE = 8
"""Number of flips decoded for each one wanted, as some do not survive encoding."""


class FlipFinder(GradientReader):
    """Finds flips for one classifier."""

    def flips(
        self, texts: Sequence[tuple[str, ...]], field: int, labels: Sequence[int], each: int, language: str
    ) -> list[list[str]]:
        """For each text, its best flips as texts of one field, at most `each`, the best first.

        A flip replaces a token that begins a word by another that does, or one inside a word by another inside one.

        Args:
            texts: the fields of each text. field: number of the edited field. labels: correct classes.
        """
        located = self.tokenizer.locate_whole([own[field] for own in texts])
        most = SPARE * each
        made: list[list[Changed | None]] = [[] for _ in texts]
        for batch, examples in self.batches(self.examples(texts, labels, language), field):
            static = {"encoder": self.encoder, "head": self.head, "count": min(most, len(self.begins))}
            values, ids = jax.device_get(best_flips(self.params, batch, self.barred, self.begins, **static))
            for i, row, places in examples:
                made[i] = self._decoded(texts[i][field], located[i], values[row, places], ids[row, places], most)
        return [own[:each] for own in self.surviving(made, language)]

    def _decoded(
        self, text: str, located: Located, values: np.ndarray, ids: np.ndarray, most: int
    ) -> list[Changed | None]:
        """The flips with the highest scores.

        Args:
            values: float32 [tokens, k], scores. ids: int [tokens, k].
        """
        order = np.argsort(-values, axis=None, kind="stable")[:most]
        places = zip(*np.unravel_index(order, values.shape), strict=True)
        return [
            self.changed(text, located, {int(place): int(ids[place, k])})
            for place, k in places
            if np.isfinite(values[place, k])
        ]


@functools.partial(jax.jit, static_argnames=("encoder", "head", "count"))
def best_flips(
    params: dict[str, Any],
    batch: Batch,
    barred: Bool[Array, " V"],
    begins: Bool[Array, " V"],
    *,
    encoder: Encoder,
    head: Head,
    count: int,
) -> tuple[Float[Array, "B T k"], Int[Array, "B T k"]]:
    """Scores and ids of the best flips of every token of a batch with class labels; -inf where there are fewer.

    Args:
        barred: ids that no flip writes. begins: ids that begin a word; a flip preserves this property.
    """
    table, given = embedded(params, batch, encoder)
    gradient = loss_gradient(params, batch, encoder, head)
    own = jnp.einsum("BTD,BTD->BT", gradient, given)

    def of_row(row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        g, here, ids = row
        scores = jnp.einsum("TD,VD->TV", g, table) - here[:, None]
        return jax.lax.top_k(jnp.where(closed(ids, barred, begins), -jnp.inf, scores), count)

    return jax.lax.map(of_row, (gradient, own, batch.by_row["input_ids"]))
