"""Random deletion: every unit of a text is deleted with the same probability, independently of the others.

The draw for unit u of sample s is mix(mix(key + GOLDEN (s + 1)) + GOLDEN (u + 1)), where the key is a hash of seed,
item, field and unit (SplitMix64 as a counter-based generator): a sample is the same whatever else is drawn.
"""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.perturb.noise import hash_strings, text_keys, threshold
from itt_jax.perturb.splitmix import GOLDEN, mix
from itt_jax.perturb.text import from_strings, to_strings
from itt_jax.perturb.units import Document
from itt_jax.ragged import Ragged, offsets_of

Unit = Literal["character", "word"]
UNITS: dict[Unit, str] = {
    "character": "grapheme clusters",
    "word": "words, each with what precedes it, and what follows the last",
}
DRAWS_AT_ONCE = 1 << 22
"""Draws made together, which bounds memory."""


@dataclasses.dataclass(frozen=True)
class Deletion:
    """A mechanism of deletion.

    Attributes:
        unit: a key of `UNITS`; deletions and edits are counted in it.
        rate: probability that a unit is deleted.
    """

    unit: Unit = "character"
    rate: float = 0.9

    def __post_init__(self):
        """Raises InputError for a wrong value."""
        if self.unit not in UNITS:
            raise unknown("--unit", self.unit, list(UNITS))
        if not 0 < self.rate < 1:
            raise InputError(f"--rate: found {self.rate}, expected a probability between 0 and 1")

    def sequences(self, texts: Sequence[str], language: str) -> list[tuple[str, ...]]:
        """The units of each text; joined, they are the text."""
        document = Document(from_strings(texts), None, language, None)
        ends, offsets = document.starts[1:], document.text.offsets
        if self.unit == "word":
            _, stop = document.words
            ends = np.union1d(document.starts[stop], offsets[1:])
        bounds = np.searchsorted(ends, offsets, "right").tolist()
        found = []
        for first, low, high in zip(offsets.tolist(), bounds, bounds[1:], strict=False):
            own = itertools.pairwise([first, *ends[low:high].tolist()])
            found.append(tuple(document.string[a:b] for a, b in own))
        return found

    def key(self, seed: int, item: str, field: str) -> np.uint64:
        """The key of a text's draws."""
        return text_keys(hash_strings([item]), "certify", seed, field, self.unit)[0]

    def samples(self, sequence: Sequence[str], key: np.uint64, first: int, stop: int) -> list[str]:
        """Samples first ... stop - 1 of a text.

        Args:
            sequence: its units. key: key of its draws.
        """
        if not sequence:
            return [""] * (stop - first)
        pieces, step = from_strings(sequence), max(1, DRAWS_AT_ONCE // len(sequence))
        parts = [(start, min(start + step, stop)) for start in range(first, stop, step)]
        return [text for part in parts for text in to_strings(self._kept(pieces, key, *part))]

    def _kept(self, pieces: Ragged, key: np.uint64, first: int, stop: int) -> Ragged:
        """The codepoints that are left in each sample."""
        limit, _ = threshold(self.rate)
        states = mix(key + GOLDEN * np.arange(first + 1, stop + 1, dtype=np.uint64))
        places = GOLDEN * np.arange(1, len(pieces) + 1, dtype=np.uint64)
        sample, unit = np.nonzero(mix(states[:, None] + places) >= limit)
        left = pieces[unit]
        lengths = np.bincount(sample, left.lengths, minlength=stop - first).astype(np.int64)
        return Ragged(left.values, offsets_of(lengths))
