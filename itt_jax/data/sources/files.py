"""LocalFiles: tables in files."""

import dataclasses
import pathlib
import typing
from typing import Literal

from itt_jax.data.sources.conll import ConllLayout, iob2, read_conll
from itt_jax.data.sources.formats import FileFormat, Record, parquet_rows, read_records
from itt_jax.data.sources.paths import resolve, spell
from itt_jax.data.sources.source import Source
from itt_jax.data.sources.values import Column, as_text, label_of, text_of
from itt_jax.data.table import Table
from itt_jax.errors import InputError, unknown
from itt_jax.reading.quoting import may_be_quoted
from itt_jax.reading.text import read_lines


@dataclasses.dataclass(frozen=True)
class LocalFiles(Source):
    """Tables in files, one row a line or record; a row's index is its number in the file, from 0.

    Attributes:
        paths: published split -> path, absolute or under the data root; "{language}" is replaced by the language.
        format: "csv", "tsv", "jsonl", "parquet"; "conll" (one token a row: a row of the task is a sentence, a column
            its tokens joined by spaces); "lines" (a line is one text, column 0); "label_text" (column 0 ends at the
            first space, column 1 is the rest). Where words are labelled (a column of CoNLL, a list), the text is a
            column of words or tokens too.
        columns: field -> column name, or zero-based position if there is no header; several are joined by a space.
        label: the column of the label; in CoNLL the column of tags, or the key of a comment line "# key = value".
        labels: published label -> class name, or None to leave its rows out. Empty: published labels are class names.
        label_paths: published split -> file with one label a line, if labels are in files of their own.
        header: csv, tsv, and conll with a delimiter: the first line names the columns.
        quoted: csv, tsv, and conll with a delimiter: values may be quoted; otherwise " is an ordinary character. None:
            values are quoted where "," or ";" separates them. A quoted value may hold line feeds, but not
            lines that look like rows of the table (an unpaired mark); in conll none. With None, a table whose every
            line would be a row if marks were ordinary is refused if a value holds line feeds: say which is meant.
        encoding: that of the files.
        scheme: "iob1" if B- marks only entities that directly follow one of their type; tags are converted to IOB2.
        delimiter: csv: what separates columns, "" for a comma. conll: "" for a tab or else blanks; with another one,
            such as ",", the file is a table, and a row without a token ends a sentence, as a blank line does.
        sentence: conll with a delimiter: the column that numbers the sentences.
        document: the column of the document that a row belongs to; an index is then DOCUMENT-ROW, and the task must
            have `documents=True`. In conll also "-DOCSTART-" or "blank lines" (two or more), or the first word of
            comments such as "# newdoc id = 3".

    Raises:
        InputError: an unknown format, or a field that does not go with the format.
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
    delimiter: str = dataclasses.field(default="", metadata={"later": True})
    sentence: str | int | None = dataclasses.field(default=None, metadata={"later": True})
    document: str | int | None = dataclasses.field(default=None, metadata={"later": True})

    def __post_init__(self):
        if self.format not in typing.get_args(FileFormat):
            raise unknown("file format", self.format, typing.get_args(FileFormat))
        if self.delimiter and self.format not in ("csv", "conll"):
            raise InputError(f"format {self.format!r} has no delimiter of choice; use format 'csv' or 'conll'")
        if len(self.delimiter) > 1 or self.delimiter in ('"', "\n", "\r"):
            raise InputError(f"delimiter {self.delimiter!r}: expected one character that separates columns")
        if self.sentence is not None and not (self.format == "conll" and self.delimiter):
            raise InputError("sentence: expected format 'conll' with a delimiter, such as ','; its rows are tokens")

    def read(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> Table:
        """A published split in one language."""
        spelling = self.spelling(language)
        path = resolve(spell(self.paths[split], spelling), data_root)
        records, lines, documents = self._records(path)

        def place(i: int) -> str:
            return f"{path}, {'row' if self.format == 'parquet' else 'line'} {records[i][0]}"

        fields = {
            field: [text_of(record, column, place(i)) for i, (_, record) in enumerate(records)]
            for field, column in self.columns.items()
        }
        labels = written = None
        if split in self.label_paths:
            label_path = resolve(spell(self.label_paths[split], spelling), data_root)
            labels = _separate_labels(label_path, len(records), path)
        elif self.label is not None:
            labels = [label_of(record, self.label, place(i)) for i, (_, record) in enumerate(records)]
            if self.scheme == "iob1":
                labels, written = [" ".join(iob2(label.split(" "))) for label in labels], labels
        indices = [str(i) for i in range(len(records))]
        if self.document is not None:
            documents = documents or [
                label_of(record, self.document, place(i)) for i, (_, record) in enumerate(records)
            ]
            if "" in documents:
                raise InputError(
                    f"{place(documents.index(''))}: column {self.document!r}: expected a document, found ''"
                )
            indices = [f"{document}-{index}" for document, index in zip(documents, indices, strict=True)]
        word_place = (lambda i, word: f"{path}, line {lines[i][word]}") if lines else None
        return Table(fields, labels, indices, place, word_place=word_place, written=written)

    def indices(self, split: str, language: str, data_root: str | pathlib.Path | None = None) -> list[str]:
        """The indices of the rows of a published split; texts and labels are not looked at."""
        if self.document is not None:
            return super().indices(split, language, data_root)
        path = resolve(spell(self.paths[split], self.spelling(language)), data_root)
        count = parquet_rows(path) if self.format == "parquet" else len(self._records(path)[0])
        return [str(i) for i in range(count)]

    def _records(self, path: pathlib.Path) -> tuple[list[Record], list[tuple[int, ...]], list[str]]:
        """The records; in conll also the lines of each one's tokens, and its document."""
        separator = self.delimiter or {"csv": ",", "tsv": "\t"}.get(self.format, "")
        if self.format != "conll":
            return read_records(path, self.format, self.encoding, self.header, self.quoted, separator), [], []
        header = bool(self.delimiter) and self.header
        token = next(iter(self.columns.values()))
        layout = ConllLayout(
            self.delimiter,
            header,
            bool(self.delimiter) and may_be_quoted(self.quoted, separator),
            token if isinstance(token, int) or (header and isinstance(token, str)) else None,
            self.label,
            self.sentence,
            self.document,
        )
        sentences = read_conll(path, self.encoding, layout)
        records: list[Record] = [
            (one.lines[0], {**one.comments, **{name: as_text(column) for name, column in one.columns.items()}})
            for one in sentences
        ]
        return records, [one.lines for one in sentences], [one.document for one in sentences]


def _separate_labels(path: pathlib.Path, rows: int, texts: pathlib.Path) -> list[str]:
    labels = [line.strip() for line in read_lines(path)]
    while labels and not labels[-1]:
        labels.pop()
    if len(labels) != rows:
        raise InputError(f"{path}: {len(labels)} labels, expected {rows}, one for each row of {texts}")
    return labels
