"""Files and folders that are written whole or not at all, on any file system that can rename.

New content goes to a temporary name beside its target (.NAME.HOST.PID.RANDOM), is synced to disk and then renamed, so a
killed process leaves the old version or none. Several hosts may share the file system.
"""

import contextlib
import errno
import json
import os
import pathlib
import secrets
import shutil
import socket
import stat
import zlib
from collections.abc import Collection, Iterator
from typing import Any, TypeGuard

from itt_jax.errors import InputError

MANIFEST = "manifest.json"
_NAMES = {stat.S_IFDIR: "folder", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
MOST_BYTES = 1 << 27
"""Size of the largest file that `read_bytes` reads: twice XLM-V's vocabulary (61 MB), the largest that is published."""
MOST_MANIFEST_BYTES = 1 << 22
"""Size of the largest manifest that is read: one of 40,000 files."""
_NO_LINKS = (errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
_ATTEMPTS = 10  # attempts at a folder that other processes replace at the same time


def temporary(path: str | os.PathLike) -> pathlib.Path:
    """A path beside `path` that no other process or thread uses."""
    path = pathlib.Path(path)
    return path.with_name(f".{path.name}.{socket.gethostname()}.{os.getpid()}.{secrets.token_hex(4)}")


@contextlib.contextmanager
def new_file(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yield a temporary path; the file that the body writes there replaces `path`, and is removed if the body raises.

    Missing parent folders are made.

    Raises:
        InputError: `path` is a folder.
    """
    path = pathlib.Path(path)
    with _partial_file(path) as partial:
        yield partial
        _sync(partial)
        try:
            os.replace(partial, path)
        except IsADirectoryError as error:
            raise InputError(f"{path}: a folder, expected a file or nothing there") from error
        _sync_folder(path.parent)


@contextlib.contextmanager
def new_folder(path: str | os.PathLike, keep_existing: bool = False) -> Iterator[pathlib.Path]:
    """Yield a new, empty temporary folder, which becomes `path`, or is removed if the body raises.

    Args:
        keep_existing: keep a folder that is already there, or that another process finishes first; otherwise it is
            replaced.
    """
    path = pathlib.Path(path)
    partial = temporary(path)
    _make(partial)
    try:
        yield partial
        if not (keep_existing and path.exists()):
            publish_folder(partial, path, keep_existing)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_unused(path: str | os.PathLike, what: str) -> None:
    """Check that a folder may be written without loss: it does not exist, or is empty.

    Raises:
        InputError: there is a file, or a folder that holds something.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        found = next(iter(sorted(inner.name for inner in path.iterdir())), None)
        if found is not None:
            raise InputError(f"{what} {path}: not empty (it holds {found!r}); expected a new or an empty directory")
    elif path.exists():
        raise InputError(f"{what} {path}: a file; expected a new or an empty directory")


def publish_folder(folder: pathlib.Path, path: pathlib.Path, keep_existing: bool = False) -> None:
    """Sync everything in `folder` and rename it to `path`; see `new_folder`."""
    for inner in sorted(folder.rglob("*")):
        _sync_folder(inner) if inner.is_dir() else _sync(inner)
    _sync_folder(folder)
    replaced = []
    for attempt in range(_ATTEMPTS):
        try:
            os.rename(folder, path)
            break
        except OSError as error:
            # Only "not empty" means that there is a folder to replace: by now another process may have moved it away.
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == _ATTEMPTS - 1:
                raise
            if keep_existing:
                return
            replaced.append(temporary(path))
            with contextlib.suppress(FileNotFoundError):
                os.rename(path, replaced[-1])
    _sync_folder(path.parent)
    for old in replaced:
        shutil.rmtree(old, ignore_errors=True)


def remove_folder(path: pathlib.Path) -> None:
    """Remove a folder, which others see whole or not at all; another process may be first."""
    removed = temporary(path)
    with contextlib.suppress(FileNotFoundError):
        os.rename(path, removed)
    shutil.rmtree(removed, ignore_errors=True)


def exists(path: str | os.PathLike) -> bool:
    """Whether there is a regular file, directly or behind a link. False if nothing has that name.

    Raises:
        InputError: a folder, a pipe, a device, a link to itself, or a folder above it that may not be entered.
    """
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: a NUL or a surrogate in the name
        if os.path.islink(path):
            raise InputError(f"{path}: a link to nothing, expected a file") from None
        return False
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            return False
        raise InputError(f"{path!s:.200}: cannot be read ({error.strerror})") from error
    if not stat.S_ISREG(found.st_mode):
        raise InputError(f"{path}: no regular file (a {_NAMES.get(stat.S_IFMT(found.st_mode), 'device')})")
    return True


def stamps(place: str | os.PathLike) -> list[tuple[str, int, int]]:
    """Name, size and time of the last change of a file, or of every file under a folder."""
    place = pathlib.Path(place)
    paths = sorted(place.rglob("*")) if place.is_dir() else [place]
    found = [(path, path.stat()) for path in paths if path.is_file()]
    return [(path.relative_to(place).as_posix(), own.st_size, own.st_mtime_ns) for path, own in found]


def read_bytes(path: str | os.PathLike, most: int = MOST_BYTES) -> bytes:
    """The content of a regular file that somebody else may have made.

    Raises:
        InputError: there is none, it is larger than `most` bytes, changes meanwhile, or cannot be read.
    """
    if not exists(path):
        raise InputError(f"{path!s:.200}: no such file")
    try:
        # A pipe that has taken the file's place meanwhile blocks neither here nor below.
        with open(os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(size + 1) if size <= most else b""
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    if size > most:
        raise InputError(f"{path}: found {size} bytes, expected at most {most}")
    if len(content) != size:
        raise InputError(f"{path}: its {size} bytes changed while they were read; expected a file that stays as it is")
    return content


def read_end(path: str | os.PathLike, size: int) -> bytes | None:
    """The last `size` bytes of a file, or all of a smaller one; None if there is none.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open(path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size))
            return file.read(size)
    except FileNotFoundError:
        return None


def is_inside(name: object) -> TypeGuard[str]:
    """Whether a name found in a file can only refer to something in that file's folder; "" is the folder itself."""
    if not isinstance(name, str) or "\0" in name:
        return False
    path = pathlib.PureWindowsPath(name)  # which takes both kinds of slashes as separators
    return not path.anchor and ".." not in path.parts


def write_bytes(path: str | os.PathLike, content: bytes) -> None:
    """Write `content` to `path`."""
    with new_file(path) as partial:
        partial.write_bytes(content)


def write_text(path: str | os.PathLike, text: str) -> None:
    """Write `text` to `path` in UTF-8, its line ends unchanged."""
    write_bytes(path, text.encode())


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write `value` to `path` as JSON."""
    write_text(path, json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def create_text(path: str | os.PathLike, text: str) -> bool:
    """As `create_bytes`, for text in UTF-8."""
    return create_bytes(path, text.encode())


def create_bytes(path: str | os.PathLike, content: bytes) -> bool:
    """Write `content` to `path` unless the file exists; returns whether it was written.

    If several processes try, one succeeds. On a file system without hard links (a mounted bucket), two that start at
    the same moment may both succeed, and the later one's content stays.
    """
    try:
        return create_linked(path, content)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    write_bytes(path, content)
    return True


def create_linked(path: str | os.PathLike, content: bytes) -> bool:
    """As `create_bytes`, but only one of several processes succeeds on any file system.

    Raises:
        OSError: the file system has no hard links.
    """
    path = pathlib.Path(path)
    if path.exists():
        return False
    with _partial_file(path) as partial:
        partial.write_bytes(content)
        _sync(partial)
        try:
            os.link(partial, path)
        except FileExistsError:
            return False
    return True


def write_manifest(folder: pathlib.Path, names: Collection[str] | None = None) -> None:
    """Record size and checksum of every file of `folder` in its manifest.json, for `check_manifest`.

    Args:
        names: relative paths of the only files to record.
    """
    sizes = {name: size for name, size in _sizes(folder).items() if names is None or name in names}
    written = {name: [size, _checksum(folder / name)] for name, size in sizes.items()}
    (folder / MANIFEST).write_text(json.dumps(written), encoding="utf-8")


def check_manifest(folder: pathlib.Path, what: str) -> None:
    """Check a folder against its manifest; files that it does not list are not read.

    Args:
        what: the noun that an error uses for the folder ("checkpoint").

    Raises:
        InputError: there is no manifest, or a file is missing or damaged; it names the first one.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder}: not a complete {what}: no {MANIFEST}")
    try:
        written = json.loads(read_bytes(path, MOST_MANIFEST_BYTES))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{folder}: not a complete {what}: {error}") from error
    if not isinstance(written, dict) or any(not isinstance(own, list) or len(own) != 2 for own in written.values()):
        raise InputError(f"{path}: expected a size and a checksum for each file, found {written!r:.80}")
    found = _sizes(folder)
    for name in written:
        if name not in found:
            raise InputError(f"{folder}: not a complete {what}: {name!s:.200} is missing")
    # All sizes before the first checksum: a file may be of any size.
    damaged = next((name for name, (size, _) in written.items() if size != found[name]), None)
    damaged = damaged or next((name for name, own in written.items() if own[1] != _checksum(folder / name)), None)
    if damaged:
        size = written[damaged][0]
        raise InputError(
            f"{folder / damaged}: damaged: found {found[damaged]} bytes that differ from the {size!r:.40} written"
        )


def _sizes(folder: pathlib.Path) -> dict[str, int]:
    """Relative path -> bytes of every file but the folder's own manifest."""
    paths = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / MANIFEST)
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in paths}


def _checksum(path: pathlib.Path) -> int:
    """The CRC-32 of a file."""
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            checksum = zlib.crc32(block, checksum)
    return checksum


@contextlib.contextmanager
def _partial_file(path: pathlib.Path) -> Iterator[pathlib.Path]:
    _make(path.parent)
    partial = temporary(path)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _make(folder: pathlib.Path) -> None:
    """Make a folder and its parents.

    Raises:
        InputError: the folder cannot be made there (/proc reports this as a missing file).
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(f"{folder}: cannot be made there") from error


def _sync(path: pathlib.Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(path: pathlib.Path) -> None:
    with contextlib.suppress(OSError):  # some file systems cannot sync a folder
        _sync(path)
