"""Text for language-model stages: token ids of plain and parallel text, and the examples of each update."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from itt_jax.config import LanguageModel
from itt_jax.data.chunks import ragged_positions
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.order import update_indices
from itt_jax.data.tokenizing import TokenArray, Tokenizer
from itt_jax.train.counters import PAIRS, derived_seed, generator

# Special tokens of a single text in all three families, and most of a pair (RoBERTa's).
SPECIAL, SPECIAL_IN_PAIR = 2, 4


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Text for language-model stages.

    Attributes:
        texts: language -> texts. tuples: translations of one another, language -> text each.
    """

    texts: Mapping[str, Sequence[str]]
    tuples: Sequence[Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A corpus as token ids.

    Attributes:
        pieces: of the texts, none longer than a row allows; order: indices of pieces that one epoch walks through
            (small languages are repeated where the recipe's temperature says so).
        members: the texts of all tuples, tuple after tuple; tuple_offsets: int64 [tuples + 1] into them.
    """

    pieces: TokenArray
    order: np.ndarray
    members: TokenArray
    tuple_offsets: np.ndarray


def encode(corpus: Corpus, tokenizer: Tokenizer, max_length: int, temperature: float) -> Encoded:
    """The token ids of a corpus; see `Encoded`."""
    room = max_length - SPECIAL
    by_language = [cut(tokenizer.encode(texts, language), room) for language, texts in corpus.texts.items() if texts]
    sizes = np.array([len(pieces) for pieces in by_language])
    starts = np.cumsum(sizes) - sizes
    repeated = _repeated(sizes, temperature)
    order = [start + np.arange(count) % size for start, count, size in zip(starts, repeated, sizes, strict=True)]
    languages = sorted({language for entry in corpus.tuples for language in entry})
    columns, owners = [], []
    for language in languages:
        owner = [number for number, entry in enumerate(corpus.tuples) if language in entry]
        columns.append(tokenizer.encode([corpus.tuples[number][language] for number in owner], language))
        owners.append(np.array(owner, np.int64))
    owner = np.concatenate([np.zeros(0, np.int64), *owners])
    by_tuple = np.argsort(owner, kind="stable")
    return Encoded(
        pieces=joined(by_language),
        order=np.concatenate([np.zeros(0, np.int64), *order]),
        members=select(joined(columns), by_tuple),
        tuple_offsets=np.searchsorted(owner[by_tuple], np.arange(len(corpus.tuples) + 1)),
    )


def _repeated(sizes: np.ndarray, temperature: float) -> np.ndarray:
    """How many examples an epoch has of each language: in proportion to size ** (1 / temperature), none cut short."""
    if temperature == 1 or not len(sizes):
        return sizes
    shares = np.maximum(sizes, 1) ** (1.0 / temperature)
    return np.where(sizes > 0, np.rint(shares * np.max(sizes / shares)), 0).astype(np.int64)


def cut(tokens: TokenArray, room: int) -> TokenArray:
    """Texts in pieces of at most `room` tokens; empty texts vanish."""
    counts = -(-tokens.lengths // room)
    starts = np.repeat(tokens.offsets[:-1], counts) + room * ragged_positions(np.zeros_like(counts), counts)
    return TokenArray(tokens.ids, np.append(starts, len(tokens.ids)))


def joined(parts: Sequence[TokenArray]) -> TokenArray:
    """The texts of all parts in one array."""
    ids = np.concatenate([np.zeros(0, np.int32), *(part.ids for part in parts)])
    lengths = np.concatenate([np.zeros(0, np.int64), *(part.lengths for part in parts)])
    return TokenArray(ids, np.append(0, np.cumsum(lengths)))


def select(tokens: TokenArray, indices: np.ndarray) -> TokenArray:
    """The texts at `indices`, in that order."""
    lengths = tokens.lengths[indices]
    return TokenArray(tokens.ids[ragged_positions(tokens.offsets[indices], lengths)], np.append(0, np.cumsum(lengths)))


def update_examples(
    encoded: Encoded, tokenizer: Tokenizer, settings: LanguageModel, seed: int, update: int
) -> Examples:
    """The examples of one update, before masking: single texts first, then pairs."""
    size, max_length = settings.recipe.batch_size, settings.recipe.max_length
    pairs = round(settings.translation_share * size)
    parts = []
    if size > pairs:
        chosen = encoded.order[update_indices(len(encoded.order), size - pairs, derived_seed(seed, 1), update)]
        parts.append(assemble(tokenizer, [select(encoded.pieces, chosen)], max_length))
    if pairs:
        tuples = update_indices(len(encoded.tuple_offsets) - 1, pairs, derived_seed(seed, 2), update)
        members = np.diff(encoded.tuple_offsets)[tuples]
        first, step = generator(seed, PAIRS, update).random((2, pairs))
        first = (first * members).astype(np.int64)
        second = (first + 1 + (step * (members - 1)).astype(np.int64)) % members
        starts = encoded.tuple_offsets[tuples]
        fields = [select(encoded.members, starts + member) for member in (first, second)]
        parts.append(assemble(tokenizer, fields, max_length))
    return parts[0] if len(parts) == 1 else _concatenated(parts)


def _concatenated(parts: Sequence[Examples]) -> Examples:
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("ids", "types", "fields", "summaries")
    }
    lengths = np.concatenate([part.lengths for part in parts])
    return dataclasses.replace(parts[0], offsets=np.append(0, np.cumsum(lengths)), **arrays)


def longest_example(encoded: Encoded, max_length: int) -> int:
    """No example of any update has more tokens than this."""
    single = encoded.pieces.lengths.max(initial=0) + SPECIAL
    pair = 2 * encoded.members.lengths.max(initial=0) + SPECIAL_IN_PAIR
    return int(min(max_length, max(single, pair)))
