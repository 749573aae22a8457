"""Rows: one split of one task in one language, as columns."""

import dataclasses
from typing import TypeVar

import numpy as np

from itt_jax.data.answers import Answers
from itt_jax.data.pools import Pool
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged

Labels = TypeVar("Labels", np.ndarray, Ragged, Answers)


@dataclasses.dataclass(frozen=True)
class Rows:
    """n examples of a task.

    Attributes:
        task: the task's name.
        split: the published split that the rows come from.
        language: its ISO 639-1 code.
        domain: "general", "medical", "legal", ...
        item_ids: n strings "TASK/SPLIT/INDEX" with the published index; translations of a row share it.
        fields: field -> n texts, in the task's order ("text", or "premise" and "hypothesis").
        labels: what the task's kind makes of published labels: int32 [n] class index; bool [n, classes]; float32 [n]
            score; n arrays of class indices, one for each word of the field (words are separated by one space); n sets
            of answers; n arrays of indices into the pool. None if the split has no labels.
        pool: the candidates of a retrieval task; None if they are a field of the rows.
        left_out: published label -> number of rows that are left out because the source maps this label to None.

    Raises:
        InputError: a field or the labels differ in length from `item_ids`.
    """

    task: str
    split: str
    language: str
    domain: str
    item_ids: np.ndarray
    fields: dict[str, list[str]]
    labels: np.ndarray | Ragged | Answers | None
    pool: Pool | None = None
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for name, texts in self.fields.items():
            if len(texts) != len(self.item_ids):
                raise InputError(
                    f"{self.task}/{self.split}/{self.language}: field {name!r} has {len(texts)} values, "
                    f"expected {len(self.item_ids)}"
                )
        if self.labels is not None and len(self.labels) != len(self.item_ids):
            raise InputError(
                f"{self.task}/{self.split}/{self.language}: {len(self.labels)} labels, expected {len(self.item_ids)}"
            )

    def __len__(self) -> int:
        return len(self.item_ids)

    def labels_as(self, form: type[Labels]) -> Labels:
        """The labels, in the form of the task's kind.

        Raises:
            InputError: there are none.
        """
        if not isinstance(self.labels, form):
            raise InputError(f"{self.task}/{self.split}/{self.language}: the rows have no labels")
        return self.labels

    @property
    def candidates(self) -> Pool:
        """The pool.

        Raises:
            InputError: there is none.
        """
        if self.pool is None:
            raise InputError(f"{self.task}/{self.split}/{self.language}: the rows have no pool of candidates")
        return self.pool

    def select(self, indices: np.ndarray) -> "Rows":
        """The rows at `indices` (integers or a boolean mask), in that order."""
        indices = np.arange(len(self))[indices]
        return dataclasses.replace(
            self,
            item_ids=self.item_ids[indices],
            fields={name: [texts[i] for i in indices] for name, texts in self.fields.items()},
            labels=None if self.labels is None else self.labels[indices],
        )
