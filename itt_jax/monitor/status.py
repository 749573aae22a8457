"""The state of a results folder, from its plan, records, claims, cells and log, and from the folder that it shares."""

import collections
import contextlib
import dataclasses
import operator
import pathlib
import time
from collections.abc import Iterable, Mapping
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.cells import BlockEnds
from itt_jax.store.claims import Claim
from itt_jax.store.parquet import reading
from itt_jax.store.parts import PartsFolder
from itt_jax.store.shared_folders import folder_at
from itt_jax.store.shared_view import SharedView
from itt_jax.store.sharing import NOTE, noted

SILENT_SECONDS = 90
"""A worker that has logged nothing for this long is shown only if it has a claim, and without its former speed."""
MOST_FAILURES = 10
"""Maximum number of errors shown, the latest, and of stages that diverged."""
WHO = ("host", "pid")
GIVEN = "given"
"""Kind of a stage that a study is given rather than makes."""


@dataclasses.dataclass(frozen=True)
class Worker:
    """A process that works on the folder.

    Attributes:
        host, pid: host and id of the process.
        stages: ids of the stages that it has claimed. others: the names of its other claims.
        doing, detail: its latest message in the log; empty before the first, and for a worker whose log is elsewhere.
        tokens_per_second, utilisation: training speed, the latter as a share of the matmul rate; None if unknown.
        left: seconds for all remaining work at its own speed; None if unknown. at_most: whether that is a maximum.
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
    at_most: bool = False
    ago: float | None = None
    gone: bool = False
    others: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Status:
    """The state of a folder.

    Attributes:
        name: name of the study or evaluation.
        stages, stages_done: numbers of the plan's stages. cells, cells_done: the same of its cells.
        stages_elsewhere, cells_elsewhere: how many of the finished ones only the shared folder has.
        seeds_elsewhere: number of seeds by which the study has grown without this folder's plan.
        workers: those at work, and those that ended without freeing their claims.
        tokens, seconds: training tokens of finished stages, and the time that they took.
        left: seconds until everything is done, at the combined speed of the workers; None if unknown.
        failures: stages that diverged, then errors; the latest, oldest first. failed: number of all failures.
        next_look: seeds at which a study that grows by seeds is looked at next; None if no look is awaited.
        shared: the shared folder; None if workers share nothing but this folder.
        shared_error: why it could not be read now, so other machines are shown as before; None if it was read.
        shared_damaged: a line for each of its files that is damaged and left out.
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
    seeds_elsewhere: int = 0
    shared: str | None = None
    shared_error: str | None = None
    shared_damaged: tuple[str, ...] = ()

    @property
    def is_done(self) -> bool:
        """Whether every stage, cell and look is finished, and nobody works on the folder."""
        return self.is_complete and not any(not worker.gone for worker in self.workers)

    @property
    def is_complete(self) -> bool:
        """Whether every stage, cell and look is finished."""
        return self.is_made and self.next_look is None

    @property
    def is_made(self) -> bool:
        """Whether every stage and cell is finished; a study that grows by seeds may get more."""
        return self.stages_done == self.stages and self.cells_done == self.cells

    def as_dict(self) -> dict[str, Any]:
        """The same as plain JSON, with "done"."""
        return dataclasses.asdict(self) | {"done": self.is_done}


