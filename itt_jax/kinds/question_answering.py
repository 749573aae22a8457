"""The answer to a question: a span of its context."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.data.answers import Answer, Answers
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.span_decoding import answers_of
from itt_jax.data.spans import span_examples
from itt_jax.data.table import Table
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.data.windows import Windows
from itt_jax.errors import InputError
from itt_jax.kinds.forms import Form, FormKey, Inputs, numbered
from itt_jax.kinds.kind import Gold, Kind, Published, TaskLike
from itt_jax.perturb import span_after
from itt_jax.ragged import Ragged

CONTEXT = "context"


class QuestionAnswering(Kind):
    """Labels are the right answers to each question with their positions (`Answers`); predictions are texts.

    Perturbations do not edit the right answers in a context, and their new positions are found. A row that lost one is
    not applicable.
    """

    name = "question_answering"
    summary = "the answer to a question, a span of its context"
    head = "question_answering"
    dev_metric = "squad_f1"
    layout = "windows"
    pools = False
    named_outputs = False

    def check(self, task: TaskLike) -> None:
        """Raises InputError unless the fields are question and context, without labels."""
        if task.labels or task.fields != ("question", CONTEXT):
            raise InputError(f"task {task.name!r}: {self.name} has fields question, context, and no labels")

    def outcomes(self, task: TaskLike) -> tuple[str, ...]:
        """Texts of answers."""
        return ("answer",)

    def label_space(self, task: TaskLike) -> str:
        """One space for all answers."""
        return "answer"

    # --- Labels

    def read_labels(self, task: TaskLike, published: Published, table: Table) -> tuple[Any, np.ndarray]:
        """`Answers`.

        Raises:
            InputError: the source has answers without positions.
        """
        if table.labels is not None and not isinstance(table.labels, Answers):
            raise InputError(f"task {task.name!r}: its source has no answers with positions; see LocalSquad or Hub")
        return table.labels, np.ones(len(table.indices), bool)

    def join(self, parts: Sequence[Any]) -> Any:
        """The questions of all parts."""
        return Answers.joined(parts)

    def label_bytes(self, labels: Any) -> bytes:
        """Texts and places of the answers."""
        return labels.encoded()

    def shuffle(self, task: TaskLike, rows: Rows, seed: int) -> Rows:
        """Rows with a wrong answer each: a random span of their context."""
        return dataclasses.replace(rows, labels=rows.labels_as(Answers).elsewhere(rows.fields[CONTEXT], seed))

    def label_texts(self, task: TaskLike, rows: Rows) -> list[str]:
        """The distinct answers of each row."""
        return [" | ".join(dict.fromkeys(texts)) for texts in rows.labels_as(Answers).texts]

    def file_format(self, task: TaskLike) -> str:
        """Answers by question id."""
        return "answers"

    # --- Training

    def outputs(self, task: TaskLike) -> int:
        """Scores of a token as first and as last token of the answer."""
        return 2

    def encode(self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, max_length: int) -> Examples:
        """The examples of clean rows; a long context has several."""
        questions, contexts = rows.fields.values()
        labels = None if rows.labels is None else rows.labels_as(Answers)
        return span_examples(tokenizer, questions, contexts, max_length, rows.language, labels)

    def encode_form(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, form: Form, max_length: int
    ) -> tuple[Examples, np.ndarray]:
        """With the answers at their new positions; a row that lost one stays clean."""
        kept = np.ones(len(rows), bool) if form.applicable is None else form.applicable
        fields = {
            name: [new if own else old for new, old, own in zip(form.fields[name], texts, kept.tolist(), strict=True)]
            for name, texts in rows.fields.items()
        }
        moved = dataclasses.replace(rows, fields=fields, labels=form.answers)
        examples = self.encode(task, tokenizer, moved, max_length)
        return examples, _windows(examples).parts

    def parts(self, rows: Rows, examples: Examples) -> np.ndarray:
        """A long context has several examples."""
        return _windows(examples).parts

    def check_labels(self, name: str, labels: np.ndarray, classes: int) -> None:
        """Accepts all labels; `data.spans` makes them."""

    def gold(self, task: TaskLike, rows: Rows, examples: Examples) -> Gold:
        """The right answers, with the examples and contexts for decoding scores."""
        return Gold(rows.labels_as(Answers).texts, (), rows.language, examples, rows.fields)

    def gold_of(self, examples: Examples) -> Gold:
        """Not defined without rows; see `gold`."""
        raise NotImplementedError

    def dev_predictions(self, scores: np.ndarray, gold: Gold) -> Any:
        """The answer of each row."""
        assert gold.examples is not None  # as in `gold`
        return answers_of(scores, _windows(gold.examples), gold.fields[CONTEXT])[0]

    # --- Evaluation

    def aligned_fields(self, task: TaskLike) -> tuple[str, ...]:
        """The context."""
        return (CONTEXT,)

    def editable(self, rows: Rows, field: str) -> list[np.ndarray] | None:
        """Everything in a context except its right answers: the text around the answer changes."""
        return [~mask for mask in rows.labels_as(Answers).covered(rows.fields[field])] if field == CONTEXT else None

    def follow(
        self,
        task: TaskLike,
        rows: Rows,
        fields: Mapping[str, list[str]],
        sources: Mapping[str, Sequence[np.ndarray]],
        changed: np.ndarray,
        edit_rate: float,
    ) -> Form:
        """A form that is applicable to rows whose right answers are all left in the context."""
        answers, applicable = None if rows.labels is None else rows.labels_as(Answers), None
        if CONTEXT in sources:
            answers, applicable = moved_answers(rows.labels_as(Answers), fields[CONTEXT], sources[CONTEXT])
        return Form(dict(fields), changed, edit_rate, applicable=applicable, answers=answers)

    def inputs(
        self, task: TaskLike, tokenizer: Tokenizer, rows: Rows, forms: Mapping[FormKey, Form], max_length: int
    ) -> Inputs:
        """Questions with their contexts, each one or several examples; `ids` holds whole contexts."""
        distinct, index = numbered({key: self.texts(task, form.fields) for key, form in forms.items()})
        questions, contexts = zip(*distinct, strict=True)
        examples = span_examples(tokenizer, questions, contexts, max_length, rows.language)
        return Inputs(examples, index, _whole_ids(examples))

    def decode(self, scores: Any) -> Any:
        """Not defined without contexts; see `dev_predictions` and `predicted`."""
        raise NotImplementedError

    def predicted(
        self, task: TaskLike, rows: Rows, form: Form, inputs: Inputs, scores: Any, key: FormKey
    ) -> tuple[Any, Any, dict[str, Any]]:
        """Columns hold the predicted text, the right ones, and the scores of the answer and of no answer."""
        labels = rows.labels_as(Answers).texts
        texts, found = answers_of(scores, _windows(inputs.examples), form.fields[CONTEXT], inputs.index[key])
        return texts, labels, {"prediction": texts, "scores": list(found), "label": labels}


def _windows(examples: Examples) -> Windows:
    """The parts of contexts in examples of this kind."""
    assert examples.windows is not None
    return examples.windows


def _whole_ids(examples: Examples) -> Ragged:
    """The token ids of each row, with the whole context in place of its first window."""
    windows, found = _windows(examples), []
    for row, first in enumerate(windows.parts[:-1].tolist()):
        ids = examples.ids[examples.offsets[first] : examples.offsets[first + 1]]
        start, stop = windows.positions[first], windows.positions[first] + windows.counts[first]
        found.append(np.concatenate([ids[:start], windows.located.tokens[int(windows.context[row])], ids[stop:]]))
    return Ragged.of(found, np.int32)


def moved_answers(answers: Answers, texts: Sequence[str], sources: Sequence[np.ndarray]) -> tuple[Answers, np.ndarray]:
    """The answers at their positions in the perturbed contexts, and bool [n]: whether all answers of a row are left.

    Args:
        texts: the perturbed contexts. sources: for each, the clean codepoint that each of its codepoints comes from, -1
            for none (`PerturbedTexts.sources`).
    """
    items, applicable = [], np.ones(len(answers), bool)
    for i, (item, text, source) in enumerate(zip(answers.items, texts, sources, strict=True)):
        found = tuple(moved for answer in item if (moved := _moved(answer, text, source)) is not None)
        applicable[i] = len(found) == len(item)
        items.append(found if applicable[i] else item)
    return Answers(tuple(items)), applicable


def _moved(answer: Answer, text: str, source: np.ndarray) -> Answer | None:
    place = span_after(source, answer.start, answer.stop)
    if place is None or text[slice(*place)] != answer.text:
        return None
    return Answer(place[0], answer.text)
