"""What a run says while it works: a bar on a terminal, plain lines in a log, and how long the rest will take."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

import tqdm

SAY_SECONDS = 20
"""Time between two lines where there is no terminal."""
LOG_SECONDS = 20
"""Time between two events in the log of the results folder, which `watch` reads."""
REFRESH_SECONDS = 1
"""Time between two looks at what is done, which are drawn on a terminal."""
EXPECTED_SHARE = 0.1
"""Share of the matmul rate that a run is expected to reach before its speed is known."""
KNOWN_FROM = 0.1
"""Share of a stage from which its own speed counts; before, much of its time was compiling."""
KINDS = ("training", "evaluation")


class Estimate:
    """How long the work that is left will take, from the speed so far; training and evaluation apart.

    Args:
        work: kind -> id of a stage -> FLOPs that are left.
        rate: FLOP/s to expect before anything is measured.
    """

    def __init__(self, work: Mapping[str, Mapping[str, float]], rate: float):
        self.left = {kind: dict(work.get(kind, {})) for kind in KINDS}
        self.rate = rate
        self._done = dict.fromkeys(KINDS, 0.0)
        self._seconds = dict.fromkeys(KINDS, 0.0)
        self._kind, self._now, self._began, self._share = "", 0.0, 0.0, 0.0

    def begin(self, kind: str, ids: list[str]) -> None:
        """The work of that kind on these stages begins."""
        self._kind, self._began, self._share = kind, time.monotonic(), 0.0
        self._now = sum(self.left[kind].get(name, 0.0) for name in ids)

    def reached(self, share: float) -> None:
        """So much of the work that has begun is done."""
        self._share = share

    def end(self, ids: list[str]) -> None:
        """The work that has begun is done."""
        self._done[self._kind] += self._now
        self._seconds[self._kind] += time.monotonic() - self._began
        self.drop(self._kind, ids)
        self._kind = ""

    def drop(self, kind: str, ids: list[str]) -> None:
        """The work on these stages is done, by whomever."""
        self.left[kind] = {name: flops for name, flops in self.left[kind].items() if name not in ids}

    def keep(self, ids: list[str]) -> None:
        """Work is left on these stages alone; other workers have done the rest."""
        for kind in KINDS:
            self.drop(kind, [name for name in self.left[kind] if name not in ids])

    def seconds(self) -> float:
        """Seconds for all that is left."""
        return sum(self._seconds_of(kind) for kind in KINDS)

    def _seconds_of(self, kind: str) -> float:
        left, done, seconds = sum(self.left[kind].values()), self._done[kind], self._seconds[kind]
        if kind == self._kind and self._share >= KNOWN_FROM:
            part = self._share * self._now
            left, done, seconds = left - part, done + part, seconds + time.monotonic() - self._began
        return left * seconds / done if done else left / self.rate


def counted(number: int, noun: str) -> str:
    """A number of things: "1 cell", "1,200 cells"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Progress:
    """Shows what is done now. In a log a line appears at least every SAY_SECONDS, whatever the run waits for.

    Args:
        quiet: show nothing.
    """

    def __init__(self, quiet: bool = False):
        self.quiet, self.estimate = quiet, Estimate({}, 1.0)
        self._bar = tqdm.tqdm(bar_format="{desc} [{elapsed}]", disable=True if quiet else None, leave=False)
        self._label, self._detail, self._said = "", "", time.monotonic()
        self._speed: Mapping[str, float] = {}
        self._log: Callable[..., None] | None = None
        self._logged = 0.0
        self._ended = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._keep_showing, name="progress", daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        self._ended.set()
        self._bar.close()
        failed = isinstance(error, Exception)  # being stopped by the user is no failure
        self._event("ended", error=" ".join(f"{type(error).__name__}: {error}".split()) if failed else None)

    def log_to(self, log: Callable[..., None]) -> None:
        """From now on what is done is also an event in a log, every LOG_SECONDS and at the end.

        Args:
            log: event and details -> None, as `Store.log`.
        """
        self._log = log
        self._event("began")

    def at(self, label: str, detail: str) -> None:
        """What is begun: a stage, and the first part of its work."""
        self._label, self._detail, self._speed = label, detail, {}

    def tell(self, detail: str, share: float = 0.0, speed: Mapping[str, float] | None = None) -> None:
        """How far it is.

        Args:
            share: of the work that `estimate.begin` has begun.
            speed: tokens_per_second, and utilisation (share of the matmul rate), where they are known.
        """
        self._detail, self._speed = detail, speed or {}
        self.estimate.reached(share)

    def say(self, text: str) -> None:
        """Print a line, above the bar if there is one."""
        self._said = time.monotonic()
        if not self.quiet:
            self._bar.write(text, file=sys.stderr)
            sys.stderr.flush()

    def _event(self, event: str, **details: Any) -> None:
        if self._log is None:
            return
        self._logged = time.monotonic()
        with contextlib.suppress(OSError):  # the work itself says what is wrong with the disk
            self._log(event, host=socket.gethostname(), pid=os.getpid(), **details)

    def _left(self) -> float | None:
        """Seconds for all that is left; None where nothing is known."""
        return round(self.estimate.seconds(), 1) or None

    def line(self) -> str:
        """What is done now, and how long everything will take."""
        seconds = self.estimate.seconds()
        left = [f"about {duration(seconds)} left"] if seconds else []
        return f"{self._label}: {'; '.join([self._detail, *left])}"

    def _keep_showing(self) -> None:
        """Runs in a thread, because the run may wait for a program or for the file system."""
        while not self._ended.wait(REFRESH_SECONDS):
            if not self._label:
                continue
            if time.monotonic() - self._logged >= LOG_SECONDS:
                self._event("progress", doing=self._label, detail=self._detail, left=self._left(), **self._speed)
            if not self._bar.disable:
                self._bar.set_description_str(self.line())
            elif time.monotonic() - self._said >= SAY_SECONDS:
                self.say(self.line())


def duration(seconds: float) -> str:
    """Seconds for people: "40 s", "14 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def flop(count: float) -> str:
    """Floating-point operations for people: "850 MFLOP", "1.2 TFLOP"."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} PFLOP" if count < 999.5 else f"{count:,.0f} PFLOP"
