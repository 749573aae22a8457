"""Perturbs the lines of a file or pipe of any size."""

import collections
import contextlib
import pathlib
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.perturb.engine import check_operator, check_severity, stream


@contextlib.contextmanager
def opened(path: pathlib.Path | None, default: BinaryIO, mode: str) -> Iterator[BinaryIO]:
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
            file = target.open(mode)
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        with file:
            yield file


def decoded_lines(lines: Iterable[bytes]) -> Iterator[str]:
    """The lines as text, with their endings.

    Raises:
        InputError: a line, which is named, is not UTF-8.
    """
    for number, line in enumerate(lines, start=1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"line {number}: byte {error.start + 1} is not UTF-8") from error


def decoded(lines: Iterable[bytes], endings: collections.deque[str]) -> Iterator[str]:
    """The lines as text; each line's ending (LF, CR LF, or none) is appended to `endings`."""
    for text in decoded_lines(lines):
        body = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
        endings.append(text[len(body) :])
        yield body


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
    endings: collections.deque[str] = collections.deque()
    with opened(source, sys.stdin.buffer, "rb") as lines, opened(out, sys.stdout.buffer, "wb") as file:
        try:
            for text in stream(decoded(lines, endings), name, severity, language, seed, lexicon=found):
                file.write((text + endings.popleft()).encode())
            file.flush()
        except InputError as error:
            raise InputError(f"{source or 'standard input'}: {error}") from error
