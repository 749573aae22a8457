"""Running: parents first, stages of one shape together, other workers' claims, and what is recorded."""

import dataclasses
import os
import re
import threading
from types import SimpleNamespace
from typing import ClassVar

import pytest

from itt_jax import files
from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.store import Store, sharing
from itt_jax.store.claims import Claim
from itt_jax.store.sharing import Sharing
from itt_jax.study import leading, progress, running
from itt_jax.study.leading import Leader
from itt_jax.study.making import Maker
from itt_jax.study.plan import Plan
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Estimate, Progress
from itt_jax.study.publishing import Publisher
from itt_jax.study.running import Results
from itt_jax.study.stages import Stage
from tests.shared import Memory
from tests.study.studies import STUDY, joined

SPEC = EncoderSpec("bert", "bert")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Stage):
    """A stage that only notes with which others it was made."""

    shape: str = ""
    made: ClassVar[list[list[str]]] = []

    @property
    def kind(self):
        return "toy"

    def has_parameters(self, store):
        return True

    def stack_key(self, material):
        return self.shape or None

    @classmethod
    def make_all(cls, stages, workshop):
        cls.made.append([stage.id for stage in stages])
        return [{"steps": 1} for _ in stages]


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch):
    monkeypatch.setattr(Toy, "made", [])
    monkeypatch.setattr(leading, "POLL_SECONDS", 0.01)


def stages(*descriptions: tuple[str, str | None, str]) -> dict[str, Stage]:
    """Stages from (id, id of the parent, shape)."""
    found: dict[str, Stage] = {}
    for name, parent, shape in descriptions:
        found[name] = Toy(spec=SPEC, id=name, parent=found.get(parent), shape=shape)
    return found


def runner(out, found: dict[str, Stage], stack: int | None = None, shared: Memory | None = None) -> Leader:
    """A worker on a plan of stages without cells."""
    store, own = Store(out, shared and Sharing(out, shared)), joined(Plan(STUDY, found))
    maker = Maker(store, own, Progress(quiet=True), stack, Profile(None))
    return Leader(maker, own, Publisher(store, own, {}))


TREE = (("a", None, ""), ("b", "a", "x"), ("c", "a", "x"), ("d", "b", "x"), ("e", "a", "y"), ("f", "c", "x"))


def test_each_stage_is_made_once_after_its_parent(tmp_path):
    assert runner(tmp_path, stages(*TREE)).all() == 0
    assert Toy.made == [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]
    runner(tmp_path, stages(*TREE)).all()
    assert len(Toy.made) == 6  # a second worker finds everything done


def test_stages_of_one_shape_are_made_together_once_their_parents_are_done(tmp_path):
    runner(tmp_path, stages(*TREE), stack=3).all()
    assert Toy.made == [["a"], ["b", "c"], ["d", "f"], ["e"]]


def test_no_more_stages_than_the_stack_allows(tmp_path):
    siblings = (("a", None, ""), *((name, "a", "x") for name in "bcdef"))
    runner(tmp_path, stages(*siblings), stack=2).all()
    assert Toy.made == [["a"], ["b", "c"], ["d", "e"], ["f"]]


def test_a_stage_that_another_worker_is_on_is_left_to_it_and_its_children_wait(tmp_path):
    store = Store(tmp_path)
    store.write_record("a", {"id": "a"})
    held = threading.Event()

    def other():
        with store.claim("b") as ours:
            assert ours
            held.set()
            while not waits.waiting:
                threading.Event().wait(0.01)
            assert ["d"] not in Toy.made  # its parent is not done
            store.write_record("b", {"id": "b"})

    waits = runner(tmp_path, stages(*TREE))
    worker = threading.Thread(target=other)
    worker.start()
    held.wait()
    waits.all()
    worker.join()
    assert re.fullmatch(rf"for 2 stages: \S+, process {os.getpid()}, on 1 of them since .* by its clock", waits.waiting)
    assert ["b"] not in Toy.made and Toy.made[-1] == ["d"]
    assert sorted(name for together in Toy.made for name in together) == ["c", "d", "e", "f"]


