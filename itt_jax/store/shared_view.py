"""A shared folder as those see it who only watch: what is done there and who works. Nothing is written anywhere."""

import math
import time
from collections.abc import Collection
from typing import Any

from itt_jax.errors import InputError, SharingError
from itt_jax.store import origins
from itt_jax.store.cells import cells_in
from itt_jax.store.claims import Claim, Claims
from itt_jax.store.folder import Store
from itt_jax.store.objects import LOOK, RECORD, Types, object_of
from itt_jax.store.shared_folders import MARK, SharedFolder, together
from itt_jax.store.sharing import PULL_SECONDS, REGEXES, own_name, unframed
from itt_jax.store.slots import SharedSlots


class SharedView:
    """What a shared folder has beside a results folder that shares it.

    Attributes:
        held: as `Claims.held` gives it.
        records: stage -> its record, of finished stages without one in the results folder.
        looks: (hash of a declaration, number of seeds) -> what was seen then, of looks that the results folder lacks.
        cells: ids of the cells of these and of other finished stages that are in no block of the results folder.
        error: why the shared folder could not be read the last time, after which the others stay as they were; None
            where it could.
    """

    def __init__(self, store: Store, shared: SharedFolder):
        self.store, self.shared, self.url = store, shared, shared.url
        self.held: dict[str, tuple[Claim, bool]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.looks: dict[tuple[str, int], dict[str, Any]] = {}
        self.cells: set[str] = set()
        self.error: str | None = None
        self._claims = Claims(SharedSlots(shared))
        self._versions: dict[str, str] = {}  # of the records
        self._blocks: dict[str, list[str]] = {}  # name -> its cells; a block is written once
        self._read_at = -math.inf

    def refresh(self, stages: Collection[str]) -> None:
        """Read what is new, unless that was done a moment ago.

        Args:
            stages: ids of those of the plan.
        """
        if time.monotonic() - self._read_at < PULL_SECONDS:
            return
        try:
            self._read(stages)
            self.error = None
        except SharingError as error:
            self.error = str(error)
        self._read_at = time.monotonic()

    def _read(self, stages: Collection[str]) -> None:
        if self.shared.read(MARK) is None:
            raise SharingError(f"{self.url}: no shared folder (it has no file {MARK!r}); was it removed?")
        held = self._claims.held()
        for stage in self.held.keys() - held.keys():  # which may have been made again
            self.records.pop(stage, None)
        self.held = held
        self._read_records(stages)
        self._read_cells()
        for name in self.shared.names("looks"):
            if REGEXES["looks/*/*.json"].fullmatch(name) and not (self.store.out / name).is_file():
                self._read_look(name)

    def _read_records(self, stages: Collection[str]) -> None:
        names = set(self.shared.names("stages"))
        lacking = [stage for stage in stages if _record(stage) in names and not self.store.is_done(stage)]
        self.records = {stage: self.records[stage] for stage in lacking if stage in self.records}
        together(self._read_record, [stage for stage in lacking if stage not in self.records])

    def _read_record(self, stage: str) -> None:
        if content := self._content(_record(stage)):
            record = self._object(_record(stage), content, RECORD)
            if record.get("id") != stage:
                raise SharingError(f"{self.url}/{_record(stage)}: the record of another stage")
            self.records[stage], self._versions[stage] = record, origins.version(content)

    def _read_look(self, name: str) -> None:
        _, declared, seeds = name.removesuffix(".json").split("/")
        if seeds.isdecimal() and (declared, int(seeds)) not in self.looks and (content := self._content(name)):
            self.looks[declared, int(seeds)] = self._object(name, content, LOOK)

    def _read_cells(self) -> None:
        versions = origins.versions(self.store.out) | {self._versions[stage] for stage in self.records}
        here = {f"cells/{name}" for name in self.store.cells.names()}
        found = [
            name
            for name in self.shared.names("of")
            if (match := REGEXES["cells/*.parquet"].fullmatch(name))
            and match[1] in versions
            and own_name(name) not in here
        ]
        together(self._read_block, [name for name in found if name not in self._blocks])
        self.cells = {cell for name in found for cell in self._blocks[name]}

    def _read_block(self, name: str) -> None:
        self._blocks[name] = cells_in(lambda size: self.shared.tail(name, size) or b"")

    def _content(self, name: str) -> bytes | None:
        """The content of a file; None where it was removed since it was listed."""
        found = self.shared.read(name)
        content = None if found is None else unframed(found)
        if found is not None and content is None:
            raise SharingError(f"{self.url}/{name}: damaged, or being written")
        return content

    def _object(self, name: str, content: bytes, types: Types) -> dict[str, Any]:
        try:
            return object_of(content, types, f"{self.url}/{name}")
        except InputError as error:
            raise SharingError(str(error)) from error


def _record(stage: str) -> str:
    return f"stages/{stage}/record.json"
