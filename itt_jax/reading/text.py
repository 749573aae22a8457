"""Text of local files. Errors name the file and the line.

A line ends at a line feed (a carriage return before it is dropped) and nowhere else: U+2028 and U+0085 are text.
"""

import codecs
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from itt_jax.errors import InputError

BYTE_ORDER_MARK = "\ufeff"
JOINED = "a byte order mark within the file; remove it (were files joined?)"
RETURNS = "lines end in carriage returns; expected line feeds"
_DECODED_WITHOUT_MARK = ("utf-8-sig", "utf-16", "utf-32")
MARK_WITHIN = re.compile(f"^{BYTE_ORDER_MARK}(?![ \t])", re.MULTILINE)
"""A mark left by joining files. Before a blank it is a token, like the four in PAN-X's Tamil."""
MOST_VALUES = 1 << 23
"""Maximum number of values in a JSON file of unknown origin: three times those in the largest published tokenizer.json.
"""
ASCII_BLANKS = " \t\r\n"


def read_text(path: pathlib.Path, encoding: str = "utf-8") -> str:
    """The content of a file, without a byte order mark.

    Raises:
        InputError: there is no such file, it cannot be read, its bytes are not in `encoding`, or a byte order mark
            begins a line after the first one, or the file begins with two.
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
    if codecs.lookup(encoding).name not in _DECODED_WITHOUT_MARK:
        text = text.removeprefix(BYTE_ORDER_MARK)
    if mark := MARK_WITHIN.search(text):
        line = text[: mark.start()].count("\n") + 1
        raise InputError(f"{path}, line {line}: {JOINED}")
    return text


def read_lines(path: pathlib.Path, encoding: str = "utf-8") -> list[str]:
    """The lines of a file, without their ends.

    Raises:
        InputError: as `read_text`; or the lines end in carriage returns only.
    """
    text = read_text(path, encoding)
    inner = text.rstrip("\r\n") if "\r" in text else ""
    if "\r" in inner and "\n" not in inner:
        raise InputError(f"{path}, line 1: {RETURNS}")
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return [line[:-1] if line.endswith("\r") else line for line in lines]


def read_json(path: pathlib.Path) -> Any:
    """The value in a JSON file. Raises as `read_text` and `parse_json`."""
    return parse_json(read_text(path), f"{path}")


def parse_object(content: bytes, place: str, kind: type = dict) -> Any:
    """The object in bytes of JSON, or the list if `kind` is list; for files that somebody else may have made.

    Raises:
        InputError: as `parse_json`; bytes that are not UTF-8, more than `MOST_VALUES` values, NaN or Infinity, a lone
            surrogate, or anything other than the object or list. The error begins with `place`.
    """

    def constant(name: str) -> float:
        raise InputError(f"{place}: {name} is not JSON; expected a number")

    values = sum(map(content.count, (b",", b"[", b"{")))
    if values > MOST_VALUES:
        raise InputError(f"{place}: found about {values} values, expected at most {MOST_VALUES}")
    try:
        found = parse_json(content.decode("utf-8"), place, constant)
        if b"\\ud" in content.lower():
            json.dumps(found, ensure_ascii=False).encode()  # lone surrogates are not text
    except UnicodeDecodeError as error:
        raise InputError(f"{place}: not UTF-8 (byte {error.start})") from None
    except UnicodeEncodeError:
        raise InputError(f"{place}: holds a lone surrogate, which is not text") from None
    if not isinstance(found, kind):
        expected = "object" if kind is dict else "list"
        raise InputError(f"{place}: expected a JSON {expected}, found {type(found).__name__}")
    return found


def read_json_lines(path: pathlib.Path, encoding: str = "utf-8") -> Iterator[tuple[int, Any]]:
    """The number (from 1) and the value of each line of JSON; blank lines are skipped. Raises as `read_json`."""
    for number, line in enumerate(read_lines(path, encoding), 1):
        if line.strip(ASCII_BLANKS):
            yield number, parse_json(line, f"{path}, line {number}")


def parse_json(text: str, place: str, constant: Callable[[str], float] = float) -> Any:
    """The value that a JSON text holds.

    Args:
        constant: converts NaN, Infinity and -Infinity, which pandas and Python's json write.

    Raises:
        InputError: it is not JSON, is nested too deeply, or an object in it has a key twice; the error begins with
            `place` and, in a text of several lines, the line.
    """

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise InputError(f"{place}: {repeated(key for key, _ in pairs)!r:.80} occurs twice")
        return found

    try:
        return json.loads(text, object_pairs_hook=unique, parse_constant=constant)
    except json.JSONDecodeError as error:
        line = f", line {error.lineno}" if "\n" in text.strip(ASCII_BLANKS) else ""
        raise InputError(f"{place}{line}: not JSON ({error.msg})") from error
    except RecursionError as error:
        raise InputError(f"{place}: JSON nested too deeply") from error
    except InputError:
        raise
    except ValueError as error:  # an integer of thousands of digits
        raise InputError(f"{place}: not JSON ({error!s:.80})") from error


def parse_number(text: str) -> float:
    """The number in a text, without the underscores that `float` accepts.

    Raises:
        ValueError: it is not a number.
    """
    if "_" in text:
        raise ValueError(f"expected a number, found {text!r:.80}")
    return float(text)


def repeated(names: Iterable[str]) -> str | None:
    """The first name that occurs twice, if any."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None


def check_texts(fields: Mapping[str, Sequence[str]], place: Callable[[int], str]) -> None:
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
