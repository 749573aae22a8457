"""Universal triggers (Wallace et al. 2019, arXiv 1908.07125): the same words before all texts of a class."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.attack.asking import Victim
from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.goals import Goal
from itt_jax.attack.subject import Subject


@dataclasses.dataclass(frozen=True)
class Triggers(Candidates):
    """One trigger for each class, found on those attacked rows of the class that the model classifies correctly.

    Round by round, gradients propose words for every place of the trigger; place by place, the word with the highest
    mean score stays if it beats the trigger so far. The search ends with a round that changes nothing.

    Attributes:
        length: number of words in a trigger. start: the word of which it consists at first.
        each: number of words tried at a place in a round. rounds: maximum number.
        rows: number of rows of a class on which its trigger is found; the first are taken.
    """

    makes = "triggers"
    length: int = 3
    start: str = "the"
    each: int = 20
    rounds: int = 10
    rows: int = 64

    def version(self, language: str) -> int:
        """See `Candidates.version`."""
        return 2

    def units(self, subjects: Sequence[Subject], goal: Goal, victim: Victim) -> tuple[str, ...]:
        """For each class its trigger; "" if the model is right on none of its rows."""
        if not subjects:
            return ()
        language = subjects[0].language
        outputs = victim.outputs([own.inputs(own.text) for own in subjects], language)
        right = [own for own, output in zip(subjects, outputs, strict=True) if goal.aim(own, output) is not None]
        by_class = [[own for own in right if own.label == label] for label in range(len(subjects[0].labels))]
        return tuple(self._found(own[: self.rows], goal, victim) if own else "" for own in by_class)

    def _found(self, subjects: Sequence[Subject], goal: Goal, victim: Victim) -> str:
        first = subjects[0]
        texts = [own.inputs(own.text) for own in subjects]
        labels = [int(own.label) for own in subjects]
        words = (self.start,) * self.length
        (best,) = _mean_scores([words], subjects, goal, victim)
        for _ in range(self.rounds):
            proposed = victim.trigger_words(texts, first.field, labels, words, self.each, first.language)
            before = words
            for place, options in enumerate(proposed):
                made = [(*words[:place], new, *words[place + 1 :]) for new in options if new != words[place]]
                if not made:
                    continue
                scores = _mean_scores(made, subjects, goal, victim)
                if scores.max() > best:
                    words, best = made[int(scores.argmax())], scores.max()
            if words == before:
                break
        return " ".join(words)


def _mean_scores(
    triggers: Sequence[tuple[str, ...]], subjects: Sequence[Subject], goal: Goal, victim: Victim
) -> np.ndarray:
    """float64 [triggers]: the mean score of the goal over the rows."""
    texts = [own.inputs(f"{' '.join(words)} {own.text}") for words in triggers for own in subjects]
    outputs = victim.outputs(texts, subjects[0].language)
    by_row = [outputs[i :: len(subjects)] for i in range(len(subjects))]
    scores = [goal.judge(own, int(own.label), heard)[0] for own, heard in zip(subjects, by_row, strict=True)]
    return np.mean(scores, axis=0)
