"""LocalRecords: one JSON object of records by id, in PubMedQA's form."""

import dataclasses
import pathlib
from typing import Any, ClassVar

from itt_jax.data.sources.paths import resolve
from itt_jax.data.sources.source import Source
from itt_jax.data.table import Table
from itt_jax.errors import InputError
from itt_jax.reading.text import read_json


@dataclasses.dataclass(frozen=True)
class LocalRecords(Source):
    """Records in a JSON object, id -> record, in its order; a row's index is its id.

    The published splits are "test", the ids of a second file, and "train", all others.

    Attributes:
        path: the file of records, absolute or under the data root.
        test_ids: a JSON file with an object whose keys are the ids of split "test".
        columns: field -> member of a record: text, or a list of paragraphs, which are joined by spaces.
        label: the member with the label.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
    """

    path: str
    test_ids: str
    columns: dict[str, str]
    label: str
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    published: ClassVar[tuple[str, ...]] = ("train", "test")

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split."""
        path, test_path = resolve(self.path, data_root), resolve(self.test_ids, data_root)
        records, test_ids = _object(path), _object(test_path)
        for id in test_ids:
            if id not in records:
                raise InputError(f"{test_path}: id {id!r:.80} has no record in {path}")
        chosen = [id for id in records if (id in test_ids) == (split == "test")]
        fields = {
            field: [_text(records[id], column, f"{path}, id {id!r:.80}") for id in chosen]
            for field, column in self.columns.items()
        }
        labels = [_text(records[id], self.label, f"{path}, id {id!r:.80}") for id in chosen]
        return Table(fields, labels, chosen, lambda i: f"{path}, id {chosen[i]!r}")


def _object(path: pathlib.Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise InputError(f"{path}: expected a JSON object of records by id, found {type(found).__name__}")
    return found


def _text(record: Any, column: str, place: str) -> str:
    if not isinstance(record, dict) or column not in record:
        raise InputError(f"{place}: no column {column!r}")
    value = record[column]
    parts = value if isinstance(value, list) else [value]
    if not all(isinstance(part, str) for part in parts):
        raise InputError(f"{place}: column {column!r}: expected text or a list of texts")
    return " ".join(parts)
