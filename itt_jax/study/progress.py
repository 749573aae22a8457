"""The output of a run at work: a bar on a terminal, plain lines in a log, and the time left."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import tqdm

SAY_SECONDS = 20
"""Seconds between two lines without a terminal."""
LOG_SECONDS = 20
"""Seconds between two events in the log of the results folder, which `watch` reads."""
REFRESH_SECONDS = 1
"""Seconds between two updates of the bar on a terminal."""
KNOWN_FROM = 0.1
"""Share of a stage after which its own speed counts; before that, much of its time was compiling."""
TRAINING, EVALUATION = "training", "evaluation"
"""Kinds of work; each attack (`adversaries.Attacked.work`) is another one."""


class Estimate:
    """The time that the remaining work will take, each kind of work at its speed so far in this run.

    Args:
        work: kind -> id of a stage -> FLOPs left.
        rate: expected FLOP/s before anything is measured; afterwards a kind without a speed has the mean speed of the
            others.
        at_most: kinds whose FLOPs are a maximum, such as attacks that may end early. Their speed is measured in the
            same FLOPs, so once one has been timed, the time is an estimate, not a maximum.

    Attributes:
        workers: how many share the work; the others are assumed to be as fast as this one.
    """

    def __init__(self, work: Mapping[str, Mapping[str, float]], rate: float, at_most: Collection[str] = ()):
        self.left = {kind: dict(own) for kind, own in work.items()}
        self.rate, self.at_most, self.workers = rate, at_most, 1
        self._done, self._seconds = dict.fromkeys(self.left, 0.0), dict.fromkeys(self.left, 0.0)
        self._kind, self._now, self._began, self._share, self._reached = "", 0.0, 0.0, 0.0, 0.0

    @contextlib.contextmanager
    def during(self, kind: str, ids: Sequence[str]) -> Iterator[None]:
        """The context of a kind of work on these stages, which is done when it ends."""
        self._began = self._reached = time.monotonic()
        self._now, self._share = sum(self.left.get(kind, {}).get(name, 0.0) for name in ids), 0.0
        self._kind = kind if self._now else ""
        try:
            yield
        finally:
            self._kind = ""  # first, as another thread reads all of this
        if self._now:
            self._drop(kind, ids)
            self._seconds[kind] += time.monotonic() - self._began
            self._done[kind] += self._now

    def reached(self, share: float) -> None:
        """Note the share of the current work that is done; it never decreases."""
        self._share, self._reached = max(share, self._share), time.monotonic()

    def drop(self, ids: Sequence[str]) -> None:
        """Note that all work on these stages is done, by this worker or another."""
        for kind in self.left:
            self._drop(kind, ids)

    def keep(self, ids: Collection[str]) -> None:
        """Note that only work on these stages is left; other workers have done the rest."""
        kept = set(ids)
        self.drop([name for own in self.left.values() for name in own if name not in kept])

    def seconds(self) -> float:
        """Seconds that this worker alone would take for the remaining work."""
        return sum(map(self._seconds_of, self.left))

    def is_at_most(self) -> bool:
        """Whether the time is partly a maximum."""
        return any(self.left.get(kind) and not self._known(kind)[0] for kind in self.at_most)

    def text(self) -> str:
        """The time for all workers together, in words: "at most about 3.5 h left with 2 workers"; empty if unknown."""
        if not (seconds := self.seconds()):
            return ""
        others = f" with {self.workers} workers" if self.workers > 1 else ""
        return f"{'at most ' * self.is_at_most()}about {duration(seconds / self.workers)} left{others}"

    def _drop(self, kind: str, ids: Sequence[str]) -> None:
        gone = set(ids)
        self.left[kind] = {name: flops for name, flops in self.left[kind].items() if name not in gone}

    def _known(self, kind: str) -> tuple[float, float]:
        """Finished FLOPs of a kind, and the seconds they took. Current work counts up to its last report, so the speed
        does not change between reports."""
        done, seconds = self._done[kind], self._seconds[kind]
        if kind == self._kind and self._share >= KNOWN_FROM:
            done, seconds = done + self._share * self._now, seconds + self._reached - self._began
        return done, seconds

    def _seconds_of(self, kind: str) -> float:
        left = sum(self.left[kind].values())
        if kind == self._kind:
            left -= self._share * self._now
        done, seconds = self._known(kind)
        if not done:
            done, seconds = (sum(own) for own in zip(*map(self._known, self.left), strict=True))
        return left * seconds / done if done else left / self.rate


def counted(number: int, noun: str) -> str:
    """A number of things: "1 cell", "1,200 cells"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Progress:
    """Shows the current work. In a log a line appears at least every SAY_SECONDS, whatever the run is waiting for.

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
        """From now on, also write progress as events to a log, every LOG_SECONDS and at the end.

        Args:
            log: event and details -> None, as `Store.log`.
        """
        self._log = log
        self._event("began")

    def at(self, label: str, detail: str) -> None:
        """Begin a piece of work: a stage, and the first part of it."""
        self._label, self._detail, self._speed = label, detail, {}

    def tell(self, detail: str, share: float = 0.0, speed: Mapping[str, float] | None = None) -> None:
        """Report how far the work is.

        Args:
            share: share of the current work that is done (`Estimate.during`).
            speed: tokens_per_second and utilisation (share of the matmul rate), if known.
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
        with contextlib.suppress(OSError):  # the work itself will report what is wrong with the disk
            self._log(event, host=socket.gethostname(), pid=os.getpid(), **details)

    def _left(self) -> float | None:
        """Seconds that this worker alone needs for the remaining work; None if unknown."""
        return round(self.estimate.seconds(), 1) or None

    def line(self) -> str:
        """The current work, and the time left for everything."""
        return f"{self._label}: {'; '.join(filter(None, (self._detail, self.estimate.text())))}"

    def _keep_showing(self) -> None:
        """Runs in a thread, because the main thread may be waiting for a program or the file system."""
        while not self._ended.wait(REFRESH_SECONDS):
            if not self._label:
                continue
            if time.monotonic() - self._logged >= LOG_SECONDS:
                left = {"left": self._left(), "at_most": self.estimate.is_at_most()}
                self._event("progress", doing=self._label, detail=self._detail, **left, **self._speed)
            if not self._bar.disable:
                self._bar.set_description_str(self.line())
            elif time.monotonic() - self._said >= SAY_SECONDS:
                self.say(self.line())


def duration(seconds: float) -> str:
    """Seconds as readable text: "40 s", "14 min", "3.5 h"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"


def flop(count: float) -> str:
    """Floating-point operations as readable text: "850 MFLOP", "1.2 TFLOP"."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} PFLOP" if count < 999.5 else f"{count:,.0f} PFLOP"
