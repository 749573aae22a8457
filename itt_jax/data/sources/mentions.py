"""LocalMentions: Mewsli-X's mentions in context and the entities they name, and pairs of both to train on.

Texts are those of XTREME-R's `utils_mewslix.py`: a mention is its sentence with the mention in braces, after the
mention itself ("Smith: The verdict came back for { Smith } , who ..."); an entity is its description's sentences.
"""

import dataclasses
import functools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from itt_jax.data.pools import Pool
from itt_jax.data.sources.paths import resolve
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.values import member
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.ragged import Ragged
from itt_jax.reading.text import read_json_lines

_BRACES = re.compile(r"\{(.*?)\}")


@dataclasses.dataclass(frozen=True)
class LocalMentions(Source):
    """Mentions in context, with entities as candidates, in Mewsli-X's form. Field "mention".

    Attributes:
        paths: published split -> path of lines of JSON, absolute or under the data root.
        entities: path of the candidates; "" if each record is a pair of a mention and its entity, which gives fields
            "mention" and "entity".
    """

    paths: dict[str, str]
    entities: str = ""

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """The mentions in one language, with every entity as the pool; or all pairs, if there is no pool."""
        path = resolve(self.paths[split], data_root)
        if not self.entities:
            return _pairs(path)
        pool, number = _entities(resolve(self.entities, data_root))
        rows = []
        for place, record in _records(path):
            context = member(record, "context", dict, place)
            if context.get("language") != language:
                continue
            for mention in member(record, "mentions", list, place):
                if member(mention, "entity_id", str, place) not in number:
                    raise InputError(f"{place}: entity {mention['entity_id']!r:.80} is not among the candidates")
                text = mention_text(context, mention, place)
                rows.append((place, member(mention, "example_id", str, place), text, number[mention["entity_id"]]))
        return Table(
            {"mention": [text for _, _, text, _ in rows]},
            Ragged.of([[entity] for *_, entity in rows], np.int64),
            [id for _, id, _, _ in rows],
            lambda i: rows[i][0],
            pool,
        )


def _pairs(path: pathlib.Path) -> Table:
    places, mentions, entities = [], [], []
    for place, record in _records(path):
        pair = member(record, "contextual_mention", dict, place)
        parts = member(pair, "context", dict, place), member(pair, "mention", dict, place)
        places.append(place)
        mentions.append(mention_text(*parts, place))
        entities.append(entity_text(member(record, "entity", dict, place), place))
    indices = [str(i) for i in range(len(places))]
    return Table({"mention": mentions, "entity": entities}, None, indices, lambda i: places[i])


@functools.lru_cache(maxsize=1)  # a million entities, the same for every language
def _entities(path: pathlib.Path) -> tuple[Pool, dict[str, int]]:
    ids, languages, texts = [], [], []
    for place, record in _records(path):
        ids.append(member(record, "entity_id", str, place))
        languages.append(member(record, "description_language", str, place))
        texts.append(entity_text(record, place))
    return Pool(tuple(ids), tuple(languages), {"entity": texts}), {id: i for i, id in enumerate(ids)}


def _records(path: pathlib.Path) -> Iterator[tuple[str, Any]]:
    for number, record in read_json_lines(path):
        yield f"{path}, line {number}", record


def mention_text(context: dict, mention: dict, place: str) -> str:
    """A mention as a query.

    Raises:
        InputError: the context does not hold it at its place, or it is not inside one sentence.
    """
    text, span = member(context, "text", str, place), member(mention, "mention_span", dict, place)
    found = member(span, "text", str, place)
    start, end = _span(span, place)
    if text[start:end] != found or not found:
        raise InputError(
            f"{place}: mention {found!r:.80} at {start} to {end}, where the text holds {text[start:end]!r:.80}"
        )
    held = [_span(own, place) for own in member(context, "sentence_spans", list, place)]
    sentence = next(((low, high) for low, high in held if low <= start and end <= high), None)
    if sentence is None:
        raise InputError(f"{place}: mention {found!r:.80} is not inside one sentence")
    before, after = (_BRACES.sub(r"(\1)", part) for part in (text[sentence[0] : start], text[end : sentence[1]]))
    return _tidy(f"{found}: {before} {{ {found} }} {after}")


def entity_text(entity: dict, place: str) -> str:
    """An entity as a candidate."""
    description = member(entity, "description", str, place)
    spans = member(entity, "sentence_spans", list, place)
    return _tidy(" ".join(description[slice(*_span(span, place))] for span in spans))


def _span(span: Any, place: str) -> tuple[int, int]:
    start, end = member(span, "start", int, place), member(span, "end", int, place)
    if not 0 <= start <= end:
        raise InputError(f"{place}: expected a span of the text, found {start} to {end}")
    return start, end


def _tidy(text: str) -> str:
    return " ".join(text.splitlines()).replace("  ", " ").strip()
