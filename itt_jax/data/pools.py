"""Pools of candidates that queries search, and LAReQA's: every sentence of XQuAD-R in every language."""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping

import numpy as np

from itt_jax.data.answers import member, read_squad
from itt_jax.data.local import read_lines, read_text, resolve, spell
from itt_jax.data.sources import LocalBitext, LocalSentences, Table
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Candidates, in one or several languages.

    Attributes:
        ids: of the candidates, as published. languages: of each.
        fields: field -> the candidates' texts; an example of a candidate is all its fields.
    """

    ids: tuple[str, ...]
    languages: tuple[str, ...]
    fields: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.ids)


@dataclasses.dataclass(frozen=True)
class Query:
    """A question of one language.

    Attributes:
        place: where it stands, for messages. id: as published. right: indices of the pool, in every language.
    """

    place: str
    id: str
    text: str
    right: tuple[int, ...]


def sentence_pool(paths: Mapping[str, pathlib.Path]) -> tuple[Pool, dict[str, list[Query]]]:
    """The sentences of files in XQuAD-R's form as candidates ("sentence", its "context"), and each language's queries.

    As `utils_lareqa.py` of XTREME: a candidate's id is language_paragraph_sentence; right is, in each language, the
    sentence in which the answer starts, and any of the same text in that paragraph. A question whose answer starts in
    no sentence is left out, in that language.

    Args:
        paths: language -> file.

    Raises:
        InputError: a file that is not XQuAD-R's, or a question without an answer; with file and id.
    """
    ids: list[str] = []
    languages: list[str] = []
    fields: dict[str, list[str]] = {"sentence": [], "context": []}
    right: dict[str, list[int]] = {}
    asked: dict[str, list[tuple[str, str, str]]] = {}
    for language, path in paths.items():
        paragraphs = _sentences(path)
        first = []
        for number, (context, breaks) in enumerate(paragraphs, 1):
            first.append(len(ids))
            ids += [f"{language}_{number}_{k}" for k in range(len(breaks))]
            fields["sentence"] += [context[start:stop] for start, stop in breaks]
            fields["context"] += [context] * len(breaks)
        languages += [language] * (len(ids) - len(languages))
        asked[language] = []
        for question in read_squad(path):
            if not question.answers:
                raise InputError(f"{question.place}: no answer, so no right sentence")
            begin, breaks = first[question.paragraph], paragraphs[question.paragraph][1]
            start = question.answers[0].start
            held = next((k for k, (low, high) in enumerate(breaks) if low <= start < high), None)
            if held is not None:
                own = fields["sentence"][begin : begin + len(breaks)]
                right.setdefault(question.id, []).extend(begin + k for k, same in enumerate(own) if same == own[held])
                asked[language].append((question.place, question.id, question.question))
    pool = Pool(tuple(ids), tuple(languages), fields)
    queries = {
        language: [Query(place, id, text, tuple(right[id])) for place, id, text in own]
        for language, own in asked.items()
    }
    return pool, queries


def read_table(source: LocalSentences, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """The questions of one language, with the pool of every language at hand."""
    paths = {}
    for code, spelling in source.languages.items():
        path = pathlib.Path(data_root or ".") / spell(source.paths[split], spelling)
        if code == language or path.is_file():
            paths[code] = resolve(str(path), None)
    pool, queries = _pool(tuple(paths.items()))
    own = queries[language]
    return Table(
        {"question": [query.text for query in own]},
        Ragged.of([query.right for query in own], np.int64),
        [query.id for query in own],
        lambda i: own[i].place,
        pool,
    )


def read_bitext(source: LocalBitext, split: str, language: str, data_root: str | pathlib.Path | None) -> Table:
    """The sentences of one side, with those of the other as pool; right is the translation, where there is one."""
    spelling = source.languages.get(language, language)
    paths = [resolve(spell(side[split], spelling), data_root) for side in (source.first, source.second, source.gold)]
    sides = []
    for path in paths[:2]:
        lines = [line.split("\t", 1) for line in read_lines(path)]
        wrong = next((i for i, line in enumerate(lines, 1) if len(line) != 2), None)
        if wrong:
            raise InputError(f"{path}, line {wrong}: expected an id, a tab and a sentence")
        sides.append(dict(lines))
        if len(sides[-1]) < len(lines):
            raise InputError(f"{path}: an id stands there twice")
    first, second = sides
    number = {id: i for i, id in enumerate(second)}
    right: dict[str, list[int]] = {id: [] for id in first}
    for line_number, line in enumerate(read_lines(paths[2]), 1):
        a, _, b = line.partition("\t")
        if a not in right or b not in number:
            raise InputError(f"{paths[2]}, line {line_number}: found {line!r}, expected an id of either side")
        right[a].append(number[b])
    pool = Pool(tuple(second), ("en",) * len(second), {"text": list(second.values())})
    return Table(
        {"text": list(first.values())},
        Ragged.of(right.values(), np.int64),
        list(first),
        lambda i: f"{paths[0]}, line {i + 1}",
        pool,
    )


@functools.lru_cache(maxsize=2)  # all languages share one pool
def _pool(paths: tuple[tuple[str, pathlib.Path], ...]) -> tuple[Pool, dict[str, list[Query]]]:
    return sentence_pool(dict(paths))


def _sentences(path: pathlib.Path) -> list[tuple[str, list[tuple[int, int]]]]:
    """The context of each paragraph, and where each of its sentences starts and stops."""
    try:
        content = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error
    found = []
    for article in member(content, "data", list, f"{path}"):
        for paragraph in member(article, "paragraphs", list, f"{path}"):
            place = f"{path}, paragraph {len(found) + 1}"
            context = member(paragraph, "context", str, place)
            breaks = member(paragraph, "sentence_breaks", list, place)
            spans = [tuple(span) for span in breaks if isinstance(span, list)]
            if len(spans) < len(breaks) or not all(
                len(span) == 2 and all(isinstance(end, int) for end in span) and 0 <= span[0] < span[1] <= len(context)
                for span in spans
            ):
                raise InputError(f"{place}: sentence_breaks: expected pairs within the {len(context)} characters")
            found.append((context, spans))
    return found
