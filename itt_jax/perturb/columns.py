"""Perturbs one column of a table, in a file or pipe of any size; everything else keeps its bytes."""

import collections
import functools
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from itt_jax.errors import InputError, listed, unknown
from itt_jax.perturb.engine import check_operator, check_severity, stream
from itt_jax.perturb.filter import decoded_lines, opened
from itt_jax.perturb.text import check_text
from itt_jax.reading.quoting import Quoting, check_names, may_be_quoted
from itt_jax.reading.text import repeated

TableFormat = Literal["csv", "tsv", "jsonl"]
FORMATS: tuple[TableFormat, ...] = ("csv", "tsv", "jsonl")
_FORBIDDEN = re.compile("[\0\ud800-\udfff]")
_BLANKS = " \t\r\n"
UNPAIRED = "close its quotation mark, or give --no-quoted if marks are ordinary characters"
UNDECIDED = "give --quoted if marks quote values, or --no-quoted if they are ordinary characters"


class _Value(NamedTuple):
    """A value in a record: the text around it, its text as written and as meant, and the number of its line."""

    before: str
    written: str
    text: str
    after: str
    line: int


def perturb_column(
    source: pathlib.Path | None,
    out: pathlib.Path | None,
    column: str,
    *,
    name: str,
    severity: float,
    language: str,
    seed: int = 0,
    lexicon: pathlib.Path | None = None,
    format: TableFormat | None = None,
    delimiter: str | None = None,
    quoted: bool | None = None,
) -> None:
    """Perturbs a column of `source` (None: standard input) and writes the table to `out` (None: standard output).

    Row number k has item id "k"; a header is not counted. An output file is written completely or not at all.

    Args:
        format: None takes it from the name of `source`. The first line of a csv or tsv names the columns.
        delimiter: what separates the columns of a csv; None: a comma.
        quoted: whether values of a csv or tsv may be quoted. None: where "," or ";" separates them, and a table
            whose lines leave it open is refused (`reading.quoting`).

    Raises:
        InputError: as `perturb`; the format is unknown, a line is not of that format or not UTF-8, the column is
            missing, or the perturbed text cannot be written in a tsv.
    """
    _, found = check_operator(name, language, lexicon)
    check_severity(severity)
    format = _format(source, format)
    if quoted is not None and format == "jsonl":
        raise InputError("--quoted goes with --format csv or tsv")
    if delimiter is not None and format != "csv":
        raise InputError("--delimiter goes with --format csv")
    delimiter = delimiter or ("," if format == "csv" else "\t")
    may_be = may_be_quoted(quoted, delimiter)
    as_value = functools.partial(_as_quoted if may_be else _as_plain, delimiter)
    encode = _as_json if format == "jsonl" else as_value
    quoting = Quoting(delimiter, may_be, quoted is not None, "", UNPAIRED, UNDECIDED)
    waiting: collections.deque[_Value] = collections.deque()
    with opened(source, sys.stdin.buffer, "rb") as lines, opened(out, sys.stdout.buffer, "wb") as file:
        try:
            texts = _texts(_values(decoded_lines(lines), format, column, delimiter, quoting), waiting)
            for text in stream(texts, name, severity, language, seed, lexicon=found):
                value = waiting.popleft()
                written = value.written if text == value.text else encode(value, text)
                file.write((value.before + written + value.after).encode())
            file.write("".join(value.before for value in waiting).encode())
            file.flush()
        except InputError as error:
            raise InputError(f"{source or 'standard input'}: {error}") from error


def _format(source: pathlib.Path | None, given: str | None) -> TableFormat:
    found = given or (source.suffix[1:].lower() if source else "")
    if found in FORMATS:
        return found
    if given:
        raise unknown("format", given, FORMATS)
    raise InputError(f"--column needs --format ({listed(FORMATS)}), or an --in file whose name ends so")


def _texts(values: Iterable[_Value], waiting: collections.deque[_Value]) -> Iterator[str]:
    """The texts to perturb; the values that hold them are appended to `waiting`."""
    for value in values:
        waiting.append(value)
        if value.line:
            if _FORBIDDEN.search(value.text):
                check_text(value.text, value.line)
            yield value.text


def _values(
    lines: Iterator[str], format: TableFormat, column: str, delimiter: str, quoting: Quoting
) -> Iterator[_Value]:
    """The value of each row; the last one, at line 0, has the text after the last row alone."""
    numbered = enumerate(lines, 1)
    rows = _members(numbered, column) if format == "jsonl" else _cells(numbered, column, delimiter, quoting)
    aside = ""  # header and blank lines
    for value in rows:
        if value.line:
            yield value._replace(before=aside + value.before)
            aside = ""
        else:
            aside += value.before
    yield _Value(aside, "", "", "", 0)


