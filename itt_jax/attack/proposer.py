"""A masked language model that proposes words, as BERT-Attack does (arXiv 2004.09984)."""

import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from itt_jax import files
from itt_jax.attack.subject import Subject
from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head, checkpoint_folder, load_model
from itt_jax.perturb.rewriting import in_case_of
from itt_jax.ragged import Ragged
from itt_jax.train.checkpoint import is_ours, load_checkpoint
from itt_jax.train.processes import shared

ROWS, LENGTH = 8, 128
"""Rows in a batch, and maximum tokens of a text; words beyond get no proposals."""


class Proposer:
    """A masked LM with its tokenizer.

    Args:
        folder: a checkpoint directory, ours or Hugging Face's.

    Raises:
        InputError: no such checkpoint, or one without a masked LM's head.
    """

    def __init__(self, folder: pathlib.Path):
        if not folder.is_dir():
            raise InputError(f"--proposer {folder}: no such directory")
        self.tokenizer, self.encoder, head, self.params = _load(checkpoint_folder(folder))
        if head is None or head.kind.name != "masked_lm":
            found = "no head" if head is None else f"a head for {head.kind.name}"
            raise InputError(f"--proposer {folder}: found {found}, expected a masked-LM head")
        self.head = head
        self.length = min(LENGTH, self.encoder.max_positions or LENGTH)
        self._plain, begins = self.tokenizer.plain_pieces
        words = np.array([piece.isalpha() for piece in self._plain], bool) & begins
        words[self.tokenizer.special_ids] = False
        self._words = words

    def proposals(self, subject: Subject, places: Sequence[int], most: int) -> dict[int, list[str]]:
        """Word -> at most `most` other words in the same case, the likeliest first.

        A word of one token stays in the text that the model reads; a word of several tokens is replaced by one mask.
        Only tokens that are whole words of letters are proposed. With several processes, the first proposes for all.
        """
        return dict(shared(lambda: list(self._proposals(subject, places, most).items())))

    def _proposals(self, subject: Subject, places: Sequence[int], most: int) -> dict[int, list[str]]:
        """`proposals`, as this process computes them."""
        tokens, spans = self.tokenizer.locate_whole([subject.text])[0]
        variants, at = [tokens], {}
        found: dict[int, list[str]] = {place: [] for place in places}
        for place in places:
            first, stop = _tokens_of(subject, place, spans)
            if stop - first == 1:
                at[place] = (0, first)
            elif stop > first:
                at[place] = (len(variants), first)
                variants.append([*tokens[:first], self.tokenizer.mask_id, *tokens[stop:]])
        best = self._best(variants, most)
        for place, (variant, token) in at.items():
            if token < len(best[variant]):
                word = "".join(subject.word(place))
                new = [in_case_of(word, self._plain[i]) for i in best[variant][token] if self._words[i]]
                found[place] = [own for own in dict.fromkeys(new) if own.casefold() != word.casefold()]
        return found

    def _best(self, variants: list[list[int]], most: int) -> list[np.ndarray]:
        """For each text int [tokens, most]: the likeliest ids at each token, the likeliest first."""
        examples = assemble(self.tokenizer, [Ragged.of(variants, np.int32)], self.length)
        found: list[Any] = [None] * len(variants)
        order = np.arange(len(variants))
        for indices, batch in packing.stream_alone(examples, order, ROWS, self.length, ROWS):
            ids = jax.device_get(
                likeliest(self.params, batch, encoder=self.encoder, head=self.head, most=min(most, len(self._plain)))
            )
            for slot, i in enumerate(indices.tolist()):
                own = slice(examples.offsets[i], examples.offsets[i + 1])
                shift = batch.by_example["summary_positions"][slot] - examples.summaries[i]
                row = ids[batch.by_example["summary_rows"][slot]]
                found[i] = row[shift + np.flatnonzero(examples.fields[own] == 1)]
        return found


def proposer(folder: str) -> Proposer:
    """The proposer in a directory, read again only if its files change."""
    return _read(folder, tuple(files.stamps(folder)))


@functools.lru_cache(maxsize=2)
def _read(folder: str, stamps: tuple[tuple[str, int, int], ...]) -> Proposer:
    """The proposer in a directory; the stamps of its files are part of the cache key."""
    return Proposer(pathlib.Path(folder))


@functools.partial(jax.jit, static_argnames=("encoder", "head", "most"))
def likeliest(params: dict[str, Any], batch: Batch, *, encoder: Encoder, head: Head, most: int) -> Int[Array, "B T k"]:
    """The ids with the highest scores at every token, the highest first."""
    hidden = encoder(
        params["encoder"],
        batch.by_row["input_ids"],
        token_type_ids=batch.by_row["token_type_ids"],
        segment_ids=batch.by_row["segment_ids"],
    )

    def of_row(states: Float[Array, "T D"]) -> Int[Array, "T k"]:
        return jax.lax.top_k(head(params, states[None], Batch({}, {}))[0], most)[1]

    return jax.lax.map(of_row, hidden)


def _tokens_of(subject: Subject, place: int, spans: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The tokens [first, stop) of a word; empty if its bounds are not bounds of tokens."""
    lengths = np.cumsum([0, *map(len, subject.clusters)])
    first, stop = lengths[list(subject.words[place])].tolist()
    inside = []
    for k, (a, b) in enumerate(spans):
        a += len(subject.text[a:b]) - len(subject.text[a:b].lstrip(" "))
        if a < stop and b > first and a < b:
            inside.append((k, a, b))
    if not inside or inside[0][1] != first or inside[-1][2] != stop:
        return 0, 0
    return inside[0][0], inside[-1][0] + 1


def _load(folder: pathlib.Path) -> tuple[Tokenizer, Encoder, Head | None, dict[str, Any]]:
    if is_ours(folder):
        saved = load_checkpoint(folder)
        if saved.tokenizer is None:
            raise InputError(f"--proposer {folder}: holds no tokenizer")
        return saved.tokenizer, saved.encoder, saved.head, jax.device_put(saved.params)
    encoder, head, params, _ = load_model(folder)
    return load_tokenizer(folder), encoder, head, params
