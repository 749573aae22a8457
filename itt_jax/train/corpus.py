"""Text of language-model stages: token ids of plain and parallel text, and the examples of each step."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from itt_jax.config import LanguageModel
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.order import step_indices
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.ragged import Ragged, ragged_positions
from itt_jax.train.counters import PAIRS, derived_seed, generator


@dataclasses.dataclass(frozen=True)
class CorpusTexts:
    """Text for language-model stages.

    Attributes:
        texts: language -> texts. tuples: parallel texts, each language -> text.
    """

    texts: Mapping[str, Sequence[str]]
    tuples: Sequence[Mapping[str, str]]


@dataclasses.dataclass(frozen=True)
class Encoded:
    """A corpus as token ids.

    Attributes:
        pieces: the texts, long ones in pieces. order: indices of the pieces of one epoch; small languages are repeated
            according to the recipe's temperature.
        members: the texts of all tuples, tuple after tuple. tuple_offsets: where each tuple begins, int64 [tuples + 1].
    """

    pieces: Ragged
    order: np.ndarray
    members: Ragged
    tuple_offsets: np.ndarray

    def longest(self, tokenizer: Tokenizer, settings: LanguageModel) -> int:
        """Tokens of the longest example that a step may have, special tokens included."""
        size, most = settings.recipe.batch_size, 0
        pairs = round(settings.translation_share * size)
        if size > pairs:
            most = int(self.pieces.lengths.max()) + tokenizer.layout.special_tokens(1)
        if pairs:
            first, end = self.tuple_offsets[:-1], self.tuple_offsets[1:]
            owners = np.repeat(np.arange(len(first)), end - first)
            lengths = self.members.lengths[np.lexsort((self.members.lengths, owners))]  # ascending in each tuple
            two = lengths[end - 1] + lengths[np.maximum(end - 2, first)]
            most = max(most, int(two.max()) + tokenizer.layout.special_tokens(2))
        return min(most, settings.recipe.max_length)


_NONE = Ragged.of([], np.int32)  # a corpus may lack plain text or parallel text


def encode(corpus: CorpusTexts, tokenizer: Tokenizer, max_length: int, temperature: float) -> Encoded:
    """The token ids of a corpus; see `Encoded`."""
    room = max_length - tokenizer.layout.special_tokens(1)
    by_language = [cut(tokenizer.encode(texts, language), room) for language, texts in corpus.texts.items() if texts]
    sizes = np.array([len(pieces) for pieces in by_language])
    starts = np.cumsum(sizes) - sizes
    repeated = _repeated(sizes, temperature)
    order = [start + np.arange(count) % size for start, count, size in zip(starts, repeated, sizes, strict=True)]
    languages = sorted({language for entry in corpus.tuples for language in entry})
    columns, owners = [], []
    for language in languages:
        numbers = [number for number, entry in enumerate(corpus.tuples) if language in entry]
        columns.append(tokenizer.encode([corpus.tuples[number][language] for number in numbers], language))
        owners.append(np.array(numbers, np.int64))
    owner = np.concatenate([np.zeros(0, np.int64), *owners])
    by_tuple = np.argsort(owner, kind="stable")
    return Encoded(
        pieces=Ragged.joined([_NONE, *by_language]),
        order=np.concatenate([np.zeros(0, np.int64), *order]),
        members=Ragged.joined([_NONE, *columns])[by_tuple],
        tuple_offsets=np.searchsorted(owner[by_tuple], np.arange(len(corpus.tuples) + 1)),
    )


def _repeated(sizes: np.ndarray, temperature: float) -> np.ndarray:
    """Examples per epoch of each language: in proportion to size ** (1 / temperature), each at least its size."""
    if temperature == 1 or not len(sizes):
        return sizes
    shares = np.maximum(sizes, 1) ** (1.0 / temperature)
    return np.where(sizes > 0, np.rint(shares * np.max(sizes / shares)), 0).astype(np.int64)


def cut(tokens: Ragged, room: int) -> Ragged:
    """Texts in pieces of at most `room` tokens; empty texts are dropped."""
    counts = -(-tokens.lengths // room)
    starts = np.repeat(tokens.offsets[:-1], counts) + room * ragged_positions(np.zeros_like(counts), counts)
    return Ragged(tokens.values, np.append(starts, len(tokens.values)))


def step_examples(encoded: Encoded, tokenizer: Tokenizer, settings: LanguageModel, seed: int, step: int) -> Examples:
    """The examples of one step, before masking: single texts first, then pairs."""
    size, max_length = settings.recipe.batch_size, settings.recipe.max_length
    pairs = round(settings.translation_share * size)
    parts = []
    if size > pairs:
        chosen = encoded.order[step_indices(len(encoded.order), size - pairs, derived_seed(seed, 1), step)]
        parts.append(assemble(tokenizer, [encoded.pieces[chosen]], max_length))
    if pairs:
        tuples = step_indices(len(encoded.tuple_offsets) - 1, pairs, derived_seed(seed, 2), step)
        members = np.diff(encoded.tuple_offsets)[tuples]
        first, shift = generator(seed, PAIRS, step).random((2, pairs))
        first = (first * members).astype(np.int64)
        second = (first + 1 + (shift * (members - 1)).astype(np.int64)) % members
        starts = encoded.tuple_offsets[tuples]
        fields = [encoded.members[starts + member] for member in (first, second)]
        parts.append(assemble(tokenizer, fields, max_length))
    return parts[0] if len(parts) == 1 else Examples.joined(parts)
