"""Records of files in tabular formats."""

import csv
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from itt_jax.data.sources.text import ASCII_BLANKS, read_json_lines, read_lines, repeated
from itt_jax.errors import InputError

if TYPE_CHECKING:
    import pyarrow.parquet

FileFormat = Literal["csv", "tsv", "jsonl", "parquet", "conll", "lines", "label_text"]
Record = tuple[int, Any]
"""The number of its first line (or of the record, from 1), and a list or a mapping of its values."""


NO_HEADER = "; set header=False if the first line is a row"
UNPAIRED = "close its quotation mark, or set quoted=False if marks are ordinary characters"


def read_records(
    path: pathlib.Path, format: FileFormat, encoding: str, header: bool, quoted: bool, delimiter: str
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


def _delimited(path: pathlib.Path, encoding: str, delimiter: str, header: bool, quoted: bool) -> Iterator[Record]:
    if quoted:
        records = quoted_records(path, encoding, delimiter)
    else:
        lines = enumerate(read_lines(path, encoding), 1)
        records = ((i, line.split(delimiter) if line else []) for i, line in lines)
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


def quoted_records(path: pathlib.Path, encoding: str, delimiter: str) -> Iterator[Record]:
    """Records with quoted values, which may hold line feeds; a blank line is a record without values.

    An unpaired quotation mark that begins a value takes in the rows up to the next one. Such a value is refused: it
    holds as many tabs as those rows have or, as commas are frequent in text, is made of lines that are rows.
    """
    # "\n" is restored so that csv sees quoted line feeds, and takes no other character for the end of a line
    lines = (line + "\n" for line in read_lines(path, encoding))
    reader, line = csv.reader(lines, delimiter=delimiter, strict=True), 1
    csv.field_size_limit(1 << 30)
    try:
        for values in reader:
            if reader.line_num > line and any(_takes_in_rows(values, i, delimiter) for i in range(len(values))):
                looks = "" if delimiter == "\t" else ", and its lines look like rows"
                raise InputError(
                    f"{path}, line {line}: a quoted value goes on to line {reader.line_num}{looks}; {UNPAIRED}"
                )
            yield line, values
            line = reader.line_num + 1
    except csv.Error as error:
        hint = f"; {UNPAIRED}" if reader.line_num > line or "unexpected end" in str(error) else ""
        raise InputError(f"{path}, line {line}: {error}{hint}") from error


def _takes_in_rows(values: list[str], position: int, delimiter: str) -> bool:
    """Whether the quoted value at `position` seems to hold the end of one row, whole rows, and the start of another."""
    value, width = values[position], len(values)
    if "\n" not in value:
        return False
    if delimiter == "\t":
        return value.count("\t") >= value.count("\n") * (width - 1)
    if width == 1:
        return False
    first, *whole, last = value.split("\n")
    rows = [[""] * position + first.split(delimiter), last.split(delimiter) + [""] * (width - 1 - position)]
    between = [line.split(delimiter) for line in whole if line]
    return all(len(row) == width and _is_like(row, values, position, bool(between)) for row in [*rows, *between])


def _is_like(row: list[str], values: list[str], position: int, several: bool) -> bool:
    """Whether a line is no text with commas: blanks follow none, and are in no label, unless so in `values`.

    Where there are several lines with the commas of a row, a label may have blanks.
    """
    others = [i for i in range(len(row)) if i != position]
    labels = several or all(" " not in row[i] or " " in values[i] for i in others)
    return labels and not any(part[:1] == " " != value[:1] for part, value in zip(row, values, strict=True))


def check_names(names: Iterable[str], place: str, hint: str = "") -> None:
    """Raises InputError if two columns have the same name, other than none."""
    twice = repeated(name for name in names if name)
    if twice is not None:
        raise InputError(f"{place}: column {twice!r:.80} occurs twice{hint}")


def _json_objects(path: pathlib.Path, encoding: str) -> Iterator[Record]:
    for line, record in read_json_lines(path, encoding):
        if not isinstance(record, dict):
            raise InputError(f"{path}, line {line}: expected a JSON object, found {type(record).__name__}")
        yield line, record


def parquet_rows(path: pathlib.Path) -> int:
    """The number of rows of a parquet file, which its footer says. Raises as `read_records`."""
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
