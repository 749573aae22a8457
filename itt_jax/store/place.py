"""Checks, before any work and without writing, that a results folder can be made at a path."""

import os
import pathlib
import shutil

from itt_jax.errors import InputError

BELOW = 300
"""Bytes by which paths of files in a results folder are longer than its own."""


def check_place(out: pathlib.Path, needed: float = 0) -> None:
    """Check that the folder `out`, which need not exist yet, can be written to.

    Args:
        needed: estimated bytes that will be written.

    Raises:
        InputError: its name is too long or not UTF-8, it is a file or below one or read-only, or the disk has too
            little free space.
    """
    check_utf8(str(out), "--out")
    existing = nearest_folder(out, "--out")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: {existing} is read-only, expected a folder that can be written to")
    _check_length(out.absolute(), existing)
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"--out {out}: the disk has {size(free)} free, expected {size(needed)} for the rest of the study; "
            "choose another --out, or keep fewer checkpoints (save_checkpoints)"
        )


def nearest_folder(path: pathlib.Path, option: str) -> pathlib.Path:
    """The folder at `path`, or the first one above it that is there.

    Raises:
        InputError: it is a file; the message begins with the option that names the path.
    """
    existing = next(own for own in (path, *path.absolute().parents) if os.path.lexists(own))
    if not existing.is_dir():
        raise InputError(f"{option} {path}: {existing} is a file, expected a folder")
    return existing


def _check_length(out: pathlib.Path, existing: pathlib.Path) -> None:
    """Raises InputError if a name on the way to `out`, or the path of a file in it, is too long for the file system."""
    most = os.pathconf(existing, "PC_NAME_MAX")
    name = max(map(os.fsencode, out.parts), key=len)
    if len(name) > most:
        raise InputError(f"--out {str(out)[:80]} ...: a name of {len(name)} bytes, expected at most {most}")
    length, most = len(os.fsencode(out)), os.pathconf(existing, "PC_PATH_MAX") - BELOW
    if length > most:
        raise InputError(f"--out {str(out)[:80]} ...: a path of {length} bytes, expected at most {most}")


def check_utf8(name: str, where: str) -> None:
    """Raises InputError if a name on the disk is not UTF-8: JSON and pages cannot hold it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where} {name!r}: its name is not UTF-8, rename it") from error


def size(count: float) -> str:
    """A number of bytes in readable form, in units of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
