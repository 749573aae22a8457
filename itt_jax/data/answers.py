"""The right answers to questions about a context, each a span of it."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Answer:
    """One right answer: `text`, at codepoint `start` of the context."""

    start: int
    text: str

    @property
    def stop(self) -> int:
        """The codepoint after the last."""
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The right answers to n questions.

    Attributes:
        items: at least one answer for each question; training uses the first.
    """

    items: tuple[tuple[Answer, ...], ...]

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """The questions of all parts, in order."""
        return cls(tuple(item for part in parts for item in part.items))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, indices: np.ndarray) -> "Answers":
        """The questions at the indices (integers or a boolean mask), in that order."""
        return Answers(tuple(self.items[i] for i in np.arange(len(self))[indices].tolist()))

    @property
    def texts(self) -> list[list[str]]:
        """The texts of each question's answers."""
        return [[answer.text for answer in item] for item in self.items]

    def encoded(self) -> bytes:
        """Bytes that differ if an answer does."""
        return json.dumps([[(answer.start, answer.text) for answer in item] for item in self.items]).encode()

    def elsewhere(self, contexts: Sequence[str], seed: int) -> "Answers":
        """A wrong answer for each row (a control): a random place in its context, as long as another row's answer."""
        generator = np.random.default_rng([seed, 0x5EED])
        items = []
        for context, other in zip(contexts, generator.permutation(len(self)).tolist(), strict=True):
            length = min(len(self.items[other][0].text), len(context))
            start = int(generator.integers(0, len(context) - length + 1))
            items.append((Answer(start, context[start : start + length]),))
        return Answers(tuple(items))

    def covered(self, contexts: Sequence[str]) -> list[np.ndarray]:
        """For each context, a bool mask of the codepoints that belong to a right answer."""
        masks = [np.zeros(len(context), bool) for context in contexts]
        for mask, item in zip(masks, self.items, strict=True):
            for answer in item:
                mask[answer.start : answer.stop] = True
        return masks
