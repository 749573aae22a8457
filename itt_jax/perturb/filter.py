"""The filter: lines of a file or pipe in, perturbed lines out, of any size."""

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
    """The file, or the standard stream in its place; a file written to takes its name only when it is whole."""
    if path is None:
        yield default
        return
    # A device, a pipe or a link (such as /dev/stdout) must stay what it is, so it is written in place.
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


def decoded(lines: Iterable[bytes], endings: collections.deque[str]) -> Iterator[str]:
    """The lines as text; their endings (LF, CR LF, or nothing after the last) go to the end of `endings`."""
    for number, line in enumerate(lines, start=1):
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            raise InputError(f"line {number}: byte {error.start + 1} is not UTF-8") from error
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
    """Writes each line of `source` (None: standard input) to `out` (None: standard output), perturbed.

    Line k is `perturb` of the line with item id "k". An output file is written whole or not at all.

    Raises:
        InputError: as `perturb`; a file that cannot be read or written; bytes that are not UTF-8. It names the line.
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
