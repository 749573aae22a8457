"""Every named task, from whichever room describes it."""

from collections.abc import Iterable

from itt_jax.data import embedded
from itt_jax.data.sources import Embedded
from itt_jax.errors import unknown
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
    """Name -> task: the catalogue, the embedded tasks, and a study's own, which come before others of their name."""
    groups = (ONE_TEXT, TWO_TEXTS, BIOMEDICAL, LEGAL, LEXTREME, REGRESSION, TAGGING, CHOICE, SPANS, RETRIEVAL)
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


def _embedded(about) -> Task:
    """A task of the embedded material; its scores go from 0 to 5."""
    regression = about.kind == "regression"
    metric = {"regression": "pearson", "token_classification": "entity_f1"}.get(about.kind, "accuracy")
    return Task(
        name=about.name,
        kind=about.kind,
        fields=about.fields,
        sources=(Embedded(about.name),),
        labels=about.labels or (),
        score_range=(0.0, 5.0),
        space="similarity" if regression else "",
        metric=metric,
        domain=about.domain,
        languages=about.languages,
        parallel=True,
        fixed=("question",) if about.kind == "multiple_choice" else (),
        description="written for this project, in five languages",
    )
