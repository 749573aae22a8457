"""`watch` of a folder that shares what is done with others: it shows all of them, without changing either folder."""

import dataclasses
import json
import shutil

import fsspec
import numpy as np
import pytest

from itt_jax import main
from itt_jax.cli import watch
from itt_jax.monitor import Watcher, line
from itt_jax.store import Store, claims, shared_view
from itt_jax.store.claims import Claim
from itt_jax.store.shared_folders import LocalFolder, shared_folder
from itt_jax.store.sharing import NOTE, Sharing

CELLS = {f"s{stage}": [f"{stage}{own}" for own in "abc"] for stage in (1, 2, 3)}
"""Stage -> its cells. The study has those on dev rows, "dev", no more than others."""


@pytest.fixture(autouse=True)
def at_every_look(monkeypatch):
    monkeypatch.setattr(shared_view, "PULL_SECONDS", -1.0)


@pytest.fixture
def worker(tmp_path):
    """Makes workers: stores with a folder and the plan of their own that share a folder."""

    def make(name: str) -> Store:
        store = Store(tmp_path / name, Sharing(tmp_path / name, shared_folder(str(tmp_path / "shared"))))
        plan = {"study_id": "x", "name": "mine", "stages": [{"id": stage} for stage in CELLS], "stages_done": []}
        ids = [cell for cells in CELLS.values() for cell in cells]
        store.write_plan(plan | {"cells": len(ids), "cell_ids": ids})
        store.pull()
        return store

    return make


def train(store: Store, stage: str) -> None:
    store.write_record(stage, {"id": stage, "tokens": 100, "wall_seconds": 2.0})


def evaluate(store: Store, stage: str, cells) -> None:
    store.cells.write([({"cell": cell, "stage": stage}, {"item_id": [1]}) for cell in cells])


def beat(tmp_path, name: str, number: int = 0, **changes) -> None:
    """Write the claim of a worker on another machine."""
    claim = dataclasses.replace(Claim.own(), host="elsewhere", machine="another", **changes)
    LocalFolder(str(tmp_path / "shared")).write(f"claims/{name}/{number}", claim.written().encode())


def contents(tmp_path) -> dict:
    return {path: path.stat().st_mtime_ns for path in sorted(tmp_path.rglob("*"))}


def test_what_others_do_is_shown_before_it_is_fetched_and_counted_once(worker, tmp_path, capsys):
    one, two = worker("one"), worker("two")
    with one.claim("s1"):
        train(one, "s1")
        evaluate(one, "s1", CELLS["s1"][:2])
    with two.claim("s1"):
        evaluate(two, "s1", [*CELLS["s1"][2:], "dev"])
    with two.claim("s2"):
        train(two, "s2")
        evaluate(two, "s2", CELLS["s2"][:2])
    beat(tmp_path, "s3", pid=7)
    beat(tmp_path, "transfer-s1", pid=8)
    beat(tmp_path, "z9", pid=9)
    before, watcher = contents(tmp_path), Watcher(one.out)
    status = watcher.look()
    assert (status.stages_done, status.cells_done, status.tokens) == (2, 5, 200)
    assert (status.stages_elsewhere, status.cells_elsewhere) == (1, 3)
    assert [(own.host, own.pid, own.stages, own.gone) for own in status.workers] == [
        ("elsewhere", 7, ("s3",), False),
        ("elsewhere", 8, (), False),
        ("elsewhere", 9, (), False),
    ]
    assert main.main(["watch", "--out", str(one.out), "--once"]) == 0
    shown = [" ".join(own.split()) for own in capsys.readouterr().out.splitlines()]
    assert "elsewhere 7 1 on s3" in shown and "elsewhere 8 0 reading attacks across" in shown
    assert "elsewhere 9 0 work outside this folder's plan" in shown
    assert line(status) == "mine: 2 of 3 stages, 5 of 9 cells, 3 workers; time left: not known yet"
    assert watcher.look() == status == Watcher(one.out).look() and contents(tmp_path) == before
    one.pull()
    for own in (watcher, Watcher(one.out)):
        status = own.look()
        assert (status.stages_done, status.cells_done) == (2, 5)
    assert (status.stages_elsewhere, status.cells_elsewhere) == (0, 0)
    one.log("progress", host="here", pid=1, doing="s2", detail="step 1/2", left=60.0)
    assert line(watcher.look()).endswith("4 workers; at most about 60 s left at the speed of 1 of 4 workers")


