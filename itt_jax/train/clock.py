"""How a loop spent its time."""

import contextlib
import time
from collections.abc import Iterator


class Clock:
    """Seconds of a loop by activity, and its work since the last log line."""

    def __init__(self):
        self.began = self.lap_began = time.perf_counter()
        self.compile_seconds = self.paused = 0.0
        self.steps = self.tokens = self.row_tokens = 0
        self.flops = 0.0

    def seconds(self) -> float:
        """Seconds since the loop began."""
        return time.perf_counter() - self.began

    @contextlib.contextmanager
    def compiling(self) -> Iterator[None]:
        """A context in which the loop waits for a program."""
        began = time.perf_counter()
        with self.pausing():
            yield
        self.compile_seconds += time.perf_counter() - began

    @contextlib.contextmanager
    def pausing(self) -> Iterator[None]:
        """A context in which nothing is trained."""
        began = time.perf_counter()
        yield
        self.paused += time.perf_counter() - began

    def count(self, tokens: int, row_tokens: int, flops: float) -> None:
        """Add one step of one run."""
        self.tokens += tokens
        self.row_tokens += row_tokens
        self.flops += flops

    def lap(self, left: int) -> dict[str, float]:
        """Real tokens/s, packing efficiency and FLOP/s since the last lap, and seconds for `left` further steps."""
        seconds = max(1e-9, time.perf_counter() - self.lap_began - self.paused)
        found = {
            "tokens/s": self.tokens / seconds,
            "packing efficiency": self.tokens / max(1, self.row_tokens),
            "flops/s": self.flops / seconds,
            "left": left * seconds / max(1, self.steps),
        }
        self.lap_began, self.paused = time.perf_counter(), 0.0
        self.steps = self.tokens = self.row_tokens = 0
        self.flops = 0.0
        return found
