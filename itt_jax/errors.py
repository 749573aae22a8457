"""The exceptions that the command line prints as one line: wrong input, work that failed, a lost bucket."""

import difflib
from collections.abc import Iterable

MOST_LISTED = 20  # names listed in an error, so that it stays readable
MOST_CHARACTERS = 2000  # of a message; values in a file may be of any length


class InputError(ValueError):
    """The user's input is wrong; the command line prints it as one line and exits with 2.

    The message names the file, line or field, the value found and the value expected.
    """

    def __init__(self, message: str):
        super().__init__(_one_line(message))


class AbsentError(InputError):
    """Correctly named data that is not available: the file does not exist, or the hub cannot be reached."""


class NotFiniteError(ArithmeticError):
    """Scores are not finite although the input is right; the command line prints it as one line and exits with 1.

    The message names the stage, the row and the cause.
    """

    def __init__(self, message: str):
        super().__init__(_one_line(message))


class StageError(RuntimeError):
    """Some stages could not be made, and the rest of the study is; the command line prints it as one line and exits
    with 1.

    The message names the first stage and why it failed.
    """

    def __init__(self, message: str):
        super().__init__(_one_line(message))


class SharingError(OSError):
    """A shared folder cannot be reached, or holds something other than what was written there.

    The command line prints it as one line and exits with 1. Finished work is kept in the results folder.

    Attributes:
        lasts: whether trying again soon is pointless.
    """

    def __init__(self, message: str, lasts: bool = False):
        super().__init__(_one_line(message))
        self.lasts = lasts


def _one_line(message: str) -> str:
    # Names in a file may hold line breaks, and surrogates, which cannot be printed.
    line = " ".join(str(message).splitlines()).encode("utf-8", "backslashreplace").decode("utf-8")
    return line if len(line) <= MOST_CHARACTERS else f"{line[: MOST_CHARACTERS - 20]} ... (cut short)"


def unknown(kind: str, found: object, known: Iterable[str]) -> InputError:
    """The error for an unknown name, with the nearest known name.

    >>> str(unknown("task", "xnly", ["xnli", "sst2"]))
    "unknown task 'xnly'; did you mean 'xnli'? known: sst2, xnli"
    """
    names = sorted(str(name) for name in known)
    near = difflib.get_close_matches(str(found)[:100], names, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]!r}?" if near else ";"
    return InputError(f"unknown {kind} {found!r:.100}{hint} known: {listed(names)}")


def listed(names: Iterable[str]) -> str:
    """The names for an error message; of many, the first ones and their number.

    >>> listed(["a", "b"])
    'a, b'
    """
    names = list(names)
    return ", ".join(names) if len(names) <= MOST_LISTED else f"{', '.join(names[:MOST_LISTED])}, ... ({len(names)})"
