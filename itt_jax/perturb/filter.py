"""Perturbs the lines of a file or pipe of any size."""

import collections
import contextlib
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Literal

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.perturb.engine import check_operator, check_severity, stream
from itt_jax.reading.text import BYTE_ORDER_MARK, JOINED, MARK_WITHIN, RETURNS


@contextlib.contextmanager
def opened(path: pathlib.Path | None, default: BinaryIO, mode: Literal["rb", "wb"]) -> Iterator[BinaryIO]:
    """Opens the file, or yields the standard stream if the path is None; output files appear only once complete."""
    if path is None:
        yield default
        return
    # Devices, pipes and links (such as /dev/stdout) must not be replaced by a file, so they are written in place.
    in_place = mode == "rb" or path.is_symlink() or (path.exists() and not path.is_file())
    if not (in_place or path.parent.is_dir()):
        raise InputError(f"{path}: No such file or directory")
    with contextlib.nullcontext(path) if in_place else files.new_file(path) as target:
        try:
            file = open(target, mode)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        with file:
            yield file


def decoded_lines(lines: Iterable[bytes]) -> Iterator[str]:
    """The lines as text, with their endings, and a byte order mark before the first one.

    Raises:
        InputError: a line, which is named, is not UTF-8; it begins with another byte order mark; or all lines end in
            carriage returns alone.
    """
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"line {number}: byte {error.start + 1} is not UTF-8") from error
        if MARK_WITHIN.match(text.removeprefix(BYTE_ORDER_MARK) if number == 1 else text):
            raise InputError(f"line {number}: {JOINED}")
        if number == 1 and not text.endswith("\n") and "\r" in text.rstrip("\r"):
            raise InputError(f"line 1: {RETURNS}")
        yield text


def decoded(lines: Iterable[bytes], around: collections.deque[tuple[str, str]]) -> Iterator[str]:
    """The lines as text; what is before each (a byte order mark) and after (LF, CR LF, or nothing) goes to `around`."""
    for number, text in enumerate(decoded_lines(lines)):
        body = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
        mark = BYTE_ORDER_MARK * (number == 0 and body.startswith(BYTE_ORDER_MARK))
        around.append((mark, text[len(body) :]))
        yield body[len(mark) :]


def perturb_lines(
    source: pathlib.Path | None,
    out: pathlib.Path | None,
    name: str,
    severity: float,
    language: str,
    seed: int = 0,
    lexicon: pathlib.Path | None = None,
) -> None:
    """Perturbs each line of `source` (None: standard input) and writes it to `out` (None: standard output).

    Line number k has item id "k". An output file is written completely or not at all.

    Raises:
        InputError: as `perturb`; a file cannot be read or written; a line, which is named, is not valid UTF-8.
    """
    _, found = check_operator(name, language, lexicon)
    check_severity(severity)
    around: collections.deque[tuple[str, str]] = collections.deque()
    with opened(source, sys.stdin.buffer, "rb") as lines, opened(out, sys.stdout.buffer, "wb") as file:
        try:
            for text in stream(decoded(lines, around), name, severity, language, seed, lexicon=found):
                file.write(text.join(around.popleft()).encode())
            file.flush()
        except InputError as error:
            raise InputError(f"{source or 'standard input'}: {error}") from error
