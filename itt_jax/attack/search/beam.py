"""Beam search over all words at once (TextAttack's `BeamSearch`; with a width of 1, its `GreedySearch`)."""

import dataclasses
from typing import ClassVar

import numpy as np

from itt_jax.attack.attack import Asking, Case, Search, ask


@dataclasses.dataclass(frozen=True)
class Beam(Search):
    """All candidates of all words in every text of the beam; the best of them are the next beam.

    As in the reference, the best text of the last round is kept, whether or not it beats an earlier one.

    Attributes:
        width: texts in the beam.
    """

    takes: ClassVar[str] = "words"
    width: int = 1

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return 20 * self.width * words

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        places = case.words()
        options = case.options(places)
        beam, best = [case.subject.wording], case.subject.wording
        while True:
            pool = [
                own
                for wording in beam
                for place in places
                if place not in wording.changed
                for own in case.replaced(wording, place, options[place])
            ]
            if not pool:
                return best.text
            heard = yield from ask([own.text for own in pool])
            best = pool[int(np.argmax(heard.scores))]
            if heard.reached[np.argmax(heard.scores)] or heard.over:
                return best.text
            beam = [pool[i] for i in np.argsort(-heard.scores, kind="stable")[: self.width].tolist()]