class Watcher:
    """Looks at a folder repeatedly. Files that no longer change are read once, and of cells only their ids.

    A shared folder that the results folder names is read too.
    """

    def __init__(self, out: pathlib.Path):
        self.store = Store(pathlib.Path(out))
        self._plan: Mapping[str, Any] = {}
        self._planned: set[str] = set()  # ids of its cells
        self._plan_is: tuple[int, ...] | None = None  # the file that these two were read from
        self._ends = BlockEnds(self._end, self.store.cells.indexed())
        self._counted: tuple[set[str] | None, ...] = (None, None, None)  # the sets from which the two counts were made
        self._counts = 0, 0
        self._records: dict[str, Mapping[str, Any]] = {}
        self._position = 0
        self._said: dict[tuple[str, int], Mapping[str, Any]] = {}  # the last event of each process
        self._noted: str | None = None
        self._shared: SharedView | None = None
        self._unread: str | None = None  # why the shared folder is not looked at
        self._failures: collections.deque[str] = collections.deque(maxlen=MOST_FAILURES)
        self._failed = 0

    def check(self) -> None:
        """Refuse a path where no study will begin, or whose shared folder the installed software cannot read.

        Raises:
            InputError: it is a file, a folder of `attack` or `certify`, or holds results without a plan; or it is
                incomplete and the client of its shared folder is not installed.
        """
        out = self.store.out
        if out.exists() and not out.is_dir():
            raise InputError(f"--out {out}: a file, expected a results folder")
        for command, noun in (("attack", "attack"), ("certify", "certificate")):
            if PartsFolder(out, noun).is_begun:
                raise InputError(f"--out {out}: a folder of `{command}`, expected one of `run` or `evaluate`")
        if self.store.results.is_file() and not (out / "plan.json").is_file():
            raise InputError(f"--out {out}: has results but no plan.json, so it is unknown what is left to do")
        if (named := noted(out)) != self._noted:
            self._shared = self._unread = None
            try:
                self._shared = None if named is None else SharedView(self.store, folder_at(named))
            except InputError as error:
                status = self._status()
                if status is None or not status.is_complete:
                    raise InputError(f"{out / NOTE}: {error}") from error
                self._unread = str(error)
            self._noted = named

    def look(self) -> Status | None:
        """The state of the folder; None if no study has begun there yet.

        Raises:
            InputError: it holds something else, or a file is damaged.
        """
        self.check()
        return self._status()

    def _status(self) -> Status | None:
        self._read_plan()
        plan = self._plan
        if not plan:
            return None
        stages = [stage["id"] for stage in plan.get("stages") or () if stage.get("kind") != GIVEN]
        self._read_records(stages)
        self._read_events()
        here = {own["id"]: own for own in plan.get("stages_done") or ()} | self._records  # the former as published
        shared, elsewhere = self._shared, {}
        if shared is not None:
            shared.refresh([name for name in stages if name not in self._records])
            elsewhere = {name: own for name, own in shared.records.items() if name not in here}
        records = here | elsewhere
        done = [records[name] for name in stages if name in records]
        cells_here, all_cells = self._cells()
        next_look, grown = self._looks()
        noted = self._noted if shared is None else shared.url
        cells, workers = plan.get("cells") or 0, self._workers(set(stages))
        left = [worker.left for worker in workers if worker.left and not worker.gone]
        diverged = _diverged(done)
        return Status(
            name=str(plan.get("name")),
            stages=len(stages),
            stages_done=len(done),
            cells=cells,
            cells_done=min(cells, all_cells),
            workers=workers,
            tokens=sum(record.get("tokens") or 0 for record in done),
            seconds=sum(record.get("wall_seconds") or 0.0 for record in done),
            left=1 / sum(1 / own for own in left) if left else None,
            failures=(*diverged[-MOST_FAILURES:], *self._failures),
            failed=len(diverged) + self._failed,
            next_look=next_look,
            stages_elsewhere=len(elsewhere),
            cells_elsewhere=all_cells - cells_here,
            seeds_elsewhere=grown if noted is not None else 0,
            shared=noted,
            shared_error=self._unread if shared is None else shared.error,
            shared_damaged=() if shared is None else tuple(sorted(shared.damaged)),
        )

    def _read_plan(self) -> None:
        """Read the plan, unless its file is the one that was read before."""
        found = None
        with contextlib.suppress(OSError):
            stat = (self.store.out / "plan.json").stat()
            found = stat.st_mtime_ns, stat.st_size, stat.st_ino
        if found is None or found != self._plan_is:
            self._plan_is = None
            self._plan = self.store.plan()
            self._planned = set(map(str, self._plan.get("cell_ids") or ()))
            self._plan_is = found

    def _read_records(self, stages: Iterable[str]) -> None:
        begun = self.store.begun()
        for name in stages:
            if name in begun and name not in self._records and (record := self.store.record(name)):
                self._records[name] = record

    def _looks(self) -> tuple[int | None, int]:
        """The look for which the plan's seeds are made, or the next one unless others have ended the study; and the
        number of seeds that the last look saw beyond the plan's."""
        declared, present = self._plan.get("declared") or {}, len(self._plan.get("seeds") or ())
        taken, looks = present, declared.get("content", {}).get("stopping", {}).get("looks") or ()
        for number in looks:
            if number >= present:
                seen = self.store.agreed.look(declared["hash"], number)
                if seen is None and self._shared is not None:
                    seen = self._shared.looks.get((declared["hash"], number))
                if seen is None:
                    return number, taken - present
                taken = number
                if seen.get("stop"):
                    break
        return None, taken - present

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
                what = next((f"{name} {event[name]}" for name in ("cell", "stage") if name in event), "?")
                self._fail(f"{what}: {event.get('error')}")

    def _fail(self, text: str) -> None:
        self._failed += 1
        self._failures.append(text)

    def _cells(self) -> tuple[int, int]:
        """Numbers of the plan's cells: in the results folder, and including those that only the shared folder has."""
        if not self._planned:  # a plan of an earlier version
            count = len(self.store.result_cells())
            return count, count
        blocks = self.store.cells.blocks.there()
        here = self._ends.cells(blocks) if blocks else self.store.result_cells()  # published results may come alone
        there = None if self._shared is None else self._shared.cells
        if any(map(operator.is_not, (self._planned, here, there), self._counted)):
            found = self._planned & here
            self._counts = len(found), len(found | (self._planned & (there or set())))
            self._counted = self._planned, here, there
        return self._counts

    def _end(self, name: str, size: int) -> bytes | None:
        """The last `size` bytes of a block, or all of a smaller one; None if it is gone."""
        path = self.store.cells.folder / name
        with reading(path):
            return files.read_end(path, size)

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
            names = ("doing", "detail", *(() if is_silent else ("tokens_per_second", "utilisation", "left", "at_most")))
            if who not in claimed and (event.get("event") == "ended" or is_silent):
                continue
            said = {name: event[name] for name in names if event.get(name) is not None}
            claims = claimed.get(who, ())
            own = tuple(name for name in claims if name in stages or not stages)
            others = tuple(name for name in claims if name not in own)
            found.append(Worker(*who, own, ago=ago, gone=who in stale, others=others, **said))
        return tuple(found)

    def _held(self) -> Mapping[str, tuple[Claim, bool]]:
        """As `Claims.held`; workers that share a folder have their claims there."""
        return self.store.claims.held() if self._shared is None else self._shared.held


def _diverged(records: Iterable[Mapping[str, Any]]) -> list[str]:
    found = []
    for record in records:
        if record.get("diverged"):
            arms = ", ".join(record.get("arms") or ())
            where = ", ".join(filter(None, (record.get("encoder"), record.get("kind"), arms)))
            found.append(f"stage {record['id']} ({where}, seed {record.get('seed')}) diverged")
    return found
