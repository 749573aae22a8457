"""Random draws that depend only on the text being perturbed, never on call order or batch composition.

Draw d at a place is mix(mix(key + GOLDEN * (place + 1)) + GOLDEN * d), which uses SplitMix64 as a counter-based
generator. `place` is a codepoint's index in the clean text; a text's key is a hash of noise seed, item id, field,
operator, operator version and replicate. Severity does not enter the key: it is a threshold on draw 0.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Sequence

import numpy as np

from itt_jax.perturb.splitmix import GOLDEN, mix
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document


def hash_strings(strings: Sequence[str]) -> np.ndarray:
    """uint64 [n]: a hash of each string.

    It is mix(sum + length), where the sum runs over mix(codepoint + GOLDEN * (place + 1)).
    """
    text = from_strings(strings)
    starts, lengths = text.offsets[:-1], np.diff(text.offsets)
    places = np.arange(len(text.values)) - np.repeat(starts, lengths) + 1
    terms = mix(text.values + places.astype(np.uint64) * GOLDEN)
    totals = np.zeros(len(terms) + 1, np.uint64)
    np.cumsum(terms, out=totals[1:])
    return mix(totals[text.offsets[1:]] - totals[starts] + lengths.astype(np.uint64))


def text_keys(ids: np.ndarray, *context: object) -> np.ndarray:
    """uint64 [n]: the key of each text.

    Args:
        ids: uint64 [n] item ids hashed by `hash_strings`.
        context: what the texts share: noise seed, field, operator, version, replicate.
    """
    digest = hashlib.blake2b("\0".join(map(str, context)).encode(), digest_size=8).digest()
    return mix(ids ^ np.frombuffer(digest, "<u8"))


def first_draws(keys: np.ndarray, offsets: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """uint64 [G]: draw 0 at each place.

    Args:
        keys: uint64 [n].
        offsets: int64 [n] index of each text's first codepoint.
        starts: int64 [G] places, as indices into the concatenated codepoints, in text order.
        counts: int64 [n] number of places in each text.
    """
    states = starts.astype(np.uint64)
    np.multiply(states, GOLDEN, out=states)
    states += np.repeat(keys - (offsets.astype(np.uint64) - np.uint64(1)) * GOLDEN, counts)
    return mix(states)


@dataclasses.dataclass(frozen=True)
class Noise:
    """The draws of one operator and replicate for the texts of a document.

    Attributes:
        keys: uint64 [n] from `text_keys`.
        document: the clean texts and their units.
    """

    keys: np.ndarray
    document: Document

    @functools.cached_property
    def clusters(self) -> np.ndarray:
        """uint64 [G]: draw 0 of each grapheme cluster, at its first codepoint."""
        return self._draws(self.document.starts[:-1], np.diff(self.document.text_clusters))

    @functools.cached_property
    def texts(self) -> np.ndarray:
        """uint64 [n]: draw 0 of each whole text, at the place before its first codepoint."""
        return mix(self.keys.copy())

    @functools.cached_property
    def words(self) -> np.ndarray:
        """uint64 [W]: draw 0 of each word, at its first codepoint."""
        first, _ = self.document.words
        counts = np.diff(np.searchsorted(first, self.document.text_clusters))
        return self._draws(self.document.starts[first], counts)

    def _draws(self, starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
        draw = first_draws if self.document.kernels is None else self.document.kernels.first_draws
        return draw(self.keys, self.document.text.offsets[:-1], starts, counts)


def later_draws(draws: np.ndarray, number: int) -> np.ndarray:
    """uint64: draw `number` (1, 2, ...) at the places whose draw 0 is given."""
    return mix(draws + np.uint64(number * int(GOLDEN) % 2**64))


def below(draws: np.ndarray, counts: np.ndarray | int) -> np.ndarray:
    """int64: draws mapped uniformly to 0 ... counts - 1; counts must be below 2**31."""
    return ((draws >> np.uint64(33)) * np.asarray(counts, np.uint64) >> np.uint64(31)).astype(np.int64)


def under(draws: np.ndarray, probability: float) -> np.ndarray:
    """bool: true with the given probability; the places true at a lower probability stay true at a higher one."""
    limit, every = threshold(probability)
    return np.ones(len(draws), bool) if every else draws < limit


def threshold(probability: float) -> tuple[np.uint64, bool]:
    """The limit below which draws fall with the given probability, and whether all draws count as below it."""
    limit = int(probability * 2.0**64)
    return np.uint64(limit % 2**64), limit == 2**64
