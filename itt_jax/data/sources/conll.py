"""Files with one token a row (CoNLL, CoNLL-U, tables of tokens and tags), and their schemes of tags."""

import dataclasses
import itertools
import pathlib
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from itt_jax.data.sources.formats import NO_HEADER, UNPAIRED, quoted_records
from itt_jax.errors import InputError
from itt_jax.reading.quoting import check_names
from itt_jax.reading.text import read_lines

DOCSTART, BLANK_LINES = "-DOCSTART-", "blank lines"
_BLANKS = re.compile("[ \t]+")
_COMMENT = re.compile(r"#[ ]*([^ ]+(?: id)?)[ ]+=[ ]?(.*)$")
_RANGE = re.compile("[0-9]+[-.][0-9]+")
_NO_TOKEN = frozenset(("", "#", "-", " ", "\t"))
"""Lines that begin with another character than these are tokens."""
Column = str | int


@dataclasses.dataclass(frozen=True)
class ConllLayout:
    """How tokens are written; a column is a name if there is a header, otherwise a zero-based position.

    Attributes:
        delimiter: between columns; "" is a tab if the first token's line has one, otherwise blanks.
        header: the first row names the columns. quoted: values may be quoted.
        token, tag: columns of a token (None: not known; column 0 is never empty) and of its tag. With a delimiter, a
            row without a token whose tag is "O" or empty ends a sentence, as a blank line does.
        sentence: column that numbers the sentences: another value begins one, an empty value continues it.
        document: what begins a document: "-DOCSTART-" lines; "blank lines", two or more; another value in a column; or
            a comment such as "# newdoc id = 3", by its first word. None: documents are not distinguished.
    """

    delimiter: str = ""
    header: bool = False
    quoted: bool = False
    token: Column | None = None
    tag: Column | None = None
    sentence: Column | None = None
    document: Column | None = None


@dataclasses.dataclass(frozen=True)
class Sentence:
    """A sentence.

    Attributes:
        lines: the number of each token's line.
        columns: name or position of a column -> its value for each token.
        comments: its "# key = value" lines.
        document: id of its document; "" if documents are not distinguished.
    """

    lines: tuple[int, ...]
    columns: dict[Column, list[str]]
    comments: dict[str, str]
    document: str


Row = tuple[int, str, list[str]]
"""The number of a row's line, the line as written ("" for several quoted values), and its values."""


class _Block(NamedTuple):
    """Token rows between blank lines, the comments above them, and the id of the last marked document."""

    rows: list[Row]
    comments: dict[str, str]
    document: str


class _Positions(NamedTuple):
    """Positions of columns."""

    token: int
    tag: int | None
    sentence: int | None
    document: int | None


def read_conll(path: pathlib.Path, encoding: str = "utf-8", layout: ConllLayout | None = None) -> list[Sentence]:
    """The sentences of a file with one token a row and blank lines between sentences.

    Only U+0020 and tabs are blanks: U+00A0 and U+3000 are parts of words. -DOCSTART- lines, and the multi-word ranges
    (1-2) and empty nodes (1.1) of CoNLL-U (where column 0 is not the token), are left out.

    Raises:
        InputError: a row has another number of columns than the first one, or an empty token or tag; a column is
            missing; nothing in the file marks documents.
    """
    layout = layout or ConllLayout()
    rows, separator = _rows(path, encoding, layout)
    names: list[str] = []
    if layout.header:
        number, names = next(((number, values) for number, _, values in rows if any(values)), (1, []))
        if not names:
            return []
        check_names(names, f"{path}, line {number}", NO_HEADER)
    positions = _positions(path, layout, names)
    width = len(names)
    sentences: list[Sentence] = []
    for block in _blocks(path, rows, separator, layout, positions):
        width = width or len(block.rows[0][2])
        keys = names or range(width)
        _check(path, block.rows, keys, positions)
        own = block.rows
        if not names and width == 10 and layout.token != 0:  # CoNLL-U; where tokens come first, 3-4 is a token
            own = [row for row in block.rows if not _RANGE.fullmatch(row[2][0])]
        for document, parts in _sentences(block, own, positions):
            numbers, _, values = zip(*parts, strict=True)
            columns: dict[Column, list[str]] = dict(zip(keys, map(list, zip(*values, strict=True)), strict=True))
            sentences.append(Sentence(numbers, columns, block.comments, document))
    return sentences


