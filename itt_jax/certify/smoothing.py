"""Votes of a classifier on samples of each text, and certificates from these votes."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from itt_jax.attack.asking import Victim
from itt_jax.attack.subject import Subject
from itt_jax.certify.deletion import Deletion
from itt_jax.certify.radius import lower_bound, radius
from itt_jax.errors import InputError

ROWS_AT_ONCE = 8
"""Rows whose samples are predicted in one stream."""
KINDS = ("classification",)
"""Kinds of task whose predictions can be certified: one class for a text or pair."""
NOT_CERTIFIED = {
    "regression": "scores of samples have no majority",
    "multilabel": "a bound would have to hold for every label at once",
    "token_classification": "samples lack words, so they do not vote on the same tags",
    "question_answering": "samples may lack the answer, so they do not vote on the same spans",
    "multiple_choice": "an edit may be of any of several texts",
    "retrieval": "an edit may be of any of the candidates",
}
"""Other kind of task -> why its predictions cannot be certified."""


@dataclasses.dataclass(frozen=True)
class Smoothing:
    """How a prediction is made and certified; numbers of samples and alpha are RS-Del's.

    Attributes:
        deletion: the mechanism.
        selection: number of samples whose majority is the prediction.
        estimation: number of further samples, which bound its probability.
        alpha: maximum probability that a certificate is false.
    """

    deletion: Deletion
    selection: int = 1000
    estimation: int = 4000
    alpha: float = 0.05

    def __post_init__(self):
        """Raises InputError for a wrong value."""
        for name in ("selection", "estimation"):
            if getattr(self, name) < 1:
                raise InputError(f"--{name}: found {getattr(self, name)}, expected at least 1 sample")
        if not 0 < self.alpha < 0.5:
            raise InputError(f"--alpha: found {self.alpha}, expected a probability between 0 and 0.5")

    @property
    def samples(self) -> int:
        """Number of samples of a text."""
        return self.selection + self.estimation


@dataclasses.dataclass(frozen=True)
class Certificate:
    """The certificate of one row.

    Attributes:
        label, prediction: as text. right: whether they are the same class.
        selected: share of the selection's samples that voted for the prediction.
        count: number of the other samples that did. lower: lower bound on the prediction's probability.
        radius: maximum number of edits that leave the prediction unchanged; -1: abstained, as it is too uncertain.
        units: length of the edited field in the units that are deleted. distinct: number of different samples.
    """

    item_id: str
    language: str
    label: str
    prediction: str
    right: bool
    selected: float
    count: int
    lower: float
    radius: int
    units: int
    distinct: int


def certify_rows(
    smoothing: Smoothing,
    subjects: Sequence[Subject],
    victim: Victim,
    progress: Callable[[int], None] | None = None,
) -> list[Certificate]:
    """Certify the rows of one language. All samples of several rows are predicted in one stream.

    Edits concern only the subject's edited field; the other fields stay unchanged.

    Args:
        progress: called with the number of finished rows.
    """
    found: list[Certificate] = []
    for first in range(0, len(subjects), ROWS_AT_ONCE):
        found += _certified(smoothing, subjects[first : first + ROWS_AT_ONCE], victim)
        if progress:
            progress(len(found))
    return found


def _certified(smoothing: Smoothing, subjects: Sequence[Subject], victim: Victim) -> list[Certificate]:
    deletion, language = smoothing.deletion, subjects[0].language
    sequences = deletion.sequences([own.text for own in subjects], language)
    numbers: dict[tuple[str, ...], int] = {}
    drawn = []
    for own, sequence in zip(subjects, sequences, strict=True):
        key = deletion.key(own.seed, own.item, own.field)
        texts = deletion.samples(sequence, key, 0, smoothing.samples)
        drawn.append(np.array([numbers.setdefault(own.inputs(text), len(numbers)) for text in texts]))
    classes = np.stack(victim.outputs(list(numbers), language)).argmax(1)
    return [
        _certificate(smoothing, own, len(sequence), samples, classes[samples])
        for own, sequence, samples in zip(subjects, sequences, drawn, strict=True)
    ]


def _certificate(
    smoothing: Smoothing, subject: Subject, units: int, samples: np.ndarray, votes: np.ndarray
) -> Certificate:
    """The certificate of one row.

    Args:
        samples: numbers of the distinct samples. votes: the class that each was given.
    """
    first, others = votes[: smoothing.selection], votes[smoothing.selection :]
    top = int(np.bincount(first).argmax())
    count = int(np.count_nonzero(others == top))
    lower = lower_bound(count, len(others), smoothing.alpha)
    return Certificate(
        item_id=subject.item,
        language=subject.language,
        label=subject.labels[int(subject.label)],
        prediction=subject.labels[top],
        right=top == int(subject.label),
        selected=float(np.mean(first == top)),
        count=count,
        lower=lower,
        radius=radius(lower, smoothing.deletion.rate),
        units=units,
        distinct=len(np.unique(samples)),
    )
