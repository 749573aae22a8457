"""Shared folders for tests: in memory, with listings that are late, and with workers whose operations take turns."""

import threading
from collections.abc import Callable, Iterator, Sequence

from itt_jax.errors import SharingError


class Memory:
    """A shared folder in memory.

    Attributes:
        late: number of operations after which a file is listed. operations: how many there were.
        failing: operations that are refused from now on.
    """

    def __init__(self, late: int = 0):
        self.url, self.late, self.operations, self.failing = "memory", late, 0, 0
        self.files: dict[str, bytes] = {}
        self._since: dict[str, int] = {}
        self._lock = threading.Lock()

    def _count(self) -> None:
        with self._lock:
            self.operations += 1
            if self.failing:
                self.failing -= 1
                raise SharingError("memory: out of reach")

    def read(self, name: str) -> bytes | None:
        self._count()
        return self.files.get(name)

    def tail(self, name: str, size: int) -> bytes | None:
        found = self.read(name)
        return None if found is None else found[-size:]

    def create(self, name: str, content: bytes) -> bool:
        self._count()
        with self._lock:
            self._since.setdefault(name, self.operations)
            return self.files.setdefault(name, content) == content

    def write(self, name: str, content: bytes) -> None:
        self._count()
        self._since.setdefault(name, self.operations)
        self.files[name] = content

    def names(self, folder: str = "") -> list[str]:
        self._count()
        return sorted(
            name for name in self.files if name.startswith(folder) and self._since[name] <= self.operations - self.late
        )


class Turns:
    """Workers that run until their next operation on a shared folder, one after the other in a given order.

    Args:
        choose: called with the workers that can go on; returns the one that does.
    """

    def __init__(self, choose: Callable[[list[int]], int]):
        self._choose, self._changed = choose, threading.Condition()
        self._waiting: set[int] = set()
        self._done: set[int] = set()
        self._turn: int | None = None

    def folder(self, memory: Memory, worker: int) -> "Memory":
        """The shared folder as one worker uses it."""
        return _InTurn(memory, self, worker)

    def take(self, worker: int, operation: Callable):
        """Do one operation when it is the worker's turn."""
        with self._changed:
            self._waiting.add(worker)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn == worker)
            self._turn = None
            self._waiting.discard(worker)
            return operation()

    def run(self, workers: Sequence[Callable[[], None]]) -> None:
        """Run the workers to their end; raises what one of them raises."""
        errors = []

        def work(number: int) -> None:
            try:
                workers[number]()
            except BaseException as error:
                errors.append(error)
            finally:
                with self._changed:
                    self._done.add(number)
                    self._changed.notify_all()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(len(workers))]
        for thread in threads:
            thread.start()
        with self._changed:
            while True:
                self._changed.wait_for(
                    lambda: self._turn is None and len(self._waiting | self._done) == len(workers), timeout=60
                )
                if len(self._done) == len(workers):
                    break
                self._turn = self._choose(sorted(self._waiting))
                self._changed.notify_all()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]


class _InTurn:
    def __init__(self, memory: Memory, turns: Turns, worker: int):
        self._memory, self._turns, self._worker = memory, turns, worker
        self.url = memory.url

    def __getattr__(self, name: str):
        operation = getattr(self._memory, name)
        return lambda *arguments: self._turns.take(self._worker, lambda: operation(*arguments))


def all_orders() -> Iterator[Callable[[list[int]], int]]:
    """A `choose` for each order in which workers can take turns, for runs that depend on nothing else."""
    prefix: list[int] = []
    while True:
        taken: list[tuple[int, int]] = []  # (place of the choice, number of choices)

        def choose(waiting: list[int], prefix=tuple(prefix), taken=taken) -> int:
            place = prefix[len(taken)] if len(taken) < len(prefix) else 0
            taken.append((place, len(waiting)))
            return waiting[place]

        yield choose
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        if not taken:
            return
        prefix = [place for place, _ in taken[:-1]] + [taken[-1][0] + 1]