def _rows(path: pathlib.Path, encoding: str, layout: ConllLayout) -> tuple[Iterator[Row], str]:
    """All rows, blank ones and comments too, and the separator of their columns, "" if it is blanks."""
    if layout.quoted:
        return _quoted(path, encoding, layout.delimiter), layout.delimiter
    lines = read_lines(path, encoding)
    separator = layout.delimiter or ("\t" if _separated_by_tabs(lines) else "")
    if separator:
        return ((number, line, line.split(separator)) for number, line in enumerate(lines, 1)), separator
    return ((number, line, _BLANKS.split(line.strip(" \t"))) for number, line in enumerate(lines, 1)), separator


def _quoted(path: pathlib.Path, encoding: str, delimiter: str) -> Iterator[Row]:
    for number, values in quoted_records(path, encoding, delimiter, trusted=True):
        if any("\n" in value for value in values):
            raise InputError(f"{path}, line {number}: a quoted value goes on to the next line; {UNPAIRED}")
        yield number, values[0] if len(values) == 1 else "", values


def _separated_by_tabs(lines: list[str]) -> bool:
    """Whether columns are separated by tabs, as the first line that is certainly a token shows."""
    tokens = (line for line in lines if line.strip(" \t") and not line.startswith(("#", DOCSTART)))
    first = next(tokens, None)
    return any("\t" in line for line in lines) if first is None else "\t" in first


def _positions(path: pathlib.Path, layout: ConllLayout, names: list[str]) -> _Positions:
    """Where the columns are; a tag or document that is not a column (without a header, any name) has none."""

    def position(column: Column | None, needed: bool = True) -> int | None:
        """Where a column is: a name is looked up in the header, and a number is the position in a file without one."""
        if not names:
            return column if isinstance(column, int) else None
        if column is None or (column not in names and not needed):
            return None
        if column not in names:
            numbered = "; positions are of files without a header (header=False)" if isinstance(column, int) else ""
            raise InputError(f"{path}: no column {column!r}; the columns are {', '.join(names):.500}{numbered}")
        return names.index(column)

    token = 0 if layout.token is None and not names else position(layout.token)
    if token is None or (layout.sentence is not None and position(layout.sentence) is None):
        name = layout.token if token is None else layout.sentence
        raise InputError(f"{path}: column {name!r}: the file has no header; expected a position, such as 0")
    return _Positions(token, position(layout.tag), position(layout.sentence), position(layout.document, needed=False))


class _Documents:
    """The document that a line is in, by the marks that begin documents."""

    def __init__(self, mark: Column | None):
        self.mark = mark
        self.count = int(mark == BLANK_LINES)  # no mark is above the first one
        self.id = "" if mark is None else str(self.count)
        pattern = rf"#[ ]*{re.escape(mark)}(?:[ ]+id)?[ ]*(?:=[ ]*(.*))?$" if isinstance(mark, str) else "(?!)"
        self.comment = re.compile(pattern)

    def begins(self, line: str, blanks: int = 0) -> bool:
        """Whether a line that is not a token begins a document, after `blanks` blank lines."""
        if self.mark is None:
            return False
        if self.mark == DOCSTART:
            given, begins = None, line.startswith(DOCSTART)
        elif self.mark == BLANK_LINES:
            given, begins = None, blanks == 2
        else:
            comment = self.comment.match(line)
            given, begins = comment and comment[1], comment is not None
        if begins:
            self.count += 1
            self.id = given or str(self.count)
        return begins


