"""Results folders of one study, filled on machines that share no disk, as one folder.

It is what one folder would hold had the commands run in it one after the other: the plan of the first, and the stages
and cells of all.

    .OUT.merging/           the unfinished merge to OUT
        sources.json        what is merged, and in which state; a merge of anything else starts afresh
        folder/             what becomes OUT
        merge               which process is doing it
"""

import collections
import contextlib
import dataclasses
import hashlib
import itertools
import json
import os
import pathlib
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.claims import Claims, Hold, machine
from itt_jax.store.folder import Store
from itt_jax.store.objects import LOOK, read_object
from itt_jax.store.parquet import read_table
from itt_jax.store.parts import read_rows
from itt_jax.store.results import CLEAN_TEXT, KEY
from itt_jax.store.slots import SlotFiles

OUTCOME = ("steps", "learning_rate", "diverged", "losses", "dev_history")
"""Fields of a stage's record that are the same wherever it is trained."""
FROM_THE_FIRST = ("attacks", "clusters.parquet", "domains.parquet", "looks", "precision", "texts")
"""Files and folders whose files are taken from the first folder that has them."""
SOURCES = "sources.json"
CLAIM = "merge"
POLL_SECONDS = 1.0
"""Seconds between two looks at the claim of a process that may have ended on another machine."""
OTHER_VARIANTS = {"changed", "merged"}
"""Events of a folder that may hold cells of another variant of its study on the same stages."""


@dataclasses.dataclass(frozen=True)
class Merged:
    """A merged folder.

    Attributes:
        stages: number of finished stages.
        cells: number of cells in the results, which are those of the first folder's study.
        others: number of further cells, which its results leave out: of other variants of the study (other seeds, for
            instance), or stored in a folder that held one before and not in its results.
    """

    stages: int
    cells: int
    others: int


def merge(sources: Sequence[pathlib.Path], out: pathlib.Path) -> Merged:
    """Merge results folders, which are only read, into the new folder `out`.

    Files are copied to a folder beside `out` that becomes `out` when it is complete; after a merge was killed, the same
    call continues it, unless the folders have changed.

    Raises:
        InputError: a folder is not a study's, has another schema, is damaged, or differs from the first in its study,
            data or precision; two folders have a stage, cell, transfer or look with one id but different content; `out`
            holds something, is a mount point, or another merge to it is running. `out` is then not written.
    """
    out = pathlib.Path(os.path.realpath(out))
    _check_place(out)
    if absent := next((path for path in sources if not path.is_dir()), None):
        raise InputError(f"{absent}: no such folder; expected results folders of one study")
    if len(sources) < 2:
        raise InputError(f"{sources[0]}: is alone; expected two or more results folders before --out")
    if twice := next((a for a, b in itertools.combinations(sources, 2) if a.resolve() == b.resolve()), None):
        raise InputError(f"{twice}: named twice; expected different folders")
    stores = [Store(path) for path in sources]
    plans = [_plan(store) for store in stores]
    _check_same_study(stores, plans)
    _check_sound(stores)
    _check_same_stages(stores)
    _check_same_cells(stores)
    _check_same_transfers(stores)
    _check_same_looks(stores)
    _check_same_attacks(stores)
    with _claimed(out) as (work, hold):
        _check_place(out)  # which another merge may have written until now
        merged = Store(_begun(work, stores))
        for store in stores:
            _copy(store, merged)
        _copy_stages(stores, merged)
        merged.cells.forget()
        found = _write_tables(merged, stores, plans)
        _publish(merged.out, out, hold)
        (work / SOURCES).unlink()
    return found


def _check_place(out: pathlib.Path) -> None:
    """Raises InputError if a folder cannot become `out`."""
    files.check_unused(out, "--out")
    if os.path.ismount(out):
        raise InputError(
            f"--out {out}: a mount point, which cannot be replaced; expected a new folder, such as one in it"
        )


