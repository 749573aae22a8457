"""Tasks: the catalogue, and how their rows are loaded."""

from itt_jax.tasks.catalog import get, names, tasks
from itt_jax.tasks.load import documents, files_of, has_rows, identifying, load_rows
from itt_jax.tasks.splits import limit
from itt_jax.tasks.task import Task

__all__ = ["Task", "documents", "files_of", "get", "has_rows", "identifying", "limit", "load_rows", "names", "tasks"]
