"""LocalSentences: LAReQA's questions, with every sentence of XQuAD-R in every language as the candidates."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping

import numpy as np

from itt_jax.data.pools import Pool
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.squad import paragraphs, read_squad
from itt_jax.data.sources.values import member
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged
from itt_jax.reading.text import read_json


@dataclasses.dataclass(frozen=True)
class LocalSentences(Source):
    """Questions in one language, and the sentences of all languages as candidates, in XQuAD-R's form. Field "question".

    The pool holds every language of `languages` whose file exists.

    Attributes:
        paths: published split -> path; "{language}" is replaced by the language.
    """

    paths: dict[str, str]

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """The questions in one language; their labels are the right sentences in every language."""
        paths = {}
        for code in dict.fromkeys((*self.languages, language)):
            path = pathlib.Path(data_root or ".") / spell(self.paths[split], self.spelling(code))
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


@dataclasses.dataclass(frozen=True)
class Query:
    """A question in one language.

    Attributes:
        place: where it is, for error messages.
        id: as published.
        right: indices into the pool, in every language.
    """

    place: str
    id: str
    text: str
    right: tuple[int, ...]


@functools.lru_cache(maxsize=2)  # all languages share one pool
def _pool(paths: tuple[tuple[str, pathlib.Path], ...]) -> tuple[Pool, dict[str, list[Query]]]:
    return sentence_pool(dict(paths))


def sentence_pool(paths: Mapping[str, pathlib.Path]) -> tuple[Pool, dict[str, list[Query]]]:
    """The sentences of files in XQuAD-R's form as candidates, and each language's queries.

    A candidate has fields "sentence" and "context", and the id LANGUAGE_PARAGRAPH_SENTENCE. As in `utils_lareqa.py` of
    XTREME, the right ones are, in each language, the sentence in which the answer starts and any other of the same text
    in that paragraph. A question whose answer starts in no sentence is left out in that language.

    Args:
        paths: language -> file.

    Raises:
        InputError: a file that is not in XQuAD-R's form, or a question without an answer; with file and id.
    """
    ids: list[str] = []
    languages: list[str] = []
    fields: dict[str, list[str]] = {"sentence": [], "context": []}
    right: dict[str, list[int]] = {}
    asked: dict[str, list[tuple[str, str, str]]] = {}
    for language, path in paths.items():
        contexts = sentences(path)
        first = []
        for number, (context, breaks) in enumerate(contexts, 1):
            first.append(len(ids))
            ids += [f"{language}_{number}_{k}" for k in range(len(breaks))]
            fields["sentence"] += [context[start:stop] for start, stop in breaks]
            fields["context"] += [context] * len(breaks)
        languages += [language] * (len(ids) - len(languages))
        asked[language] = []
        for question in read_squad(path):
            if not question.answers:
                raise InputError(f"{question.place}: no answer, so no right sentence")
            begin, breaks = first[question.paragraph], contexts[question.paragraph][1]
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


def sentences(path: pathlib.Path) -> list[tuple[str, list[tuple[int, int]]]]:
    """The context of each paragraph, with start and end of each of its sentences.

    Raises:
        InputError: the file is not in XQuAD-R's form; with file and paragraph.
    """
    found = []
    for number, paragraph in enumerate(paragraphs(path, read_json(path)), 1):
        place = f"{path}, paragraph {number}"
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
