"""Results folders of one study, filled on machines that share no disk, as one folder.

It is what one folder would hold had the commands run in it one after the other: the plan of the first, and the stages
and cells of all.
"""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store.folder import Store
from itt_jax.store.objects import LOOK, read_object
from itt_jax.store.parquet import reading

OUTCOME = ("steps", "learning_rate", "diverged", "losses", "dev_history")
"""Fields of a stage's record that are the same wherever it is trained."""
FROM_THE_FIRST = ("attacks", "clusters.parquet", "domains.parquet", "looks", "precision", "texts")
"""Files and folders whose files are taken from the first folder that has them."""
SOURCES = "sources.json"
"""In the folder of an unfinished merge: what is being merged."""


@dataclasses.dataclass(frozen=True)
class Merged:
    """A merged folder.

    Attributes:
        stages: number of finished stages.
        cells: number of cells in the results, which are those of the first folder's study.
        others: number of further cells, of other variants of the study (other seeds, for instance).
    """

    stages: int
    cells: int
    others: int


def merge(sources: Sequence[pathlib.Path], out: pathlib.Path) -> Merged:
    """Merge results folders, which are only read, into the new folder `out`.

    Files are copied to a folder beside `out` that becomes `out` when it is complete; after a merge that was killed, the
    same call goes on there.

    Raises:
        InputError: a folder is no study's, is of another schema, is damaged, or holds another study, other data or
            results in another precision than the first; two folders have a stage, cell, transfer or look of one id and
            other content; `out` holds something. `out` is not written then.
    """
    files.check_unused(out, "--out")
    if len({path.resolve() for path in sources}) < max(2, len(sources)):
        raise InputError(f"{' '.join(map(str, sources))}: expected two or more different folders")
    stores = [Store(path) for path in sources]
    plans = [_plan(store) for store in stores]
    _check_same_study(stores, plans)
    _check_sound(stores)
    _check_same_stages(stores)
    _check_same_cells(stores)
    _check_same_transfers(stores)
    _check_same_looks(stores)
    _check_same_attacks(stores)
    partial = _begun(out, sources)
    merged = Store(partial)
    for store in stores:
        _copy(store, merged)
    _copy_stages(stores, merged)
    merged.cells.forget()
    found = _write_tables(merged, stores, plans)
    (partial / SOURCES).unlink()
    files.publish_folder(partial, out)
    return found


def _plan(store: Store) -> dict[str, Any]:
    plan = store.existing_plan()
    if plan is None or "study" not in plan:
        raise InputError(f"{store.out}: expected the results folder of a study")
    return plan


def _check_same_study(stores: Sequence[Store], plans: Sequence[Mapping[str, Any]]) -> None:
    """Raises InputError if the studies, or the rows and encoders of one name, are not the same."""
    first, inputs, precisions = plans[0], {}, {}
    for store, plan in zip(stores, plans, strict=True):
        if plan["name"] != first["name"]:
            raise InputError(
                f"{store.out}: holds study {plan['name']!r}, expected {first['name']!r} as in {stores[0].out}"
            )
        for name, own in plan.get("inputs", {}).items():
            _compare(inputs, name, own.get("digest"), store.out, f"{name}: digest")
        for model, own in store.precisions(plan.get("encoders", ())).items():
            _compare(precisions, model, own, store.out, f"results of {model} are in")


