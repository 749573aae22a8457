"""Whether the quotation marks of a table quote its values or are letters of its text.

A quoted value may hold line feeds. So an unpaired mark that begins a value takes in all rows up to a mark that ends
one, and nothing in the format distinguishes them from a text of several lines. It is known, however, whether the lines
would be rows if marks were letters. If every line would be, both readings are possible, and the table is refused until
the user says which is meant. So is a table whose marks are read as letters although a value looks quoted.
"""

import re
from collections.abc import Iterable, Sequence

from itt_jax.errors import InputError
from itt_jax.reading.text import repeated

_QUOTED = re.compile('"[^"]*(""[^"]*)+"')
"""A value with marks as quoting writes them."""


def may_be_quoted(quoted: bool | None, delimiter: str) -> bool:
    """Whether marks are read as quoting: as the user says or, for None, if "," or ";" separates columns."""
    return delimiter in (",", ";") if quoted is None else quoted


class Quoting:
    """Judges the records of a table, in order.

    Marks certainly quote if a line would not be a row otherwise: it has fewer columns than the table, or it has more
    and holds a whole record.

    Args:
        delimiter: between columns. quoted: whether marks are read as quoting. trusted: whether the user says so.
        place: beginning of errors, before the line. unpaired, undecided: their advice to the user.
    """

    def __init__(self, delimiter: str, quoted: bool, trusted: bool, place: str, unpaired: str, undecided: str):
        self.quoted, self._delimiter, self._certain, self._place = quoted, delimiter, trusted, place
        self._unpaired, self._undecided = unpaired, undecided
        self._width, self._first = 0, ""

    def record(self, number: int, lines: Sequence[str], values: Sequence[str]) -> None:
        """Judge a record.

        Args:
            number: number of its first line. lines: as written. values: as read.

        Raises:
            InputError: a value seems to hold the end of one row, whole rows, and the start of another; or marks are
                read as letters although it begins and ends with marks and those within are doubled.
        """
        if not self.quoted:
            found = None if self._certain else next(filter(_QUOTED.fullmatch, values), None)
            if found is not None:
                raise InputError(
                    f"{self._place}line {number}: {found!r:.80} is written as a quoted value; {self._undecided}"
                )
            return
        place = f"{self._place}line {number}: a quoted value goes on to line {number + len(lines) - 1}"
        if len(lines) > 1 and any(takes_in_rows(values, i, self._delimiter) for i in range(len(values))):
            looks = "" if self._delimiter == "\t" else ", and its lines look like rows"
            raise InputError(f"{place}{looks}; {self._unpaired}")
        self._width = self._width or len(values)
        if self._certain:
            return
        counts = [line.count(self._delimiter) + 1 if line.strip(" \r\n") else 0 for line in lines]
        counts = [count for count in counts if count or self._width == 1]  # a blank line is a row only of one column
        alone = len(lines) == 1
        self._certain = any(count < self._width or (alone and count > self._width) for count in counts)
        self._first = self._first or ("" if alone else place)

    def end(self) -> None:
        """Judge the table.

        Raises:
            InputError: it has a value of several lines, and both readings are possible.
        """
        if self._first and not self._certain:
            raise InputError(f"{self._first}, but each line would be a row if marks were letters; {self._undecided}")


def takes_in_rows(values: Sequence[str], position: int, delimiter: str) -> bool:
    """Whether the quoted value at `position` seems to hold the end of one row, whole rows, and the start of another.

    It holds as many tabs as those rows have; with commas, which are frequent in text, its lines must look like rows.
    """
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


def _is_like(row: list[str], values: Sequence[str], position: int, several: bool) -> bool:
    """Whether a line is not just text with commas: no blank follows a comma or is in a label, unless so in `values`.

    If several lines have as many commas as a row, labels may have blanks.
    """
    others = [i for i in range(len(row)) if i != position]
    labels = several or all(" " not in row[i] or " " in values[i] for i in others)
    return labels and not any(part[:1] == " " != value[:1] for part, value in zip(row, values, strict=True))


def check_names(names: Iterable[str], place: str, hint: str = "") -> None:
    """Raises InputError if two columns have the same name; columns without a name are ignored."""
    twice = repeated(name for name in names if name)
    if twice is not None:
        raise InputError(f"{place}: column {twice!r:.80} occurs twice{hint}")
