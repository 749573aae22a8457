"""Rows (one split of one task in one language) and parallel texts, as columns."""

import dataclasses
from typing import TYPE_CHECKING

import numpy as np

from itt_jax.errors import InputError
from itt_jax.ragged import Ragged

if TYPE_CHECKING:
    from itt_jax.data.answers import Answers
    from itt_jax.data.pools import Pool


@dataclasses.dataclass(frozen=True)
class Rows:
    """A table of examples; every source gives this form.

    Attributes:
        task: the task's name; split: the published split these rows came from.
        language: ISO 639-1 code; domain: "general", "medical", "legal", ...
        item_ids: [n] of str, "task/split/published index"; translations of a row share it.
        fields: field name -> n strings, in the task's order ("text", or "premise" and "hypothesis").
        labels: int32 [n] class index, bool [n, classes] which classes, float32 [n] score, n arrays of class indices
            (of the words of field "text", which stand with one space between them), n sets of answers, n arrays of
            indices of the pool, or None where the split has no labels.
        pool: of retrieval: the candidates; None where they are a field of the rows.
    """

    task: str
    split: str
    language: str
    domain: str
    item_ids: np.ndarray
    fields: dict[str, list[str]]
    labels: "np.ndarray | Ragged | Answers | None"
    pool: "Pool | None" = None

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

    def select(self, indices: np.ndarray) -> "Rows":
        """The rows at `indices` (integers or a boolean mask), in that order."""
        indices = np.arange(len(self))[indices]
        return dataclasses.replace(
            self,
            item_ids=self.item_ids[indices],
            fields={name: [texts[i] for i in indices] for name, texts in self.fields.items()},
            labels=None if self.labels is None else self.labels[indices],
        )


@dataclasses.dataclass(frozen=True)
class ParallelTexts:
    """Tuples of translations, as one column a language.

    Attributes:
        source: where they are from. languages: ISO 639-1 codes (ISO 639-3 where there is none).
        texts: language -> n texts; text i of every language means the same; None where a language has no text i.
    """

    source: str
    languages: tuple[str, ...]
    texts: dict[str, list[str | None]]

    def __post_init__(self):
        lengths = {language: len(self.texts[language]) for language in self.languages}
        if len(set(lengths.values())) > 1:
            raise InputError(f"parallel texts of {self.source}: numbers of texts differ: {lengths}")

    def __len__(self) -> int:
        return len(self.texts[self.languages[0]]) if self.languages else 0

    def select(self, indices: np.ndarray) -> "ParallelTexts":
        """The tuples at `indices` (integers or a boolean mask), in that order."""
        indices = np.arange(len(self))[indices]
        texts = {language: [self.texts[language][i] for i in indices] for language in self.languages}
        return dataclasses.replace(self, texts=texts)

    def all_texts(self) -> list[str]:
        """Every text, language after language."""
        return [text for language in self.languages for text in self.texts[language] if text]

    def tuples(self) -> list[dict[str, str]]:
        """The tuples that hold at least two languages, as language -> text."""
        rows = zip(*(self.texts[language] for language in self.languages), strict=True)
        found = ({code: text for code, text in zip(self.languages, row, strict=True) if text} for row in rows)
        return [entry for entry in found if len(entry) > 1]
