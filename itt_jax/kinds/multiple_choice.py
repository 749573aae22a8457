"""The right one of several texts, in the context of others."""

import dataclasses
from collections.abc import Iterator, Mapping

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.kinds.forms import Form, FormKey, Inputs
from itt_jax.kinds.kind import Kind, TaskLike


class MultipleChoice(Kind):
    """Labels and predictions are indices of choices int32 [n].

    A task's labels are the fields to choose from. Its other fields, joined by spaces, are the context of each choice,
    as in XTREME-R's code. Every choice is an example with one score.
    """

    name = "multiple_choice"
    summary = "the right one of several fields, read with the others"
    head = "multiple_choice"
    layout = "groups"
    named_outputs = False

    def check(self, task: TaskLike) -> None:
        """Raises InputError unless the labels are some of the fields, but not all."""
        super().check(task)
        if not set(task.labels) < set(task.fields):
            raise InputError(
                f"task {task.name!r}: the labels of {self.name} are some of its fields, {', '.join(task.fields)}; "
                f"found {', '.join(task.labels)}"
            )

    def file_format(self, task: TaskLike) -> str:
        """Numbered choices."""
        return "choices"

    def outputs(self, task: TaskLike) -> int:
        """One score for each choice, which is an example of its own."""
        return 1

    def reads_pairs(self, task: TaskLike) -> bool:
        """A context and a choice."""
        return True

    def encode(self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """Pairs (context, choice); the pairs of an item are consecutive and have its label."""
        n, k = len(rows), len(task.labels)
        contexts = tokenizer.encode(self.contexts(task, rows.fields), rows.language)
        items = zip(*(rows.fields[choice] for choice in task.labels), strict=True)
        choices = tokenizer.encode([text for item in items for text in item], rows.language)
        labels = None if rows.labels is None else np.repeat(rows.labels_as(np.ndarray), k)
        examples = assemble(tokenizer, [contexts[np.repeat(np.arange(n), k)], choices], max_length, labels)
        return dataclasses.replace(examples, choices=k)

    def encoding_key(self, task: TaskLike) -> list:
        """Includes the choices."""
        return [*super().encoding_key(task), list(task.labels)]

    def inputs(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, forms: Mapping[FormKey, Form], max_length: int
    ) -> Inputs:
        """Index [n, choices]."""
        found = super().inputs(task, tokenizer, rows, forms, max_length)
        index = {key: own.reshape(-1, len(task.labels)) for key, own in found.index.items()}
        return dataclasses.replace(found, index=index)

    def texts(self, task: TaskLike, fields: Mapping[str, list[str]]) -> Iterator[tuple[str, str]]:
        """The context with each choice, row by row."""
        items = zip(self.contexts(task, fields), *(fields[choice] for choice in task.labels), strict=True)
        return ((context, choice) for context, *choices in items for choice in choices)

    def contexts(self, task: TaskLike, fields: Mapping[str, list[str]]) -> list[str]:
        """The context of each row's choices."""
        names = [name for name in task.fields if name not in task.labels]
        return [" ".join(texts) for texts in zip(*(fields[name] for name in names), strict=True)]
