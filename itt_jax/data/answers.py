"""Right answers of questions about a context, each a span of it, and files that hold them in SQuAD's form."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from itt_jax.data.local import read_text, resolve, spell
from itt_jax.data.sources import LocalSquad, Table
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class Answer:
    """One right answer: `text` stands in the context from codepoint `start` on."""

    start: int
    text: str

    @property
    def stop(self) -> int:
        """The codepoint after its last."""
        return self.start + len(self.text)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """The right answers of n questions; the first is the one to train on.

    Attributes:
        items: of each question at least one answer.
    """

    items: tuple[tuple[Answer, ...], ...]

    @classmethod
    def joined(cls, parts: Sequence["Answers"]) -> "Answers":
        """The questions of all parts, in order."""
        return cls(tuple(item for part in parts for item in part.items))

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, indices: np.ndarray) -> "Answers":
        """The questions at the indices (integers or a boolean mask), in that order."""
        return Answers(tuple(self.items[i] for i in np.arange(len(self))[indices].tolist()))

    @property
    def texts(self) -> list[list[str]]:
        """The right answers of each question, as text."""
        return [[answer.text for answer in item] for item in self.items]

    def encoded(self) -> bytes:
        """Bytes that differ where the answers do."""
        return json.dumps([[(answer.start, answer.text) for answer in item] for item in self.items]).encode()

    def elsewhere(self, contexts: Sequence[str], seed: int) -> "Answers":
        """One wrong answer a row: a random place of its context, as long as another row's answer (a control)."""
        generator = np.random.default_rng([seed, 0x5EED])
        items = []
        for context, other in zip(contexts, generator.permutation(len(self)).tolist(), strict=True):
            length = min(len(self.items[other][0].text), len(context))
            start = int(generator.integers(0, len(context) - length + 1))
            items.append((Answer(start, context[start : start + length]),))
        return Answers(tuple(items))

    def covered(self, contexts: Sequence[str]) -> list[np.ndarray]:
        """For each context a bool mask of its codepoints: those of a right answer."""
        masks = [np.zeros(len(context), bool) for context in contexts]
        for mask, item in zip(masks, self.items, strict=True):
            for answer in item:
                mask[answer.start : answer.stop] = True
        return masks


@dataclasses.dataclass(frozen=True)
class Question:
    """A question of a file in SQuAD's form.

    Attributes:
        place: where it stands, for messages. id: as published. paragraph: its paragraph's number in the file, from 0.
        answers: none where the file gives no text (test splits published without answers).
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
        unique_ids: whether an id may stand there once only.

    Raises:
        InputError: not such a file; an id that stands there twice; an answer that is not what the context holds at its
            place; a question without an answer (or with an empty one) among others that have them. With file and id.
    """
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    questions, seen = list(_questions(path, content)), set()
    for question in questions:
        if unique_ids and question.id in seen:
            raise InputError(f"{question.place}: the id stands there twice")
        seen.add(question.id)
    unanswered = [question for question in questions if not question.answers]
    if unanswered and len(unanswered) < len(questions):
        raise InputError(f"{unanswered[0].place}: no answer, though others have one; expected the form of SQuAD 1.1")
    return questions


def _questions(path: pathlib.Path, content: Any) -> Iterator[Question]:
    paragraph_number = -1
    for article in member(content, "data", list, f"{path}"):
        for paragraph in member(article, "paragraphs", list, f"{path}"):
            paragraph_number += 1
            context = member(paragraph, "context", str, f"{path}, paragraph {paragraph_number + 1}")
            for entry in member(paragraph, "qas", list, f"{path}, paragraph {paragraph_number + 1}"):
                id = str(member(entry, "id", (str, int), f"{path}, paragraph {paragraph_number + 1}"))
                place = f"{path}, id {id!r}"
                answers = tuple(answers_of(entry.get("answers", []), context, place))
                question = member(entry, "question", str, place)
                yield Question(place, id, paragraph_number, question, context, answers)


def answers_of(entries: Any, context: str, place: str) -> Iterator[Answer]:
    """The distinct answers in a list of {"text", "answer_start"}; empty ones are left out.

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


def read_table(source: LocalSquad, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """A published split of a LocalSquad source; labels are None where its questions have no answers."""
    path = resolve(spell(source.paths[split], source.languages.get(language, language)), data_root)
    questions = read_squad(path, source.unique_ids)
    if source.sentences:
        return _sentence_table(questions, source.unique_ids)
    answers = Answers(tuple(question.answers for question in questions))
    return Table(
        {name: [getattr(question, name) for question in questions] for name in ("question", "context")},
        answers if questions and questions[0].answers else None,
        [question.id if source.unique_ids else str(i) for i, question in enumerate(questions)],
        lambda i: questions[i].place,
    )


_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])")
_NO_END = re.compile(r"(?:\b[A-Z]|\b(?:Mr|Mrs|Ms|Dr|St|Jr|Sr|vs|No|Inc|Ltd|Co|Gen|Col|Prof|Rev|Mt|etc|e\.g|i\.e))\.$")


def sentence_breaks(text: str) -> list[tuple[int, int]]:
    """Where the sentences of an English text start and stop: after . ! or ? before a blank and a capital or digit, but
    not after an initial or a common abbreviation. (XTREME-R's code asks a sentence breaker of its own.)

    >>> sentence_breaks("Dr. J. Lee left. He ran!")
    [(0, 16), (17, 24)]
    """
    ends = [m for m in _SENTENCE_END.finditer(text) if not _NO_END.search(text[: m.start()])]
    starts = [0, *(m.end() for m in ends)]
    stops = [*(m.end() - len(m.group()) + len(m.group().rstrip()) for m in ends), len(text)]
    return list(zip(starts, stops, strict=True))


def _sentence_table(questions: list[Question], unique_ids: bool) -> Table:
    """Questions with the sentence of their first answer and its context."""
    rows = []
    breaks: dict[str, list[tuple[int, int]]] = {}
    for number, question in enumerate(questions):
        if question.context not in breaks:
            breaks[question.context] = sentence_breaks(question.context)
        start = question.answers[0].start if question.answers else -1
        held = next((span for span in breaks[question.context] if span[0] <= start < span[1]), None)
        if held is not None:
            index = question.id if unique_ids else str(number)
            rows.append((question, question.context[slice(*held)], index))
    fields = {
        "question": [question.question for question, _, _ in rows],
        "sentence": [sentence for _, sentence, _ in rows],
        "context": [question.context for question, _, _ in rows],
    }
    return Table(fields, None, [index for _, _, index in rows], lambda i: rows[i][0].place)


def member(record: Any, name: str, kind: type | tuple[type, ...], place: str) -> Any:
    """The entry of that name and type in a JSON object.

    Raises:
        InputError: it is not there, or of another type; the message begins with `place`.
    """
    if not isinstance(record, dict) or not isinstance(record.get(name), kind):
        found = f"found {record.get(name)!r:.60}" if isinstance(record, dict) else f"in {type(record).__name__}"
        raise InputError(f"{place}: expected {name!r} as in SQuAD's JSON form, {found}")
    return record[name]