@contextlib.contextmanager
def _claimed(out: pathlib.Path) -> Iterator[tuple[pathlib.Path, Hold]]:
    """Hold the folder of the unfinished merge to `out`, which is removed if it is empty at the end.

    Raises:
        InputError: another merge holds it.
    """
    work = out.with_name(f".{out.name}.merging")
    claims, first = Claims(SlotFiles(work)), None
    try:
        while True:
            with claims.claim(CLAIM) as hold:
                if hold is not None:
                    yield work, hold
                    break
            claim, _ = claims.held().get(CLAIM, (None, False))
            first = first or claim
            # A process on this machine is known to be alive; one on another machine only once its heartbeat changes.
            if claim is not None and (claim != first or claim.machine == machine() != ""):
                raise InputError(
                    f"--out {out}: another merge to it is running ({claim.host}, process {claim.pid}, since "
                    f"{claim.since} by its clock)"
                )
            time.sleep(POLL_SECONDS)
    finally:
        with contextlib.suppress(OSError):  # an unfinished merge stays, to be continued
            work.rmdir()


def _publish(folder: pathlib.Path, out: pathlib.Path, hold: Hold) -> None:
    """Rename the merged folder to `out`.

    Raises:
        InputError: `out` was written meanwhile, or another merge has taken over.
    """
    if not hold.held():
        raise InputError(f"--out {out}: another merge to it has begun while this one was suspended")
    with contextlib.suppress(NotADirectoryError):  # there is a file now
        files.publish_folder(folder, out, keep_existing=True)
    if folder.exists():
        files.check_unused(out, "--out")
        raise InputError(f"--out {out}: was not empty for a moment; the same command continues the merge")


def _plan(store: Store) -> dict[str, Any]:
    plan = store.existing_plan()
    if plan is None or "study" not in plan:
        raise InputError(f"{store.out}: expected the results folder of a study")
    return plan


def _check_same_study(stores: Sequence[Store], plans: Sequence[Mapping[str, Any]]) -> None:
    """Raises InputError if the studies differ, or rows or encoders of the same name."""
    first = plans[0]
    inputs: dict[str, tuple[Any, pathlib.Path]] = {}
    precisions: dict[str, tuple[Any, pathlib.Path]] = {}
    for store, plan in zip(stores, plans, strict=True):
        if plan["name"] != first["name"]:
            raise InputError(
                f"{store.out}: holds study {plan['name']!r}, expected {first['name']!r} as in {stores[0].out}"
            )
        for name, own in plan.get("inputs", {}).items():
            _compare(inputs, name, own.get("digest"), store.out, f"{name}: digest")
        for model, own in store.agreed.precisions(plan.get("encoders", ())).items():
            _compare(precisions, model, own, store.out, f"results of {model} are in")


def _compare(first: dict[str, tuple[Any, pathlib.Path]], name: str, value: Any, path: pathlib.Path, what: str) -> None:
    """Raises InputError if a value differs from the first of its name, which is noted."""
    expected, where = first.setdefault(name, (value, path))
    if value != expected:
        raise InputError(f"{path}: {what} {value!s:.80}, expected {expected!s:.80} as in {where}")


def _check_sound(stores: Iterable[Store]) -> None:
    """Raises InputError if a file of cells, a transfer or a checkpoint is damaged."""
    for store in stores:
        store.check()
        for blocks in store.blocks:
            for error in blocks.damaged.values():
                raise InputError(error)
        for record in store.records():
            if store.has_checkpoint(record["id"]):
                files.check_manifest(store.checkpoint(record["id"]), "checkpoint")


