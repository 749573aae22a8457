"""Goals: when an attack has succeeded, and how close a text is to that. Each is one object in one tuple."""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax import metrics
from itt_jax.attack.subject import Subject
from itt_jax.errors import InputError
from itt_jax.tasks import Task


@dataclasses.dataclass(frozen=True)
class Goal:
    """A goal for rows of some kinds of task.

    Attributes:
        name, summary: shown in listings.
        kinds: names of the kinds of task that it fits.
    """

    name: str
    summary: str
    kinds: tuple[str, ...]

    def on(self, task: Task) -> "Goal":
        """The goal for the rows of a task, if it depends on the task."""
        return self

    def aim(self, subject: Subject, output: Any) -> Any:
        """What `judge` compares with, from the output for the clean text; None for a row that is not attackable:
        the model is wrong before the attack."""
        raise NotImplementedError

    def judge(self, subject: Subject, aim: Any, outputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Of n outputs, as `Victim.outputs` returns them: float64 [n], higher is nearer; bool [n], the goal is
        reached."""
        raise NotImplementedError

    def keeps_form(self, subject: Subject, text: str) -> bool:
        """Whether a text can be compared with the labels of its row."""
        return True

    def prediction(self, subject: Subject, output: Any) -> str:
        """A prediction as text."""
        return subject.labels[int(np.argmax(output))]

    def label(self, subject: Subject) -> str:
        """The row's label as text."""
        return subject.labels[int(subject.label)]


@dataclasses.dataclass(frozen=True)
class Untargeted(Goal):
    """Any class but the label; scored by 1 - p(label), as TextAttack does."""

    def aim(self, subject: Subject, output: Any) -> int | None:
        """The label."""
        return int(subject.label) if np.argmax(output) == subject.label else None

    def judge(self, subject: Subject, aim: int, outputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """See `Goal.judge`."""
        logits = np.stack(outputs).astype(np.float64)
        return self.distance(logits, aim), logits.argmax(1) != aim

    def distance(self, logits: np.ndarray, label: int) -> np.ndarray:
        """The score of logits [n, K]: one minus the probability of the label."""
        return 1 - np.exp(logits[:, label] - np.logaddexp.reduce(logits, axis=1))


@dataclasses.dataclass(frozen=True)
class Margin(Untargeted):
    """Any class but the label; scored by the largest other logit minus the label's, as Charmer does."""

    def distance(self, logits: np.ndarray, label: int) -> np.ndarray:
        """The margin of logits [n, K]."""
        return np.delete(logits, label, axis=1).max(1) - logits[:, label]


@dataclasses.dataclass(frozen=True)
class Shift(Goal):
    """A score that differs from that of the clean text by `by` or more; no row is wrong before.

    Attributes:
        by: in the units of the task's scores; None: a fifth of their range (`on`), which is 1 in STS-B (0 to 5).
    """

    by: float | None = None

    def on(self, task: Task) -> "Shift":
        """See `Goal.on`."""
        low, high = task.score_range
        return self if self.by is not None else dataclasses.replace(self, by=(high - low) / 5)

    def aim(self, subject: Subject, output: Any) -> float:
        """The score of the clean text."""
        return float(output[0])

    def judge(self, subject: Subject, aim: float, outputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """See `Goal.judge`; the score is the distance moved."""
        assert self.by is not None  # after `on`
        moved = np.abs(np.stack(outputs)[:, 0].astype(np.float64) - aim)
        return moved, moved >= self.by

    def prediction(self, subject: Subject, output: Any) -> str:
        """The score."""
        return f"{float(output[0]):.6g}"

    def label(self, subject: Subject) -> str:
        """The row's score."""
        return f"{float(subject.label):.6g}"


@dataclasses.dataclass(frozen=True)
class AnyEntity(Goal):
    """A wrong tag for any entity word that was tagged correctly; rows without such a word are skipped.

    The score is the largest margin among these words, that of another tag's logit over the label's; 0 if a word is
    beyond the maximum length. Texts keep their number of words.
    """

    def aim(self, subject: Subject, output: Any) -> np.ndarray | None:
        """int64: the entity words that are tagged correctly."""
        label, outside = np.asarray(subject.label), self._outside(subject)
        count = min(len(label), len(output))
        right = np.flatnonzero((output[:count].argmax(1) == label[:count]) & (label[:count] != outside))
        return right if len(right) else None

    def judge(self, subject: Subject, aim: np.ndarray, outputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """See `Goal.judge`; a word beyond the maximum length counts as changed."""
        label = np.asarray(subject.label)[aim]
        scores, reached = np.zeros(len(outputs)), np.ones(len(outputs), bool)
        for i, output in enumerate(outputs):
            if aim[-1] < len(output):
                logits = np.asarray(output)[aim].astype(np.float64)
                reached[i] = (logits.argmax(1) != label).any()
                right = logits[np.arange(len(aim)), label]
                logits[np.arange(len(aim)), label] = -np.inf
                scores[i] = (logits.max(1) - right).max()
        return scores, reached

    def keeps_form(self, subject: Subject, text: str) -> bool:
        """Whether the text has as many words, with one space between them."""
        return text.count(" ") == subject.text.count(" ") and all(text.split(" "))

    def prediction(self, subject: Subject, output: Any) -> str:
        """The tags."""
        return " ".join(subject.labels[tag] for tag in np.asarray(output).argmax(1).tolist())

    def label(self, subject: Subject) -> str:
        """The right tags."""
        return " ".join(subject.labels[tag] for tag in np.asarray(subject.label).tolist())

    @staticmethod
    def _outside(subject: Subject) -> int:
        return subject.labels.index("O") if "O" in subject.labels else -1


@dataclasses.dataclass(frozen=True)
class AnswerLost(Goal):
    """An answer without exact match, although the right one is still in the context (it is never edited).

    Scored by 2 - F1 of such an answer; while the answer is right, by a number below 1 that grows as the model's score
    falls.
    """

    def aim(self, subject: Subject, output: Any) -> list[str] | None:
        """The right answers."""
        return subject.label if metrics.answers.exact_match(output[0], subject.label) else None

    def judge(self, subject: Subject, aim: list[str], outputs: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
        """See `Goal.judge`."""
        f1 = np.array([metrics.answers.token_f1(text, aim) for text, _ in outputs])
        doubt = np.array([1 / (1 + math.exp(max(-50.0, min(50.0, float(score))))) for _, score in outputs])
        reached = np.array([not metrics.answers.exact_match(text, aim) for text, _ in outputs])
        return np.where(reached, 2 - f1, doubt), reached

    def prediction(self, subject: Subject, output: Any) -> str:
        """The answer."""
        return output[0]

    def label(self, subject: Subject) -> str:
        """The distinct right answers."""
        return " | ".join(dict.fromkeys(subject.label))


UNTARGETED = Untargeted("untargeted", "any class but the label; score 1 - p(label)", ("classification",))
MARGIN = Margin("margin", "any class but the label; score: margin of logits", ("classification",))
SHIFT = Shift("shift", "move the score by x, up or down", ("regression",))
ANY_ENTITY = AnyEntity("any_entity", "change the tag of any entity that was right", ("token_classification",))
ANSWER_LOST = AnswerLost(
    "answer_lost", "change the answer; the right one stays in the context", ("question_answering",)
)
GOALS: tuple[Goal, ...] = (UNTARGETED, MARGIN, SHIFT, ANY_ENTITY, ANSWER_LOST)


def goal_for(kind: str, preferred: Sequence[Goal] = ()) -> Goal:
    """The first goal that fits a kind of task; an attack's preferred goals come before the others.

    Raises:
        InputError: none does.
    """
    for goal in (*preferred, *GOALS):
        if kind in goal.kinds:
            return goal
    fitting = dict.fromkeys(name for goal in GOALS for name in goal.kinds)
    raise InputError(f"no attack has a goal for tasks of kind {kind!r}; expected {', '.join(fitting)}")
