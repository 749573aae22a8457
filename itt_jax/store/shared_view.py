"""A read-only view of a shared folder for `watch`: finished work, and the workers."""

import math
import time
from collections.abc import Collection
from typing import Any

from itt_jax.errors import InputError, SharingError
from itt_jax.store import origins
from itt_jax.store.cells import BlockEnds
from itt_jax.store.claims import STALE_SECONDS, Claim, Claims
from itt_jax.store.folder import Store
from itt_jax.store.objects import LOOK, RECORD, Types, object_of
from itt_jax.store.shared_folders import MARK, SharedFolder, together
from itt_jax.store.sharing import PULL_SECONDS, REGEXES, own_name, unframed
from itt_jax.store.slots import SharedSlots


class SharedView:
    """The content of a shared folder that a results folder sharing it lacks.

    Attributes:
        held: as returned by `Claims.held`.
        records: stage -> its record, for finished stages that the results folder lacks.
        looks: (hash of a declaration, number of seeds) -> what was seen then, for looks that the results folder lacks.
        cells: ids of the cells of these and of other finished stages that are in no block of the results folder.
        damaged: a line for each record and look that the last read left out because its file is damaged.
        error: why the last read failed; None if it succeeded. After a failure the others keep their values, `held` for
            at most STALE_SECONDS.
    """

    def __init__(self, store: Store, shared: SharedFolder):
        self.store, self.shared, self.url = store, shared, shared.url
        self.held: dict[str, tuple[Claim, bool]] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.looks: dict[tuple[str, int], dict[str, Any]] = {}
        self.cells: set[str] = set()
        self.damaged: list[str] = []
        self.error: str | None = None
        self._slots = SharedSlots(shared)
        self._claims = Claims(self._slots)
        self._read_as: dict[str, tuple[str, int]] = {}  # stage -> version of its record, number of its last holder then
        self._ends = BlockEnds(shared.tail)
        self._read_at = self._good_at = -math.inf

    def refresh(self, lacking: Collection[str]) -> None:
        """Read what is new, at most every PULL_SECONDS.

        Args:
            lacking: ids of the plan's stages that have no record in the results folder.
        """
        if time.monotonic() - self._read_at < PULL_SECONDS:
            return
        try:
            self._read(lacking)
            self.error, self._good_at = None, time.monotonic()
        except SharingError as error:
            self.error = str(error)
            if time.monotonic() - self._good_at > STALE_SECONDS:
                # Holders may be gone, or unable to reach the folder either; once it is read again, they count as just
                # seen.
                self.held, self._claims = {}, Claims(self._slots)
        self._read_at = time.monotonic()

    def _read(self, lacking: Collection[str]) -> None:
        if self.shared.read(MARK) is None:
            raise SharingError(f"{self.url}: no shared folder (it has no file {MARK!r}); was it removed?")
        self.held, self.damaged = self._claims.held(), []
        self._read_records(lacking)
        self._read_cells()
        for name in self.shared.names("looks"):
            if REGEXES["looks/*/*.json"].fullmatch(name) and not (self.store.out / name).is_file():
                self._read_look(name)

    def _read_records(self, lacking: Collection[str]) -> None:
        names = set(self.shared.names("stages"))
        there = [stage for stage in lacking if _record(stage) in names]
        together(self._read_record, [stage for stage in there if not self._is_read(stage)])
        self.records = {stage: self.records[stage] for stage in there if stage in self.records}

    def _is_read(self, stage: str) -> bool:
        """Whether the record that was read is still valid; only the holder of its claim makes a stage again."""
        _, number = self._read_as.get(stage, ("", None))
        return stage in self.records and stage not in self.held and number == self._slots.number(stage)

    def _read_record(self, stage: str) -> None:
        if found := self._object(_record(stage), RECORD):
            record, version = found
            if record.get("id") == stage:
                self.records[stage], self._read_as[stage] = record, (version, self._slots.number(stage))
            else:
                self.damaged.append(f"{self.url}/{_record(stage)}: the record of another stage")

    def _read_look(self, name: str) -> None:
        _, declared, seeds = name.removesuffix(".json").split("/")
        if seeds.isdecimal() and (declared, int(seeds)) not in self.looks and (found := self._object(name, LOOK)):
            self.looks[declared, int(seeds)] = found[0]

    def _read_cells(self) -> None:
        here = {f"cells/{name}" for name in self.store.cells.blocks.there()}
        found = [REGEXES["cells/*.parquet"].fullmatch(name) for name in self.shared.names("of")]
        lacking = [(own[0], own[1]) for own in found if own and own_name(own[0]) not in here]
        versions = {self._read_as[stage][0] for stage in self.records}
        if any(version not in versions for _, version in lacking):
            versions |= origins.versions(self.store.out)
        self.cells = self._ends.cells([name for name, version in lacking if version in versions])

    def _object(self, name: str, types: Types) -> tuple[dict[str, Any], str] | None:
        """An object and the version of its file; None if the file is damaged or was removed meanwhile."""
        found = self.shared.read(name)
        if found is None:
            return None
        try:
            if (content := unframed(found)) is None:
                raise InputError(f"{self.url}/{name}: damaged, or being written")
            return object_of(content, types, f"{self.url}/{name}"), origins.version(content)
        except InputError as error:
            self.damaged.append(str(error))
            return None


def _record(stage: str) -> str:
    return f"stages/{stage}/record.json"
