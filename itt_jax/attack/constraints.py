"""Constraints: which words may be edited, and which texts may be asked about. Each is one object in one tuple.

Protected text (`Subject.allowed`) is never edited, whatever the constraints.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from itt_jax.attack.subject import Subject, clusters_of
from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.codepoints import LETTER
from itt_jax.perturb.lexicon import lower


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A constraint; this base allows everything.

    Attributes:
        fits: units of the searches that it can constrain (`Search.takes`).
    """

    fits: ClassVar[tuple[str, ...]] = ("words", "clusters", "edits", "texts", "tokens")

    def allows_word(self, subject: Subject, place: int) -> bool:
        """Whether a word may be edited."""
        return True

    def allows_text(self, subject: Subject, text: str, words_changed: int) -> bool:
        """Whether a text may be asked about."""
        return True

    def allows_texts(self, subject: Subject, texts: Sequence[str], words_changed: Sequence[int]) -> list[bool]:
        """`allows_text` of several texts."""
        return [self.allows_text(subject, *own) for own in zip(texts, words_changed, strict=True)]

    def allows_unit(self, subject: Subject, unit: str) -> bool:
        """Whether a grapheme cluster may be written."""
        return True

    def check(self) -> None:
        """Raises InputError if something that it needs is absent."""

    def paths(self) -> list[str]:
        """The user's folders that it reads."""
        return []


@dataclasses.dataclass(frozen=True)
class LongWords(Constraint):
    """Words have a minimum length.

    Attributes:
        least: grapheme clusters.
    """

    fits: ClassVar[tuple[str, ...]] = ("words",)
    least: int = 4

    def allows_word(self, subject: Subject, place: int) -> bool:
        """See `Constraint.allows_word`."""
        return len(subject.word(place)) >= self.least


@dataclasses.dataclass(frozen=True)
class NoStopWords(Constraint):
    """Function words stay: those of `tables/function_words.json`; languages without an entry have none."""

    fits: ClassVar[tuple[str, ...]] = ("words",)

    def allows_word(self, subject: Subject, place: int) -> bool:
        """See `Constraint.allows_word`."""
        return lower("".join(subject.word(place))) not in stop_words(subject.language)


@dataclasses.dataclass(frozen=True)
class WordsChanged(Constraint):
    """A maximum number of words differ from the clean text.

    Attributes:
        most: words. share: of the words of the text, rounded up to one; the smaller of the two applies.
    """

    fits: ClassVar[tuple[str, ...]] = ("words",)
    most: int | None = None
    share: float = 1.0

    def allows_text(self, subject: Subject, text: str, words_changed: int) -> bool:
        """See `Constraint.allows_text`."""
        limit = max(1, int(self.share * len(subject.words)))
        return words_changed <= (limit if self.most is None else min(limit, self.most))


@dataclasses.dataclass(frozen=True)
class WithinEdits(Constraint):
    """A maximum edit distance (Levenshtein) from the clean text.

    Attributes:
        most: grapheme clusters inserted, deleted or replaced.
    """

    most: int = 30

    def allows_text(self, subject: Subject, text: str, words_changed: int) -> bool:
        """See `Constraint.allows_text`."""
        return edit_distance(subject.clusters, text, self.most) <= self.most


@dataclasses.dataclass(frozen=True)
class OwnLetters(Constraint):
    """Letters are written only in scripts of the clean text: a Hindi text stays in Devanagari."""

    def allows_unit(self, subject: Subject, unit: str) -> bool:
        """See `Constraint.allows_unit`."""
        return letter_scripts(unit) <= letter_scripts(subject.text)

    def allows_text(self, subject: Subject, text: str, words_changed: int) -> bool:
        """See `Constraint.allows_text`."""
        return self.allows_unit(subject, "".join(set(text) - set(subject.text)))


@dataclasses.dataclass(frozen=True)
class Similar(Constraint):
    """The edited field stays similar to its clean text; outcomes report the similarity (`attack.similarity`).

    Attributes:
        encoder: checkpoint directory of a sentence encoder. least: minimum cosine; -1 allows everything and only
            measures.
    """

    encoder: str = ""
    least: float = -1.0

    def __post_init__(self):
        if not -1 <= self.least <= 1:
            raise InputError(f"least similarity: found {self.least!r}, expected a cosine from -1 to 1")

    def allows_text(self, subject: Subject, text: str, words_changed: int) -> bool:
        """See `Constraint.allows_text`."""
        return self.allows_texts(subject, [text], [words_changed])[0]

    def allows_texts(self, subject: Subject, texts: Sequence[str], words_changed: Sequence[int]) -> list[bool]:
        """See `Constraint.allows_texts`; all texts are encoded together."""
        from itt_jax.train.processes import shared

        if self.least == -1 or not texts:
            return [True] * len(texts)
        # Cosines of several processes may differ in the last bits, and with a limit the texts would then differ.
        return shared(lambda: (self.similarities(subject, texts) >= self.least).tolist())

    def similarities(self, subject: Subject, texts: Sequence[str]) -> np.ndarray:
        """Cosines with the clean text: float32 [n]."""
        from itt_jax.attack.similarity import sentence_encoder

        return sentence_encoder(self.encoder).cosines(subject.text, texts, subject.language)

    def check(self) -> None:
        """See `Constraint.check`."""
        from itt_jax.attack.similarity import sentence_encoder

        sentence_encoder(self.encoder)

    def paths(self) -> list[str]:
        """See `Constraint.paths`."""
        return [self.encoder]


CONSTRAINTS: tuple[type[Constraint], ...] = (LongWords, NoStopWords, WordsChanged, WithinEdits, OwnLetters, Similar)


@functools.cache
def stop_words(language: str) -> frozenset[str]:
    """Function words of a language, in lower case; none for a language without a table."""
    rows = tables.read("function_words")["entries"].get(language, {})
    return frozenset(lower(word) for key, options in rows.items() for word in (key, *options) if word)


@functools.lru_cache(maxsize=1 << 16)
def letter_scripts(text: str) -> frozenset[int]:
    """Numbers of the scripts of a text's letters (`tables.property_of`)."""
    codepoints = tables.codepoints_of(text)
    letters = tables.look_up(tables.property_of("flags"), codepoints) & LETTER > 0
    return frozenset(np.unique(tables.look_up(tables.property_of("scripts"), codepoints[letters])).tolist())


def edit_distance(before: tuple[str, ...], after: str, most: int | None = None) -> int:
    """Levenshtein distance in grapheme clusters; more than `most` counts as most + 1."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.distance(before, clusters_of(after), score_cutoff=most)
