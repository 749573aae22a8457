"""Parallel texts, for translation language modelling and for parallel embeddings; plain text has the same form."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from itt_jax.data.hashing import stable_order
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class ParallelTexts:
    """n tuples of translations, with one column a language.

    Attributes:
        source: where they come from.
        languages: ISO 639-1 codes, or ISO 639-3 where there is none.
        texts: language -> n texts; texts i of all languages mean the same; None if a language has no text i.
    """

    source: str
    languages: tuple[str, ...]
    texts: dict[str, list[str | None]]

    def __post_init__(self):
        lengths = {language: len(self.texts[language]) for language in self.languages}
        if len(set(lengths.values())) > 1:
            raise InputError(f"parallel texts of {self.source}: numbers of texts differ: {lengths}")

    @classmethod
    def of_rows(cls, source: str, rows: Mapping[str, Rows]) -> "ParallelTexts":
        """Language -> rows as tuples, one for each item and field; items of one id are translations of each other."""
        columns = {
            language: {
                f"{item}/{field}": text
                for field, texts in own.fields.items()
                for item, text in zip(own.item_ids, texts, strict=True)
            }
            for language, own in rows.items()
        }
        return cls.of_columns(source, columns)

    @classmethod
    def of_columns(cls, source: str, columns: Mapping[str, Mapping]) -> "ParallelTexts":
        """Language -> {key: text} as tuples, one for each key, in the order in which keys first occur."""
        keys = dict.fromkeys(key for column in columns.values() for key in column)
        return cls(source, tuple(columns), {code: [own.get(key) for key in keys] for code, own in columns.items()})

    def __len__(self) -> int:
        return len(self.texts[self.languages[0]]) if self.languages else 0

    def select(self, indices: np.ndarray) -> "ParallelTexts":
        """The tuples at `indices` (integers or a boolean mask), in that order."""
        indices = np.arange(len(self))[indices]
        texts = {language: [self.texts[language][i] for i in indices] for language in self.languages}
        return dataclasses.replace(self, texts=texts)

    def distinct(self, languages: Sequence[str] = (), tuples: int | None = None) -> "ParallelTexts":
        """Every distinct tuple once.

        Args:
            languages: those to keep; empty for all.
            tuples: at most this many are kept, chosen by a stable hash.

        Raises:
            InputError: it has none of the languages.
        """
        kept = tuple(code for code in self.languages if not languages or code in languages)
        if not kept:
            raise InputError(
                f"parallel source {self.source!r} has none of {', '.join(languages)}; "
                f"it has {', '.join(self.languages)}"
            )
        rows = list(zip(*(self.texts[code] for code in kept), strict=True))
        first = {row: i for i, row in reversed(list(enumerate(rows))) if any(row)}
        indices = np.sort(np.fromiter(first.values(), np.int64, len(first)))
        if tuples is not None and tuples < len(indices):
            order = stable_order([str(i) for i in indices], f"tuples/{self.source}/")
            indices = indices[order < tuples]
        return ParallelTexts(self.source, kept, {code: self.texts[code] for code in kept}).select(indices)

    def tuples(self) -> list[dict[str, str]]:
        """Language -> text, for every tuple that has at least two languages."""
        rows = zip(*(self.texts[language] for language in self.languages), strict=True)
        found = ({code: text for code, text in zip(self.languages, row, strict=True) if text} for row in rows)
        return [entry for entry in found if len(entry) > 1]
