"""LocalLines: one file for each field."""

import dataclasses
import pathlib

from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.reading.text import read_lines


@dataclasses.dataclass(frozen=True)
class LocalLines(Source):
    """A file for each field; line i of every file is row i, counted from 0, without a label.

    Attributes:
        paths: published split -> field -> path; "{language}" is replaced by the language.
    """

    paths: dict[str, dict[str, str]]

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language."""
        spelling = self.spelling(language)
        paths = {field: resolve(spell(path, spelling), data_root) for field, path in self.paths[split].items()}
        fields = {field: read_lines(path) for field, path in paths.items()}
        first, *others = fields
        for other in others:
            if len(fields[other]) != len(fields[first]):
                raise InputError(
                    f"{paths[other]}: {len(fields[other])} lines, expected {len(fields[first])} as in {paths[first]}"
                )
        indices = [str(i) for i in range(len(fields[first]))]
        return Table(fields, None, indices, lambda i: f"line {i + 1} of {', '.join(map(str, paths.values()))}")
