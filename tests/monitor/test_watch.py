"""`watch`: what a folder's plan, records, claims, results and log say, without changing it."""

import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys

import pandas as pd
import pytest

from itt_jax import main
from itt_jax.cli import watch
from itt_jax.monitor import Watcher, line
from itt_jax.store import Store
from itt_jax.store.blocks import Blocks
from itt_jax.store.claims import Claim
from itt_jax.store.parts import PartsFolder
from itt_jax.study import progress

HERE = {"host": socket.gethostname(), "pid": os.getpid()}


def stage(number: int, kind: str = "target", **more) -> dict:
    return {"id": f"s{number}", "kind": kind, "encoder": "bert", "arms": ["itt"], "seed": number, **more}


@pytest.fixture
def store(tmp_path) -> Store:
    """A study of three stages and a given checkpoint, the first one done, with four of the ten cells in the results."""
    store = Store(tmp_path / "out")
    stages = [stage(0, "given"), *map(stage, (1, 2, 3))]
    plan = {"study_id": "x", "name": "mine", "stages": stages, "cells": 10, "cell_ids": list("abcdefghij")}
    store.write_plan(plan | {"stages_done": []})
    store.write_record("s1", stage(1, tokens=600, wall_seconds=3.0, diverged=True))
    pd.DataFrame({"cell": ["a", "b", "c", "d"]}).to_parquet(store.results)
    return store


def contents(store: Store) -> dict:
    return {path: path.stat().st_mtime_ns for path in sorted(store.out.rglob("*"))}


def test_stages_and_cells_are_counted_and_nothing_is_written(store):
    assert Watcher(store.out).look().cells_done == 4  # as published
    other = Store(store.out.parent / "other")
    for own, names in ((store, "abc"), (other, "bcdefg"), (other, "xyz")):  # the last are of another study
        own.cells.write([({"cell": name, "stage": "s1"}, {"item_id": [1]}) for name in names])
    for path in (other.out / "cells").glob("*.parquet"):  # two workers have made b and c
        shutil.copy(path, store.out / "cells")
    before = contents(store)
    status = Watcher(store.out).look()
    assert (status.stages, status.stages_done, status.cells, status.cells_done) == (3, 1, 10, 7)
    assert (status.tokens, status.seconds, status.is_done) == (600, 3.0, False)
    assert status.failures == ("stage s1 (bert, target, itt, seed 1) diverged",)
    assert "1 of 3 stages, 7 of 10 cells, 0 workers, 1 failure; nobody is working on it" in line(status)
    assert contents(store) == before


def test_a_plan_is_read_once_and_of_a_block_the_end(store, monkeypatch):
    """A block that is damaged or gone counts as absent until it is mended."""
    store.cells.write([({"cell": name, "stage": "s1"}, {"item_id": [1]}) for name in "ab"])
    (path,) = (store.out / "cells").glob("*.parquet")
    whole, watcher, read = path.read_bytes(), Watcher(store.out), []
    plan = Store.plan
    monkeypatch.setattr(Store, "plan", lambda store: read.append(1) or plan(store))
    monkeypatch.setattr(Blocks, "open", None)
    there = watcher.store.cells.blocks.there
    monkeypatch.setattr(watcher.store.cells.blocks, "there", lambda: there() | {f"{0:016x}-{0:016x}.parquet"})
    for content, count in ((whole[:-20], 0), (b"", 0), (whole, 2)):
        path.write_bytes(content)
        assert watcher.look().cells_done == count
    assert len(read) == 1
    store.write_plan(plan(store) | {"cell_ids": ["a", "c"]})
    assert watcher.look().cells_done == 1 and len(read) == 2
    path.unlink()
    assert watcher.look().cells_done == 0


