"""The chunk table: each distinct chunk of text is encoded once, and its token ids are looked up after that.

A text is cut before each run of U+0020 and nowhere else; the run belongs to the chunk that follows it. Other white
space directly before such a run prevents the cut, because byte-level tokenizers read the two as one unit. The ids of
the chunks, joined, are the ids of the whole text, unless added tokens contain or take in blanks (see
`vocabularies.Vocabulary.by_chunk`).
"""

import re
from collections.abc import Callable, Sequence

import numpy as np

from itt_jax.ragged import ragged_positions

_CUT = re.compile(r"(?<=\S)(?= )")
_BLOCK = 16_384  # texts between two checks of the bound


def cut(text: str) -> list[str]:
    """The chunks of `text`; joined, they are `text` again.

    >>> cut("so  it goes")
    ['so', '  it', ' goes']
    """
    if "  " in text or "\0" in text:
        return _CUT.split(text)
    return text.replace(" ", "\0 ").split("\0")  # the same cut, several times faster


class _Numbering(dict):
    """A dictionary that numbers new keys in order."""

    def __missing__(self, key: str) -> int:
        number = self[key] = len(self)
        return number


class ChunkTable:
    """Token ids by chunk, kept across calls.

    The table is emptied once it holds more than `max_chunks` chunks or `max_characters` characters of text, about
    150 MB at the defaults. One block of 16,384 texts may exceed the bound before that happens.

    Args:
        encode: a list of texts -> a list of id lists, without special tokens.
        max_chunks, max_characters: bound of the table.
    """

    def __init__(
        self, encode: Callable[[list[str]], list[list[int]]], max_chunks: int = 1 << 19, max_characters: int = 1 << 24
    ):
        self._encode = encode
        self._max_chunks = max_chunks
        self._max_characters = max_characters
        self._clear()

    def __len__(self) -> int:
        return len(self._numbers)

    def _clear(self) -> None:
        self._numbers = _Numbering()
        self._characters = 0
        self._ids = np.empty(0, np.int32)
        self._ends = np.empty(0, np.int64)

    def encode(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Token ids of `texts`: ids int32 [N], and the number of ids of each text int64 [n]."""
        blocks = [self._encode_block(texts[i : i + _BLOCK]) for i in range(0, max(len(texts), 1), _BLOCK)]
        ids, lengths = zip(*blocks, strict=True)
        return np.concatenate(ids), np.concatenate(lengths)

    def _encode_block(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        if len(self._numbers) > self._max_chunks or self._characters > self._max_characters:
            self._clear()
        number = self._numbers.__getitem__
        numbers: list[int] = []
        counts = []
        for text in texts:
            chunks = cut(text)
            numbers.extend(map(number, chunks))
            counts.append(len(chunks))
        if len(self._numbers) > len(self._ends):
            self._learn()
        index = np.array(numbers, np.int64)
        lengths = np.diff(self._ends, prepend=0)[index]
        ids = self._ids[ragged_positions(self._ends[index] - lengths, lengths)]
        ends = np.concatenate([[0], np.cumsum(lengths)])[np.cumsum(counts, dtype=np.int64)]
        return ids, np.diff(ends, prepend=0)

    def _learn(self) -> None:
        """Encodes the chunks that have a number but no ids yet; if one cannot be encoded, their numbers are removed."""
        known = len(self._ends)
        new = list(self._numbers)[known:]
        try:
            encoded = self._encode(new)
        except BaseException:
            for chunk in new:
                del self._numbers[chunk]
            raise
        lengths = np.fromiter(map(len, encoded), np.int64, len(encoded))
        first = self._ends[-1] if known else 0
        ids = np.fromiter((i for chunk in encoded for i in chunk), np.int32, int(lengths.sum()))
        self._ids = np.concatenate([self._ids, ids])
        self._ends = np.concatenate([self._ends, first + np.cumsum(lengths)])
        self._characters += sum(map(len, new))
