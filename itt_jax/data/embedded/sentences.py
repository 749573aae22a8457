"""Statements (who says what about which topic), drawn once and rendered in any language."""

import dataclasses
import functools

from itt_jax.data.embedded import tables
from itt_jax.data.embedded.draws import Dice


@dataclasses.dataclass(frozen=True)
class Statement:
    """A frame with all its slots decided; `text(language)` renders the same sentence in each language."""

    frame: tables.Frame
    topic: tables.Topic
    words: dict[str, tables.Quality]
    other: tables.Topic
    source: dict[str, str]
    circumstance: dict[str, str]

    def text(self, language: str) -> str:
        """The sentence in one language."""
        return self.frame.fill(language, self.topic, self.words, self.other, self.source, self.circumstance)


class DomainWords:
    """The words of a domain that a split may use; split "corpus" may use all."""

    def __init__(self, domain: str, split: str):
        def mine(entry) -> bool:
            return entry.domain == domain and split in (entry.split, "corpus")

        self.topics = tuple(filter(mine, tables.topics()))
        self.scales = tuple(dict.fromkeys(q.quality for q in tables.qualities() if mine(q)))
        self.sources = tables.details(domain, "source")
        self.circumstances = tables.details(domain, "circumstance")
        self._words = {
            (scale, side): tuple(q for q in tables.qualities() if mine(q) and (q.quality, q.side) == (scale, side))
            for scale in self.scales
            for side in (0, 1)
        }

    def words(self, scale: str, side: int) -> tuple[tables.Quality, ...]:
        """The synonyms at one end of a scale."""
        return self._words[scale, side]

    def word(self, dice: Dice, side: int) -> tables.Quality:
        """Any word of a side."""
        return dice.pick(self._words[dice.pick(self.scales), side])

    def topic_but(self, dice: Dice, *others: tables.Topic) -> tables.Topic:
        """A topic other than `others`."""
        return dice.pick([topic for topic in self.topics if topic not in others])

    def state(self, dice: Dice, frame, topic, a, b=None, other=None) -> Statement:
        """A statement about `topic`; slots that are not given are drawn."""
        return Statement(
            frame=frame,
            topic=topic,
            words={"a": a, "b": a if b is None else b},
            other=self.topic_but(dice, topic) if other is None else other,
            source=dice.pick(self.sources),
            circumstance=dice.pick(self.circumstances),
        )


@functools.cache
def vocabulary(domain: str, split: str) -> DomainWords:
    """The words of a domain that a split may use."""
    return DomainWords(domain, split)


@functools.cache
def frames(kind: str, role: str, split: str) -> tuple[tables.Frame, ...]:
    """The frames of a kind and role. Dev rows use training frames with held-out words."""
    split = "train" if split == "dev" else split
    return tuple(f for f in tables.frames() if (f.kind, f.role, f.split) == (kind, role, split))
