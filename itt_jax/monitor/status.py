"""The state of a results folder, from its plan, records, claims, cells and log, and from the folder that it shares."""

import collections
import dataclasses
import pathlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.claims import Claim
from itt_jax.store.parts import PartsFolder
from itt_jax.store.shared_folders import folder_at
from itt_jax.store.shared_view import SharedView
from itt_jax.store.sharing import NOTE, noted

SILENT_SECONDS = 90
"""A worker that has logged nothing for so long is not shown without a claim, nor with the speed that it had."""
MOST_FAILURES = 10
"""The latest ones are shown, and as many stages that diverged."""
WHO = ("host", "pid")
GIVEN = "given"
"""Kind of a stage that a study begins with and does not make."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process that works on the folder.

    Attributes:
        host, pid: of the process. stages: ids of the stages that it has claimed.
        doing, detail: its latest message in the log; empty before the first, and of a worker whose log is elsewhere.
        tokens_per_second, utilisation: of training, the latter as a share of the matmul rate; None where unknown.
        left: seconds for all that is left, by its own speed; None where unknown.
        ago: seconds since that message, by the clocks of its host and of this one; None without one.
        gone: whether it is known to have ended without freeing its claims.
    """

    host: str
    pid: int
    stages: tuple[str, ...]
    doing: str = ""
    detail: str = ""
    tokens_per_second: float | None = None
    utilisation: float | None = None
    left: float | None = None
    ago: float | None = None
    gone: bool = False


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of a folder.

    Attributes:
        name: of the study or evaluation.
        stages, stages_done: numbers of the plan's stages. cells, cells_done: the same of its cells.
        stages_elsewhere, cells_elsewhere: how many of those that are done only the shared folder has.
        workers: those at work, and those that ended without freeing their claims.
        tokens, seconds: what finished stages trained on, and how long they took.
        left: seconds until everything is done, by the workers' speeds together; None where unknown.
        failures: stages that diverged, then errors; the latest, oldest first. failed: number of all failures.
        next_look: seeds at which a study that grows by seeds is looked at next; None where no look is awaited.
        shared: the shared folder; None where workers share nothing but this folder.
        shared_error: why it could not be read now, so that what others do is as it was before; None where it could.
    """

    name: str
    stages: int
    stages_done: int
    cells: int
    cells_done: int
    workers: tuple[Worker, ...]
    tokens: int
    seconds: float
    left: float | None
    failures: tuple[str, ...]
    failed: int
    next_look: int | None
    stages_elsewhere: int = 0
    cells_elsewhere: int = 0
    shared: str | None = None
    shared_error: str | None = None

    @property
    def is_done(self) -> bool:
        """Whether every stage, cell and look is there, and nobody works on the folder."""
        return self.is_made and self.next_look is None and not any(not worker.gone for worker in self.workers)

    @property
    def is_made(self) -> bool:
        """Whether every stage and cell is there; a study that grows by seeds may get more."""
        return self.stages_done == self.stages and self.cells_done == self.cells

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON, with "done"."""
        return dataclasses.asdict(self) | {"done": self.is_done}


