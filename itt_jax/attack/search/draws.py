"""Searches that ask about drawn texts: the worst of all, and a random baseline."""

import dataclasses
from typing import ClassVar

import numpy as np

from itt_jax.attack.attack import Asking, Case, Search, ask
from itt_jax.attack.subject import Wording


@dataclasses.dataclass(frozen=True)
class WorstOf(Search):
    """All texts at once; the best score wins."""

    takes: ClassVar[str] = "texts"

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return 32

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        texts = case.texts()
        if not texts:
            return case.subject.text
        heard = yield from ask(texts)
        return texts[int(np.argmax(heard.scores))]


@dataclasses.dataclass(frozen=True)
class RandomWords(Search):
    """A baseline that learns nothing: a drawn number of drawn words, each with a drawn candidate.

    It ends with the first round in which a text reaches the goal, otherwise with the best of all texts.

    Attributes:
        draws: maximum number of texts asked about. a_round: number asked about at a time.
        words: maximum number of words edited in a text.
    """

    takes: ClassVar[str] = "words"
    draws: int = 200
    a_round: int = 10
    words: int = 5

    def expected_queries(self, words: float, clusters: float) -> float:
        """See `Search.expected_queries`."""
        return self.draws

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        options = {place: own for place, own in case.options(case.words()).items() if own}
        best, top = case.subject.wording, case.start
        for first in range(0, self.draws, self.a_round):
            numbers = range(first, min(first + self.a_round, self.draws))
            made = [self._drawn(case, options, number) for number in numbers if options]
            made = case.allowed_wordings(made)
            if not made:
                continue
            heard = yield from ask([own.text for own in made])
            if heard.scores.max() > top:
                best, top = made[int(np.argmax(heard.scores))], heard.scores.max()
            if heard.reached.any():
                return made[int(np.argmax(heard.reached))].text
            if heard.over:
                break
        return best.text

    def _drawn(self, case: Case, options: dict[int, list[str]], number: int) -> Wording:
        draw, left, wording = case.subject.draw, list(options), case.subject.wording
        for k in range(1 + draw(min(self.words, len(left)), "words", number)):
            place = left.pop(draw(len(left), "word", number, k))
            wording = wording.replaced(place, options[place][draw(len(options[place]), "candidate", number, k)])
        return wording
