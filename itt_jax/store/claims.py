"""Claims: which worker is on which piece of work of a results folder."""

import contextlib
import os
import pathlib
import socket
import time
from collections.abc import Iterator

STALE_SECONDS = 6 * 3600
"""Age at which another host's claim is taken over. On the same host a dead process's claim is taken over at once."""


@contextlib.contextmanager
def claimed(path: pathlib.Path) -> Iterator[bool]:
    """Hold the claim `path` against other workers; yields whether it is ours.

    Claims only save work: two workers that take over one stale claim at the same moment do the same work and write the
    same content-addressed files.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mine = f"{socket.gethostname()} {os.getpid()}"
    if not _create(path, mine):
        if not _stale(path):
            yield False
            return
        path.unlink(missing_ok=True)
        if not _create(path, mine):
            yield False
            return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)


def _create(path: pathlib.Path, text: str) -> bool:
    """Create `path` unless it exists; the file system decides between two workers."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _stale(path: pathlib.Path) -> bool:
    """Whether the worker that holds the claim is gone."""
    try:
        words = path.read_text(encoding="utf-8").split()
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if len(words) == 2 and words[0] == socket.gethostname():
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return True
    return age > STALE_SECONDS
