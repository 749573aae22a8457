"""Parquet files of a results folder: one that is damaged, or cannot be read, is named in one line."""

import contextlib
import os
from collections.abc import Iterator

from itt_jax.errors import InputError


class DamagedError(InputError):
    """A file whose content is wrong; one that cannot be read now (an I/O error, no permission) is not known to be."""


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
        raise DamagedError(f"{path}: damaged, or no parquet file of ours: {error}") from error