def test_cells_of_a_training_that_does_not_count_are_not_done(worker):
    """Two is taken over while it evaluates, and sends its cells when it comes back."""
    one, two, three = worker("one"), worker("two"), worker("three")
    Store(two.out).write_record("s1", {"id": "s1", "device": "second"})
    evaluate(two, "s1", CELLS["s1"])
    two.sharing._agreed["stages/s1/record.json"] = "as if it had been sent"
    two.sharing.push()
    with three.claim("s1"):
        train(three, "s1")
    status = Watcher(one.out).look()
    assert (status.stages_done, status.cells_done) == (1, 0)
    with three.claim("s1"):
        evaluate(three, "s1", CELLS["s1"])
    assert Watcher(one.out).look().cells_done == 3


def test_a_worker_elsewhere_whose_heart_stops_is_gone(worker, tmp_path, monkeypatch):
    one = worker("one")
    beat(tmp_path, "s1", pid=7)
    beat(tmp_path, "s2", pid=8)
    watcher = Watcher(one.out)
    assert not any(own.gone for own in watcher.look().workers)
    monkeypatch.setattr(claims, "STALE_SECONDS", -1.0)  # what was seen once is stale when seen again
    beat(tmp_path, "s2", pid=8, beat=1)
    assert {own.pid: own.gone for own in watcher.look().workers} == {7: True, 8: False}
    beat(tmp_path, "s1", number=1, pid=9)  # which has taken s1 over
    assert [own.pid for own in watcher.look().workers] == [9, 8]


def test_a_stage_made_again_elsewhere_has_its_new_cells(worker):
    one, two = worker("one"), worker("two")
    watcher = Watcher(one.out)
    for number, cells in enumerate(("ab", "abc", "a"), 1):
        is_seen = number < 3  # the third claim comes and goes between two looks
        with two.claim("s1"):
            assert not is_seen or watcher.look().tokens == number - 1
            two.write_record("s1", {"id": "s1", "tokens": number})
            evaluate(two, "s1", [f"1{cell}" for cell in cells])
            assert not is_seen or watcher.look().tokens == number
        status = watcher.look()
        assert (status.stages_done, status.tokens, status.cells_done) == (1, number, len(cells))


