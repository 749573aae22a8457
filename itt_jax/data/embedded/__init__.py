"""Embedded multilingual material, written for this project: nine tasks and a parallel corpus in five languages.

`TASKS` describes the tasks, `load(task, split, language)` gives their rows, `parallel(n, seed)` unlabelled sentences.
"""

from itt_jax.data.embedded.corpus import parallel
from itt_jax.data.embedded.tables import DOMAINS, LANGUAGES
from itt_jax.data.embedded.tasks import TASKS, EmbeddedTask, load

__all__ = ["DOMAINS", "LANGUAGES", "TASKS", "EmbeddedTask", "load", "parallel"]