def _cells(lines: Iterator[tuple[int, str]], column: str, delimiter: str, quoting: Quoting) -> Iterator[_Value]:
    """The cells of a column of a csv or tsv, and what is no row as a value at line 0."""
    position, width, quoted = -1, 0, quoting.quoted
    for number, line in lines:
        if not line.strip(" \r\n\ufeff"):
            yield _Value(line, "", "", "", 0)
            continue
        row, spans = _cut(number, line, lines, delimiter, quoted)
        values = [_meant(row[a:b], quoted) for a, b in spans]
        quoting.record(number, row.removesuffix("\n").split("\n"), values)
        if position < 0:
            check_names(values, f"line {number}")
            if column not in values:
                raise InputError(f"line {number}: no column {column!r}; the columns are {listed(values):.500}")
            position, width = values.index(column), len(values)
            yield _Value(row, "", "", "", 0)
            continue
        if len(spans) != width:
            raise InputError(f"line {number}: {len(spans)} columns, expected {width}")
        start, stop = spans[position]
        yield _Value(row[:start], row[start:stop], values[position], row[stop:], number)
    if position < 0:
        raise InputError(f"no column {column!r}: found no line, expected one that names the columns")
    quoting.end()


def _cut(
    number: int, line: str, lines: Iterator[tuple[int, str]], delimiter: str, quoted: bool
) -> tuple[str, list[tuple[int, int]]]:
    """A row, with further lines if a quoted value goes on there, and where each of its values is."""
    spans, start = [], int(line.startswith("\ufeff"))
    while True:
        if quoted and line.startswith('"', start):
            stop = start + 1
            while (close := line.find('"', stop)) < 0 or line.startswith('"', close + 1):
                stop = close + 2
                if close < 0:
                    stop, (_, more) = len(line), next(lines, (0, ""))
                    if not more:
                        raise InputError(f"line {number}: a quoted value does not end; {UNPAIRED}")
                    line += more
            stop = close + 1
        else:
            stop = line.find(delimiter, start)
            stop = len(line.rstrip("\n").removesuffix("\r")) if stop < 0 else stop
        spans.append((start, stop))
        if not line.startswith(delimiter, stop):
            break
        start = stop + 1
    if line[stop:] not in ("", "\n", "\r\n"):
        raise InputError(
            f"line {number}: found {line[stop : stop + 20]!r} after a quoted value, expected {delimiter!r}"
        )
    return line, spans


def _meant(written: str, quoted: bool) -> str:
    return written[1:-1].replace('""', '"') if quoted and written.startswith('"') else written


def _members(lines: Iterator[tuple[int, str]], column: str) -> Iterator[_Value]:
    """The members of that name of JSON objects, one a line, and blank lines as a value at line 0."""
    for number, line in lines:
        if not line.strip(_BLANKS + "\ufeff"):
            yield _Value(line, "", "", "", 0)
            continue
        members = _object(line, number)
        names = [name for name, *_ in members]
        if (twice := repeated(names)) is not None:
            raise InputError(f"line {number}: {twice!r:.80} occurs twice")
        if column not in names:
            raise InputError(f"line {number}: no column {column!r}; the columns are {listed(names):.500}")
        _, value, start, stop = members[names.index(column)]
        if not isinstance(value, str):
            raise InputError(f"line {number}: column {column!r}: expected text, found {value!r:.80}")
        yield _Value(line[:start], line[start:stop], value, line[stop:], number)


def _object(line: str, number: int) -> list[tuple[str, Any, int, int]]:
    """The members of a JSON object: name, value, and where the value begins and ends in the line."""
    decoder, members = json.JSONDecoder(), []

    def expect(characters: str, at: int) -> int:
        at = _skip(line, at)
        if at >= len(line) or line[at] not in characters:
            raise InputError(f"line {number}, character {at + 1}: not a JSON object; expected one of {characters}")
        return at

    try:
        at = _skip(line, expect("{", int(line.startswith("\ufeff"))) + 1)
        while line[at] != "}":
            name, at = decoder.raw_decode(line, expect('"', at))
            start = _skip(line, expect(":", at) + 1)
            value, at = decoder.raw_decode(line, start)
            members.append((name, value, start, at))
            at = expect(",}", at)
            if line[at] == ",":
                at = expect('"', at + 1)
    except (ValueError, RecursionError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"line {number}: not JSON ({error!s:.100})") from error
    if line[at + 1 :].strip(_BLANKS):
        raise InputError(f"line {number}: found {line[at + 1 : at + 21]!r} after a JSON object")
    return members


def _skip(line: str, at: int) -> int:
    """The first position from `at` that holds no blank."""
    while at < len(line) and line[at] in _BLANKS:
        at += 1
    return at


def _as_quoted(delimiter: str, value: _Value, text: str) -> str:
    """A text as a value that may be quoted: it is where the old one was, or where it must be."""
    quote = value.written.startswith('"') or any(mark in text for mark in f',\t"\r\n{delimiter}')
    return '"{}"'.format(text.replace('"', '""')) if quote else text


def _as_plain(delimiter: str, value: _Value, text: str) -> str:
    """A text as a value of a table without quotation marks."""
    if any(mark in text for mark in f"{delimiter}\r\n"):
        between = "tab" if delimiter == "\t" else repr(delimiter)
        raise InputError(
            f"line {value.line}: the perturbed text holds a {between} or line break, which the table holds only with "
            "--quoted"
        )
    return text


def _as_json(value: _Value, text: str) -> str:
    """A text as a JSON string, with other characters than ASCII escaped if the old one had them so."""
    return json.dumps(text, ensure_ascii=value.written.isascii() and not value.text.isascii())
