"""A block as one tokenizer's token ids: each distinct input once, and the way back from its scores to every form."""

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.spans import span_examples
from itt_jax.data.tagging import tagging_examples
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.words import kept
from itt_jax.ragged import Ragged, offsets_of
from itt_jax.tasks import Task
from itt_jax.tasks.inputs import contexts_of

if TYPE_CHECKING:
    from itt_jax.evaluate.grid import Block, Key


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The distinct inputs of a block.

    Attributes:
        examples: of all distinct inputs. index: variant -> int64 [n], the input of each row, or of choice [n, choices];
            of retrieval [n, 2] query and candidate, or with a pool [n, 1].
        tokens: int64 [inputs + 1], where the token ids of each input begin in `examples.ids`.
        words: of tagging: int64 [inputs + 1], where the words of each input begin in `examples.anchors`.
    """

    examples: Examples
    index: "dict[Key, np.ndarray]"
    tokens: np.ndarray
    words: np.ndarray | None = None

    def scores_of(self, scores: np.ndarray, variant: "Key") -> np.ndarray | Ragged:
        """Scores [n, outputs] of a form's rows; of choice [n, choices]; of tagging, of a row [words left, outputs]."""
        index = self.index[variant]
        if self.words is not None:
            return Ragged(scores, self.words)[index]
        return scores[index] if index.ndim == 1 else scores[index, 0]

    def token_change_rate(self, clean: "Key", variant: "Key") -> float:
        """Token edits (Levenshtein) per token of the clean inputs, over all rows."""
        from rapidfuzz.distance import Levenshtein

        before, after = self.index[clean].ravel(), self.index[variant].ravel()
        edits = 0
        for a, b in zip(before, after, strict=True):
            if a != b:
                edits += Levenshtein.distance(self._ids(a), self._ids(b))
        return edits / max(1, int(self._lengths()[before].sum()))

    def _lengths(self) -> np.ndarray:
        """Tokens of each input; a context that several examples hold counts once: int64 [inputs]."""
        windows = self.examples.windows
        if windows is None:
            return np.diff(self.tokens)
        first = windows.parts[:-1]
        whole = windows.located.tokens.lengths[windows.context]
        return self.examples.lengths[first] - windows.counts[first] + whole

    def _ids(self, i: int) -> list[int]:
        windows = self.examples.windows
        if windows is None:
            return self.examples.ids[self.tokens[i] : self.tokens[i + 1]].tolist()
        first = windows.parts[i]
        ids = self.examples.ids[self.examples.offsets[first] : self.examples.offsets[first + 1]]
        before, after = np.split(ids, [windows.positions[first], windows.positions[first] + windows.counts[first]])[::2]
        return [*before.tolist(), *windows.located.tokens[windows.context[i]].tolist(), *after.tolist()]


def encode_block(tokenizer: Tokenizer, max_length: int, block: "Block") -> Inputs:
    """Token ids of the distinct inputs among all forms of a block."""
    kinds = {"token_classification": _tagged, "question_answering": _asked, "retrieval": _compared}
    return kinds.get(block.task.kind, _whole)(tokenizer, max_length, block)


def _texts(task: Task, fields: dict[str, list[str]]) -> Iterator[tuple[str, ...]]:
    """The texts of each example: the fields of a row; of choice, the context with one choice after another."""
    if task.kind != "multiple_choice":
        return zip(*fields.values(), strict=True)
    items = zip(contexts_of(task, fields), *(fields[choice] for choice in task.labels), strict=True)
    return ((context, choice) for context, *choices in items for choice in choices)


def _whole(tokenizer: Tokenizer, max_length: int, block: "Block") -> Inputs:
    """Rows that are read as one example each, or as one for each choice."""
    numbers: dict[tuple[str, ...], int] = {}
    index = {
        key: np.array([numbers.setdefault(texts, len(numbers)) for texts in _texts(block.task, form.fields)], np.int64)
        for key, form in block.forms.items()
    }
    if block.task.kind == "multiple_choice":
        index = {key: own.reshape(-1, len(block.task.labels)) for key, own in index.items()}
    fields = [tokenizer.encode(list(texts), block.rows.language) for texts in zip(*numbers, strict=True)]
    examples = assemble(tokenizer, fields, max_length)
    return Inputs(examples, index, examples.offsets)


def _asked(tokenizer: Tokenizer, max_length: int, block: "Block") -> Inputs:
    """Questions with their contexts, each an input of one or several examples."""
    numbers: dict[tuple[str, str], int] = {}
    index = {
        key: np.array(
            [numbers.setdefault(pair, len(numbers)) for pair in zip(*form.fields.values(), strict=True)], np.int64
        )
        for key, form in block.forms.items()
    }
    questions, contexts = zip(*numbers, strict=True)
    examples = span_examples(tokenizer, questions, contexts, max_length, block.rows.language)
    return Inputs(examples, index, examples.offsets[examples.windows.parts])


def _compared(tokenizer: Tokenizer, max_length: int, block: "Block") -> Inputs:
    """Queries, and candidates where these are the rows' own: index [n, 1 or 2]."""
    sides = [tuple(name for name in block.task.fields if name not in block.task.candidates), block.task.candidates]
    numbers: dict[tuple[str, ...], int] = {}
    index = {}
    for key, form in block.forms.items():
        columns = [zip(*(form.fields[name] for name in side), strict=True) for side in sides if side]
        numbered = [[numbers.setdefault(texts, len(numbers)) for texts in column] for column in columns]
        index[key] = np.array(numbered, np.int64).T
    fields = [tokenizer.encode(list(texts), block.rows.language) for texts in zip(*numbers, strict=True)]
    examples = assemble(tokenizer, fields, max_length)
    return Inputs(examples, index, examples.offsets)


def _tagged(tokenizer: Tokenizer, max_length: int, block: "Block") -> Inputs:
    """Tagged texts: two rows are the same input where text and words left are the same."""
    numbers: dict[tuple[str, bytes], int] = {}
    distinct: list[tuple[str, np.ndarray]] = []
    index = {}
    for key, form in block.forms.items():
        (texts,) = form.fields.values()
        own = []
        for text, starts in zip(texts, kept(form.words, form.words).arrays(), strict=True):
            own.append(numbers.setdefault((text, starts.tobytes()), len(numbers)))
            if len(numbers) > len(distinct):
                distinct.append((text, starts))
        index[key] = np.array(own, np.int64)
    texts, starts = zip(*distinct, strict=True)
    words = Ragged.of(starts, np.int64)
    examples, parts = tagging_examples(tokenizer, texts, words, max_length, block.rows.language)
    return Inputs(examples, index, examples.offsets[parts], offsets_of(words.lengths))
