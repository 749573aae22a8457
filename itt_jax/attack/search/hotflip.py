"""Beam search over flips of tokens that the gradient proposes (HotFlip, arXiv 1712.06751)."""

import dataclasses
from typing import ClassVar

import numpy as np

from itt_jax.attack.asking import Flips
from itt_jax.attack.attack import Asking, Case, Search, ask, propose


@dataclasses.dataclass(frozen=True)
class HotFlip(Search):
    """In each round, tries the flips of every text in the beam that are best to first order; keeps those with the best
    scores.

    Attributes:
        edits: maximum number of tokens flipped. width: texts in the beam. each: number of flips asked about for each
            text.
    """

    takes: ClassVar[str] = "tokens"
    kinds: ClassVar[tuple[str, ...]] = ("classification",)
    edits: int = 2
    width: int = 10
    each: int = 10

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return self.each + (self.edits - 1) * self.width * self.each

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        beam, best, top = [case.subject.text], case.subject.text, case.start
        for _ in range(self.edits):
            flipped = yield from propose(Flips(tuple(beam), self.each))
            made = case.allowed([text for texts in flipped for text in texts])
            made = [text for text in dict.fromkeys(made) if text != case.subject.text]
            if not made:
                break
            heard = yield from ask(made)
            order = np.argsort(-heard.scores, kind="stable").tolist()
            if heard.scores[order[0]] > top:
                best, top = made[order[0]], heard.scores[order[0]]
            if heard.reached.any():
                return made[int(np.argmax(heard.reached))]
            if heard.over:
                break
            beam = [made[i] for i in order[: self.width]]
        return best