def _compare(first: dict[str, tuple[Any, pathlib.Path]], name: str, value: Any, path: pathlib.Path, what: str) -> None:
    """Raises InputError if a value is another one than the first of its name, which is noted."""
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
    """Raises InputError if a stage was trained in two folders with another outcome."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for record in store.records():
            for field in OUTCOME:
                name = f"{record['id']}.{field}"
                _compare(first, name, record.get(field), store.stage(record["id"]) / "record.json", field)


def _check_same_cells(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders have the same cell with another row or other examples."""
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
    """Raises InputError if two folders have other scores of one model on texts that attacks made on another."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        _, blocks = store.blocks
        for key, name in blocks.by_key().items():
            _compare(first, key, blocks.open(name).read().to_pylist(), blocks.folder / name, "holds")


def _check_same_looks(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders saw something else after as many seeds."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for path in sorted(store.out.glob("looks/*/*.json")):
            seen = {name: value for name, value in read_object(path, LOOK).items() if name != "time"}
            _compare(first, path.relative_to(store.out).as_posix(), seen, path, "saw")


def _check_same_attacks(stores: Iterable[Store]) -> None:
    """Raises InputError if two folders have other rows of the same part of an attack."""
    first: dict[str, tuple[Any, pathlib.Path]] = {}
    for store in stores:
        for path in sorted(store.out.glob("attacks/*/rows/*.jsonl")):
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            _compare(first, path.relative_to(store.out).as_posix(), digest, path, "SHA-256")


def _begun(out: pathlib.Path, sources: Sequence[pathlib.Path]) -> pathlib.Path:
    """The folder of the unfinished merge of these folders; one of others is removed."""
    partial, named = out.with_name(f".{out.name}.merging"), json.dumps([str(path.resolve()) for path in sources])
    with contextlib.suppress(FileNotFoundError):
        if (partial / SOURCES).read_text(encoding="utf-8") == named:
            return partial
    shutil.rmtree(partial, ignore_errors=True)
    files.write_text(partial / SOURCES, named)
    return partial


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
    """Copy each finished stage from the first folder that has its parameters, or else its record."""
    chosen: dict[str, Store] = {}
    for store in stores:
        for record in store.records():
            own = record["id"]
            if own not in chosen or (store.has_checkpoint(own) and not chosen[own].has_checkpoint(own)):
                chosen[own] = store
    for own, store in chosen.items():
        _copy_all(store.stage(own), merged.stage(own))


def _copy_all(path: pathlib.Path, new: pathlib.Path) -> None:
    """Copy a file, or the files of a folder, that are not there; half a file is never seen."""
    for own in [path] if path.is_file() else sorted(path.rglob("*")):
        target = new / own.relative_to(path)
        if own.is_file() and own.name[0] != "." and not target.exists():
            with files.new_file(target) as partial:
                shutil.copyfile(own, partial)


def _write_tables(merged: Store, stores: Sequence[Store], plans: Sequence[Mapping[str, Any]]) -> Merged:
    """Write plan, results and log: those of the first folder's study, with what any folder of it has."""
    first = plans[0]
    records = {record["id"]: record for plan in plans for record in plan.get("stages_done", ())}
    order = {stage["id"]: number for number, stage in enumerate(first.get("stages", ()))}
    merged.write_plan(dict(first) | {"stages_done": [records[stage] for stage in order if stage in records]})
    same = [store for store, plan in zip(stores, plans, strict=True) if plan["study_id"] == first["study_id"]]
    results, selection = (_rows([getattr(own, name) for own in same], order) for name in ("results", "selection"))
    cells = merged.write_results(results, selection or None)
    merged.log("merged", folders=[str(store.out) for store in stores])
    reported = {row["cell"] for row in (*results, *selection)}
    return Merged(sum(1 for _ in merged.records()), cells, len(merged.cells.ids() - reported))


def _rows(paths: Iterable[pathlib.Path], order: Mapping[str, int]) -> list[dict[str, Any]]:
    """The rows of tables of results, each cell once, in the plan's order of stages."""
    import pyarrow.parquet as pq

    found: dict[str, dict[str, Any]] = {}
    for path in paths:
        if path.is_file():
            with reading(path):
                rows = pq.read_table(path).to_pylist()
            for row in rows:
                found.setdefault(row["cell"], {name: value for name, value in row.items() if value is not None})
    return sorted(found.values(), key=lambda row: order.get(row["stage"], len(order)))
