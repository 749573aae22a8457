"""Greedy search over words in order of importance (TextAttack's `GreedyWordSwapWIR`)."""

import dataclasses
from typing import ClassVar, Literal

import numpy as np

from itt_jax.attack.attack import Asking, Case, Search, ask

UNKNOWN = "𓀀"
"""Stands for a word that no vocabulary has. TextAttack writes "[UNK]", but special tokens in a text stay text here."""


@dataclasses.dataclass(frozen=True)
class GreedyWords(Search):
    """Takes words in order of importance, and the best of each word's candidates if it beats the text so far.

    The importance of a word is the score of the clean text without it. As in the reference, the text that ranks a word
    does not end a search, and neither does a candidate that reaches the goal without the best score.

    Attributes:
        importance: "unknown": an unknown word replaces it; "delete": it is deleted.
    """

    takes: ClassVar[str] = "words"
    importance: Literal["unknown", "delete"] = "unknown"

    def run(self, case: Case) -> Asking:
        """See `Search.run`."""
        places, wording, best = case.words(), case.subject.wording, case.start
        if not places:
            return wording.text
        heard = yield from ask([self._without(case, place) for place in places])
        options = {} if heard.over else case.options(places)
        for rank in np.argsort(-heard.scores, kind="stable").tolist():
            if heard.over:
                break
            made = case.replaced(wording, places[rank], options[places[rank]])
            if not made:
                continue
            heard = yield from ask([own.text for own in made])
            top = int(np.argmax(heard.scores))
            if heard.scores[top] > best:
                wording, best = made[top], heard.scores[top]
                if heard.reached[top]:
                    break
        return wording.text

    def _without(self, case: Case, place: int) -> str:
        """The clean text without a word; if the number of words must not change, an unknown word takes its place."""
        wording = case.subject.wording
        if self.importance == "delete":
            text = wording.without(place).text
            if case.goal.keeps_form(case.subject, text):
                return text
        return wording.replaced(place, UNKNOWN).text