def test_the_time_left_counts_the_other_workers_and_not_what_they_have_done(tmp_path, monkeypatch):
    """Another worker is on b while a and c are made; it ends while c is. Each stage takes two seconds."""
    clock, said, make = [0.0], [], Toy.make_all.__func__
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock[0])
    own, store = runner(tmp_path, stages(*((name, None, "") for name in "abcd"))), Store(tmp_path)
    own.progress.estimate = Estimate({"training": dict.fromkeys("abcd", 1.0)}, rate=0.5)

    def make_all(cls, stages, workshop):
        said.append((stages[0].id, own.progress.estimate.text()))
        clock[0] += 2
        if stages[0].id == "c":
            store.write_record("b", {"id": "b"})
        return make(cls, stages, workshop)

    monkeypatch.setattr(Toy, "make_all", classmethod(make_all))
    with store.claim("b"):
        own.all()
    assert said == [("a", "about 8 s left"), ("c", "about 3 s left with 2 workers"), ("d", "about 2 s left")]


def test_a_stage_that_another_worker_took_over_is_left_to_it_and_the_rest_goes_on(tmp_path, monkeypatch):
    """Of two stages that are made together, another worker takes one over meanwhile."""
    path, make = tmp_path / "claims" / "b", Toy.make_all.__func__
    store = Store(tmp_path)

    def make_all(cls, stages, workshop):
        if Toy.made == [["a"]]:
            path.write_text(dataclasses.replace(Claim.own(), host="another").written())
        return make(cls, stages, workshop)

    def wait(seconds):
        assert store.record("c") and not store.record("b") and path.is_file()
        store.write_record("b", {"id": "b", "host": "another"})
        path.unlink()

    monkeypatch.setattr(Toy, "make_all", classmethod(make_all))
    monkeypatch.setattr(leading.time, "sleep", wait)
    lines, own = [], runner(tmp_path, stages(*TREE), stack=2)
    monkeypatch.setattr(own.progress, "say", lines.append)
    own.all()
    assert Toy.made == [["a"], ["b", "c"], ["f"], ["e"], ["d"]]
    assert store.record("b") == {"id": "b", "host": "another"}
    assert len([line for line in lines if "another worker has taken it over" in line]) == 1


