"""LocalXmi: annotated documents in UIMA's XMI form, as WebAnno writes them (text, tokens, sentences, entity spans)."""

import dataclasses
import itertools
import pathlib
import xml.etree.ElementTree
from collections.abc import Iterable, Sequence
from typing import ClassVar

from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.values import as_text
from itt_jax.data.table import Table
from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class LocalXmi(Source):
    """Documents in XMI form, one a file; a row is a sentence with IOB2 tags. Field "text".

    The only published split is "all"; a row's index is DOCUMENT-SENTENCE, the sentence counted from 0.

    Attributes:
        path: the folder of the files; "{language}" is replaced by the language.
        entities: name of an element with an entity's span -> the entity's type.
    """

    path: str
    entities: dict[str, str]
    published: ClassVar[tuple[str, ...]] = ("all",)

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """All sentences in one language."""
        folder = resolve(spell(self.path, self.spelling(language)), data_root)
        texts, labels, indices, places = [], [], [], []
        for path in sorted(folder.glob("*.xml")):
            text, spans = _document(path)
            entities = [
                (begin, stop, kind) for name, kind in self.entities.items() for begin, stop in spans.get(name, ())
            ]
            tokens = sorted(spans.get("Token", ()))
            for number, (begin, stop) in enumerate(sorted(spans.get("Sentence", ()))):
                own = [token for token in tokens if begin <= token[0] and token[1] <= stop]
                if own:
                    texts.append(as_text([text[a:b] for a, b in own]))
                    labels.append(" ".join(tags(own, entities)))
                    indices.append(f"{path.stem}-{number}")
                    places.append(f"{path}, sentence {number + 1}")
        return Table({"text": texts}, labels, indices, lambda i: places[i])


def tags(tokens: list[tuple[int, int]], entities: Iterable[tuple[int, int, str]]) -> list[str]:
    """IOB2 tags of tokens (begin, end), given entities (begin, end, type).

    A token belongs to an entity if it is inside it. Of overlapping entities the longest counts, of equally long ones
    the first.

    >>> tags([(0, 3), (4, 9), (10, 12)], [(0, 9, "X"), (4, 9, "Y")])
    ['B-X', 'I-X', 'O']
    """
    found = ["O"] * len(tokens)
    for begin, stop, kind in sorted(entities, key=lambda entity: (entity[0] - entity[1], entity)):
        inside = [i for i, (a, b) in enumerate(tokens) if begin <= a and b <= stop]
        if inside and all(found[i] == "O" for i in inside):
            for i in inside:
                found[i] = f"I-{kind}"
            found[inside[0]] = f"B-{kind}"
    return found


def _document(path: pathlib.Path) -> tuple[str, dict[str, list[tuple[int, int]]]]:
    """The text of a document, and the spans of its elements by name, in codepoints."""
    try:
        root = xml.etree.ElementTree.parse(path).getroot()
        views = [element.attrib["sofaString"] for element in root if element.tag.endswith("}Sofa")]
        spans = [
            (element.tag.rpartition("}")[2], int(element.attrib["begin"]), int(element.attrib["end"]))
            for element in root
            if "begin" in element.attrib and "end" in element.attrib
        ]
    except (xml.etree.ElementTree.ParseError, OSError, LookupError, ValueError) as error:
        raise InputError(f"{path}: not a document in XMI form ({type(error).__name__}: {error!s:.200})") from error
    if len(views) != 1:
        raise InputError(f"{path}: {len(views)} texts, expected 1")
    codepoint = _codepoints(views[0])
    for name, begin, stop in spans:
        if not 0 <= begin <= stop < len(codepoint):
            size = len(codepoint) - 1
            raise InputError(f"{path}: {name} from {begin} to {stop} is outside the text of {size} UTF-16 units")
    by_name = itertools.groupby(sorted(spans), key=lambda span: span[0])
    return views[0], {name: [(codepoint[begin], codepoint[stop]) for _, begin, stop in own] for name, own in by_name}


def _codepoints(text: str) -> Sequence[int]:
    """Position in UTF-16 code units, in which UIMA counts -> position in codepoints.

    >>> _codepoints("a\N{GRINNING FACE}b")
    [0, 1, 1, 2, 3]
    """
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    return [*(i for i, character in enumerate(text) for _ in range(1 + (character > "\uffff"))), len(text)]
