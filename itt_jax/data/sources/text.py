"""Text of local files. Errors name the file and the line.

A line ends at a line feed (a carriage return before it is dropped) and nowhere else: U+2028 and U+0085 are text.
"""

import codecs
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from itt_jax.errors import InputError

BYTE_ORDER_MARK = "\ufeff"
ASCII_BLANKS = " \t\r\n"


def read_text(path: pathlib.Path, encoding: str = "utf-8") -> str:
    """The content of a file, without a byte order mark.

    Raises:
        InputError: there is no such file, it cannot be read, or its bytes are not in `encoding`.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file")
    if not path.is_file():
        raise InputError(f"{path}: expected a file")
    try:
        data = path.read_bytes()
        text = data.decode(encoding)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}, line {line}: not valid {encoding} ({error.reason})") from error
    except (LookupError, ValueError) as error:
        raise InputError(f"{path}: unknown encoding {encoding!r}") from error
    if data.startswith(codecs.BOM_UTF8) and codecs.lookup(encoding).name not in ("utf-8", "utf-8-sig"):
        raise InputError(f"{path}, line 1: begins with the byte order mark of UTF-8, but its encoding is {encoding!r}")
    return text.removeprefix(BYTE_ORDER_MARK)


def read_lines(path: pathlib.Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file, without their ends. Raises as `read_text`."""
    lines = read_text(path, encoding).split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def read_json(path: pathlib.Path) -> Any:
    """The value in a JSON file. Raises as `read_text` and `parse_json`."""
    return parse_json(read_text(path), f"{path}")


def read_json_lines(path: pathlib.Path, encoding: str = "utf-8") -> Iterator[tuple[int, Any]]:
    """The number (from 1) and the value of each line of JSON; blank lines are skipped. Raises as `read_json`."""
    for number, line in enumerate(read_lines(path, encoding), 1):
        if line.strip(ASCII_BLANKS):
            yield number, parse_json(line, f"{path}, line {number}")


def parse_json(text: str, place: str) -> Any:
    """The value that a JSON text holds.

    Raises:
        InputError: it is not JSON, is nested too deeply, or an object in it has a key twice; the error begins with
            `place`, and with the line in a text of several.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise InputError(f"{place}: {repeated(key for key, _ in pairs)!r:.80} occurs twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        line = f", line {error.lineno}" if "\n" in text.strip(ASCII_BLANKS) else ""
        raise InputError(f"{place}{line}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise InputError(f"{place}: JSON nested too deeply") from error
    except InputError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{place}: not JSON ({error})") from error


def repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs twice, if any."""
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)


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
