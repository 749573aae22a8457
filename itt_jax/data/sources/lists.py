"""LocalLists: one JSON object of lists of records, in AdvGLUE's form."""

import dataclasses
import pathlib

from itt_jax.data.sources.paths import resolve
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import InputError, listed
from itt_jax.reading.text import read_json


@dataclasses.dataclass(frozen=True)
class LocalLists(Source):
    """Records in a list, which is a member of a JSON object; a row's index is its number in the list, from 0.

    Attributes:
        paths: published split -> path, absolute or under the data root.
        member: name of the list.
        columns: field -> member of a record, a text.
        label: the member with the label, a text or an integer.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
    """

    paths: dict[str, str]
    member: str
    columns: dict[str, str]
    label: str
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split."""
        path = resolve(self.paths[split], data_root)
        content = read_json(path)
        if not isinstance(content, dict):
            raise InputError(f"{path}: expected a JSON object of lists by name, found {type(content).__name__}")
        if not isinstance(content.get(self.member), list):
            raise InputError(f"{path}: no list {self.member!r}; its members are {listed(content)}")
        records = content[self.member]
        rows = [self._row(path, number, record) for number, record in enumerate(records)]
        fields = {field: [row[k] for row in rows] for k, field in enumerate(self.columns)}
        labels = [row[-1] for row in rows]
        indices = [str(number) for number in range(len(rows))]
        return Table(fields, labels, indices, lambda i: f"{path}, {self.member}[{i}]")

    def _row(self, path: pathlib.Path, number: int, record: object) -> list[str]:
        """Texts and label of a record."""
        place = f"{path}, {self.member}[{number}]"
        if not isinstance(record, dict):
            raise InputError(f"{place}: expected an object, found {type(record).__name__}")
        found = []
        for column, kinds in [*((own, (str,)) for own in self.columns.values()), (self.label, (str, int))]:
            if column not in record:
                raise InputError(f"{place}: no column {column!r}")
            if type(record[column]) not in kinds:
                raise InputError(f"{place}: column {column!r}: found {record[column]!r:.80}, expected text")
            found.append(str(record[column]))
        return found
