"""Records of files in tabular formats."""

import csv
import pathlib
from collections.abc import Iterator
from typing import Any, Literal

from itt_jax.data.sources.conll import read_conll
from itt_jax.data.sources.text import read_json_lines, read_lines
from itt_jax.data.sources.values import as_text
from itt_jax.errors import InputError

FileFormat = Literal["csv", "tsv", "jsonl", "parquet", "conll", "lines", "label_text"]
Record = tuple[int, Any]
"""The number of its first line (or of the record, from 1), and a list or a mapping of its values."""


def read_records(
    path: pathlib.Path, format: FileFormat, encoding: str = "utf-8", header: bool = True, quoted: bool = True
) -> list[Record]:
    """The records of a file; see `LocalFiles` for the arguments.

    Raises:
        InputError: the file is not of that format or encoding; the error names the line.
    """
    match format:
        case "csv" | "tsv":
            return list(_delimited(path, encoding, "," if format == "csv" else "\t", header, quoted))
        case "jsonl":
            return list(_json_objects(path, encoding))
        case "parquet":
            return _parquet(path)
        case "conll":
            return [
                (sentence.line, sentence.comments | {i: as_text(column) for i, column in enumerate(sentence.columns)})
                for sentence in read_conll(path, encoding)
            ]
        case "lines":
            return [(number, [line]) for number, line in enumerate(read_lines(path, encoding), 1)]
        case "label_text":
            return [(number, line.split(" ", 1)) for number, line in enumerate(read_lines(path, encoding), 1)]


def _delimited(path: pathlib.Path, encoding: str, delimiter: str, header: bool, quoted: bool) -> Iterator[Record]:
    if quoted:
        records = _quoted(path, encoding, delimiter)
    else:
        records = ((i, line.split(delimiter)) for i, line in enumerate(read_lines(path, encoding), 1))
    names, width = None, None
    for line, values in records:
        if width is None:
            width = len(values)
            if header:
                names = values
                continue
        if len(values) != width:
            raise InputError(f"{path}, line {line}: {len(values)} columns, expected {width}")
        yield line, dict(zip(names, values, strict=True)) if names else values


def _quoted(path: pathlib.Path, encoding: str, delimiter: str) -> Iterator[Record]:
    # "\n" is restored so that csv sees quoted line feeds, and takes no other character for the end of a line
    lines = (line + "\n" for line in read_lines(path, encoding))
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), 1
    csv.field_size_limit(1 << 30)
    try:
        for values in reader:
            if values:
                yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        raise InputError(f"{path}, line {line}: {error}") from error


def _json_objects(path: pathlib.Path, encoding: str) -> Iterator[Record]:
    for line, record in read_json_lines(path, encoding):
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {line}: expected a JSON object, found {type(record).__name__}")
        yield line, record


def _parquet(path: pathlib.Path) -> list[Record]:
    import pyarrow
    import pyarrow.parquet

    try:
        records = pyarrow.parquet.read_table(path).to_pylist()
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: not a parquet file ({str(error).splitlines()[0]})") from error
    return list(enumerate(records, 1))
