"""LocalSquad: questions about contexts, in the JSON form of SQuAD 1.1."""

import dataclasses
import pathlib
import re
from collections.abc import Iterator
from typing import Any

from itt_jax.data.answers import Answer, Answers
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.values import member
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.reading.text import read_json


@dataclasses.dataclass(frozen=True)
class LocalSquad(Source):
    """Questions with answers in files of SQuAD's form. Fields "question" and "context".

    Attributes:
        paths: published split -> path; "{language}" is replaced by the language.
        unique_ids: an id identifies one question of a file and is its row's index; otherwise the index is the
            question's number in the file, from 0.
        sentences: give pairs for retrieval: fields "question", "sentence" (the one in which the first answer starts;
            questions without one are left out) and "context", without labels.
    """

    paths: dict[str, str]
    unique_ids: bool = True
    sentences: bool = False

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language; its labels are None if its questions have no answers."""
        path = resolve(spell(self.paths[split], self.spelling(language)), data_root)
        questions = read_squad(path, self.unique_ids)
        indices = [question.id if self.unique_ids else str(i) for i, question in enumerate(questions)]
        if self.sentences:
            return _sentence_table(questions, indices)
        answers = Answers(tuple(question.answers for question in questions))
        return Table(
            {name: [getattr(question, name) for question in questions] for name in ("question", "context")},
            answers if questions and questions[0].answers else None,
            indices,
            lambda i: questions[i].place,
        )


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of a file in SQuAD's form.

    Attributes:
        place: file and id, for error messages.
        id: as published.
        paragraph: the number of its paragraph in the file, from 0.
        answers: empty if the file gives none (test splits published without answers).
    """

    place: str
    id: str
    paragraph: int
    question: str
    context: str
    answers: tuple[Answer, ...]


def read_squad(path: pathlib.Path, unique_ids: bool = True) -> list[Question]:
    """The questions of a JSON file in the form of SQuAD 1.1, in its order.

    Args:
        unique_ids: an id may occur only once.

    Raises:
        InputError: not such a file; an id that occurs twice; an answer that the context does not hold at its place; a
            question without an answer (or with an empty one) among others that have one. The error names file and id.
    """
    questions, seen = list(_questions(path, read_json(path))), set()
    for question in questions:
        if unique_ids and question.id in seen:
            raise InputError(f"{question.place}: the id occurs twice")
        seen.add(question.id)
    unanswered = [question for question in questions if not question.answers]
    if unanswered and len(unanswered) < len(questions):
        raise InputError(f"{unanswered[0].place}: no answer, though others have one; expected the form of SQuAD 1.1")
    return questions


def _questions(path: pathlib.Path, content: Any) -> Iterator[Question]:
    for number, paragraph in enumerate(paragraphs(path, content)):
        place = f"{path}, paragraph {number + 1}"
        context = member(paragraph, "context", str, place)
        for entry in member(paragraph, "qas", list, place):
            id = str(member(entry, "id", (str, int), place))
            own = f"{path}, id {id!r:.80}"
            answers = tuple(answers_of(entry.get("answers", []), context, own))
            yield Question(own, id, number, member(entry, "question", str, own), context, answers)


def paragraphs(path: pathlib.Path, content: Any) -> Iterator[Any]:
    """The paragraphs of all articles, in order."""
    for article in member(content, "data", list, f"{path}"):
        yield from member(article, "paragraphs", list, f"{path}")


def answers_of(entries: Any, context: str, place: str) -> Iterator[Answer]:
    """The distinct answers in a list of {"text", "answer_start"}, without empty ones.

    Raises:
        InputError: an entry of another form, or a text that the context does not hold at its place.
    """
    found = set()
    for entry in entries if isinstance(entries, list) else [entries]:
        text, start = member(entry, "text", str, place), member(entry, "answer_start", int, place)
        if not text:
            continue
        held = context[start : start + len(text)] if start >= 0 else ""
        if held != text:
            where = "beyond its end" if not 0 <= start < len(context) else f"where the context holds {held[:80]!r}"
            raise InputError(f"{place}: answer {text[:80]!r} at {start}, {where} ({len(context)} characters)")
        if (start, text) not in found:
            found.add((start, text))
            yield Answer(start, text)


_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])")
_NO_END = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No|Inc|Ltd|Co|Gen|Col|Prof|Rev|Mt|etc|e\.g|i\.e))\.$")


def sentence_breaks(text: str) -> list[tuple[int, int]]:
    """Start and end of each sentence of an English text.

    A sentence ends after . ! or ? before a blank and a capital or digit, but not after an initial or a common
    abbreviation. (XTREME-R's code calls an external sentence splitter.)

    >>> sentence_breaks("Dr. J. Lee left. He ran!")
    [(0, 16), (17, 24)]
    """
    ends = [m for m in _SENTENCE_END.finditer(text) if not _NO_END.search(text[max(0, m.start() - 16) : m.start()])]
    starts = [0, *(m.end() for m in ends)]
    stops = [*(m.end() - len(m.group()) + len(m.group().rstrip()) for m in ends), len(text)]
    return list(zip(starts, stops, strict=True))


def _sentence_table(questions: list[Question], indices: list[str]) -> Table:
    """Questions with the sentence of their first answer and its context."""
    rows = []
    breaks: dict[str, list[tuple[int, int]]] = {}
    for question, index in zip(questions, indices, strict=True):
        if question.context not in breaks:
            breaks[question.context] = sentence_breaks(question.context)
        start = question.answers[0].start if question.answers else -1
        held = next((span for span in breaks[question.context] if span[0] <= start < span[1]), None)
        if held is not None:
            rows.append((question, question.context[slice(*held)], index))
    fields = {
        "question": [question.question for question, _, _ in rows],
        "sentence": [sentence for _, sentence, _ in rows],
        "context": [question.context for question, _, _ in rows],
    }
    return Table(fields, None, [index for _, _, index in rows], lambda i: rows[i][0].place)
