"""Slots: where claims are kept. A slot is free, or holds the claim of one worker.

FOLDER/<name>              a slot in a results folder: a file, absent where it is free
SHARED/claims/<name>/<n>   a slot in a shared folder: one object for each holder, the last of which counts
"""

import contextlib
import json
import os
import pathlib
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from itt_jax import files
from itt_jax.store.shared_folders import SharedFolder, together

_OBJECT = re.compile(r"claims/([^/]+)/(0|[1-9][0-9]{0,8})")
_LEFT = "left"
"""Key of the note of a holder that has freed its slot."""


class Slot(NamedTuple):
    """A slot as it was read.

    Attributes:
        content: None if it is free. number: that of its last holder, counted from 0; -1 before the first.
    """

    content: bytes | None
    number: int = -1


class Slots(Protocol):
    """Slots by name; each operation raises OSError if it cannot read or write now."""

    def read(self, name: str) -> Slot:
        """A slot as it is now."""

    def take(self, name: str, seen: Slot, content: str) -> bool:
        """Take a slot that was `seen` free, or with a holder that is gone; one of several workers succeeds."""

    def beat(self, name: str, content: str, held: Callable[[], bool]) -> None:
        """Rewrite the claim of a slot that this worker has taken, if it is still `held`."""

    def free(self, name: str, made: Sequence[str]) -> None:
        """Free a slot that this worker holds, and note for the next holders which files were made meanwhile."""

    def left(self, name: str) -> list[str]:
        """The files that holders of a slot have noted."""

    def held(self) -> dict[str, bytes]:
        """Name -> content, for each slot that is taken; for readers only: a shared folder's listing may be late."""


class SlotFiles:
    """Slots in a results folder, where every worker sees the files that others made; slots need not list them.

    Two workers that take over a slot from one that is gone may delete each other's claim, in the moment between reading
    and deleting; each checks again before it writes a result.
    """

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def read(self, name: str) -> Slot:
        """As `Slots.read`."""
        try:
            return Slot((self.folder / name).read_bytes())
        except FileNotFoundError:
            return Slot(None)

    def take(self, name: str, seen: Slot, content: str) -> bool:
        """As `Slots.take`."""
        if seen.content is not None:
            (self.folder / name).unlink(missing_ok=True)
        return files.create_text(self.folder / name, content)

    def beat(self, name: str, content: str, held: Callable[[], bool]) -> None:
        """As `Slots.beat`."""
        with (
            contextlib.suppress(_LostError),
            files.new_file(self.folder / name) as partial,
            partial.open("w", encoding="utf-8") as file,
        ):
            file.write(content)
            file.flush()
            os.fsync(file.fileno())  # may take long, so ask afterwards
            if not held():
                raise _LostError

    def free(self, name: str, made: Sequence[str]) -> None:
        """As `Slots.free`."""
        (self.folder / name).unlink(missing_ok=True)

    def left(self, name: str) -> list[str]:
        """As `Slots.left`."""
        return []

    def held(self) -> dict[str, bytes]:
        """As `Slots.held`."""
        found = {}
        for path in sorted(self.folder.glob("[!.]*")):
            with contextlib.suppress(OSError):
                found[path.name] = path.read_bytes()
        return found


class _LostError(Exception):
    """The claim was lost while its heartbeat was written."""


class SharedSlots:
    """Slots in a shared folder, where no worker replaces a file that another has written.

    Holder n creates object n: the shared folder lets only one of several workers that saw holder n - 1 go do so. From
    then on only that worker writes it: its heartbeats, and the note that it has freed the slot. Nothing is deleted, so
    the objects of a slot are 0 to n without a gap and are found by reading; a late listing does no harm.
    """

    def __init__(self, shared: SharedFolder):
        self._shared = shared
        self._last: dict[str, int] = {}  # objects are only added, so reading goes on from here
        self._own: dict[str, int] = {}
        self._noted: dict[str, list[str]] = {}  # object -> its content, for objects that were freed

    def read(self, name: str) -> Slot:
        """As `Slots.read`."""
        number, content = self.number(name), None
        if number >= 0:
            content = self._shared.read(_object(name, number))
        while (later := self._shared.read(_object(name, number + 1))) is not None:
            number, content = number + 1, later
        self._last[name] = number
        return Slot(None if content is None or _left(content) is not None else content, number)

    def take(self, name: str, seen: Slot, content: str) -> bool:
        """As `Slots.take`."""
        if not self._shared.create(_object(name, seen.number + 1), content.encode()):
            return False
        self._own[name] = seen.number + 1
        return True

    def beat(self, name: str, content: str, held: Callable[[], bool]) -> None:
        """As `Slots.beat`; a worker that takes the slot over meanwhile has another object."""
        self._shared.write(_object(name, self._own[name]), content.encode())

    def free(self, name: str, made: Sequence[str]) -> None:
        """As `Slots.free`."""
        self._shared.write(_object(name, self._own[name]), json.dumps({_LEFT: list(made)}).encode())

    def left(self, name: str) -> list[str]:
        """As `Slots.left`."""
        objects = [_object(name, number) for number in range(self.number(name) + 1)]
        for own in objects:
            if own not in self._noted and (noted := _left(self._shared.read(own) or b"")) is not None:
                self._noted[own] = noted
        return list(dict.fromkeys(made for own in objects for made in self._noted.get(own, ())))

    def held(self) -> dict[str, bytes]:
        """As `Slots.held`; the object of a holder that has freed the slot is read once."""
        for own in self._shared.names("claims"):
            if found := _OBJECT.fullmatch(own):
                self._last[found[1]] = max(self.number(found[1]), int(found[2]))
        last = {name: _object(name, number) for name, number in sorted(self._last.items()) if number >= 0}
        asked = [name for name, own in last.items() if own not in self._noted]
        objects = [last[name] for name in asked]
        contents = zip(asked, together(self._read_held, objects), strict=True)
        return {name: content for name, content in contents if content is not None}

    def number(self, name: str) -> int:
        """The number of the last holder of a slot that was seen; -1 before the first."""
        return self._last.get(name, -1)

    def _read_held(self, own: str) -> bytes | None:
        """An object; None if its holder has freed the slot."""
        content = self._shared.read(own)
        if content is None or (noted := _left(content)) is None:
            return content
        self._noted[own] = noted
        return None


def _object(name: str, number: int) -> str:
    return f"claims/{name}/{number}"


def _left(content: bytes) -> list[str] | None:
    """The note of a holder that has freed its slot; None if it has not."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(content)
        if isinstance(found, dict) and isinstance(found.get(_LEFT), list):
            return found[_LEFT]
    return None
