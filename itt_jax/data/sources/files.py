"""LocalFiles: tables in files."""

import dataclasses
import pathlib
import typing
from typing import Literal

from itt_jax.data.sources.conll import iob2
from itt_jax.data.sources.formats import FileFormat, read_records
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.text import read_lines
from itt_jax.data.sources.values import Column, label_of, text_of
from itt_jax.data.table import Table
from itt_jax.errors import InputError, unknown


@dataclasses.dataclass(frozen=True)
class LocalFiles(Source):
    """Tables in files, one row a line or record; a row's index is its number in the file, from 0.

    Attributes:
        paths: published split -> path, absolute or under the data root; "{language}" is replaced by the language.
        format: "csv", "tsv", "jsonl", "parquet"; "conll" (a row is a sentence, a column its tokens joined by spaces);
            "lines" (a line is one text, column 0); "label_text" (column 0 ends at the first space, column 1 is the
            rest). Where words are labelled (a column of CoNLL, a list), the text is a column of words or tokens too.
        columns: field -> column name, or zero-based position if there is no header; several are joined by a space.
        label: the column of the label; in CoNLL the key of a comment line "# key = value", or the column of tags.
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
        label_paths: published split -> file with one label a line, if labels are in files of their own.
        header: csv and tsv: the first line names the columns.
        quoted: csv and tsv: values may be quoted; otherwise " is an ordinary character. None: csv is quoted, tsv not.
            A quoted value may hold line feeds; in a tsv it may not hold as many tabs as whole rows do.
        encoding: that of the files.
        scheme: "iob1" if B- marks only entities that directly follow one of their type; tags are converted to IOB2.

    Raises:
        InputError: an unknown format.
    """

    paths: dict[str, str]
    format: FileFormat
    columns: dict[str, Column]
    label: str | int | None = None
    labels: dict[str, str | None] = dataclasses.field(default_factory=dict)
    label_paths: dict[str, str] = dataclasses.field(default_factory=dict)
    header: bool = True
    quoted: bool | None = None
    encoding: str = "utf-8"
    scheme: Literal["", "iob1"] = ""

    def __post_init__(self):
        if self.format not in typing.get_args(FileFormat):
            raise unknown("file format", self.format, typing.get_args(FileFormat))

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language."""
        spelling = self.spelling(language)
        path = resolve(spell(self.paths[split], spelling), data_root)
        quoted = self.format == "csv" if self.quoted is None else self.quoted
        records = read_records(path, self.format, self.encoding, self.header, quoted)
        numbers = [number for number, _ in records]

        def place(i: int) -> str:
            return f"{path}, {'row' if self.format == 'parquet' else 'line'} {numbers[i]}"

        fields = {
            field: [text_of(record, column, place(i)) for i, (_, record) in enumerate(records)]
            for field, column in self.columns.items()
        }
        labels = None
        if split in self.label_paths:
            label_path = resolve(spell(self.label_paths[split], spelling), data_root)
            labels = _separate_labels(label_path, len(records), path)
        elif self.label is not None:
            labels = [label_of(record, self.label, place(i)) for i, (_, record) in enumerate(records)]
            if self.scheme == "iob1":
                labels = [" ".join(iob2(label.split(" "))) for label in labels]
        return Table(fields, labels, [str(i) for i in range(len(records))], place)


def _separate_labels(path: pathlib.Path, rows: int, texts: pathlib.Path) -> list[str]:
    labels = [line.strip() for line in read_lines(path)]
    while labels and not labels[-1]:
        labels.pop()
    if len(labels) != rows:
        raise InputError(f"{path}: {len(labels)} labels, expected {rows}, one for each row of {texts}")
    return labels
