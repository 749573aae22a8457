"""Perturbed forms of the rows of one task, and the distinct inputs among them."""

import dataclasses
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from itt_jax.data.answers import Answers
from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.ragged import Ragged

FormKey = tuple[str, float, int]
"""Names a form: operator, severity, replicate."""
CLEAN_FORM: FormKey = ("clean", 0.0, 0)
LOST = -1
"""Position of a word that is lost entirely."""
Input = TypeVar("Input", bound=Hashable)


@dataclasses.dataclass(frozen=True)
class Form:
    """One form of n rows: their clean text or a perturbation of it.

    Attributes:
        fields: field -> n texts. changed: bool [n], whether some field differs from the clean text.
        edit_rate: edits per grapheme cluster of the editable fields, over all rows.
        words: for token classification, the codepoint at which each word of each row now begins, or LOST.
        applicable: bool [n], whether the right answer is still there; None if it always is.
        answers: for question answering, the right answers at their new positions; unchanged where not applicable.
        figures: further columns of the results for this form. columns: the same by row (n values each).
    """

    fields: dict[str, list[str]]
    changed: np.ndarray
    edit_rate: float
    words: Ragged | None = None
    applicable: np.ndarray | None = None
    answers: Answers | None = None
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    columns: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The distinct inputs among all forms of the rows of one task.

    Attributes:
        examples: one or (for long texts) several for each distinct input.
        index: form -> int64 [n], the input of each row, or [n, k] for k inputs of each row.
        ids: token ids of each input, special tokens included; a text that several examples share occurs once.
        words: for token classification int64 [inputs + 1], the first of each input's words in `examples.anchors`.
    """

    examples: Examples
    index: dict[FormKey, np.ndarray]
    ids: Ragged
    words: np.ndarray | None = None

    def scores_of(self, scores: np.ndarray | dict[FormKey, np.ndarray], key: FormKey) -> np.ndarray:
        """Scores of a form's rows from those of the distinct inputs: [n, outputs], or [n, k] for k inputs of each row.
        Scores from vectors are already by row."""
        if isinstance(scores, dict):
            return scores[key]
        index = self.index[key]
        return scores[index] if index.ndim == 1 else scores[index, 0]

    def scores_of_words(self, scores: np.ndarray, key: FormKey) -> Ragged:
        """The same for token classification: [words left, outputs] for each of n rows."""
        assert self.words is not None
        return Ragged(scores, self.words)[self.index[key]]

    def token_change_rate(self, key: FormKey) -> float:
        """Token edits (Levenshtein) per token of the clean inputs, over all rows."""
        from rapidfuzz.distance import Levenshtein

        before, after = self.index[CLEAN_FORM].ravel(), self.index[key].ravel()
        differing = [(a, b) for a, b in zip(before.tolist(), after.tolist(), strict=True) if a != b]
        edits: int = sum(Levenshtein.distance(self.ids[a].tolist(), self.ids[b].tolist()) for a, b in differing)
        return edits / max(1, int(self.ids.lengths[before].sum()))


def numbered(forms: Mapping[FormKey, Iterable[Input]]) -> tuple[list[Input], dict[FormKey, np.ndarray]]:
    """The distinct inputs of several forms in order of appearance, and form -> int64, the number of each input."""
    numbers: dict[Input, int] = {}
    index = {
        key: np.array([numbers.setdefault(one, len(numbers)) for one in inputs], np.int64)
        for key, inputs in forms.items()
    }
    return list(numbers), index


def whole_inputs(
    tokenizer: Tokenizer,
    distinct: Sequence[tuple[str, ...]],
    index: dict[FormKey, np.ndarray],
    max_length: int,
    language: str,
) -> Inputs:
    """Inputs that are one example each: a text, or a pair of texts."""
    fields = [tokenizer.encode(list(texts), language) for texts in zip(*distinct, strict=True)]
    examples = assemble(tokenizer, fields, max_length)
    return Inputs(examples, index, Ragged(examples.ids, examples.offsets))
