"""Parquet files of a results folder: a damaged one is named in one line."""

import contextlib
import os
from collections.abc import Iterator

from itt_jax.errors import InputError


@contextlib.contextmanager
def reading(path: str | os.PathLike) -> Iterator[None]:
    """Name the file in the errors of pyarrow that the body raises.

    Raises:
        InputError: the file cannot be read, or lacks a column that is read.
    """
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: damaged, or no parquet file of ours: {error}") from error
