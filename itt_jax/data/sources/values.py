"""Values of a record: the text and the label in its columns, and typed members of JSON objects."""

import itertools
from collections.abc import Sequence
from typing import Any

from itt_jax.errors import MOST_LISTED, InputError

Column = str | int | tuple[str | int, ...]
"""A column's name, or its zero-based position; several are joined by a space."""
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
        InputError: there is no such column, or it holds something else.
    """
    value = _value(record, column, place)
    if isinstance(value, list) and all(isinstance(tag, str | int) for tag in value):
        return " ".join(map(str, value))
    if value is None or isinstance(value, dict | list):
        raise InputError(f"{place}: column {column!r}: expected a label, found {value!r:.80}")
    return str(value)


def _value(record: Any, column: str | int, place: str) -> Any:
    try:
        return record[column]
    except (KeyError, IndexError, TypeError) as error:
        known = f"0 to {len(record) - 1}"
        if isinstance(record, dict):
            names = [f"{name!s:.80}" for name in itertools.islice(record, MOST_LISTED)]
            known = ", ".join([*names, "..."] if len(record) > MOST_LISTED else names)
            if isinstance(column, int) and not any(isinstance(name, int) for name in record):
                known += "; positions are of files without a header (header=False)"
        raise InputError(f"{place}: no column {column!r}; the columns are {known}") from error


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
