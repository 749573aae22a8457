"""Gradients of a classifier's loss with respect to word embeddings, for attacks that use them to choose tokens.

The loss is -log p(label), without dropout. A changed text counts only if encoding it gives the changed ids.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.vocabularies import Located
from itt_jax.models import Encoder, Head
from itt_jax.models.heads.head import apply_model
from itt_jax.train.predict import stream_shape

TOKENS_PER_BATCH = 2048
Changed = tuple[list[int], str]
"""The ids of a changed text, and the text."""


class GradientReader:
    """A classifier whose gradients are used to choose among the tokens of its vocabulary.

    Args:
        params: {"encoder", "head"}, of one model.

    Attributes:
        plain: the piece of each id without its mark. begins: bool [V], pieces that begin a word.
        barred: bool [V], ids that are never written: special tokens and empty pieces.
    """

    def __init__(self, tokenizer: Tokenizer, encoder: Encoder, head: Head, params: dict[str, Any], max_length: int):
        self.tokenizer, self.encoder, self.head, self.max_length = tokenizer, encoder, head, max_length
        self.params = params
        self.plain, begins = tokenizer.plain_pieces
        size = encoder.word_embeddings(params["encoder"]).shape[0]
        self.begins, self.barred = np.zeros(size, bool), np.ones(size, bool)
        self.begins[: len(begins)] = begins
        self.barred[[i for i, piece in enumerate(self.plain) if piece]] = False
        self.barred[tokenizer.special_ids] = True

    def examples(self, texts: Sequence[tuple[str, ...]], labels: Sequence[int], language: str) -> Examples:
        """The examples of texts, or tuples of the texts of a row's fields, with their correct classes."""
        fields = [self.tokenizer.encode(list(own), language) for own in zip(*texts, strict=True)]
        return assemble(self.tokenizer, fields, self.max_length, np.array(labels, np.int32))

    def batches(self, examples: Examples, field: int) -> Iterator[tuple[Batch, list[tuple[int, int, np.ndarray]]]]:
        """Packed batches, with the number of each example, its row, and the places of the tokens of one field."""
        for indices, batch in packing.stream(examples, *stream_shape(examples, tokens=TOKENS_PER_BATCH)):
            rows, summaries = (batch.by_example[name] for name in ("summary_rows", "summary_positions"))
            found = []
            for slot, i in enumerate(indices.tolist()):
                own = slice(examples.offsets[i], examples.offsets[i + 1])
                first = summaries[slot] - examples.summaries[i]
                found.append((i, int(rows[slot]), first + np.flatnonzero(examples.fields[own] == field + 1)))
            yield batch, found

    def changed(self, text: str, located: Located, new: Mapping[int, int]) -> Changed | None:
        """A text with other tokens in some places; None if a token has no letters in the text to replace."""
        tokens, spans = located
        ids = list(tokens)
        for place in sorted(new, reverse=True):
            start, stop = spans[place]
            start += len(text[start:stop]) - len(text[start:stop].lstrip(" "))
            if start >= stop:
                return None
            ids[place] = new[place]
            text = text[:start] + self.plain[new[place]] + text[stop:]
        return ids, text

    def surviving(self, made: Sequence[Sequence[Changed | None]], language: str) -> list[list[str]]:
        """The distinct texts of each list that encode as their ids."""
        flat = [(i, own) for i, several in enumerate(made) for own in several if own is not None]
        encoded = self.tokenizer.encode([text for _, (_, text) in flat], language).arrays() if flat else []
        found: list[dict[str, None]] = [{} for _ in made]
        for (i, (ids, text)), again in zip(flat, encoded, strict=True):
            if again.tolist() == ids:
                found[i][text] = None
        return [list(own) for own in found]


def closed(ids: Int[Array, " T"], barred: Bool[Array, " V"], begins: Bool[Array, " V"]) -> Bool[Array, "T V"]:
    """Tokens that may not replace those of a row: barred ones, the same one, and, for a token that begins a word, those
    that do not (and vice versa)."""
    return barred | (begins[ids][:, None] != begins) | (jnp.arange(len(barred)) == ids[:, None])


def embedded(
    params: dict[str, Any], batch: Batch, encoder: Encoder
) -> tuple[Float[Array, "V D"], Float[Array, "B T D"]]:
    """The table of word embeddings, and those of a batch."""
    table = encoder.word_embeddings(params["encoder"]).astype(jnp.float32)
    return table, table[batch.by_row["input_ids"]]


def loss_gradient(params: dict[str, Any], batch: Batch, encoder: Encoder, head: Head) -> Float[Array, "B T D"]:
    """The gradient of -log p(label), summed over the examples of a batch, with respect to its word embeddings."""
    _, given = embedded(params, batch, encoder)
    return jax.grad(lambda moved: loss_of(params, batch, moved, encoder, head))(given)


def loss_of(
    params: dict[str, Any], batch: Batch, embeddings: Float[Array, "B T D"], encoder: Encoder, head: Head
) -> Float[Array, ""]:
    """-log p(label), summed over the examples of a batch whose word embeddings are given."""
    logits = apply_model(encoder, head, params, batch.inputs, input_embeddings=embeddings)
    found = jax.nn.log_softmax(logits)[jnp.arange(len(logits)), batch.by_example["labels"]]
    return -jnp.sum(found * batch.by_example["weights"])
