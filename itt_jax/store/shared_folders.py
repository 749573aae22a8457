"""Shared folders: a folder on a file system, or a prefix of a bucket, as several machines use it.

Files are written whole, and read as they were last written. If several writers create one name, only the first
succeeds: S3 by If-None-Match, Cloud Storage by a generation of 0, a file system by hard links. Listings may be late.
"""

import concurrent.futures
import contextlib
import errno
import logging
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from itt_jax import files
from itt_jax.errors import InputError, SharingError

MARK = "shared_folder"
"""The file by which a shared folder is tested and recognised."""
EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
"""Protocol -> the extra of this package that installs its client."""
TOGETHER = 8
"""Number of files sent or fetched at the same time."""
T = TypeVar("T")


class SharedFolder(Protocol):
    """Five operations on files whose names are relative to the folder, with "/" between parts.

    Each raises SharingError where the folder cannot be reached.
    """

    url: str

    def read(self, name: str) -> bytes | None:
        """The content of a file; None if there is none."""

    def tail(self, name: str, size: int) -> bytes | None:
        """The last `size` bytes of a file, or all of a smaller one; None if there is none."""

    def create(self, name: str, content: bytes) -> bool:
        """Write a file unless there is one; returns whether the file has the given content."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""

    def names(self, folder: str = "") -> list[str]:
        """The names of all files below a folder, sorted. May lack files that were written a moment ago."""


def shared_folder(url: str) -> SharedFolder:
    """The shared folder at a URL (gs://..., s3://..., file://...) or a path, checked for reading, writing and listing.

    Raises:
        InputError: the client of its protocol is not installed, it cannot be reached or written to, two writers can
            create the same file there, or it is a results folder.
    """
    if not url:
        raise InputError("--share: expected a URL or a path, found ''")
    try:
        folder = folder_at(url)
    except InputError as error:
        raise InputError(f"--share {error}") from error
    try:
        if folder.read("plan.json") is not None:
            raise InputError(f"--share {url}: a results folder (it holds plan.json); expected a separate folder")
        folder.write(MARK, b"itt_jax\n")
        works = folder.read(MARK) is not None and not folder.create(MARK, b"created twice\n")
        folder.names("claims")
        if isinstance(folder, LocalFolder):
            folder.check_links()
    except (SharingError, OSError) as error:
        raise InputError(f"--share {error if isinstance(error, SharingError) else f'{url}: {error}'}") from error
    if not works:
        raise InputError(f"--share {url}: two writers can create the same file, so claims would have no effect")
    return folder


def folder_at(url: str) -> SharedFolder:
    """The shared folder at a URL or a path, unchecked: it may be absent, or something else.

    Raises:
        InputError: its protocol is not known, or the client of its protocol is not installed.
    """
    protocol, separator, rest = url.partition("://")
    return LocalFolder(rest if separator else url) if protocol == "file" or not separator else Bucket(url)


def check_apart(url: str, out: pathlib.Path) -> None:
    """Check that a shared folder on a file system is not a results folder, nor one in it or around it.

    Raises:
        InputError: it is.
    """
    protocol, separator, rest = url.partition("://")
    if not url or (separator and protocol != "file"):
        return
    shared, own = pathlib.Path(rest if separator else url).resolve(), out.resolve()
    if shared.is_relative_to(own) or own.is_relative_to(shared):
        raise InputError(f"--share {url}: is, holds or is inside --out {out}; expected a folder beside it")


def together(call: Callable[[str], T], names: Iterable[str]) -> list[T]:
    """The results of a call for each of these files, made for several at the same time."""
    with concurrent.futures.ThreadPoolExecutor(TOGETHER) as threads:
        return list(threads.map(call, names))


class LocalFolder:
    """A folder on a file system that several machines see."""

    def __init__(self, path: str):
        self.path, self.url = pathlib.Path(path).absolute(), str(pathlib.Path(path).absolute())

    def check_links(self) -> None:
        """Check that the file system has hard links, which ensure that only one of several writers creates a file.

        Raises:
            SharingError: it has none.
        """
        probe = files.temporary(self.path / MARK)
        try:
            files.create_linked(probe, b"")
        except OSError as error:
            raise SharingError(
                f"{self.url}: makes no hard links ({error.strerror}), so two writers could create the same file; "
                "expected another file system or a bucket"
            ) from error
        finally:
            probe.unlink(missing_ok=True)

    def read(self, name: str) -> bytes | None:
        """As `SharedFolder.read`."""
        with self._reaching():
            try:
                return (self.path / name).read_bytes()
            except FileNotFoundError:
                return None

    def tail(self, name: str, size: int) -> bytes | None:
        """As `SharedFolder.tail`."""
        with self._reaching():
            return files.read_end(self.path / name, size)

    def create(self, name: str, content: bytes) -> bool:
        """As `SharedFolder.create`."""
        with self._reaching():
            return files.create_linked(self.path / name, content) or self.read(name) == content

    def write(self, name: str, content: bytes) -> None:
        """As `SharedFolder.write`."""
        with self._reaching():
            files.write_bytes(self.path / name, content)

    def names(self, folder: str = "") -> list[str]:
        """As `SharedFolder.names`."""
        with self._reaching():
            found = [path for path in (self.path / folder).rglob("[!.]*") if path.is_file()]
            return sorted(path.relative_to(self.path).as_posix() for path in found)

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except InputError as error:
            raise SharingError(str(error), lasts=True) from error
        except OSError as error:
            raise SharingError(f"{self.url}: {error.strerror or error}", _lasts(error)) from error


class Bucket:
    """A prefix of a bucket, by fsspec.

    Raises:
        InputError: fsspec does not know the protocol, or its client is not installed.
    """

    def __init__(self, url: str):
        import fsspec.core

        self.url = url.rstrip("/")
        protocol = url.partition("://")[0]
        # Without a handler, the client of Cloud Storage prints a traceback of each error that it also raises.
        logging.getLogger("gcsfs").addHandler(logging.NullHandler())
        try:
            with self._reaching():
                self._system, self._root = fsspec.core.url_to_fs(self.url, use_listings_cache=False)
        except SharingError as error:
            if isinstance(error.__cause__, ImportError) and protocol in EXTRAS:
                raise InputError(
                    f"{url}: its client is not installed: pip install 'itt_jax[{EXTRAS[protocol]}]'"
                ) from error
            raise InputError(str(error)) from error

    def read(self, name: str) -> bytes | None:
        """As `SharedFolder.read`."""
        with self._reaching():
            try:
                return self._system.cat_file(self._path(name))
            except FileNotFoundError:
                return None

    def tail(self, name: str, size: int) -> bytes | None:
        """As `SharedFolder.tail`."""
        with self._reaching():
            try:
                return self._system.cat_file(self._path(name), start=-size)
            except FileNotFoundError:
                return None
            except Exception:  # services refuse to read a part of an empty file
                if self._system.size(self._path(name)) == 0:
                    return b""
                raise

    def create(self, name: str, content: bytes) -> bool:
        """As `SharedFolder.create`."""
        with self._reaching():
            try:
                self._system.pipe_file(self._path(name), content, mode="create")
            except FileExistsError:
                pass
            else:
                return True
        # A request that was repeated, because its answer was lost, finds its own file.
        return self.read(name) == content

    def write(self, name: str, content: bytes) -> None:
        """As `SharedFolder.write`."""
        with self._reaching():
            self._system.pipe_file(self._path(name), content)

    def names(self, folder: str = "") -> list[str]:
        """As `SharedFolder.names`."""
        with self._reaching():
            self._system.invalidate_cache()
            found = self._system.find(self._path(folder) if folder else self._root)
        below = self._root.strip("/") + "/"
        return sorted(own.lstrip("/").removeprefix(below) for own in found)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, SharingError):
            raise
        except Exception as error:  # clients have their own errors for failures of the network and the service
            raise SharingError(f"{self.url}: {type(error).__name__}: {error}", _lasts(error)) from error


def _lasts(error: Exception) -> bool:
    """Whether an error comes from permissions, full storage or this program rather than from the network."""
    full = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return isinstance(error, PermissionError | TypeError) or (isinstance(error, OSError) and error.errno in full)