class Watcher:
    """Looks at a folder again and again; finished stages and old events are read once.

    A shared folder that the results folder names is read, too.
    """

    def __init__(self, out: pathlib.Path):
        self.store = Store(pathlib.Path(out))
        self._records: dict[str, Mapping[str, Any]] = {}
        self._position = 0
        self._said: dict[tuple[str, int], Mapping[str, Any]] = {}  # the last event of each process
        self._noted: str | None = None
        self._shared: SharedView | None = None
        self._failures: collections.deque[str] = collections.deque(maxlen=MOST_FAILURES)
        self._failed = 0

    def check(self) -> None:
        """Refuse a place where no study will begin, or whose shared folder cannot be read with what is installed.

        Raises:
            InputError: it is a file, a folder of `attack` or `certify`, or holds results without a plan, or the client
                of its shared folder is not installed.
        """
        out = self.store.out
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out}: a file, expected a results folder")
        for command, noun in (("attack", "attack"), ("certify", "certificate")):
            if PartsFolder(out, noun).is_begun:
                raise InputError(f"--out {out}: a folder of `{command}`, expected one of `run` or `evaluate`")
        if self.store.results.is_file() and not (out / "plan.json").is_file():
            raise InputError(f"--out {out}: has results and no plan.json, so nothing says what is left to do")
        if (named := noted(out)) != self._noted:
            try:
                self._shared = None if named is None else SharedView(self.store, folder_at(named))
            except InputError as error:
                raise InputError(f"{out / NOTE}: {error}") from error
            self._noted = named

    def look(self) -> Status | None:
        """The state of the folder; None where no study has begun there yet.

        Raises:
            InputError: it holds something else, or a file is damaged.
        """
        self.check()
        plan = self.store.plan()
        if not plan:
            return None
        stages = [stage["id"] for stage in plan.get("stages") or () if stage.get("kind") != GIVEN]
        self._records = {own["id"]: own for own in plan.get("stages_done") or ()} | self._records  # as published
        for name in stages:
            if name not in self._records and (record := self.store.record(name)):
                self._records[name] = record
        self._read_events()
        shared, elsewhere = self._shared, {}
        if shared is not None:
            shared.refresh(stages)
            elsewhere = {name: own for name, own in shared.records.items() if name not in self._records}
        records = {**self._records, **elsewhere}
        done = [records[name] for name in stages if name in records]
        here, all_cells = self._cells(plan)
        cells, workers = plan.get("cells") or 0, self._workers(set(stages))
        left = [worker.left for worker in workers if worker.left and not worker.gone]
        diverged = _diverged(done)
        return Status(
            name=str(plan.get("name")),
            stages=len(stages),
            stages_done=len(done),
            cells=cells,
            cells_done=min(cells, len(all_cells)),
            workers=workers,
            tokens=sum(record.get("tokens") or 0 for record in done),
            seconds=sum(record.get("wall_seconds") or 0.0 for record in done),
            left=1 / sum(1 / own for own in left) if left else None,
            failures=(*diverged[-MOST_FAILURES:], *self._failures),
            failed=len(diverged) + self._failed,
            next_look=self._next_look(plan),
            stages_elsewhere=len(elsewhere),
            cells_elsewhere=len(all_cells) - len(here),
            shared=None if shared is None else shared.url,
            shared_error=None if shared is None else shared.error,
        )

    def _next_look(self, plan: Mapping[str, Any]) -> int | None:
        """The look that the plan's seeds are made for, or the one after it if that has not ended the study."""
        declared, present = plan.get("declared") or {}, len(plan.get("seeds") or ())
        looks = declared.get("content", {}).get("stopping", {}).get("looks") or ()
        for number in looks:
            if number >= present:
                seen = self.store.agreed.look(declared["hash"], number)
                if seen is None and self._shared is not None:
                    seen = self._shared.looks.get((declared["hash"], number))
                if seen is None:
                    return number
                if seen.get("stop"):
                    return None
        return None

    def _read_events(self) -> None:
        events, self._position = self.store.events(self._position)
        for event in events:
            kind = event["event"]
            if kind in ("began", "progress", "ended") and all(name in event for name in WHO):
                who = str(event["host"]), int(event["pid"])
                self._said[who] = event
                if kind == "ended" and event.get("error"):
                    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(event.get("time")))
                    self._fail(f"{when}, {who[0]} process {who[1]}: {event['error']}")
            elif kind == "failed":
                self._fail(f"cell {event.get('cell')}: {event.get('error')}")

    def _fail(self, text: str) -> None:
        self._failed += 1
        self._failures.append(text)

    def _cells(self, plan: Mapping[str, Any]) -> tuple[set[str], set[str]]:
        """The plan's cells that the results folder has, and with them those that only the shared folder has."""
        planned = set(map(str, plan.get("cell_ids") or ()))
        if not planned:  # a plan of an earlier version
            here = self.store.result_cells()
            return here, here
        here = planned & (self.store.cells.ids() or self.store.result_cells())  # published results may come alone
        return here, here | (planned & self._shared.cells if self._shared is not None else set())

    def _workers(self, stages: set[str]) -> tuple[Worker, ...]:
        claimed: dict[tuple[str, int], list[str]] = {}
        stale: set[tuple[str, int]] = set()
        for name, (claim, is_stale) in self._held().items():
            claimed.setdefault((claim.host, claim.pid), []).append(name)
            if is_stale:
                stale.add((claim.host, claim.pid))
        found = []
        for who in dict.fromkeys([*claimed, *self._said]):
            event = self._said.get(who, {})
            ago = time.time() - event["time"] if "time" in event else None
            is_silent = ago is None or ago > SILENT_SECONDS
            names = ("doing", "detail", *(() if is_silent else ("tokens_per_second", "utilisation", "left")))
            if who not in claimed and (event.get("event") == "ended" or is_silent):
                continue
            said = {name: event[name] for name in names if event.get(name) is not None}
            own = tuple(name for name in claimed.get(who, ()) if name in stages or not stages)
            found.append(Worker(*who, own, ago=ago, gone=who in stale, **said))
        return tuple(found)

    def _held(self) -> Mapping[str, tuple[Claim, bool]]:
        """As `Claims.held`; of workers that share a folder, their claims are there."""
        return self.store.claims.held() if self._shared is None else self._shared.held


def _diverged(records: Iterable[Mapping[str, Any]]) -> list[str]:
    found = []
    for record in records:
        if record.get("diverged"):
            arms = ", ".join(record.get("arms") or ())
            where = ", ".join(filter(None, (record.get("encoder"), record.get("kind"), arms)))
            found.append(f"stage {record['id']} ({where}, seed {record.get('seed')}) diverged")
    return found