def _check_same_stages(stores: Iterable[Store]) -> None:
    """Raises InputError if a stage was trained in two folders with different outcomes."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for record in store.records():
            for field in OUTCOME:
                name = f"{record['id']}.{field}"
                _compare(first, name, record.get(field), store.stage(record["id"]) / "record.json", field)


def _check_same_cells(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders have the same cell with different rows or examples."""
    first: dict[str, Store] = {}
    for store in stores:
        for cell in store.cells.ids():
            other = first.setdefault(cell, store)
            if other is store or other.cells.file(cell).name == store.cells.file(cell).name:
                continue
            if _content(store, cell) != _content(other, cell):
                raise InputError(f"{store.cells.file(cell)}: cell {cell} differs from that of {other.cells.file(cell)}")


def _content(store: Store, cell: str) -> str:
    """The row and the examples of a cell, as text."""
    columns = sorted(store.cells.columns(cell))
    rows, table = list(store.cells.rows([{"cell": cell}])), store.cells.table(cell, columns)
    return json.dumps([rows, table.to_pylist()], sort_keys=True)


def _check_same_transfers(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders have different scores of one model on texts that attacks made on another."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        _, blocks = store.blocks
        for key, name in blocks.by_key().items():
            _compare(first, key, blocks.open(name).read().to_pylist(), blocks.folder / name, "holds")


def _check_same_looks(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders saw different things after the same number of seeds."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for path in sorted(store.out.glob("looks/*/*.json")):
            seen = {name: value for name, value in read_object(path, LOOK).items() if name != "time"}
            _compare(first, path.relative_to(store.out).as_posix(), seen, path, "saw")


def _check_same_attacks(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders have different rows for the same part of an attack."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for path in sorted(store.out.glob("attacks/*/rows/*.jsonl")):
            digest = hashlib.sha256(json.dumps(read_rows(path)).encode()).hexdigest()
            _compare(first, path.relative_to(store.out).as_posix(), digest, path, "SHA-256")


def _begun(work: pathlib.Path, stores: Sequence[Store]) -> pathlib.Path:
    """The folder of the unfinished merge of these folders in their present state; that of another merge is removed."""
    partial, named = work / "folder", json.dumps([[str(own.out.resolve()), _state(own)] for own in stores])
    with contextlib.suppress(FileNotFoundError):
        if (work / SOURCES).read_text(encoding="utf-8") == named:
            for half in partial.rglob(".*"):  # left by a killed process
                half.unlink()
            return partial
    shutil.rmtree(partial, ignore_errors=True)
    files.write_text(work / SOURCES, named)
    return partial


def _state(store: Store) -> str:
    """A digest of the files that are copied once and not named by their content."""
    digest, paths = hashlib.sha256(), [path for name in FROM_THE_FIRST for path in _files(store.out / name)]
    paths += [path for path in _files(store.out / "stages") if path.name in ("record.json", files.MANIFEST)]
    for path in paths:
        digest.update(f"{path.relative_to(store.out)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def _copy(store: Store, merged: Store) -> None:
    """Copy files that the merged folder lacks, and blocks with cells or transfers that it lacks."""
    for name in FROM_THE_FIRST:
        _copy_all(store.out / name, merged.out / name)
    merged.cells.forget()
    cells, transfers = merged.cells.ids(), merged.transfer_ids()
    lacking = {store.cells.file(cell) for cell in store.cells.ids() if cell not in cells}
    _, blocks = store.blocks
    lacking |= {blocks.folder / name for key, name in blocks.by_key().items() if key not in transfers}
    for path in sorted(lacking):
        _copy_all(path, merged.out / path.relative_to(store.out))


def _copy_stages(stores: Sequence[Store], merged: Store) -> None:
    """Copy each finished stage from the first folder that has its parameters, or otherwise its record."""
    chosen: dict[str, Store] = {}
    for store in stores:
        for record in store.records():
            own = record["id"]
            if own not in chosen or (store.has_checkpoint(own) and not chosen[own].has_checkpoint(own)):
                chosen[own] = store
    for own, store in chosen.items():
        _copy_all(store.stage(own), merged.stage(own))


def _copy_all(path: pathlib.Path, new: pathlib.Path) -> None:
    """Copy a file, or the files of a folder, that are not there yet; half a file is never seen."""
    for own in _files(path):
        target = new / own.relative_to(path)
        if not target.exists():
            with files.new_file(target) as partial:
                shutil.copyfile(own, partial)


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    """A file, or the files of a folder, without what is being written (`files.temporary`)."""
    if path.is_file():
        return [path]
    found = sorted(path.rglob("*"))
    return [own for own in found if own.is_file() and not any(part[0] == "." for part in own.relative_to(path).parts)]


def _write_tables(merged: Store, stores: Sequence[Store], plans: Sequence[Mapping[str, Any]]) -> Merged:
    """Write plan, results and log: those of the first folder's study, with everything that any folder has of it."""
    first = plans[0]
    stages = {stage["id"]: stage for stage in first.get("stages", ())}
    records = {record["id"]: record for plan in reversed(plans) for record in plan.get("stages_done", ())}
    for record in merged.records():
        if (own := record["id"]) in stages:
            # A record keeps the names of tasks that it was made with; a plan has those of its study.
            checks = {name: value for name, value in records.get(own, {}).items() if name == "dev_checks"}
            records[own] = record | stages[own] | checks
    merged.write_plan(dict(first) | {"stages_done": [records[stage] for stage in stages if stage in records]})
    same = [store for store, plan in zip(stores, plans, strict=True) if plan["study_id"] == first["study_id"]]
    stored = [row for store in same for row in _stored(store, stages)]
    targets = {target["name"]: target for target in first["study"].get("targets", ())}
    order = {stage: number for number, stage in enumerate(stages)}
    tables = []
    for name, split in (("results", "test_split"), ("selection", "dev_split")):
        found = _rows(getattr(own, name) for own in same)
        of_split = [row for row in stored if row["split"] == targets.get(row["target"], {}).get(split)]
        _add(found, [row for row in of_split if name == "results" or row["perturbation"] == CLEAN_TEXT])
        tables.append(sorted(found.values(), key=lambda row: order.get(row["stage"], len(order))))
    results, selection = tables
    cells = merged.write_results(results, selection or None)
    merged.log("merged", folders=[str(store.out) for store in stores])
    reported = {row["cell"] for row in (*results, *selection)}
    return Merged(sum(1 for _ in merged.records()), cells, len(merged.cells.ids() - reported))


def _rows(paths: Iterable[pathlib.Path]) -> dict[str, dict[str, Any]]:
    """Cell -> its row of the first of the tables that has it."""
    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        if path.is_file():
            for row in read_table(path).to_pylist():
                found.setdefault(row["cell"], {name: value for name, value in row.items() if value is not None})
    return found


def _stored(store: Store, stages: Iterable[str]) -> Iterator[dict[str, Any]]:
    """The rows of the cells of some stages; a killed worker may not have written all of them to the results.

    There are none in a folder that may hold cells of another variant of its study, or whose log does not say.
    """
    events, _ = store.events()
    if events and not any(event["event"] in OTHER_VARIANTS for event in events):
        stages = set(stages)
        rows = store.cells.rows({"cell": cell} for cell in sorted(store.cells.ids(), key=store.cells.file))
        yield from (row for row in rows if row["stage"] in stages)


def _add(found: dict[str, dict[str, Any]], stored: Iterable[dict[str, Any]]) -> None:
    """Add the cells that a table lacks, except several of one model on one form of the same rows.

    These were made by different versions of the operators, and only `run` knows which counts.
    """
    by_place: dict[tuple, dict[str, dict[str, Any]]] = collections.defaultdict(dict)
    for row in (*found.values(), *stored):
        by_place[tuple(row.get(name) for name in ("stage", "target", "arm", "metric", *KEY))][row["cell"]] = row
    for rows in by_place.values():
        if len(rows) == 1:
            for cell, row in rows.items():
                found.setdefault(cell, row)