def _blocks(
    path: pathlib.Path, rows: Iterator[Row], separator: str, layout: ConllLayout, positions: _Positions
) -> Iterator[_Block]:
    """The token rows between two ends of sentences."""
    own: list[Row] = []
    comments: dict[str, str] = {}
    documents, blanks = _Documents(layout.document if positions.document is None else None), 0
    for row in itertools.chain(rows, [(0, "", [])]):
        _, line, values = row
        if not layout.delimiter and line[:1] not in _NO_TOKEN:
            own.append(row)
            blanks = 0
        elif _is_end(values, layout, positions):
            if own:
                yield _Block(own, comments, documents.id)
            own, comments, blanks = [], {}, blanks + 1
            documents.begins(line or "".join(values[:1]), blanks)
        elif line[:1] == "#" and _is_comment(line, separator, documents):
            before = documents.id
            if documents.begins(line) and own:
                yield _Block(own, comments, before)
                own, comments = [], {}
            comment = _COMMENT.match(line)
            comments |= {comment[1]: comment[2]} if comment else {}
        else:
            own.append(row)
            blanks = 0
    if documents.mark is not None and not documents.count:
        raise InputError(
            f"{path}: document={documents.mark!r}: no such column, and no such mark of a document in the file"
        )


def _is_end(values: list[str], layout: ConllLayout, positions: _Positions) -> bool:
    if not any(value.strip(" \t") for value in values) or values[0].startswith(DOCSTART):
        return True
    if layout.delimiter and len(values) > positions.token and not values[positions.token]:
        return positions.tag is None or positions.tag >= len(values) or values[positions.tag] in ("", "O")
    return False


def _is_comment(line: str, separator: str, documents: _Documents) -> bool:
    return documents.comment.match(line) is not None or (
        separator not in line if separator else _COMMENT.match(line) is not None
    )


def _check(path: pathlib.Path, rows: list[Row], keys: Sequence[Column], positions: _Positions) -> None:
    """Raises InputError for a wrong number of columns, a missing one, or an empty token or tag."""
    for position in positions:
        if position is not None and position >= len(keys):
            number, line, _ = rows[0]
            other = next((mark for mark in ",;" if mark in line), None)
            hint = f"; set delimiter={other!r} if it separates them" if other and len(keys) == 1 else ""
            known = f"the columns are 0 to {len(keys) - 1}{hint}"
            raise InputError(f"{path}, line {number}: no column {position}; {known}")
    needed = [position for position in (positions.token, positions.tag) if position is not None]
    for number, _, values in rows:
        if len(values) != len(keys):
            raise InputError(f"{path}, line {number}: {len(values)} columns, expected {len(keys)}")
        for position in needed:
            if not values[position]:
                raise InputError(f"{path}, line {number}: column {keys[position]!r} is empty")


def _sentences(block: _Block, rows: list[Row], positions: _Positions) -> Iterator[tuple[str, list[Row]]]:
    """The document and the rows of each sentence of a block."""
    columns = [position for position in (positions.document, positions.sentence) if position is not None]
    last: list[str] = [""] * len(columns)
    own: list[Row] = []

    def document() -> str:
        return block.document if positions.document is None else last[0]

    for row in rows if columns else ():
        values = [row[2][position] or before for position, before in zip(columns, last, strict=True)]
        if values != last and own:
            yield document(), own
            own = []
        last = values
        own.append(row)
    if own or (rows and not columns):
        yield document(), own or rows


def iob2(tags: Sequence[str]) -> list[str]:
    """IOB1 tags (B- only where an entity directly follows another of its type) as IOB2 (B- begins every entity).

    >>> iob2(["I-X", "I-X", "O", "I-X", "B-X"])
    ['B-X', 'I-X', 'O', 'B-X', 'B-X']
    """
    found = []
    for before, tag in zip(["O", *tags], tags, strict=False):
        begins = tag.startswith("I-") and before[1:] != tag[1:]
        found.append(f"B{tag[1:]}" if begins else tag)
    return found
