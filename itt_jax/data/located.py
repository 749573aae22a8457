"""Token ids with the codepoints of the text that each token covers.

Where ids come from a chunk table (see `chunks`), places do too: each distinct chunk is encoded once, and a sample of
every call is also encoded whole. Places are made comparable across tokenizers: blanks at their ends are removed, and
following combining marks that belong to no token (BERT's lower-casing drops them) are added. The text of a run of
tokens then consists of whole letters.
"""

import dataclasses
import functools
import logging
import unicodedata
from collections.abc import Callable, Sequence

import numpy as np

from itt_jax.data.chunks import cut
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.ragged import Ragged, offsets_of, ragged_positions

_CHECKED = 4  # texts of each call that are also encoded whole

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class LocatedTokens:
    """The tokens of n texts and their places.

    Attributes:
        tokens: as `Tokenizer.encode` returns them.
        starts, stops: int32 [N], each token covers codepoints start ... stop - 1 of its text. Neither decreases
            within a text; they are equal for tokens of blanks only.
    """

    tokens: Ragged
    starts: np.ndarray
    stops: np.ndarray

    def span(self, text: int, start: int, stop: int) -> tuple[int, int] | None:
        """The first and last token of a text that overlap codepoints start ... stop - 1, or None.

        Tokens are numbered over all texts.
        """
        first, last = self.tokens.offsets[text], self.tokens.offsets[text + 1]
        begin = first + int(np.searchsorted(self.stops[first:last], start, side="right"))
        end = first + int(np.searchsorted(self.starts[first:last], stop, side="left")) - 1
        while begin < end and self.starts[begin] == self.stops[begin]:
            begin += 1
        while begin < end and self.starts[end] == self.stops[end]:
            end -= 1
        return (begin, end) if begin <= end and self.starts[begin] < self.stops[begin] else None


def locate(tokenizer: Tokenizer, texts: Sequence[str], language: str = "") -> LocatedTokens:
    """Token ids and places of `texts`.

    Raises:
        InputError: a text with a lone surrogate.
    """
    texts = list(texts)
    if not tokenizer.by_chunk:
        return _tidied(texts, *_arrays(tokenizer.locate_whole(texts)))
    ids, lengths, starts, stops = _by_chunk(tokenizer, texts)
    offsets = offsets_of(lengths)
    sample = np.unique(np.linspace(0, len(texts) - 1, min(_CHECKED, len(texts))).astype(int)).tolist()
    for i, (whole, places) in zip(sample, tokenizer.locate_whole([texts[i] for i in sample]), strict=True):
        own = slice(offsets[i], offsets[i + 1])
        same = ids[own].tolist() == whole
        if not same or list(zip(starts[own].tolist(), stops[own].tolist(), strict=True)) != places:
            log.warning("places by chunk differ from whole encoding (language %r): %r", language, texts[i][:200])
            return _tidied(texts, *_arrays(tokenizer.locate_whole(texts)))
    return _tidied(texts, ids, lengths, starts, stops)


def _arrays(located: list) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Arrays ids [N], number of ids of each text, starts [N] and stops [N]."""
    lengths = np.array([len(ids) for ids, _ in located], np.int64)
    ids = np.array([i for own, _ in located for i in own], np.int32)
    places = np.array([place for _, own in located for place in own], np.int32).reshape(-1, 2)
    return ids, lengths, places[:, 0], places[:, 1]


def _by_chunk(tokenizer: Tokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """As `_arrays`; each distinct chunk is encoded once."""
    cuts = [cut(text) for text in texts]
    numbers: dict[str, int] = {}
    number = np.array([numbers.setdefault(chunk, len(numbers)) for own in cuts for chunk in own], np.int64)
    ids, lengths, starts, stops = _arrays(tokenizer.locate_whole(list(numbers)))
    begins, counts = offsets_of(lengths)[number], lengths[number]
    chunk_of_text = offsets_of([len(own) for own in cuts])
    ends = np.cumsum([len(chunk) for own in cuts for chunk in own], dtype=np.int64)
    before = np.append(0, ends)[:-1] - np.repeat(np.append(0, ends)[chunk_of_text[:-1]], np.diff(chunk_of_text))
    source, shift = ragged_positions(begins, counts), np.repeat(before, counts).astype(np.int32)
    own_lengths = np.diff(np.append(0, np.cumsum(counts))[chunk_of_text])
    return ids[source], own_lengths, starts[source] + shift, stops[source] + shift


def _tidied(
    texts: list[str], ids: np.ndarray, lengths: np.ndarray, starts: np.ndarray, stops: np.ndarray
) -> LocatedTokens:
    """Tokens with places that have no blanks at their ends, include dropped marks, and never decrease."""
    tokens = Ragged(ids, offsets_of(lengths))
    if not len(ids):
        return LocatedTokens(tokens, starts, stops)
    codepoints = np.frombuffer("".join(texts).encode("utf-32-le"), np.uint32)
    ends = offsets_of([len(text) for text in texts])
    base, end = np.repeat(ends[:-1], lengths), np.repeat(ends[1:], lengths)
    start, stop = starts + base, stops + base
    blank, mark = (_where(codepoints, kind) for kind in (_is_blank, _is_mark))
    start = np.minimum(_next_false(blank)[start], stop)
    after_last = np.append(0, np.maximum.accumulate(np.where(blank, 0, np.arange(1, len(codepoints) + 1))))
    stop = np.maximum(np.minimum(stop, after_last[stop]), start)
    following = np.minimum(np.append(start[1:], len(codepoints)), end)
    extended = np.minimum(_next_false(mark)[stop], following)
    stop = np.where(stop > start, np.maximum(stop, extended), stop)
    start, stop = np.maximum.accumulate(start), np.maximum.accumulate(stop)
    return LocatedTokens(tokens, (start - base).astype(np.int32), (stop - base).astype(np.int32))


def _where(codepoints: np.ndarray, is_kind: Callable[[int], bool]) -> np.ndarray:
    """Whether each codepoint is of a kind: bool [C]; each distinct one is tested once."""
    table = np.zeros(0x110000, bool)
    table[codepoints] = True
    kinds = np.flatnonzero(table)
    table[kinds] = [is_kind(codepoint) for codepoint in kinds.tolist()]
    return table[codepoints]


def _next_false(mask: np.ndarray) -> np.ndarray:
    """For each index the first at or after it where `mask` is false, n where there is none: int64 [n + 1]."""
    places = np.where(mask, len(mask), np.arange(len(mask)))
    return np.append(np.minimum.accumulate(places[::-1])[::-1], len(mask))


def _is_blank(codepoint: int) -> bool:
    return chr(codepoint).isspace()


@functools.cache
def _is_mark(codepoint: int) -> bool:
    return unicodedata.category(chr(codepoint)).startswith("M")
