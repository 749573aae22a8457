"""Paths of local files: the data root, and patterns with "{language}"."""

import os
import pathlib

from itt_jax.errors import AbsentError, InputError

NO_ROOT = "give --data-root DIR, or set ITT_JAX_DATA"
"""Advice if local files are meant but no data root is given."""


def data_root(given: str | pathlib.Path | None) -> pathlib.Path | None:
    """The folder of local data: the one given, else that of the variable ITT_JAX_DATA, else None.

    Raises:
        InputError: it is not a folder.
    """
    found = given or os.environ.get("ITT_JAX_DATA")
    if found and not pathlib.Path(found).is_dir():
        raise InputError(f"{'--data-root' if given else 'ITT_JAX_DATA'}: {found} is not a folder")
    return pathlib.Path(found) if found else None


def resolve(path: str, data_root: str | pathlib.Path | None) -> pathlib.Path:
    """`path`, absolute or under the data root.

    Raises:
        AbsentError: it does not exist.
    """
    found = pathlib.Path(data_root or ".") / path
    if not found.exists():
        under = f"data root {data_root}, from --data-root or ITT_JAX_DATA"
        hint = "" if pathlib.Path(path).is_absolute() else f" ({under if data_root else NO_ROOT})"
        raise AbsentError(f"{found}: no such file or folder{hint}")
    return found


def spell(pattern: str, language: str) -> str:
    """`pattern` with "{language}" filled in.

    Raises:
        InputError: it holds other braces.
    """
    try:
        return pattern.format(language=language)
    except (KeyError, IndexError, ValueError) as error:
        raise InputError(f"{pattern!r}: expected no braces but those of {{language}}") from error
