"""Tagged texts -> examples: each word is predicted at its first sub-token; long texts become several examples.

A clean text is its words with one space between them, so each word is one or several chunks (see `chunks`). In a
perturbed text, words may share a chunk; each is still predicted at one token.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.data.chunks import cut
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged, offsets_of, ragged_positions


@dataclasses.dataclass(frozen=True)
class _Chunked:
    """The C chunks of n texts.

    Attributes:
        texts: int64 [n + 1], the first chunk of each text.
        starts: int64 [C], number of codepoints before the chunk, counted over all texts.
        ids: token ids of each chunk.
    """

    texts: np.ndarray
    starts: np.ndarray
    ids: Ragged


def word_starts(text: str) -> np.ndarray:
    """int64 [words]: the codepoint at which each word of a clean text begins.

    >>> word_starts("Ada wrote notes").tolist()
    [0, 4, 10]
    """
    return np.array([0, *(i + 1 for i, character in enumerate(text) if character == " ")], np.int64)


def tagging_examples(
    tokenizer: Tokenizer,
    texts: Sequence[str],
    starts: Ragged,
    max_length: int,
    language: str = "",
    labels: Ragged | None = None,
) -> tuple[Examples, np.ndarray]:
    """Examples whose `anchors` are the tokens at which words are predicted.

    A word is predicted at the first token of its chunk. If a perturbation has joined it to the preceding word, the
    tokens of the text before it in the chunk, encoded alone, are skipped. A chunk that has a word and no token (BERT's
    tokenizer drops control characters) gets the unknown token, as in XTREME's code. A text that is too long for one
    example is cut between chunks, so no word is lost.

    Args:
        starts: for each text, the codepoint at which each word begins, in any order of the words.
        labels: for each text, the class of each word, in the same order.

    Returns:
        the examples, with labels [tokens], -1 at tokens of no word (the first of two words that share a token has its
        label there); and int64 [n + 1], the first example of each text.

    Raises:
        InputError: `max_length` leaves no room beside the special tokens.
    """
    chunked = _chunks(tokenizer, texts, starts, language)
    words = _tokens_of_words(tokenizer, texts, starts, chunked, language)
    room = max_length - tokenizer.layout.special_tokens(1)
    if room < 1:
        raise InputError(f"max_length {max_length} leaves no room beside {max_length - room} special tokens")
    begins, parts = _parts(chunked, room)
    examples = assemble(tokenizer, [Ragged(chunked.ids.values, begins)], max_length)
    anchors = np.flatnonzero(examples.fields == 1)[words]
    token_labels = None
    if labels is not None:
        token_labels = np.full(len(examples.ids), -1, np.int32)
        token_labels[anchors[::-1]] = labels.values[::-1]
    return dataclasses.replace(examples, anchors=anchors, labels=token_labels), parts


def _chunks(tokenizer: Tokenizer, texts: Sequence[str], starts: Ragged, language: str) -> _Chunked:
    cuts = [cut(text) for text in texts]
    numbers: dict[str, int] = {}
    number = np.array([numbers.setdefault(chunk, len(numbers)) for own in cuts for chunk in own], np.int64)
    distinct = tokenizer.encode(list(numbers), language)
    # the entry after the distinct chunks is the unknown token, for chunks without tokens
    ids, begins = np.append(distinct.values, tokenizer.unk_id), np.append(distinct.offsets, len(distinct.values) + 1)
    chunk_starts = offsets_of([len(chunk) for own in cuts for chunk in own])[:-1]
    first = offsets_of([len(own) for own in cuts])
    holds_word = np.zeros(len(number), bool)
    holds_word[_chunk_of(texts, starts, chunk_starts)] = True
    number = np.where(holds_word & (np.diff(begins)[number] == 0), len(numbers), number)
    lengths = np.diff(begins)[number]
    return _Chunked(first, chunk_starts, Ragged(ids[ragged_positions(begins[number], lengths)], offsets_of(lengths)))


def _places(texts: Sequence[str], starts: Ragged) -> np.ndarray:
    """int64 [words]: number of codepoints before each word, counted over all texts."""
    return starts.values + np.repeat(offsets_of([len(text) for text in texts])[:-1], starts.lengths)


def _chunk_of(texts: Sequence[str], starts: Ragged, chunk_starts: np.ndarray) -> np.ndarray:
    """int64 [words]: the chunk in which each word begins."""
    return np.searchsorted(chunk_starts, _places(texts, starts), side="right") - 1


def _tokens_of_words(
    tokenizer: Tokenizer, texts: Sequence[str], starts: Ragged, chunked: _Chunked, language: str
) -> np.ndarray:
    """int64 [words]: the token, numbered over all texts, at which each word is predicted."""
    chunk, places = _chunk_of(texts, starts, chunked.starts), _places(texts, starts)
    order = np.lexsort((places, chunk))
    later = np.zeros(len(chunk), bool)
    later[order[1:]] = np.diff(chunk[order]) == 0
    found = chunked.ids.offsets[chunk]
    if later.any():
        joined = np.flatnonzero(later)
        text = np.repeat(np.arange(len(texts)), starts.lengths)[joined]
        length = places[joined] - chunked.starts[chunk[joined]]
        before = [texts[t][at - size : at] for t, at, size in zip(text, starts.values[joined], length, strict=True)]
        tokens = tokenizer.encode(before, language).lengths
        found[joined] += np.minimum(tokens, chunked.ids.lengths[chunk[joined]] - 1)
    return found


def _parts(chunked: _Chunked, room: int) -> tuple[np.ndarray, np.ndarray]:
    """The first token of each example, numbered over all texts (and the end), and the first example of each text."""
    ends = chunked.ids.offsets
    first, last = ends[chunked.texts[:-1]], ends[chunked.texts[1:]]
    begins: list[list[int]] = [[at] for at in first.tolist()]
    for i in np.flatnonzero(last - first > room).tolist():
        own = ends[chunked.texts[i] : chunked.texts[i + 1] + 1]
        while last[i] - begins[i][-1] > room:
            at = begins[i][-1]
            fitting = own[np.searchsorted(own, at + room, side="right") - 1]
            begins[i].append(int(fitting) if fitting > at else at + room)  # a chunk that is longer than the room is cut
    return np.array([at for own in begins for at in own] + [ends[-1]], np.int64), offsets_of(list(map(len, begins)))
