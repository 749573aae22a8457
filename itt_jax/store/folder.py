"""A results folder: finished stages and cells, each named by a hash of everything that determines it.

    OUT/plan.json            the study and its plan
    OUT/stages/<id>/         record.json, written last: a stage without it is unfinished; checkpoint/
    OUT/cells/               predictions of the cells, those of one stage on the same rows in one file (`store.cells`)
    OUT/results.parquet      the rows of all cells of the plan, derived from the cells
    OUT/selection.parquet    the rows of the cells on dev rows, which decide what has signal; no scores of the study
    OUT/clusters.parquet     which evaluated items share a text (`store.tables`)
    OUT/texts/           texts of some evaluated rows, shown in the report (`store.texts`); may be removed
    OUT/domains.parquet      distances between the domains of the study (`store.tables`)
    OUT/precision/<model>    the precision in which every worker evaluates this model (`store.agreed`, as looks)
    OUT/looks/<hash>/<n>     what was seen when a study that grows by seeds was looked at after n of them
    OUT/declared/            what workers on a shared folder have declared (`store.agreed`)
    OUT/attacks/<id>/        an attack on the model of one stage, in parts (`store.parts`)
    OUT/transfer/            scores of one model on texts that attacks made on others (`store.blocks`)
    OUT/damaged/             files that were found damaged, and made again; predictions of earlier trainings
    OUT/claims/<id>          which worker is doing it
    OUT/shared_folder.txt    the folder that workers on other machines share with this one (`store.sharing`)
    OUT/tokens/<id>/         token ids of training rows, made once and memory-mapped; may be removed
    OUT/tensorboard/         training curves for TensorBoard, where they were asked for
    OUT/profile/             a trace of a few training steps, where one was asked for
    OUT/report/              tables, figures and the page
    OUT/log.jsonl            one line an event

Every file is written whole or not at all (`itt_jax.files`).
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from itt_jax import files
from itt_jax.errors import InputError, SharingError
from itt_jax.store.agreed import Agreed
from itt_jax.store.blocks import Blocks
from itt_jax.store.cells import Cells
from itt_jax.store.claims import Claims, Hold
from itt_jax.store.clearing import clear_temporaries, without_temporaries
from itt_jax.store.log import append, read_events
from itt_jax.store.objects import PLAN, RECORD, object_text, read_object, write_object
from itt_jax.store.parquet import read_table
from itt_jax.store.parts import PartsFolder
from itt_jax.store.schema import NAMED_SINCE, SCHEMA, current_plan, schema_of
from itt_jax.store.sharing import NOTE, Sharing
from itt_jax.store.slots import SharedSlots, SlotFiles
from itt_jax.store.tables import Tables, write_rows

if TYPE_CHECKING:
    import pandas as pd

BEFORE_PLAN = {"precision"}
"""What a worker may write before plan.json, beside temporaries: all that it leaves if it is killed then."""


@dataclasses.dataclass(frozen=True)
class Store:
    """The results folder `out`; it is created when something is first written.

    Attributes:
        sharing: keeps it in step with a shared folder; None if workers share nothing but `out`.
    """

    out: pathlib.Path
    sharing: Sharing | None = None

    def existing_plan(self) -> dict[str, Any] | None:
        """The plan of a folder, after a check that results can be added to it; None for a new one.

        Raises:
            InputError: it has an earlier schema, or holds other files, or results without their cells, which new
                results would replace.
        """
        path = self.out / "plan.json"
        others = without_temporaries(self.out) - BEFORE_PLAN  # before another worker may write its plan and more
        found = self._read_plan()
        if found is None:
            if others and NOTE not in others:
                raise InputError(f"--out {self.out}: holds files, but no study; expected a new or empty folder")
            return None
        if not {"study_id", "name"} <= set(found):
            raise InputError(f"{path}: not a study's plan; expected a study_id and a name")
        if schema_of(found) != SCHEMA:
            raise InputError(
                f"--out {self.out}: written in schema {schema_of(found)}, expected {SCHEMA}; `report` can read its "
                "results, but nothing can be added to them: choose another --out"
            )
        if self.results.is_file() and not self.cells.folder.is_dir():
            raise InputError(
                f"--out {self.out}: holds results without their cells; `report` can read them, but nothing can be "
                "added to them: choose another --out"
            )
        return found

    # --- The plan

    def write_plan(self, plan: dict[str, Any]) -> None:
        """Write plan.json."""
        write_object(self.out / "plan.json", {"schema": SCHEMA, **plan})

    def plan(self) -> dict[str, Any]:
        """plan.json in the current schema; empty if absent, since results can be analysed without it.

        Raises:
            InputError: the file is not a JSON object, or a field has the wrong type.
        """
        plan = self._read_plan() or {}
        return current_plan(plan) if plan and schema_of(plan) < NAMED_SINCE else plan

    @property
    def is_current(self) -> bool:
        """Whether results have the current schema."""
        plan = self._read_plan()
        return plan is None or schema_of(plan) >= NAMED_SINCE

    def holds(self, study_id: str) -> bool:
        """Whether the folder's plan is of this study; another run may have changed it."""
        return (self._read_plan() or {}).get("study_id") == study_id

    def _read_plan(self) -> dict[str, Any] | None:
        path = self.out / "plan.json"
        found = read_object(path, PLAN) if files.exists(path) else None
        if found is not None and schema_of(found) > SCHEMA:
            raise InputError(f"{path}: schema {schema_of(found)}, of a later version; expected at most {SCHEMA}")
        return found

    # --- Stages

    def stage(self, stage_id: str) -> pathlib.Path:
        """The folder of a stage."""
        return self.out / "stages" / stage_id

    def checkpoint(self, stage_id: str) -> pathlib.Path:
        """The folder of a finished stage's parameters."""
        return self.stage(stage_id) / "checkpoint"

    def has_checkpoint(self, stage_id: str) -> bool:
        """Whether a stage's parameters are there."""
        return self.checkpoint(stage_id).is_dir()

    def remove_checkpoint(self, stage_id: str) -> None:
        """Remove a stage's parameters; they are there whole or not at all."""
        files.remove_folder(self.checkpoint(stage_id))

    def record(self, stage_id: str) -> dict[str, Any] | None:
        """The record of a finished stage; None if it is unfinished.

        Raises:
            InputError: the file is damaged, or holds another stage's record.
        """
        path = self.stage(stage_id) / "record.json"
        return self._read_record(path) if files.exists(path) else None

    def records(self) -> Iterator[dict[str, Any]]:
        """The records of all finished stages in the folder, in its plan or not."""
        for path in sorted(self.out.glob("stages/*/record.json")):
            yield self._read_record(path)

    @staticmethod
    def _read_record(path: pathlib.Path) -> dict[str, Any]:
        record = read_object(path, RECORD)
        if record.get("id") != path.parent.name:
            raise InputError(f"{path}: id: found {record.get('id')!r:.80}, expected that of the stage's folder")
        return record

    def begun(self) -> set[str]:
        """The ids of the stages that have a folder; no other stage is finished."""
        try:
            return set(os.listdir(self.out / "stages"))
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def is_done(self, stage_id: str) -> bool:
        """Whether a stage is recorded."""
        return files.exists(self.stage(stage_id) / "record.json")

    def write_record(self, stage_id: str, record: dict[str, Any]) -> None:
        """Record a stage, which makes it finished; in a shared folder its parameters are there by then."""
        if self.sharing:
            self.sharing.set_aside(stage_id, object_text(record).encode())
        write_object(self.stage(stage_id) / "record.json", record)
        if self.sharing:
            self.sharing.push_record(stage_id)
            self.cells.forget()

    # --- Cells and results

    @functools.cached_property
    def cells(self) -> Cells:
        """The cells."""
        return Cells(self.out)

    def has_cell(self, cell_id: str) -> bool:
        """Whether the cell is there."""
        return cell_id in self.cells

    def check(self) -> None:
        """Check every byte of cells and transfers; damaged ones count as absent afterwards.

        Raises:
            InputError: a file cannot be read, or was written by an earlier version.
        """
        for blocks in self.blocks:
            blocks.check()
        self.cells.forget()

    def set_aside(self) -> list[str]:
        """Move away the files that `check` found damaged, if they still are; returns a line for each.

        Raises as `check`.
        """
        lines = [line for blocks in self.blocks for line in blocks.set_aside()]
        self.cells.forget()
        return lines

    def set_aside_checkpoint(self, stage_id: str) -> str:
        """Move a stage's parameters away if they are damaged; returns a line that says so, or "".

        Raises:
            InputError: they cannot be read, so nobody knows whether they are damaged.
        """
        path, aside = self.checkpoint(stage_id), self.out / "damaged" / f"{stage_id}-checkpoint"
        try:
            files.check_manifest(path, "checkpoint")
        except InputError as error:
            if isinstance(error.__cause__, OSError):
                raise
            aside.parent.mkdir(parents=True, exist_ok=True)
            files.remove_folder(aside)
            with contextlib.suppress(FileNotFoundError):  # another worker was first
                os.rename(path, aside)
            return f"{error}; it is set aside ({aside}) and made again"
        return ""

    def clear(self) -> None:
        """Remove what killed workers have left: half-written files, and claims."""
        clear_temporaries(self.out)
        if self.sharing is None:
            for name, (claim, _) in self.claims.held().items():
                if claim.is_gone():
                    with self.claims.claim(name):
                        pass  # as its next holder frees it

    def others(self, stage_ids: Iterable[str], cell_ids: Iterable[str]) -> tuple[int, int]:
        """The numbers of further finished stages and cells: those of earlier versions of a study."""
        stages = {path.parent.name for path in self.out.glob("stages/*/record.json")}
        return len(stages.difference(stage_ids)), len(self.cells.ids() - set(cell_ids))

    def read_cell(self, cell_id: str, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Some columns of one cell, or all of them; one row an example.

        Raises:
            InputError: the cell is missing or lacks a column, or its file is damaged.
        """
        if columns is None and self.has_cell(cell_id):
            columns = self.cells.columns(cell_id)
        return self.cells.table(cell_id, columns or ()).to_pandas()

    @property
    def results(self) -> pathlib.Path:
        """The table of all cells' rows."""
        return self.out / "results.parquet"

    @property
    def selection(self) -> pathlib.Path:
        """The table of rows of the cells on dev rows."""
        return self.out / "selection.parquet"

    def write_results(
        self, planned: Iterable[dict[str, Any]], selection: Iterable[dict[str, Any]] | None = None
    ) -> int:
        """Derive the results from those cells of a plan that are there; returns their number.

        Args:
            planned: the plan's fields of each cell, with its id, "cell". They override those stored with the cell,
                because a name may have changed since it was made.
            selection: the same for the cells on dev rows; None leaves their table as it is.

        Raises:
            InputError: the file of a cell is damaged.
        """
        self.cells.save_index()
        if selection is not None:
            write_rows(self.selection, self.cells.rows(selection))
        return write_rows(self.results, self.cells.rows(planned))

    @functools.cached_property
    def tables(self) -> Tables:
        """The tables beside the results."""
        return Tables(self.out)

    def attack(self, run_id: str) -> PartsFolder:
        """The folder of an attack on one model."""
        return PartsFolder(self.out / "attacks" / run_id, "attack")

    def transfer_ids(self) -> Collection[str]:
        """The transfers that are there: scores of one model on texts made on others."""
        return self._transfers.by_key().keys()

    def write_transfer(self, transfer_id: str, rows: list[dict[str, Any]]) -> None:
        """Write the scores of one model on texts made on others, one row for each of the others."""
        import pyarrow as pa

        self._transfers.write(transfer_id, pa.Table.from_pylist(rows), {})

    def transfers(self, transfer_ids: Iterable[str]) -> "pd.DataFrame":
        """The rows of those transfers that are there.

        Raises:
            InputError: a file is damaged.
        """
        import pandas as pd

        names = self._transfers.by_key()
        there = [names[own] for own in transfer_ids if own in names]
        frames = [self._transfers.open(name).read().to_pandas().astype({"transferred": float}) for name in there]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    @functools.cached_property
    def _transfers(self) -> Blocks:
        return Blocks(self.out / "transfer", self.out / "damaged")

    @property
    def blocks(self) -> tuple[Blocks, Blocks]:
        """The files of cells and of transfers."""
        return self.cells.blocks, self._transfers

    # --- Workers

    @contextlib.contextmanager
    def claim(self, work_id: str) -> Iterator[Hold | None]:
        """Claim a piece of work against other workers; yields None while another worker holds it.

        After a claim, the cells on the disk are listed again: another worker may just have made some. A worker
        sends the files that it made under a claim to the shared folder before it frees the claim.
        """
        self.cells.forget()
        with self.claims.claim(work_id) as hold:
            if hold is None or self.sharing is None:
                yield hold
                return
            self.sharing.pull_names([f"stages/{work_id}/record.json", *hold.left()])
            self.cells.forget()
            sent = len(self.sharing.sent)
            try:
                yield hold
            except BaseException:  # a machine that is taken away has half a minute, and its disk goes with it
                with contextlib.suppress(SharingError, InputError), self.sharing.impatient():
                    self.sharing.push(work_id if hold.held() else "")
                raise
            else:
                self.sharing.push(work_id if hold.held() else "")
            finally:
                hold.made = tuple(self.sharing.sent[sent:])
                self.cells.forget()

    def is_lost(self, work_id: str) -> bool:
        """Whether another worker has taken over a piece of work that this one had claimed."""
        return self.claims.is_lost(work_id)

    @functools.cached_property
    def claims(self) -> Claims:
        """The claims of the workers on the folder."""
        shared = self.sharing and self.sharing.shared
        return Claims(SharedSlots(shared) if shared else SlotFiles(self.out / "claims"))

    def sync(self, again: bool = True, records: bool = False) -> None:
        """Send finished work to the shared folder, if there is one, and fetch that of other workers.

        Args:
            again: whether to list the shared folder even if it was listed a moment ago. records: as in `Sharing.pull`.

        Raises:
            SharingError: it cannot be reached for minutes, or holds a damaged file.
        """
        if self.sharing and (again or self.sharing.is_due()):
            self.sharing.push()
            self.pull(records)

    def pull(self, records: bool = False) -> None:
        """Fetch the work of other workers; arguments and errors as for `sync`."""
        if self.sharing:
            self.sharing.pull(records)
            self.cells.forget()

    def fetch_checkpoint(self, stage_id: str) -> None:
        """Fetch a stage's parameters from the shared folder, if it has them; raises as `sync`."""
        if self.sharing:
            self.sharing.fetch_checkpoint(stage_id)
            self.cells.forget()

    @functools.cached_property
    def agreed(self) -> Agreed:
        """The decisions of the first worker, which all follow."""
        return Agreed(self.out, self.sharing)

    def events(self, start: int = 0) -> tuple[list[dict[str, Any]], int]:
        """The events of the log from a position on, and the position after the last whole line."""
        return read_events(self._log, start)

    def result_cells(self) -> set[str]:
        """The ids of the cells whose rows are in results.parquet; empty without it.

        Raises:
            InputError: it is damaged.
        """
        if not files.exists(self.results):
            return set()
        try:
            return set(read_table(self.results, ["cell"])["cell"].to_pylist())
        except InputError as error:
            if isinstance(error.__cause__, FileNotFoundError):  # removed a moment ago
                return set()
            raise

    def log(self, event: str, **details: Any) -> None:
        """Append one line to log.jsonl."""
        append(self._log, event, details)

    @property
    def _log(self) -> pathlib.Path:
        return self.out / "log.jsonl"

    # --- Folders that other modules fill

    @property
    def tokens(self) -> pathlib.Path:
        """The folder of token ids, which processes memory-map."""
        return self.out / "tokens"

    @property
    def tensorboard(self) -> pathlib.Path:
        """The folder of TensorBoard's event files."""
        return self.out / "tensorboard"

    @property
    def profile(self) -> pathlib.Path:
        """The folder of a trace."""
        return self.out / "profile"

    @property
    def report(self) -> pathlib.Path:
        """The folder of the report."""
        return self.out / "report"
