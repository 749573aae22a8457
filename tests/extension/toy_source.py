"""A source: lines with a label in brackets."""

import dataclasses
import re

from itt_jax.data.sources import Source, Table
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.errors import InputError
from itt_jax.reading.text import read_lines


@dataclasses.dataclass(frozen=True)
class LocalProverbs(Source):
    """Lines of a text and its label in brackets: "Practice makes perfect. [good]". Field "text".

    Attributes:
        paths: published split -> path; "{language}" is replaced by the language.
    """

    paths: dict[str, str]

    def read(self, split, language, data_root=None) -> Table:
        """A published split in one language."""
        path = resolve(spell(self.paths[split], self.spelling(language)), data_root)
        texts, labels = [], []
        for number, line in enumerate(read_lines(path), 1):
            found = re.fullmatch(r"(.+) \[(\w+)\]", line)
            if not found:
                raise InputError(f"{path}, line {number}: expected a text and its label in brackets")
            texts.append(found[1])
            labels.append(found[2])
        indices = [str(i) for i in range(len(texts))]
        return Table({"text": texts}, labels, indices, place=lambda i: f"{path}, line {i + 1}")
