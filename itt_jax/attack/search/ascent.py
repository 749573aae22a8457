"""FGSM and PGD: one ascent in the space of word embeddings, then queries about the nearest tokens."""

import dataclasses
from typing import ClassVar

import numpy as np

from itt_jax.attack.asking import Ascent, Nearest
from itt_jax.attack.attack import Asking, Case, Search, ask, propose


@dataclasses.dataclass(frozen=True)
class EmbeddingAscent(Search):
    """Asks at once about all texts to which the steps of an ascent lead; ends with the first that reaches the goal, or
    with the best.

    Attributes:
        ascent: its norm, steps and radius. edits: maximum number of tokens replaced.
    """

    takes: ClassVar[str] = "tokens"
    kinds: ClassVar[tuple[str, ...]] = ("classification",)
    ascent: Ascent
    edits: int = 2

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return self.ascent.steps * self.edits / 2

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        clean = case.subject.text
        ((*texts,),) = yield from propose(Nearest((clean,), self.ascent, self.edits))
        made = case.allowed([text for text in texts if text != clean])
        if not made:
            return clean
        heard = yield from ask(made)
        if heard.reached.any():
            return made[int(np.argmax(heard.reached))]
        best = int(np.argmax(heard.scores))
        return made[best] if heard.scores[best] > case.start else clean
