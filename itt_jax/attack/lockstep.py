"""Attacks on many rows in parallel: the questions of all live searches are scored in one stream.

Queries are counted as TextAttack counts them (`goal_function.py`): for each row, every text asked about, the clean one
and repeated ones included, although a repeated text is not computed again. If the budget ends within a list of texts,
only the beginning of the list is answered.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from itt_jax.attack.asking import Proposals, Victim
from itt_jax.attack.attack import Answers, Asking, Attack, Case
from itt_jax.attack.goals import Goal
from itt_jax.attack.subject import Subject

LIVE = 64
"""Number of rows attacked in parallel."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """A finished attack on one row.

    Attributes:
        result: "skipped": the model was wrong before the attack.
        text: final text of the edited field; a failed search may also have changed it.
        queries: number of texts asked about.
        before, after: outputs for the clean and for the final text.
        score_before, score_after: scores of the goal; 0 if the row is skipped.
    """

    subject: Subject
    result: Literal["succeeded", "failed", "skipped"]
    text: str
    queries: int
    before: Any
    after: Any
    score_before: float
    score_after: float


def attack_rows(
    attack: Attack,
    goal: Goal,
    subjects: Sequence[Subject],
    victim: Victim,
    units: tuple[str, ...] | None = None,
    live: int = LIVE,
    progress: Callable[[int, int], None] | None = None,
) -> list[Attempt]:
    """Attack the rows of one language; the results are in their order.

    Args:
        units: see `Candidates.units`; None: those of `subjects`.
        live: number of rows attacked in parallel. When one is finished, the next enters.
        progress: called with the numbers of finished rows and of queries.
    """
    units = attack.candidates.units(subjects, goal, victim) if units is None else units
    waiting = collections.deque(enumerate(subjects))
    running: dict[int, _Running] = {}
    finished: dict[int, Attempt] = {}
    queries = 0
    while waiting or running:
        while waiting and len(running) < live:
            number, subject = waiting.popleft()
            running[number] = _Running(attack, goal, attack.candidates.cut(subject), units)
        asked = [(own, text) for own in running.values() for text in own.unknown()]
        outputs = (
            victim.outputs([own.subject.inputs(text) for own, text in asked], asked[0][0].subject.language)
            if asked
            else []
        )
        for (own, text), output in zip(asked, outputs, strict=True):
            own.known[text] = output
        proposals = _proposals(
            [(own, own.asked) for own in running.values() if isinstance(own.asked, Proposals)], victim
        )
        for number, own in list(running.items()):
            if (attempt := own.answer(proposals.get(own))) is not None:
                finished[number] = attempt
                queries += attempt.queries
                del running[number]
        if progress:
            progress(len(finished), queries + sum(own.queries for own in running.values()))
    return [finished[number] for number in range(len(subjects))]


def _proposals(asking: Sequence[tuple["_Running", Proposals]], victim: Victim) -> dict["_Running", list[list[str]]]:
    """The answers to the searches that ask for proposals."""
    texts = [(own, text) for own, asked in asking for text in asked.texts]
    if not texts:
        return {}
    inputs, labels = [own.subject.inputs(text) for own, text in texts], [own.aim for own, _ in texts]
    subject, asked = asking[0][0].subject, asking[0][1]
    found = iter(asked.of(victim, inputs, subject.field, labels, subject.language))
    return {own: [next(found) for _ in asked.texts] for own, asked in asking}


class _Running:
    """A search that has asked about `self.asked` and waits for the answers."""

    def __init__(self, attack: Attack, goal: Goal, subject: Subject, units: tuple[str, ...]):
        self.attack, self.goal, self.subject, self.units = attack, goal, subject, units
        self.known: dict[str, Any] = {}
        self.aim: Any = None  # as its goal makes it
        self.queries, self.start = 0, 0.0
        self.search: Asking | None = None
        self.asked: list[str] | Proposals = self._within_budget([subject.text])

    def unknown(self) -> Iterator[str]:
        """The texts that are asked about for the first time."""
        asked = () if isinstance(self.asked, Proposals) else dict.fromkeys(self.asked)
        return iter([text for text in asked if text not in self.known])

    def answer(self, proposals: list[list[str]] | None) -> Attempt | None:
        """Pass the answers to the search, which asks again; returns the attempt once it is finished.

        Args:
            proposals: the answer if it asked for proposals.
        """
        if self.search is None:
            before = self.known[self.subject.text]
            self.aim = self.goal.aim(self.subject, before)
            if self.aim is None:
                return Attempt(self.subject, "skipped", self.subject.text, self.queries, before, before, 0.0, 0.0)
            self.start = float(self._judged([self.subject.text])[0][0])
            if self.queries == self.attack.budget:
                return self._finished(self.subject.text)
            search = self.search = self.attack.search.run(
                Case(self.attack, self.goal, self.subject, self.start, self.units)
            )
            return self._advance(lambda: next(search))
        if isinstance(self.asked, Proposals):
            assert proposals is not None
            return self._advance(functools.partial(self.search.send, proposals))
        answers = Answers(*self._judged(self.asked), over=self.queries == self.attack.budget)
        return self._advance(functools.partial(self.search.send, answers))

    def _advance(self, resume: Callable[[], Sequence[str] | Proposals]) -> Attempt | None:
        try:
            asked = resume()
            self.asked = asked if isinstance(asked, Proposals) else self._within_budget(asked)
        except StopIteration as done:
            return self._finished(done.value)
        return None

    def _within_budget(self, texts: Sequence[str]) -> list[str]:
        asked = list(texts)
        if self.attack.budget is not None:
            asked = asked[: self.attack.budget - self.queries]
        self.queries += len(asked)
        return asked

    def _judged(self, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return self.goal.judge(self.subject, self.aim, [self.known[text] for text in texts])

    def _finished(self, text: str) -> Attempt:
        (score,), (reached,) = self._judged([text])
        before, after = self.known[self.subject.text], self.known[text]
        return Attempt(
            self.subject,
            "succeeded" if reached else "failed",
            text,
            self.queries,
            before,
            after,
            self.start,
            float(score),
        )
