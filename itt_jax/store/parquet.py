"""Parquet files of a results folder; errors name a damaged or unreadable file in one line."""

import contextlib
import os
import pathlib
import zlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from itt_jax import files
from itt_jax.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa

_MARK = b"CRC-32 of the file with zeros in place of these digits: "
"""Precedes the checksum in a table's metadata, which other readers ignore."""
_ZEROS = b"0" * 8


class DamagedError(InputError):
    """A file's content is wrong. A file that cannot be read now (I/O error, no permission) may be sound."""


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """Name the file in the errors of pyarrow and of the system that the body raises.

    Raises:
        DamagedError: the file is no Parquet file, or lacks a column that is read.
        InputError: it cannot be read.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:  # pyarrow's own, of content, have none
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
        raise DamagedError(f"{path}: damaged, or not one of our Parquet files: {error}") from error


def write_table(path: pathlib.Path, table: "pa.Table") -> None:
    """Write a table, with a checksum of the whole file in its metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, table.schema) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata({"checksum": (_MARK + _ZEROS).decode()})
    content = sink.getvalue().to_pybytes()
    files.write_bytes(path, _with_digits(content, f"{zlib.crc32(content):08x}".encode()))


def read_table(path: pathlib.Path, columns: Sequence[str] | None = None) -> "pa.Table":
    """Some columns of a table, or all of them; every byte of a file that `write_table` wrote is checked.

    Raises:
        DamagedError: its content is wrong, or it lacks a column.
        InputError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    with reading(path):
        content = path.read_bytes()
    if (
        _MARK in content
        and _with_digits(content, f"{zlib.crc32(_with_digits(content, _ZEROS)):08x}".encode()) != content
    ):
        raise DamagedError(f"{path}: damaged: its {len(content):,} bytes do not match its checksum")
    with reading(path):
        return pq.read_table(pa.BufferReader(content), columns=columns)


def _with_digits(content: bytes, digits: bytes) -> bytes:
    """The content with these digits after the last mark, which is in the metadata at the end of the file."""
    at = content.rindex(_MARK) + len(_MARK)
    return content[:at] + digits + content[at + len(digits) :]
