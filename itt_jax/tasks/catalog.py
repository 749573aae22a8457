"""The catalogue: every named task."""

from collections.abc import Iterable
from typing import Any

from itt_jax.data import embedded
from itt_jax.data.embedded.task import EmbeddedTask
from itt_jax.data.sources import Embedded
from itt_jax.errors import unknown
from itt_jax.tasks.adversarial import ADVERSARIAL
from itt_jax.tasks.biomedical import BIOMEDICAL
from itt_jax.tasks.choice import CHOICE
from itt_jax.tasks.classification import ONE_TEXT
from itt_jax.tasks.legal import LEGAL
from itt_jax.tasks.lextreme import LEXTREME
from itt_jax.tasks.pairs import TWO_TEXTS
from itt_jax.tasks.regression import REGRESSION
from itt_jax.tasks.retrieval import RETRIEVAL
from itt_jax.tasks.spans import SPANS
from itt_jax.tasks.tagging import TAGGING
from itt_jax.tasks.task import Task


def tasks(extra: Iterable[Task] = ()) -> dict[str, Task]:
    """Name -> task: the catalogue, the embedded tasks, and a study's own, which replace others of the same name."""
    groups = (
        *(ONE_TEXT, TWO_TEXTS, BIOMEDICAL, LEGAL, LEXTREME, REGRESSION, TAGGING, CHOICE, SPANS, RETRIEVAL),
        ADVERSARIAL,
    )
    known = {task.name: task for group in groups for task in group}
    for about in embedded.TASKS.values():
        known[about.name] = _embedded(about)
    return known | {task.name: task for task in extra}


def get(name: str, extra: Iterable[Task] = ()) -> Task:
    """The task of that name.

    Raises:
        InputError: there is none; the message names the nearest.
    """
    known = tasks(extra)
    if name not in known:
        raise unknown("task", name, known)
    return known[name]


def names() -> list[str]:
    """All names in the catalogue, sorted."""
    return sorted(tasks())


_BY_KIND: dict[str, dict[str, Any]] = {
    "regression": {"metric": "pearson", "space": "similarity"},
    "token_classification": {"metric": "entity_f1"},
    "multiple_choice": {"fixed": ("question",)},
}
"""Fields of the embedded tasks of some kinds."""


def _embedded(about: EmbeddedTask) -> Task:
    """A task of the embedded material; its scores go from 0 to 5."""
    return Task(
        name=about.name,
        kind=about.kind,
        fields=about.fields,
        sources=(Embedded(about.name),),
        labels=about.labels or (),
        score_range=(0.0, 5.0),
        domain=about.domain,
        languages=about.languages,
        parallel=True,
        description="written for this project, in five languages",
        **_BY_KIND.get(about.kind, {}),
    )
