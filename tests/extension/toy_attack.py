"""An attack that doubles the first letter of one word after the other."""

import dataclasses
from typing import ClassVar

from itt_jax.attack import Attack
from itt_jax.attack.attack import Asking, Case, Search, ask
from itt_jax.attack.candidates import Candidates


@dataclasses.dataclass(frozen=True)
class Stutter(Candidates):
    """The word with its first cluster twice."""

    makes = "words"

    def options(self, subject, places) -> dict[int, list[str]]:
        """See `Candidates.options`."""
        words = {place: subject.word(place) for place in places}
        return {place: ["".join((word[0], *word))] for place, word in words.items()}


@dataclasses.dataclass(frozen=True)
class FromTheLeft(Search):
    """One word after the other, each kept where it helps."""

    takes: ClassVar[str] = "words"

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        wording, best = case.subject.wording, case.start
        for place, options in case.options(case.words()).items():
            for candidate in case.replaced(wording, place, options):
                heard = yield from ask([candidate.text])
                if heard.scores[0] > best:
                    wording, best = candidate, heard.scores[0]
                if heard.reached[0] or heard.over:
                    return wording.text
        return wording.text


STUTTER = Attack("stutter", FromTheLeft(), Stutter(), budget=100, summary="doubled first letters")
