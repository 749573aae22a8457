"""The store: finished stages and cells in a folder, each named by what determines it.

    OUT/plan.json          the study and its plan
    OUT/stages/<id>/       record.json, written last: a stage without it is not done
    OUT/cells/<id>.parquet one cell's predictions; its row of the results stands in the file's metadata
    OUT/results.parquet    all rows of the plan's cells, derived from the cells
    OUT/claims/<id>        which worker is on it
    OUT/tokens/<id>/       token ids of training rows, made once and mapped; may be removed
    OUT/log.jsonl          one line an event

Every file is written whole or not at all (`itt_jax.files`).
"""

import contextlib
import dataclasses
import json
import os
import pathlib
import socket
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from itt_jax import files
from itt_jax.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

STALE_SECONDS = 6 * 3600
"""A claim of another host older than this is taken over; on the same host a dead process's claim is taken at once."""


@dataclasses.dataclass(frozen=True)
class Store:
    """One study's results folder.

    Attributes:
        out: the folder; it is made when something is first written.
    """

    out: pathlib.Path

    def open(self, study_id: str, study_name: str) -> None:
        """Check that the folder is free or belongs to this study.

        Raises:
            InputError: it holds another study, or files that are no study's.
        """
        found = self.plan()
        if found is None:
            if self.out.exists() and (not self.out.is_dir() or any(self.out.iterdir())):
                raise InputError(f"--out {self.out}: holds files, but no study of ours; expected a new or empty folder")
            return
        if found["study_id"] != study_id:
            raise InputError(
                f"--out {self.out}: belongs to study {found['name']!r} ({found['study_id']}), found {study_name!r} "
                f"({study_id}); expected the same config, or another --out"
            )

    def plan(self) -> dict | None:
        """The stored plan.json, or None."""
        path = self.out / "plan.json"
        if not path.is_file():
            return None
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            plan["study_id"], plan["name"]
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: not a plan of ours ({error})") from error
        return plan

    def stage(self, stage_id: str) -> pathlib.Path:
        """The folder of a stage."""
        return self.out / "stages" / stage_id

    @property
    def tokens(self) -> pathlib.Path:
        """The folder of token ids, which processes map; it may be removed at any time."""
        return self.out / "tokens"

    def record(self, stage_id: str) -> dict | None:
        """What a finished stage recorded, or None if it is not done."""
        path = self.stage(stage_id) / "record.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def has_cell(self, cell_id: str) -> bool:
        """Whether the cell is there, whole."""
        return self._cell(cell_id).is_file()

    def _cell(self, cell_id: str) -> pathlib.Path:
        return self.out / "cells" / f"{cell_id}.parquet"

    def write_cell(self, row: dict[str, Any], columns: dict[str, Any]) -> None:
        """Write one cell: `columns` per example, `row` for the results (its "cell" names the file)."""
        table = pa.table(columns).replace_schema_metadata({"cell": json.dumps(row)})
        with files.new_file(self._cell(row["cell"])) as partial:
            pq.write_table(table, partial)

    def write_results(self, cell_ids: Iterable[str]) -> int:
        """Derive results.parquet from those of `cell_ids` that are there; returns how many."""
        rows = []
        for cell_id in cell_ids:
            if self.has_cell(cell_id):
                rows.append(json.loads(pq.read_schema(self._cell(cell_id)).metadata[b"cell"]))
        if rows:
            table = pa.Table.from_pylist(rows)
            with files.new_file(self.out / "results.parquet") as partial:
                pq.write_table(table, partial)
        return len(rows)

    @property
    def distances(self) -> pathlib.Path:
        """The table of distances between domains."""
        return self.out / "domains.parquet"

    def write_distances(self, frame: "pd.DataFrame") -> None:
        """Write that table."""
        with files.new_file(self.distances) as partial:
            frame.to_parquet(partial, index=False)

    def log(self, event: str, **details: Any) -> None:
        """Append one line to log.jsonl."""
        self.out.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"time": time.time(), "event": event, **details}, ensure_ascii=False)
        with open(self.out / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(line + "\n")

    @contextlib.contextmanager
    def claim(self, work_id: str) -> Iterator[bool]:
        """Claim a piece of work against other workers on the same store; yields whether it is ours.

        Claims only spare work: two workers that take over one stale claim at the same moment do the same work and
        write the same content-addressed files.
        """
        path = self.out / "claims" / work_id
        path.parent.mkdir(parents=True, exist_ok=True)
        mine = f"{socket.gethostname()} {os.getpid()}"
        if not _create(path, mine):
            if not _stale(path):
                yield False
                return
            path.unlink(missing_ok=True)
            if not _create(path, mine):
                yield False
                return
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)


def _create(path: pathlib.Path, text: str) -> bool:
    """Create `path` if it is not there; the file system decides between two workers."""
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _stale(path: pathlib.Path) -> bool:
    """Whether the worker that holds the claim is gone."""
    try:
        words = path.read_text(encoding="utf-8").split()
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if len(words) == 2 and words[0] == socket.gethostname():
        try:
            os.kill(int(words[1]), 0)
        except ProcessLookupError:
            return True
    return age > STALE_SECONDS
