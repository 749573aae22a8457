"""Text of local files. Errors name the file and the line.

A line ends at a line feed (a carriage return before it is dropped) and nowhere else: U+2028 and U+0085 are text.
"""

import json
import pathlib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from itt_jax.errors import InputError


def read_text(path: pathlib.Path, encoding: str = "utf-8") -> str:
    """The content of a file, without a byte order mark.

    Raises:
        InputError: `path` is not a file, or its bytes are not in `encoding`.
    """
    if not path.is_file():
        raise InputError(f"{path}: expected a file")
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig" if encoding.lower().replace("-", "") == "utf8" else encoding)
    except LookupError as error:
        raise InputError(f"{path}: unknown encoding {encoding!r}") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not valid {encoding} ({error.reason})") from error


def read_lines(path: pathlib.Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file, without their ends. Raises as `read_text`."""
    lines = read_text(path, encoding).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def read_json(path: pathlib.Path) -> Any:
    """The value in a JSON file. Raises InputError with the line where it is not JSON."""
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {error.lineno}: not JSON ({error.msg})") from error


def read_json_lines(path: pathlib.Path, encoding: str = "utf-8") -> Iterator[tuple[int, Any]]:
    """The number (from 1) and the value of each line of JSON. Raises InputError with the line where it is not JSON."""
    for number, line in enumerate(read_lines(path, encoding), 1):
        try:
            yield number, json.loads(line)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}, line {number}: not JSON ({error.msg})") from error


def check_texts(fields: dict[str, Sequence[str]], place: Callable[[int], str]) -> None:
    """Refuse NUL characters and lone surrogates.

    Args:
        fields: field -> n texts. place: row number -> where the row is.

    Raises:
        InputError: a text holds one; the error names place and field.
    """
    forbidden = re.compile("[\ud800-\udfff\0]")
    for field, texts in fields.items():
        if forbidden.search("".join(texts)):
            i, found = next((i, m[0]) for i, text in enumerate(texts) if (m := forbidden.search(text)))
            what = "a NUL character" if found == "\0" else f"a lone surrogate U+{ord(found):04X}"
            raise InputError(f"{place(i)}: field {field!r} holds {what}; remove it")
