"""Removes the half-written files and folders of killed processes.

Names of temporaries hold host and process id (`files.temporary`). Process ids are those of one container, and other
containers may have the same host name, so the time since the last change counts as well.
"""

import os
import pathlib
import re
import shutil
import socket
import time
from collections.abc import Iterator

SILENT_SECONDS = 90
"""Time without a change after which a temporary of this host is removed if its process is not running."""
ELSEWHERE_SECONDS = 24 * 3600
"""The same for other hosts; long, as a slow disk may sync a large file for minutes and clocks may differ."""
WHOLE = ("checkpoint", "report", "tensorboard", "profile", "damaged")
"""Folders without temporaries: their files are written or moved whole, or by other programs."""
_TEMPORARY = re.compile(r"\..+\.([0-9]{1,9})\.[0-9a-f]{8}")


def clear_temporaries(out: pathlib.Path) -> None:
    """Remove the temporaries of processes that have ended, as far as that is known, from a results folder."""
    for path in list(_temporaries(out)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def without_temporaries(out: pathlib.Path) -> set[str]:
    """The names in a folder, without those that processes are writing or have left; of a file, its own."""
    try:
        return {name for name in os.listdir(out) if not _TEMPORARY.fullmatch(name)}
    except FileNotFoundError:
        return set()
    except NotADirectoryError:
        return {out.name}


def _temporaries(out: pathlib.Path) -> Iterator[pathlib.Path]:
    for folder, folders, names in os.walk(out):
        for name in (*folders, *names):
            if (found := _TEMPORARY.fullmatch(name)) and _is_left(pathlib.Path(folder, name), int(found[1])):
                yield pathlib.Path(folder, name)
        folders[:] = [name for name in folders if name not in WHOLE and not _TEMPORARY.fullmatch(name)]


def _is_left(path: pathlib.Path, pid: int) -> bool:
    """Whether nobody is writing a temporary any more; False if it is gone by now."""
    is_here = f".{socket.gethostname()}.{pid}." in path.name
    if is_here and _is_running(pid):
        return False
    try:
        changed = max(own.lstat().st_mtime for own in (path, *path.rglob("*")))
    except OSError:
        return False
    return time.time() - changed > (SILENT_SECONDS if is_here else ELSEWHERE_SECONDS)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # another user's
    return True
