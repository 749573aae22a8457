"""Embedded multilingual material, written for this project: tasks of several kinds and a parallel corpus.

`TASKS` describes the tasks, `load(task, split, language)` gives their tables, and `parallel(n, seed)` unlabelled
sentences. Everything exists in the five `LANGUAGES`.
"""

from itt_jax.data.embedded import causes, entities, tasks
from itt_jax.data.embedded.corpus import parallel
from itt_jax.data.embedded.tables import DOMAINS, LANGUAGES
from itt_jax.data.embedded.task import EmbeddedTask
from itt_jax.data.table import Table
from itt_jax.errors import unknown

_MODULES = (tasks, entities, causes)
TASKS: dict[str, EmbeddedTask] = {name: task for module in _MODULES for name, task in module.TASKS.items()}


def load(task: str, split: str, language: str) -> Table:
    """One split of an embedded task; every language has the same items in the same order.

    Raises:
        InputError: a task, split or language that does not exist.
    """
    if task not in TASKS:
        raise unknown("embedded task", task, TASKS)
    if split not in TASKS[task].splits:
        raise unknown(f"split of {task}", split, TASKS[task].splits)
    if language not in LANGUAGES:
        raise unknown(f"language of {task}", language, LANGUAGES)
    module = next(module for module in _MODULES if task in module.TASKS)
    fields, labels = module.texts_and_labels(task, split, language)
    return Table(fields, labels, [str(i) for i in range(len(labels))], lambda i: f"{task}, split {split}, row {i}")


__all__ = ["DOMAINS", "LANGUAGES", "TASKS", "EmbeddedTask", "load", "parallel"]