def test_workers_say_what_they_do_and_share_what_is_left(store):
    other = {"host": "elsewhere", "pid": 7}
    with store.claim("s2"):
        store.log("began", **HERE)
        speed = {"tokens_per_second": 500.0, "utilisation": 0.25}
        store.log("progress", **HERE, doing="2/3 bert", detail="step 10/20", left=60.0, **speed)
        store.log("progress", **other, doing="3/3 bert", detail="step 1/20", left=30.0, tokens_per_second=1000.0)
        store.log("progress", host="elsewhere", pid=8, doing="1/3 bert", detail="", left=1.0)
        store.log("ended", host="elsewhere", pid=8, error="OSError: no space")
        with open(store.out / "log.jsonl", "a", encoding="utf-8") as file:
            file.write('{"event": "progress", "host": "half')
        watcher = Watcher(store.out)
        mine, theirs = watcher.look().workers
        assert (mine.stages, mine.doing, mine.tokens_per_second, mine.utilisation) == (("s2",), "2/3 bert", 500.0, 0.25)
        assert (theirs.host, theirs.pid, theirs.stages, theirs.utilisation) == ("elsewhere", 7, (), None)
        status = watcher.look()
        assert status.left == pytest.approx(20.0)  # 1 / (1 / 60 + 1 / 30)
        assert status.failures[-1].endswith("elsewhere process 8: OSError: no space")
        assert "2 workers, 1,500 tokens/s, 2 failures; about 20 s left" in line(status)
    with open(store.out / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('"}\n')
    store.log("ended", **HERE, error=None)
    assert [worker.pid for worker in watcher.look().workers] == [7]


def test_a_worker_that_has_ended_without_freeing_its_claim_is_gone(store):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (store.out / "claims").mkdir()
    claim = dataclasses.replace(Claim.own(), pid=ended.pid)
    (store.out / "claims" / "s2").write_text(claim.written())
    (worker,) = Watcher(store.out).look().workers
    assert worker.gone and worker.stages == ("s2",)
    assert "0 workers" in line(Watcher(store.out).look())


def test_a_published_folder_is_done(store, capsys):
    records = [stage(1, tokens=6), stage(2), stage(3)]
    store.write_plan({"study_id": "x", "name": "mine", "stages": records, "cells": 4, "stages_done": records})
    (store.out / "stages" / "s1" / "record.json").unlink()
    assert main.main(["watch", "--out", str(store.out), "--once", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["done"] and (found["stages_done"], found["cells_done"]) == (3, 4)
    assert main.main(["watch", "--out", str(store.out)]) == 0  # done, so it ends
    assert capsys.readouterr().out == "mine: 3 of 3 stages, 4 of 4 cells, 0 workers; done\n"


def test_a_study_between_its_looks_is_not_done(store):
    """All is there while a look is analysed and the next round is planned."""
    declared = {"hash": "h", "content": {"stopping": {"looks": [3, 5]}}}
    plan = {"study_id": "x", "name": "mine", "stages": [], "cells": 4, "declared": declared}

    def look(seeds: int):
        store.write_plan(plan | {"seeds": list(range(seeds))})
        status = Watcher(store.out).look()
        return status.is_done, status.next_look

    assert look(3) == (False, 3)
    assert "4 of 4 cells, 0 workers; between looks, the next one at 3 seeds" in line(Watcher(store.out).look())
    store.agreed.create_look("h", 3, {"seeds": 3, "stop": False, "questions": []})
    assert look(3) == (False, 5) and look(5) == (False, 5)
    store.agreed.create_look("h", 5, {"seeds": 5, "stop": False, "questions": []})
    assert look(5) == (True, None)
    declared["content"]["stopping"]["looks"] = [3, 5, 7]
    store.agreed.create_look("h", 7, {"seeds": 7, "stop": True, "questions": []})
    assert look(7) == (True, None)


def test_all_failures_are_counted_and_the_last_are_shown(store, capsys):
    for number in range(12):
        store.log("failed", cell=f"c{number}", error="not finite")
    status = Watcher(store.out).look()
    assert status.failed == 13 and "13 failures" in line(status)
    assert [text.split(":")[0] for text in status.failures[1:]] == [f"cell c{number}" for number in range(2, 12)]
    assert main.main(["watch", "--out", str(store.out), "--once"]) == 0
    assert "11 of 13 failures" in capsys.readouterr().out


@pytest.mark.parametrize(("command", "noun"), [("attack", "attack"), ("certify", "certificate")])
def test_a_folder_of_another_command_is_refused_and_not_waited_for(tmp_path, capsys, command, noun):
    PartsFolder(tmp_path, noun).begin({})
    assert main.main(["watch", "--out", str(tmp_path)]) == 2
    assert main.main(["watch", "--out", __file__]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert f"a folder of `{command}`, expected one of `run` or `evaluate`" in first and "a file" in second


def test_once_draws_the_folder_with_names_as_they_are(store, capsys):
    store.log("progress", **HERE, doing="[red]bert[/red]", detail="step 1/2", left=10.0, at_most=True)
    assert main.main(["watch", "--out", str(store.out), "--once"]) == 0
    out = capsys.readouterr().out
    assert "[red]bert[/red]: step 1/2" in out and "1 of 3" in out and "at most about 10 s left" in out


def test_a_folder_that_is_not_there_yet_or_half_written_is_one_line(tmp_path, capsys, monkeypatch):
    assert main.main(["watch", "--out", str(tmp_path / "new"), "--once"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'new'}: not there yet; waiting for a study\n"
    assert main.main(["watch", "--out", str(tmp_path), "--once"]) == 0
    assert "no plan yet" in capsys.readouterr().out
    (tmp_path / "plan.json").write_text('{"name": "mi')
    assert main.main(["watch", "--out", str(tmp_path), "--once"]) == 2
    assert capsys.readouterr().err.count("\n") == 1

    def finish(seconds):
        Store(tmp_path).write_plan({"study_id": "x", "name": "mine", "stages": [], "cells": 0})

    monkeypatch.setattr(watch.time, "sleep", finish)
    assert main.main(["watch", "--out", str(tmp_path)]) == 0
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith("error: ") and "plan.json: not JSON" in first and last.endswith("0 workers; done")
    (tmp_path / "plan.json").write_text("{")
    monkeypatch.setattr(watch.time, "sleep", lambda seconds: None)  # nobody mends it
    assert main.main(["watch", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert said.out.count("\n") == said.err.count("\n") == 1 and "plan.json: not JSON" in said.err
    (tmp_path / "plan.json").unlink()
    Store(tmp_path).results.touch()
    assert main.main(["watch", "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err.strip().endswith("has results but no plan.json, so it is unknown what is left to do")
    assert main.main(["watch", "--out", __file__, "--once"]) == 2
    assert main.main(["watch", "--out", str(tmp_path), "--json"]) == 2


def test_what_a_run_shows_is_in_its_log(store, monkeypatch):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0)
    monkeypatch.setattr(progress, "REFRESH_SECONDS", 0.01)
    with pytest.raises(OSError, match="no space"), progress.Progress(quiet=True) as shown:
        shown.log_to(store.log)
        shown.at("1/3 bert", "reading rows")
        shown.tell("step 1/2", 0.5, {"tokens_per_second": 5.0})
        while not any(event["event"] == "progress" for event in store.events()[0]):
            pass
        raise OSError("no space")
    events, end = store.events()
    assert events[0]["event"] == "began" and (events[-1]["event"], events[-1]["error"]) == (
        "ended",
        "OSError: no space",
    )
    told = next(event for event in events if event["event"] == "progress")
    assert (told["doing"], told["detail"], told["tokens_per_second"]) == ("1/3 bert", "step 1/2", 5.0)
    assert store.events(end) == ([], end)
