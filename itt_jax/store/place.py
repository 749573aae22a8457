"""Whether a results folder can be where it is asked for; checked before any work, and without writing."""

import os
import pathlib
import shutil

from itt_jax.errors import InputError


def check_place(out: pathlib.Path, needed: float = 0) -> None:
    """Check that the folder `out`, which need not exist yet, can be written to.

    Args:
        needed: estimated bytes that will be written.

    Raises:
        InputError: its name is not UTF-8, it is a file or below one, it is read-only, or the disk has less free space
            than is needed.
    """
    check_utf8(str(out), "--out")
    existing = next(path for path in (out, *out.absolute().parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise InputError(f"--out {out}: {existing} is a file, expected a folder")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"--out {out}: {existing} is read-only, expected a folder that can be written to")
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise InputError(
            f"--out {out}: the disk has {size(free)} free, expected {size(needed)} for what the study still lacks; "
            "choose another --out, or keep fewer checkpoints (save_checkpoints)"
        )


def check_utf8(name: str, where: str) -> None:
    """Raises InputError if a name on the disk is not UTF-8: JSON and pages cannot hold it."""
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where} {name!r}: its name is not UTF-8, rename it") from error


def size(count: float) -> str:
    """A number of bytes for people, in units of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
