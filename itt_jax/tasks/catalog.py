"""Every named task, from whichever room describes it."""

import importlib.util
from collections.abc import Iterable

from itt_jax.data.sources import Embedded
from itt_jax.errors import unknown
from itt_jax.tasks.classification import ONE_TEXT
from itt_jax.tasks.pairs import TWO_TEXTS
from itt_jax.tasks.regression import REGRESSION
from itt_jax.tasks.task import Task


def tasks(extra: Iterable[Task] = ()) -> dict[str, Task]:
    """Name -> task: the catalogue, the embedded tasks, and a study's own, which come before others of their name."""
    known = {task.name: task for task in (*ONE_TEXT, *TWO_TEXTS, *REGRESSION)}
    if importlib.util.find_spec("itt_jax.data.embedded"):
        from itt_jax.data import embedded

        for name, about in getattr(embedded, "TASKS", {}).items():
            known[name] = Task(name=name, sources=(Embedded(name),), parallel=True, **about)
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
