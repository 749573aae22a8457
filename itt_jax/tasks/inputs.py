"""Rows of a task -> the examples that an encoder reads, whatever the task's kind."""

import os

from itt_jax.data import token_cache
from itt_jax.data.choices import choice_examples
from itt_jax.data.examples import Examples, prepare
from itt_jax.data.pairs import pair_examples
from itt_jax.data.rows import Rows
from itt_jax.data.spans import span_examples
from itt_jax.data.tagging import tagging_examples, word_starts
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged
from itt_jax.tasks.task import Task


def examples_of(task: Task, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
    """The examples of clean rows, with labels where the rows have them.

    An example of a tagging task that would be longer than `max_length` becomes several; others are truncated.
    """
    if task.kind == "token_classification":
        (texts,) = rows.fields.values()
        starts = Ragged.of(map(word_starts, texts), int)
        return tagging_examples(tokenizer, texts, starts, max_length, rows.language, rows.labels)[0]
    if task.kind == "question_answering":
        fields = rows.fields["question"], rows.fields["context"]
        return span_examples(tokenizer, *fields, max_length, rows.language, rows.labels)
    if task.kind == "retrieval":
        if not task.candidates:
            raise InputError(f"task {task.name!r}: its candidates are a pool, which nothing is trained on")
        queries = [texts for name, texts in rows.fields.items() if name not in task.candidates]
        return pair_examples(
            tokenizer, queries, [rows.fields[name] for name in task.candidates], max_length, rows.language
        )
    if task.kind == "multiple_choice":
        contexts, choices = contexts_of(task, rows.fields), [rows.fields[choice] for choice in task.labels]
        return choice_examples(tokenizer, contexts, choices, max_length, rows.language, rows.labels)
    return prepare(tokenizer, rows, max_length)


def kept_examples(folder: str | os.PathLike, task: Task, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
    """`examples_of`, mapped from `folder` where they were made before (see `data.token_cache`)."""
    roles = [
        task.kind,
        list(task.fields),
        list(task.candidates),
        list(task.labels) if task.kind == "multiple_choice" else [],
    ]
    key = token_cache.examples_key(tokenizer, rows, max_length, *roles)
    return token_cache.cached(folder, key, lambda: examples_of(task, tokenizer, rows, max_length))


def contexts_of(task: Task, fields: dict[str, list[str]]) -> list[str]:
    """Of choice: what each choice is read with, the other fields with a space between them, as in XTREME-R's code."""
    return [" ".join(texts) for texts in zip(*(fields[name] for name in task.context_fields), strict=True)]


def outputs_of(task: Task) -> int:
    """Outputs of the task's head: of choice one, for each choice is an example of its own; of spans first and last."""
    if task.kind == "question_answering":
        return 2
    return 1 if task.kind == "multiple_choice" else max(1, len(task.labels))
