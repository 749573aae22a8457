"""Values of a record: the text and the label in its columns, and typed members of JSON objects."""

import math
from collections.abc import Sequence
from typing import Any

from itt_jax.errors import MOST_LISTED, InputError

Column = str | int | tuple[str | int, ...]
"""A column's name, or its zero-based position; several are joined by a space."""
Columns = dict[str, Column]
"""Field -> its column."""
LabelNames = dict[str, str | None]
"""Published label -> class name, or None to leave its rows out."""
NO_BREAK_SPACE = "\u00a0"


def text_of(record: Any, column: Column, place: str) -> str:
    """The text in a column of a record, or in several columns, joined by a space. Lists of words: see `as_text`.

    Raises:
        InputError: there is no such column, or it holds something else.
    """
    parts = [_value(record, name, place) for name in (column if isinstance(column, tuple) else (column,))]
    parts = [
        as_text(part) if isinstance(part, list) and all(isinstance(w, str) for w in part) else part for part in parts
    ]
    for part in parts:
        if not isinstance(part, str):
            raise InputError(f"{place}: column {column!r}: expected text, found {part!r:.80}")
    return " ".join(parts)


def as_text(words: Sequence[str]) -> str:
    """Words separated by spaces. Spaces inside a word become no-break spaces, so that the words stay distinct."""
    joined = " ".join(words)
    if joined.count(" ") < len(words):
        return joined
    return " ".join(word.replace(" ", NO_BREAK_SPACE) for word in words)


def label_of(record: Any, column: str | int, place: str) -> str:
    """The label in a column of a record, printed (2.0 becomes "2.0"); tags in a list are joined by spaces.

    Raises:
        InputError: there is no such column, or it holds something else, or a number that is not finite.
    """
    value = _value(record, column, place)
    if isinstance(value, list) and all(isinstance(tag, str | int) for tag in value):
        return " ".join(map(str, value))
    missing = isinstance(value, float) and not math.isfinite(value)  # pandas writes a missing number as NaN
    if value is None or missing or isinstance(value, dict | list | bytes):
        raise InputError(f"{place}: column {column!r}: expected a label, found {value!r:.80}")
    return str(value)


def _value(record: Any, column: str | int, place: str) -> Any:
    try:
        return record[column]
    except (KeyError, IndexError, TypeError) as error:
        raise InputError(f"{place}: no column {column!r}; {_columns(record, column)}") from error


def _columns(record: list[Any] | dict[str | int, Any], column: str | int) -> str:
    """The columns of a record, and why `column` may not be one of them."""
    names = list(record) if isinstance(record, dict) else list(range(len(record)))
    values = list(record.values()) if isinstance(record, dict) else record
    numbered = all(isinstance(name, int) for name in names)
    shown = [f"{name!s:.80}" for name in names[:MOST_LISTED]]
    known = f"0 to {len(names) - 1}" if numbered else ", ".join([*shown, "..."] if len(names) > MOST_LISTED else shown)
    other = next((mark for mark in "\t,;" if len(values) == 1 and mark in f"{values[0]}{names[0]}"), None)
    hint = ""
    if other:
        hint = f"; if {other!r} separates columns, name it by format='tsv' (tabs) or delimiter=..."
    elif isinstance(column, int) and not any(isinstance(name, int) for name in names):
        hint = "; positions are of files without a header (header=False)"
    elif isinstance(column, str) and numbered:
        hint = "; names are of files with a header"
    return f"the columns are {known}{hint}"


def member(record: Any, name: str, kind: type | tuple[type, ...], place: str) -> Any:
    """The member `name` of a JSON object.

    Raises:
        InputError: it is missing, or not of type `kind`; the error begins with `place`.
    """
    if not isinstance(record, dict):
        raise InputError(f"{place}: expected a JSON object with {name!r}, found {type(record).__name__}")
    if not isinstance(record.get(name), kind) or isinstance(record[name], bool):
        expected = " or ".join(_JSON_NAMES[known] for known in (kind if isinstance(kind, tuple) else (kind,)))
        raise InputError(f"{place}: expected {name!r} ({expected}), found {record.get(name)!r:.60}")
    return record[name]


_JSON_NAMES = {str: "text", int: "a number", list: "a list", dict: "an object"}
