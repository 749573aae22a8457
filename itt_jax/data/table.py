"""A table: one published split in one language, as a source gives it."""

import dataclasses
from collections.abc import Callable

from itt_jax.data.answers import Answers
from itt_jax.data.pools import Pool
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged

_FOUND = {Answers: "answers with positions", Ragged: "candidates of a pool", type(None): "none"}


@dataclasses.dataclass(frozen=True)
class Table:
    """n published rows.

    Attributes:
        fields: field -> n texts.
        labels: n published labels (several labels of one row are separated by spaces), n sets of answers, n arrays of
            indices into the pool, or None if the split has no labels.
        indices: n published indices, unique within the split.
        place: row number -> where the row is, for error messages ("dev-de.tsv, line 12").
        pool: the candidates of a retrieval task.
        word_place: row number, number of a word from 0 -> where the word is; None if a whole row is in one place.
        written: the labels as they are in the file, if the source converted them.
    """

    fields: dict[str, list[str]]
    labels: list[str] | Answers | Ragged | None
    indices: list[str]
    place: Callable[[int], str]
    pool: Pool | None = None
    word_place: Callable[[int, int], str] | None = None
    written: list[str] | None = None

    @property
    def label_texts(self) -> list[str]:
        """The published labels, where they are texts.

        Raises:
            InputError: the source has answers, candidates of a pool or no labels.
        """
        if self.labels is None or isinstance(self.labels, Answers | Ragged):
            raise InputError(f"{self.place(0)}: expected a label, found {_FOUND[type(self.labels)]}")
        return self.labels

    def place_of_word(self, row: int, word: int) -> str:
        """Where a word is, for error messages ("train.conll, line 12", or "train.jsonl, line 3, word 5")."""
        return self.word_place(row, word) if self.word_place else f"{self.place(row)}, word {word + 1}"
