"""Records of files in tabular formats."""

import csv
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from itt_jax.errors import InputError
from itt_jax.reading.quoting import Quoting, check_names, may_be_quoted
from itt_jax.reading.text import ASCII_BLANKS, read_json_lines, read_lines

if TYPE_CHECKING:
    import pyarrow.parquet

FileFormat = Literal["csv", "tsv", "jsonl", "parquet", "conll", "lines", "label_text"]
Record = tuple[int, Any]
"""The number of its first line (or of the record, from 1), and a list or a mapping of its values."""


NO_HEADER = "; set header=False if the first line is a row"
UNPAIRED = "close its quotation mark, or set quoted=False (--no-quoted) if marks are ordinary characters"
UNDECIDED = "set quoted=True (--quoted) if marks quote values, or quoted=False (--no-quoted) if they are characters"


def read_records(
    path: pathlib.Path, format: FileFormat, encoding: str, header: bool, quoted: bool | None, delimiter: str
) -> list[Record]:
    """The records of a file in any format but "conll"; see `LocalFiles` for the arguments.

    Raises:
        InputError: the file is not of that format or encoding; the error names the line.
    """
    match format:
        case "csv" | "tsv":
            return list(_delimited(path, encoding, delimiter, header, quoted))
        case "jsonl":
            return list(_json_objects(path, encoding))
        case "parquet":
            return _parquet(path)
        case "lines":
            return [(number, [line]) for number, line in enumerate(read_lines(path, encoding), 1)]
        case "label_text":
            lines = enumerate(read_lines(path, encoding), 1)
            return [(number, line.split(" ", 1)) for number, line in lines if line.strip(ASCII_BLANKS)]
    raise ValueError(f"format {format!r}: expected one that this function reads")


def _delimited(
    path: pathlib.Path, encoding: str, delimiter: str, header: bool, quoted: bool | None
) -> Iterator[Record]:
    if may_be_quoted(quoted, delimiter):
        records = quoted_records(path, encoding, delimiter, trusted=quoted is not None)
    else:
        records = _unquoted_records(path, encoding, delimiter, trusted=quoted is not None)
    names, width, blank = None, None, None
    for line, values in records:
        if not values or (len(values) == 1 and width != 1 and not values[0].strip(" ")):
            blank = blank or line
            continue
        if width == 1 and blank:
            raise InputError(f"{path}, line {blank}: a blank line in a table of one column; remove it")
        blank = None
        if width is None:
            width = len(values)
            if header:
                names = values
                check_names(names, f"{path}, line {line}", NO_HEADER)
                continue
        if len(values) != width:
            hint = f"; the first line has no {delimiter!r}: is another delimiter meant?" if width == 1 else ""
            raise InputError(f"{path}, line {line}: {len(values)} columns, expected {width}{hint}")
        yield line, dict(zip(names, values, strict=True)) if names else values


def _unquoted_records(path: pathlib.Path, encoding: str, delimiter: str, trusted: bool) -> Iterator[Record]:
    """Lines cut at delimiters; a blank one is a record without values. Arguments and errors as `quoted_records`."""
    quoting = Quoting(delimiter, False, trusted, f"{path}, ", UNPAIRED, UNDECIDED)
    for number, line in enumerate(read_lines(path, encoding), 1):
        values = line.split(delimiter) if line else []
        quoting.record(number, [line], values)
        yield number, values


def quoted_records(path: pathlib.Path, encoding: str, delimiter: str, trusted: bool) -> Iterator[Record]:
    """Records with quoted values, which may hold line feeds; a blank line is a record without values.

    Args:
        trusted: the user says that marks quote; otherwise a table that could be read both ways is refused (`Quoting`).
    """
    lines = read_lines(path, encoding)
    # "\n" is restored so that csv sees quoted line feeds, and takes no other character for the end of a line
    reader, line = csv.reader((own + "\n" for own in lines), delimiter=delimiter, strict=True), 1
    csv.field_size_limit(1 << 30)
    quoting = Quoting(delimiter, True, trusted, f"{path}, ", UNPAIRED, UNDECIDED)
    try:
        for values in reader:
            if values:
                quoting.record(line, lines[line - 1 : reader.line_num], values)
            yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        hint = f"; {UNPAIRED}" if reader.line_num > line or "unexpected end" in str(error) else ""
        raise InputError(f"{path}, line {line}: {error}{hint}") from error
    quoting.end()


def _json_objects(path: pathlib.Path, encoding: str) -> Iterator[Record]:
    for line, record in read_json_lines(path, encoding):
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {line}: expected a JSON object, found {type(record).__name__}")
        yield line, record


def parquet_rows(path: pathlib.Path) -> int:
    """The number of rows of a parquet file, from its footer. Raises as `read_records`."""
    return _opened_parquet(path, lambda file: file.metadata.num_rows)


def _parquet(path: pathlib.Path) -> list[Record]:
    def records(file: "pyarrow.parquet.ParquetFile") -> list[Record]:
        table = file.read()
        check_names(table.column_names, f"{path}")
        return list(enumerate(table.to_pylist(), 1))

    return _opened_parquet(path, records)


def _opened_parquet(path: pathlib.Path, read: Callable[["pyarrow.parquet.ParquetFile"], Any]) -> Any:
    import pyarrow
    import pyarrow.parquet

    if not path.is_file():  # `read_table` would join the files of a folder, and make columns of names like "a=b"
        raise InputError(f"{path}: expected a file")
    try:
        return read(pyarrow.parquet.ParquetFile(path))
    except InputError:
        raise
    except (pyarrow.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise InputError(f"{path}: not a parquet file ({type(error).__name__}: {error!s:.200})") from error
