"""The exception for wrong input."""

import difflib
from collections.abc import Iterable

MOST_LISTED = 20  # names listed in an error, so that it stays readable


class InputError(ValueError):
    """The user's input is wrong; the command line prints it as one line and exits with 2.

    The message names the file, line or field, what was found and what was expected.
    """

    def __init__(self, message: str):
        super().__init__(" ".join(str(message).splitlines()))  # names in a file may hold line breaks


class AbsentError(InputError):
    """Correctly named data that is not available: the file does not exist, or the hub cannot be reached."""


def unknown(kind: str, found: object, known: Iterable[str]) -> InputError:
    """The error for an unknown name, with the nearest known name.

    >>> str(unknown("task", "xnly", ["xnli", "sst2"]))
    "unknown task 'xnly'; did you mean 'xnli'? known: sst2, xnli"
    """
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(str(found), names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    listed = ", ".join(names) if len(names) <= MOST_LISTED else f"{', '.join(names[:MOST_LISTED])}, ... ({len(names)})"
    return InputError(f"unknown {kind} {found!r}{hint} known: {listed}")
