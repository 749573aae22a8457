"""LocalDocuments: documents of sentences, with tags in files of their own."""

import dataclasses
import pathlib
from typing import ClassVar

from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.reading.text import read_lines


@dataclasses.dataclass(frozen=True)
class LocalDocuments(Source):
    """Documents with one sentence a line, and files with the tags of each line; a row is a sentence. Field "text".

    A row's index is DOCUMENT-LINE, the line counted from 0.

    Attributes:
        texts, tags: folders with files of the same names; "{language}" is replaced by the language.
        lists: published split -> files that each name one document a line.
        flags: the tags that make a line flagged.
        flagged, plain: class names of flagged lines and of all others.
    """

    texts: str
    tags: str
    lists: dict[str, tuple[str, ...]]
    flags: tuple[str, ...]
    flagged: str
    plain: str
    splits_in: ClassVar[str] = "lists"

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """The sentences of the documents of a split."""
        spelling = self.spelling(language)
        documents = [name for path in self.lists[split] for name in read_lines(resolve(path, data_root)) if name]
        texts: list[str] = []
        labels: list[str] = []
        places: list[tuple[pathlib.Path, int]] = []
        for document in documents:
            path = resolve(f"{spell(self.texts, spelling)}/{document}", data_root)
            tag_path = resolve(f"{spell(self.tags, spelling)}/{document}", data_root)
            lines, tags = read_lines(path), read_lines(tag_path)
            if len(lines) != len(tags):
                raise InputError(f"{tag_path}: {len(tags)} lines, expected {len(lines)}, one for each of {path}")
            texts += lines
            labels += [self.flagged if set(self.flags) & set(line.split()) else self.plain for line in tags]
            places += [(path, i) for i in range(len(lines))]
        indices = [f"{path.stem}-{i}" for path, i in places]
        return Table({"text": texts}, labels, indices, lambda i: f"{places[i][0]}, line {places[i][1] + 1}")
