"""Flips of tokens by gradient: score(i, v) = g_i . (E_v - E_i), the first order of the change of the loss.

g_i is the gradient of -log p(label) by the word embedding of token i, E the table of word embeddings. No dropout.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.models import Encoder, Head
from itt_jax.models.heads.head import apply_model
from itt_jax.train.predict import stream_shape

TOKENS_PER_BATCH = 2048
SPARE = 8
"""Flips that are decoded for each that is wanted, as some do not survive encoding."""


class FlipFinder:
    """Finds flips for one classifier.

    Args:
        params: {"encoder", "head"}, of one model.
    """

    def __init__(self, tokenizer: Tokenizer, encoder: Encoder, head: Head, params: dict[str, Any], max_length: int):
        self.tokenizer, self.encoder, self.head, self.max_length = tokenizer, encoder, head, max_length
        self.params = params
        self._plain, begins = tokenizer.plain_pieces
        size = encoder.word_embeddings(params["encoder"]).shape[0]
        self._begins, self._barred = np.zeros(size, bool), np.ones(size, bool)
        self._begins[: len(begins)] = begins
        self._barred[[i for i, piece in enumerate(self._plain) if piece]] = False
        self._barred[tokenizer.special_ids] = True

    def flips(
        self, texts: Sequence[tuple[str, ...]], field: int, labels: Sequence[int], each: int, language: str
    ) -> list[list[str]]:
        """For each text, its best flips as texts of one field, at most `each`, the best first.

        A flip replaces a token that begins a word by another that does, or one inside a word by another inside one. It
        counts only if encoding the new text gives the flipped ids.

        Args:
            texts: the fields of each text. field: number of the field that is edited. labels: right classes.
        """
        fields = [self.tokenizer.encode(list(own), language) for own in zip(*texts, strict=True)]
        examples = assemble(self.tokenizer, fields, self.max_length, np.array(labels, np.int32))
        located = self.tokenizer.locate_whole([own[field] for own in texts])
        made = [
            self._decoded(texts[i][field], located[i], values, ids, SPARE * each)
            for i, (values, ids) in enumerate(self._best(examples, field, SPARE * each))
        ]
        flat = [(i, new, text) for i, own in enumerate(made) for new, text in own]
        encoded = self.tokenizer.encode([text for *_, text in flat], language).arrays() if flat else []
        found: list[list[str]] = [[] for _ in texts]
        for (i, new, text), ids in zip(flat, encoded, strict=True):
            if len(found[i]) < each and ids.tolist() == new:
                found[i].append(text)
        return found

    def _best(self, examples: Examples, field: int, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each example float32 [tokens, k] and int [tokens, k]: scores and ids of flips of the field's tokens."""
        found: list[Any] = [None] * len(examples)
        shape = stream_shape(examples, tokens=TOKENS_PER_BATCH)
        for indices, batch in packing.stream(examples, *shape):
            values, ids = jax.device_get(
                best_flips(
                    self.params,
                    batch,
                    self._barred,
                    self._begins,
                    encoder=self.encoder,
                    head=self.head,
                    count=min(count, len(self._begins)),
                )
            )
            rows, summaries = (batch.by_example[name] for name in ("summary_rows", "summary_positions"))
            for slot, i in enumerate(indices.tolist()):
                own = slice(examples.offsets[i], examples.offsets[i + 1])
                places = summaries[slot] - examples.summaries[i] + np.flatnonzero(examples.fields[own] == field + 1)
                found[i] = values[rows[slot], places], ids[rows[slot], places]
        return found

    def _decoded(
        self,
        text: str,
        located: tuple[list[int], list[tuple[int, int]]],
        values: np.ndarray,
        ids: np.ndarray,
        most: int,
    ) -> list[tuple[list[int], str]]:
        """The flips with the highest scores: ids of the field, and its text."""
        tokens, spans = located
        order = np.argsort(-values, axis=None, kind="stable")
        found = []
        for place, k in zip(*np.unravel_index(order[:most], values.shape), strict=True):
            start, stop = spans[place]
            start += len(text[start:stop]) - len(text[start:stop].lstrip(" "))
            if start < stop and np.isfinite(values[place, k]):
                new = int(ids[place, k])
                whole = text[:start] + self._plain[new] + text[stop:]
                found.append(([*tokens[:place], new, *tokens[place + 1 :]], whole))
        return found


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
        barred: ids that no flip writes. begins: ids that begin a word; a flip keeps that.
    """
    table = encoder.word_embeddings(params["encoder"]).astype(jnp.float32)
    ids = batch.by_row["input_ids"]
    gradient = loss_gradient(params, batch, encoder, head)
    own = jnp.einsum("BTD,BTD->BT", gradient, table[ids])

    def of_row(row: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        """Scores and ids of one row, so that [T, V] scores are in memory for one row at a time."""
        g, here, i = row
        scores = jnp.einsum("TD,VD->TV", g, table) - here[:, None]
        closed = barred | (begins[i][:, None] != begins) | (jnp.arange(len(table)) == i[:, None])
        return jax.lax.top_k(jnp.where(closed, -jnp.inf, scores), count)

    return jax.lax.map(of_row, (gradient, own, ids))


def loss_gradient(params: dict[str, Any], batch: Batch, encoder: Encoder, head: Head) -> Float[Array, "B T D"]:
    """The gradient of -log p(label), summed over the examples of a batch, by the word embeddings of its tokens."""
    table = encoder.word_embeddings(params["encoder"]).astype(jnp.float32)
    return jax.grad(lambda given: loss_of(params, batch, given, encoder, head))(table[batch.by_row["input_ids"]])


def loss_of(
    params: dict[str, Any], batch: Batch, embeddings: Float[Array, "B T D"], encoder: Encoder, head: Head
) -> Float[Array, ""]:
    """-log p(label), summed over the examples of a batch whose word embeddings are given."""
    logits = apply_model(encoder, head, params, batch.inputs, input_embeddings=embeddings)
    found = jax.nn.log_softmax(logits)[jnp.arange(len(logits)), batch.by_example["labels"]]
    return -jnp.sum(found * batch.by_example["weights"])