def test_a_folder_that_cannot_be_read_is_said_and_looked_at_again(worker, tmp_path, capsys, monkeypatch):
    one, two = worker("one"), worker("two")
    with two.claim("s1"):
        train(two, "s1")
    beat(tmp_path, "s2", pid=7)
    watcher, away = Watcher(one.out), tmp_path / "away"
    before = watcher.look()
    shutil.move(tmp_path / "shared", away)
    after = watcher.look()
    assert dataclasses.replace(after, shared_error=None) == before and "no shared folder" in after.shared_error
    assert main.main(["watch", "--out", str(one.out), "--once"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "it is not known who is working on it" in shown and "warning: shared folder not read" in shown
    assert main.main(["watch", "--out", str(one.out), "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert not found["done"] and found["shared_error"] == after.shared_error and found["workers"] == []

    def come_back(seconds):
        if (tmp_path / "shared").exists():
            for stage in ("s2", "s3"):
                train(two, stage)
            for stage, cells in CELLS.items():
                evaluate(two, stage, cells)
            two.sync()
            (tmp_path / "shared" / "claims" / "s2" / "0").write_text('{"left": []}')
        else:
            shutil.move(away, tmp_path / "shared")

    monkeypatch.setattr(watch.time, "sleep", come_back)
    assert main.main(["watch", "--out", str(one.out)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("mine: 0 of 3 stages") and "warning: shared folder not read" in lines[0]
    assert lines[1].startswith("mine: 1 of 3 stages, 0 of 9 cells, 1 worker; ") and "warning" not in lines[1]
    assert lines[2].startswith("mine: 3 of 3 stages, 9 of 9 cells, 0 workers; done; `run` with the same --out")
    assert len(lines) == 3 and not one.is_done("s1")


def test_without_its_shared_folder_nobody_is_known_to_work_after_a_while(worker, tmp_path, monkeypatch):
    """A worker was perhaps cut off, too, so that it has time to be heard when the folder is there again."""
    one = worker("one")
    for stage, cells in CELLS.items():
        Store(one.out).write_record(stage, {"id": stage})
        evaluate(one, stage, cells)
    beat(tmp_path, "s1", pid=7)
    watcher = Watcher(one.out)
    assert not watcher.look().is_done
    shutil.move(tmp_path / "shared", tmp_path / "away")
    assert len(watcher.look().workers) == 1
    monkeypatch.setattr(shared_view, "STALE_SECONDS", -1.0)
    assert watcher.look().is_done
    shutil.move(tmp_path / "away", tmp_path / "shared")
    monkeypatch.setattr(claims, "STALE_SECONDS", -1.0)
    assert [[own.gone for own in watcher.look().workers] for _ in range(2)] == [[False], [True]]


def test_a_damaged_record_is_said_and_the_rest_is_shown(worker, tmp_path):
    one, two = worker("one"), worker("two")
    for stage in ("s1", "s3"):
        with two.claim(stage):
            train(two, stage)
            evaluate(two, stage, CELLS[stage])
    beat(tmp_path, "s2", pid=7)
    path = tmp_path / "shared" / "stages" / "s1" / "record.json"
    whole, watcher = path.read_bytes(), Watcher(one.out)
    path.write_bytes(whole + b"x")
    status = watcher.look()
    assert status.shared_error is None
    assert line(status).endswith(f"; warning: left out: {path}: damaged, or being written")
    assert [own.pid for own in status.workers] == [7] and (status.stages_done, status.cells_done) == (1, 3)
    path.write_bytes(whole)
    status = watcher.look()
    assert status.shared_damaged == () and (status.stages_done, status.cells_done) == (2, 6)


def test_a_look_that_only_others_have_taken_ends_the_study(worker):
    one, two = worker("one"), worker("two")
    declared = {"hash": "h", "content": {"stopping": {"looks": [3]}}}
    one.write_plan({"study_id": "x", "name": "mine", "stages": [], "seeds": [0, 1, 2], "declared": declared})
    assert Watcher(one.out).look().next_look == 3
    two.agreed.create_look("h", 3, {"seeds": 3, "stop": True, "questions": []})
    status = Watcher(one.out).look()
    assert status.next_look is None and status.is_done and line(status).endswith("; done")
    declared["content"]["stopping"]["looks"] = [3, 4, 6]
    one.write_plan(one.plan() | {"declared": declared | {"hash": "grown"}})
    for seeds in (3, 4):
        two.agreed.create_look("grown", seeds, {"seeds": seeds, "stop": False, "questions": []})
    assert Watcher(one.out).look().next_look == 6
    two.agreed.create_look("grown", 6, {"seeds": 6, "stop": True, "questions": []})
    status = Watcher(one.out).look()
    assert status.is_done and status.seeds_elsewhere == 3
    assert line(status).endswith("; done; `run` with the same --out and --share fetches what this folder lacks")


@pytest.mark.parametrize("options", [[], ["--once"], ["--once", "--json"]])
def test_a_client_that_is_not_installed_is_one_line_and_code_2(worker, capsys, monkeypatch, options):
    one = worker("one")
    (one.out / NOTE).write_text("gs://bucket/x\n")

    def missing(*arguments, **options):
        raise ImportError("Install gcsfs to access GCS")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    assert main.main(["watch", "--out", str(one.out), *options]) == 2
    said = capsys.readouterr()
    assert said.out.strip() == "" and said.err == (
        f"error: {one.out / NOTE}: gs://bucket/x: its client is not installed: pip install 'itt_jax[gcs]'\n"
    )
    one.write_plan(one.plan() | {"cells": 0, "cell_ids": [], "stages": []})
    assert main.main(["watch", "--out", str(one.out), *options]) == 0  # all is here
    said = capsys.readouterr().out
    if "--json" in options:
        found = json.loads(said)
        assert found["done"] and found["shared"] == "gs://bucket/x" and "not installed" in found["shared_error"]
    else:
        assert "done" in said and "warning: shared folder not read" in said


def test_what_is_final_is_read_once_and_of_cells_no_more_than_the_end(worker, tmp_path, monkeypatch):
    one, two = worker("one"), worker("two")
    ids = [f"{number:016x}" for number in range(2000)]  # their metadata is longer than what is read at first
    one.write_plan(one.plan() | {"cells": len(ids), "cell_ids": ids})
    with two.claim("s1"):
        train(two, "s1")
        two.cells.write([({"cell": cell, "stage": "s1"}, {"score": np.random.rand(50)}) for cell in ids])
    beat(tmp_path, "s2", pid=7)
    asked: list[tuple] = []
    for operation in ("read", "tail", "names"):
        call = getattr(LocalFolder, operation)

        def noting(self, *arguments, call=call, operation=operation):
            found = call(self, *arguments)
            asked.append((operation, *arguments, len(found)))
            return found

        monkeypatch.setattr(LocalFolder, operation, noting)
    watcher = Watcher(one.out)
    assert watcher.look().cells_done == len(ids)
    (block,) = (path for path in (tmp_path / "shared" / "of").rglob("*.parquet"))
    ends = [own for own in asked if own[0] == "tail"]
    assert len(ends) == 2 and max(own[-1] for own in ends) < block.stat().st_size / 2
    asked.clear()
    assert watcher.look().cells_done == len(ids)
    assert {own[1] for own in asked if own[0] == "read"} == {"shared_folder", "claims/s2/0"}
    assert {own[0] for own in asked} == {"read", "names"}
