"""Claims: which worker is doing which piece of work in a results folder.

A claim is a file (`store.slots`) that its worker rewrites every BEAT_SECONDS. It is stale once its process is known to
be gone, or once it has not changed for STALE_SECONDS by the clock of whoever waits; clocks of two hosts are never
compared. A claim that cannot be read is neither stale nor lost.

A worker that was suspended may have lost its claim, and asks before it writes (`Hold.held`). In the moment between
question and write two workers may still write the same content-addressed files, each whole, with results that are equal
only if devices and versions are.
"""

import contextlib
import dataclasses
import datetime
import json
import os
import pathlib
import secrets
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Self

from itt_jax.errors import InputError, SharingError
from itt_jax.store.slots import Slots

BEAT_SECONDS = 10
"""Time between two heartbeats of a claim."""
STALE_SECONDS = 90
"""Time without a heartbeat after which a claim is taken over."""

ACROSS = "transfer-"
"""Prefix of the name of a claim on reading the texts of attacks on a stage's model; the stage id follows."""


@dataclasses.dataclass(frozen=True)
class Claim:
    """The content of a claim's file, in JSON.

    Attributes:
        token: random; no two claims are equal. beat: number of heartbeats.
        host, pid: the worker, for display.
        machine: the boot and process namespace in which `pid` is valid; empty if the system does not reveal them.
        started: when its process started, in ticks since boot; None if the system does not reveal it.
        since: when it was claimed, by the worker's clock, for display.
    """

    token: str
    host: str
    pid: int
    machine: str
    started: int | None
    since: str
    beat: int = 0

    @classmethod
    def own(cls) -> Self:
        """A new claim of this process."""
        now = datetime.datetime.now().astimezone().isoformat(" ", "seconds")
        return cls(secrets.token_hex(8), socket.gethostname(), os.getpid(), machine(), started(os.getpid()), now)

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """The claim in a file; None in one that is empty, damaged or of an earlier version."""
        try:
            found = cls(**json.loads(content))
        except (ValueError, TypeError, RecursionError):
            return None
        texts = found.token, found.host, found.machine, found.since
        return found if isinstance(found.pid, int) and all(isinstance(own, str) for own in texts) else None

    def written(self) -> str:
        """The content to write to its file."""
        return json.dumps(dataclasses.asdict(self)) + "\n"

    def is_gone(self) -> bool:
        """Whether its process is known to have ended; always False for one of another machine, boot or container."""
        if not self.machine or self.machine != machine():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # another user's process
        now = started(self.pid)
        return now is not None and now != self.started


class Hold:
    """A claim that this worker has taken, or is about to take.

    Attributes:
        made: the names of files that the next holder has to see; noted when the claim is freed.
    """

    def __init__(self, slots: Slots, name: str, own: Claim):
        self.slots, self.name, self.own, self._lost = slots, name, own, False
        self.made: tuple[str, ...] = ()

    def held(self) -> bool:
        """Whether no other worker is known to have taken it over; once lost, it stays lost."""
        if not self._lost:
            with contextlib.suppress(OSError):
                content = self.slots.read(self.name).content
                found = None if content is None else Claim.read(content)
                self._lost = content is None or (found is not None and found.token != self.own.token)
        return not self._lost

    def beat(self, ended: threading.Event) -> None:
        """Rewrite the claim until it has ended or is lost."""
        number = 0
        while not ended.wait(BEAT_SECONDS) and self.held():
            number += 1
            with contextlib.suppress(OSError):  # the work itself will report what is wrong with the disk
                self.slots.beat(self.name, dataclasses.replace(self.own, beat=number).written(), self.held)

    def left(self) -> list[str]:
        """The files that former holders of the claim have made."""
        return self.slots.left(self.name)

    def free(self) -> None:
        """Free the claim if it is known to be ours."""
        with contextlib.suppress(OSError):
            found = Claim.read(self.slots.read(self.name).content or b"")
            if found is not None and found.token == self.own.token:
                self.slots.free(self.name, self.made)


class Claims:
    """The claims of a results folder, as one worker takes and watches them."""

    def __init__(self, slots: Slots):
        self.slots = slots
        self._holds: dict[str, Hold] = {}
        self._watched: dict[str, tuple[bytes, float]] = {}  # content, and when it was first read

    @contextlib.contextmanager
    def claim(self, name: str) -> Iterator[Hold | None]:
        """Hold a claim against other workers, with its heartbeat; yields None if another worker holds it."""
        hold = Hold(self.slots, name, Claim.own())
        if not self._taken(hold):
            yield None
            return
        ended = threading.Event()
        beating = threading.Thread(target=hold.beat, args=(ended,), name="heartbeat", daemon=True)
        beating.start()
        self._holds[name] = hold
        try:
            yield hold
        finally:
            del self._holds[name]
            ended.set()
            beating.join()
            hold.free()

    def is_lost(self, name: str) -> bool:
        """Whether another worker has taken over a claim that is held here; False for one that is not."""
        return name in self._holds and not self._holds[name].held()

    def held(self) -> dict[str, tuple[Claim, bool]]:
        """Name -> claim, and whether it is known to be stale, for all that can be read; knowing takes STALE_SECONDS.

        Raises:
            SharingError: the shared folder cannot be reached.
        """
        found = {}
        for name, content in self.slots.held().items():
            if claim := Claim.read(content):
                found[name] = claim, self._is_stale(name, content)
        return found

    def holders(self, names: Iterable[str]) -> list[str]:
        """Who holds these claims, and since when; a line for each worker."""
        found: dict[tuple, list[Claim]] = {}
        for name in names:
            claim = None
            with contextlib.suppress(OSError):
                claim = Claim.read(self.slots.read(name).content or b"")
            if claim is not None:
                found.setdefault((claim.host, claim.pid, claim.machine), []).append(claim)
        return [
            f"{host}, process {pid}, on {len(own)} of them since {min(claim.since for claim in own)} by its clock"
            for (host, pid, _), own in found.items()
        ]

    def _taken(self, hold: Hold) -> bool:
        try:
            seen = self.slots.read(hold.name)
        except IsADirectoryError as error:
            raise InputError(f"{error.filename}: a folder, expected the file of a claim, or nothing") from error
        except OSError:
            return False  # perhaps its holder is renaming a heartbeat
        if seen.content is not None and not self._is_stale(hold.name, seen.content):
            return False
        try:
            # Read it again: on a file system without hard links, the later of two claims stays.
            return self.slots.take(hold.name, seen, hold.own.written()) and hold.held()
        except SharingError:
            return False  # whoever waits learns whether it lasts

    def _is_stale(self, name: str, content: bytes) -> bool:
        claim = Claim.read(content)
        if claim is not None and claim.is_gone():
            return True
        seen, since = self._watched.get(name, (None, 0.0))
        if seen != content:
            self._watched[name] = content, time.monotonic()
            return False
        return time.monotonic() - since > STALE_SECONDS


def machine() -> str:
    """A name for this boot of this host and this process namespace; empty if the system does not reveal them."""
    try:
        boot = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> int | None:
    """When a process started, in ticks since boot, -1 for one that has ended; None if the system does not reveal it."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    state, *numbers = stat.rpartition(")")[2].split()  # a name may hold spaces and brackets
    return -1 if state in "ZX" else int(numbers[18])
