"""The examples of a task's rows, cached on disk."""

import os

from itt_jax import kinds
from itt_jax.data import token_cache
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.tasks.task import Task


def kept_examples(folder: str | os.PathLike, task: Task, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
    """The examples of clean rows (`Kind.encode`), memory-mapped from `folder` once made (see `data.token_cache`)."""
    kind = kinds.kind(task.kind)
    key = token_cache.examples_key(tokenizer, rows, max_length, *kind.encoding_key(task))
    return token_cache.cached(folder, key, lambda: kind.encode(task, tokenizer, rows, max_length))
