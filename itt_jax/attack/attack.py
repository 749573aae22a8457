"""An attack: goal, candidates, constraints, search and budget, each replaceable."""

import dataclasses
from collections.abc import Generator, Sequence
from typing import ClassVar

import numpy as np

from itt_jax.attack.asking import Proposals
from itt_jax.attack.candidates.base import Candidates
from itt_jax.attack.constraints import Constraint
from itt_jax.attack.goals import Goal, goal_for
from itt_jax.attack.subject import Subject, Wording
from itt_jax.errors import InputError
from itt_jax.tasks import Task


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers to a search about the texts that it asked about.

    Attributes:
        scores: float64 [m], higher is closer to the goal. reached: bool [m].
        over: whether the budget is spent: nothing more may be asked, and m may be smaller than the number of texts
            asked about.
    """

    scores: np.ndarray
    reached: np.ndarray
    over: bool


Asking = Generator[Sequence[str] | Proposals, Answers | list[list[str]], str]
"""A search on one subject: yields texts to ask about and receives `Answers`, or yields `Proposals` and receives those
for each text; returns its final text."""


def ask(texts: Sequence[str]) -> Generator[Sequence[str], Answers | list[list[str]], Answers]:
    """Ask about texts: `heard = yield from ask(texts)`."""
    heard = yield texts
    assert isinstance(heard, Answers)
    return heard


def propose(asked: Proposals) -> Generator[Proposals, Answers | list[list[str]], list[list[str]]]:
    """Ask for proposals: `heard = yield from propose(asked)`."""
    heard = yield asked
    assert isinstance(heard, list)
    return heard


@dataclasses.dataclass(frozen=True)
class Search:
    """The order in which candidates are tried. A search has one subject; `lockstep` runs many in parallel."""

    takes: ClassVar[str]
    """The unit of its candidates: "words", "clusters", "edits", "texts", "tokens" or "triggers"."""
    kinds: ClassVar[tuple[str, ...]] = ()
    """Names of the kinds of task that it fits; empty: all."""

    def run(self, case: "Case") -> Asking:
        """Search for one subject. A list of texts that is yielded is never empty, and nothing is yielded after
        `Answers.over`."""
        raise NotImplementedError

    def expected_queries(self, words: float, clusters: float) -> float:
        """Rough number of queries about a text of that length, from which costs are estimated."""
        return 5 * words


@dataclasses.dataclass(frozen=True)
class Attack:
    """A recipe.

    Attributes:
        name, summary, reference: shown in listings.
        search: the order in which candidates are tried. candidates: the edits that it may try.
        constraints: conditions that a text must satisfy, all of them.
        goals: preferred goals. The first that fits a task's kind is used, otherwise the first in `GOALS` that does.
        budget: maximum number of queries for a row; None: no maximum.
    """

    name: str
    search: Search
    candidates: Candidates
    constraints: tuple[Constraint, ...] = ()
    goals: tuple[Goal, ...] = ()
    budget: int | None = None
    summary: str = ""
    reference: str = ""

    def __post_init__(self):
        """Raises InputError if the parts do not fit together, or the budget is below 1."""
        if self.search.takes != self.candidates.makes:
            raise InputError(
                f"attack {self.name!r}: {type(self.search).__name__} takes {self.search.takes}, "
                f"{type(self.candidates).__name__} makes {self.candidates.makes}"
            )
        for constraint in self.constraints:
            if self.search.takes not in constraint.fits:
                raise InputError(
                    f"attack {self.name!r}: {type(constraint).__name__} does not fit candidates that are "
                    f"{self.search.takes}; expected {' or '.join(constraint.fits)}"
                )
        if self.budget is not None and (type(self.budget) is not int or self.budget < 1):
            raise InputError(f"attack {self.name!r}: budget: found {self.budget!r}, expected at least 1 query")

    def goal_for(self, task: Task) -> Goal:
        """The goal on the rows of a task.

        Raises:
            InputError: there is none for its kind, or the search does not fit the kind.
        """
        if self.search.kinds and task.kind not in self.search.kinds:
            fitting = ", ".join(self.search.kinds)
            raise InputError(f"attack {self.name!r} does not fit tasks of kind {task.kind!r}; expected {fitting}")
        return goal_for(task.kind, self.goals).on(task)

    def expected_queries(self, words: float, clusters: float) -> float:
        """Rough number of queries about a text of that length, the clean one included, within the budget."""
        expected = 1 + self.search.expected_queries(words, clusters)
        return expected if self.budget is None else min(self.budget, expected)


@dataclasses.dataclass(frozen=True)
class Case:
    """The input of a search: a subject, the parts of its attack, and the score of the clean text.

    Attributes:
        units: the units found once for all attacked texts (`Candidates.units`).
    """

    attack: Attack
    goal: Goal
    subject: Subject
    start: float
    units: tuple[str, ...] = ()

    def words(self) -> list[int]:
        """The words that may be edited, in the order of the text."""
        subject = self.subject
        return [i for i in subject.editable_words if all(c.allows_word(subject, i) for c in self.attack.constraints)]

    def options(self, places: Sequence[int]) -> dict[int, list[str]]:
        """Word -> its candidates."""
        return self.attack.candidates.options(self.subject, places)

    def has_candidates(self) -> bool:
        """Whether there is any candidate for the text, as far as that is known without a model."""
        candidates, subject = self.attack.candidates, self.subject
        if candidates.makes == "words" and not hasattr(candidates, "proposer"):
            return any(self.options([place])[place] for place in self.words())
        if candidates.makes == "texts":
            return bool(candidates.texts(subject))
        return candidates.makes != "edits" or bool(candidates.single_edits(subject))

    def texts(self) -> list[str]:
        """The allowed candidates for the whole text."""
        return self.allowed(self.attack.candidates.texts(self.subject))

    def allows(self, text: str, words_changed: int = 0) -> bool:
        """Whether a text may be asked about."""
        return self.allow([text], [words_changed])[0]

    def allowed(self, texts: Sequence[str]) -> list[str]:
        """Those of the texts that may be asked about."""
        return [text for text, may in zip(texts, self.allow(texts), strict=True) if may]

    def allow(self, texts: Sequence[str], words_changed: Sequence[int] | None = None) -> list[bool]:
        """Which of the texts may be asked about; each constraint sees only texts that the earlier ones allow."""
        changed = words_changed or [0] * len(texts)
        left = [i for i, text in enumerate(texts) if self.goal.keeps_form(self.subject, text)]
        for constraint in self.attack.constraints:
            own = constraint.allows_texts(self.subject, [texts[i] for i in left], [changed[i] for i in left])
            left = [i for i, may in zip(left, own, strict=True) if may]
        kept = set(left)
        return [i in kept for i in range(len(texts))]

    def replaced(self, wording: Wording, place: int, options: Sequence[str]) -> list[Wording]:
        """The allowed texts with a word replaced by each of its candidates."""
        return self.allowed_wordings([wording.replaced(place, new) for new in options])

    def allowed_wordings(self, made: Sequence[Wording]) -> list[Wording]:
        """Those of the wordings that may be asked about."""
        may = self.allow([own.text for own in made], [len(own.changed) for own in made])
        return [own for own, yes in zip(made, may, strict=True) if yes]
