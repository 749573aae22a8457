"""Right answers of questions about a context; each is a span of it."""

import dataclasses
import json
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True)
class Answer:
    """One right answer: the context holds `text` from codepoint `start` on."""

    start: int
    text: str

    @property
    def stop(self) -> int:
        """The codepoint after its last."""
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The right answers of n questions; the first is the one to train on.

    Attributes:
        items: of each question at least one answer.
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
        """The right answers of each question, as text."""
        return [[answer.text for answer in item] for item in self.items]

    def encoded(self) -> bytes:
        """Bytes that differ where the answers do."""
        return json.dumps([[(answer.start, answer.text) for answer in item] for item in self.items]).encode()

    def elsewhere(self, contexts: Sequence[str], seed: int) -> "Answers":
        """One wrong answer a row: a random place of its context, as long as another row's answer (a control)."""
        generator = np.random.default_rng([seed, 0x5EED])
        items = []
        for context, other in zip(contexts, generator.permutation(len(self)).tolist(), strict=True):
            length = min(len(self.items[other][0].text), len(context))
            start = int(generator.integers(0, len(context) - length + 1))
            items.append((Answer(start, context[start : start + length]),))
        return Answers(tuple(items))

    def covered(self, contexts: Sequence[str]) -> list[np.ndarray]:
        """For each context a bool mask of its codepoints: those of a right answer."""
        masks = [np.zeros(len(context), bool) for context in contexts]
        for mask, item in zip(masks, self.items, strict=True):
            for answer in item:
                mask[answer.start : answer.stop] = True
        return masks
