"""A worker killed or stopped at any moment: the next one ends with the same files as if nothing had happened."""

import os

import pytest

from itt_jax.cli.stopping import Terminated
from itt_jax.store import Store, clearing
from itt_jax.store.claims import Claim
from itt_jax.study import publishing
from itt_jax.study.plan import Plan
from tests.study.studies import STUDY
from tests.study.test_keeping import Toy, cells, leader, toys

SYNC, RENAME, REPLACE, LINK, UNLINK = os.fsync, os.rename, os.replace, os.link, os.unlink


class Killed(BaseException):
    """What no code of ours catches."""


class Disk:
    """Operations on files.

    With `Killed`, all of them fail from a given one on, those of `finally` included, as after SIGKILL; with another
    exception, that one alone, as where a signal comes.
    """

    def __init__(self, monkeypatch, ends):
        self.count, self.dies_at, self.ends = 0, None, ends
        monkeypatch.setattr(os, "fsync", self.counted(lambda descriptor: None))
        for name, own in (("rename", RENAME), ("replace", REPLACE), ("link", LINK), ("unlink", UNLINK)):
            monkeypatch.setattr(os, name, self.counted(own))

    def counted(self, own):
        def operation(*arguments, **options):
            self.count += 1
            if self.dies_at is not None and (self.count == self.dies_at or self.is_dead()):
                raise self.ends
            return own(*arguments, **options)

        return operation

    def is_dead(self) -> bool:
        return self.ends is Killed and self.count > self.dies_at


def content(out) -> dict:
    """Every file but the log; records without the time that the stage took."""
    found = {path.relative_to(out).as_posix(): path for path in out.rglob("*") if path.is_file()}
    whole = {name: path.read_bytes() for name, path in found.items() if name != "log.jsonl"}
    for name in [name for name in whole if name.endswith("record.json")]:
        record = Store(out).record(found[name].parent.name)
        whole[name] = {key: value for key, value in record.items() if key != "wall_seconds"}
    return whole


def run(out) -> None:
    """Make the stages and cells of a plan, and write its results."""
    plan = Plan(STUDY, toys((("root", None), ("last", "root"))), cells({"last": ["last-1"]}))
    worker = leader(Store(out), plan, Results)
    worker.finish = worker.publisher.write_results
    worker.lead()
    worker.store.clear()


class Results(publishing.Publisher):
    """Writes results, and no plan, of which toys have too little."""

    def publish(self):
        self.write_results()


@pytest.mark.parametrize("ends", [Killed, Terminated])
def test_a_worker_that_ends_at_any_operation_leaves_what_the_next_one_completes(tmp_path, monkeypatch, ends):
    monkeypatch.setattr(clearing, "_is_running", lambda pid: False)
    monkeypatch.setattr(clearing, "SILENT_SECONDS", -1)
    monkeypatch.setattr(Claim, "is_gone", lambda self: True)
    disk = Disk(monkeypatch, ends)
    run(tmp_path / "whole")
    whole, operations, halves = content(tmp_path / "whole"), disk.count, 0
    assert operations > 30 and {"results.parquet", "stages/last/checkpoint/params"} < set(whole)
    for number in range(1, operations + 1):
        out = tmp_path / str(number)
        disk.count, disk.dies_at = 0, number
        with pytest.raises(ends):
            run(out)
        disk.dies_at = None
        halves += any(out.rglob(".*"))
        Toy.made.clear()
        run(out)
        assert content(out) == whole, number
        events = [event["id"] for event in Store(out).events()[0] if event["event"] == "stage"]
        assert len(events) == len(set(events)) and len(Toy.made) == len(set(Toy.made))
    assert halves > 5 if ends is Killed else halves < operations / 4  # a signal at the removal itself