def test_workers_with_folders_of_their_own_make_each_stage_once(tmp_path, monkeypatch):
    monkeypatch.setattr(sharing, "PULL_SECONDS", 0.0)
    memory = Memory()
    workers = [runner(tmp_path / str(number), stages(*TREE), shared=memory) for number in range(2)]
    threads = [threading.Thread(target=worker.all) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(name for together in Toy.made for name in together) == list("abcdef")
    for worker in workers:
        worker.store.sync()
        assert all(map(worker.store.record, "abcdef"))


def test_a_stage_that_another_machine_made_again_is_fetched_before_the_end(tmp_path, monkeypatch):
    memory = Memory()
    own = runner(tmp_path / "one", stages(("a", None, "")), shared=memory)
    own.all()
    assert not own.others_made_again()
    other = Store(tmp_path / "two", Sharing(tmp_path / "two", memory))
    other.sync()
    with other.claim("a"):
        other.write_record("a", {"id": "a", "host": "another"})
    own.store.sync()
    assert own.store.record("a") != other.record("a") and own.worked == {"a"}
    monkeypatch.setattr(own.keeping, "missing_cells", lambda stage: ["a cell of the former model"])
    assert own.others_made_again() and own.worked == set()
    assert own.store.record("a") == other.record("a")


def test_what_another_worker_has_just_read_is_not_read_again(tmp_path, monkeypatch):
    own = runner(tmp_path, stages(("a", None, "")))
    answers = iter([["a"], [], []])
    monkeypatch.setattr(
        leading,
        "missing_transfers",
        lambda plan, store: [SimpleNamespace(reader=SimpleNamespace(stage=name)) for name in next(answers)],
    )
    monkeypatch.setattr(own, "has_parameters", lambda stage: pytest.fail("its parameters are not needed"))
    own.read_across()
    assert next(answers, None) is None


def test_who_has_a_folder_of_its_own_waits_for_what_another_worker_reads(tmp_path, monkeypatch):
    memory, left, read = Memory(), ["a", "b"], []
    own = runner(tmp_path / "one", stages(("a", None, ""), ("b", None, "")), shared=memory)
    other = Store(tmp_path / "two", Sharing(tmp_path / "two", memory))

    def missing(plan, store):
        return [SimpleNamespace(reader=SimpleNamespace(stage=name)) for name in left]

    def transfer(stages):
        read.append(stages[0].id)
        left.remove(stages[0].id)

    def wait(seconds):
        assert read == ["a"] and "process" in own.waiting
        left.remove("b")

    monkeypatch.setattr(leading, "missing_transfers", missing)
    monkeypatch.setattr(own.maker, "transfer", transfer)
    monkeypatch.setattr(leading.time, "sleep", wait)
    with other.claim("transfer-b"):
        own.read_across()
    assert read == ["a"] and not left


def test_trackers_that_fail_are_warnings_and_the_rest_goes_on(tmp_path):
    class Broken:
        later = "; never"

        def __getattr__(self, name):
            raise OSError("no space")

    lines, progress = [], Progress(quiet=True)
    progress.say = lines.append
    own = joined(Plan(STUDY, stages(*TREE)))
    maker = Maker(Store(tmp_path), own, progress, None, Profile(None), (Broken(),))
    maker.trackers.begin([], {})
    for step in (1, 2):
        maker.heard(step, 2, {"loss": 0.5})
    Leader(maker, own, Publisher(maker.store, own, {})).all()
    assert [name for (name,) in Toy.made] == list("abcdef") and all(map(Store(tmp_path).record, "abcdef"))
    warnings = [line for line in lines if line.startswith("warning: no training curves of ")]
    assert len(warnings) == 8 and all("for Broken (OSError: no space); never" in line for line in warnings)


def test_a_record_has_what_names_a_stage_once(tmp_path):
    runner(tmp_path, stages(("a", None, ""))).all()
    record = Store(tmp_path).record("a")
    assert {name: record[name] for name in ("id", "kind", "encoder", "arms", "targets", "seed", "steps")} == {
        "id": "a", "kind": "toy", "encoder": "bert", "arms": [], "targets": [], "seed": 0, "steps": 1,
    }  # fmt: skip
    assert {"purpose", "model", "arm"}.isdisjoint(record)
    assert {"wall_seconds", "device", "precision", "versions"} < set(record)


@pytest.mark.parametrize("schema", [1, 2])
def test_stages_of_earlier_schemas_are_not_added_to(tmp_path, schema):
    files.write_json(tmp_path / "plan.json", {"study_id": "x", "name": "old", "schema": schema})
    files.write_text(tmp_path / "cells" / "0123456789abcdef.parquet", "")
    with pytest.raises(InputError, match=f"written in schema {schema}, expected 3") as error:
        running.run(STUDY, tmp_path, quiet=True)
    assert "\n" not in str(error.value)
    assert {path.name for path in tmp_path.iterdir()} == {"plan.json", "cells"}


def test_results_are_a_table(tmp_path):
    store = Store(tmp_path)
    row = {"model": "m", "arm": "direct", "seed": 0, "task": "t", "split": "test", "domain": "d", "language": "en"}
    row |= {"perturbation": "clean", "severity": 0.0, "replicate": 0, "metric": "accuracy", "value": 0.5, "n": 2}
    store.cells.write([(row | {"cell": "c"}, {"item_id": ["a", "b"]})])
    store.write_results([{"cell": "c"}])
    assert Results(tmp_path, 1, 1).to_pandas()["value"].tolist() == [0.5]
