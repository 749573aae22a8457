"""Checkpoints that are not kept go once nothing needs them, and stages are made again when something does."""

import dataclasses
from typing import ClassVar

import pyarrow.parquet as pq
import pytest

from itt_jax import files
from itt_jax.config import EncoderSpec
from itt_jax.errors import StageError
from itt_jax.store import Store
from itt_jax.study import leading, publishing
from itt_jax.study.keeping import Keeping
from itt_jax.study.leading import Leader
from itt_jax.study.making import Maker
from itt_jax.study.plan import Plan, study_id
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Progress
from itt_jax.study.stages import Stage
from tests.study.studies import STUDY, joined

SPEC = EncoderSpec("bert", "bert")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Stage):
    """A stage whose checkpoint holds its id; it notes when it is made."""

    made: ClassVar[list[str]] = []
    fails: ClassVar[set[str]] = set()

    @property
    def kind(self):
        return "toy"

    def make(self, workshop):
        assert self.parent is None or self.parent.has_parameters(workshop.store)
        self.made.append(self.id)
        if self.id in self.fails:
            raise MemoryError(f"no room for {self.id}")
        with files.new_folder(workshop.store.checkpoint(self.id)) as folder:
            (folder / "params").write_text(self.id)
            files.write_manifest(folder)
        return {"steps": 1}


@dataclasses.dataclass(frozen=True)
class ToyCell:
    """What of a cell is read here."""

    cell: str
    target: str = "t"
    arm: str = "direct"

    def row(self, figures):
        return {"cell": self.cell}


class ToyMaker(Maker):
    """Stores cells without predicting them."""

    def evaluate(self, stages, cells):
        for stage in stages:
            assert stage.has_parameters(self.store)
            for cell in cells[stage.id]:
                self.store.cells.write([(cell.row({}), {"item_id": ["a"]})])
        return sum(len(cells[stage.id]) for stage in stages)


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch):
    monkeypatch.setattr(Toy, "made", [])
    monkeypatch.setattr(Toy, "fails", set())


CHAIN = (("root", None), ("between", "root"), ("last", "between"), ("direct", "root"))
CELLS = {"last": ["last-1"], "direct": ["direct-1"]}


def leader(store: Store, plan: Plan, publisher: type[publishing.Publisher] = publishing.Publisher) -> Leader:
    """What drains a plan; it mends what is damaged at first, and writes nothing more at the end."""
    own, progress = joined(plan), Progress(quiet=True)
    progress.say = (lines := []).append
    found = Leader(ToyMaker(store, own, progress, None, Profile(None)), own, publisher(store, own, {}))
    found.begin, found.finish, found.lines = found.mend, lambda: None, lines
    return found


def drain(store: Store, plan: Plan, publisher: type[publishing.Publisher] = publishing.Publisher) -> list[str]:
    """Make every stage and cell of a plan; returns what was said."""
    found = leader(store, plan, publisher)
    found.lead()
    return found.lines


def toys(chain=CHAIN) -> dict[str, Stage]:
    """Stages from (id, id of the parent)."""
    found: dict[str, Stage] = {}
    for name, parent in chain:
        found[name] = Toy(spec=SPEC, id=name, parent=found.get(parent))
    return found


def cells(names) -> dict[str, list[ToyCell]]:
    return {name: [ToyCell(cell) for cell in own] for name, own in names.items()}


def run(out, saved: str, chain=CHAIN, wanted=CELLS) -> list[str]:
    """Run a plan of toy stages; returns the ids of those that were made."""
    stages = toys(chain)
    plan = Plan(dataclasses.replace(STUDY, save_checkpoints=saved), stages, cells(wanted))
    before = len(Toy.made)
    drain(Store(out), plan)
    assert not any(map(Keeping(plan, Store(out)).must_make, stages.values()))
    return Toy.made[before:]


def checkpoints(out) -> list[str]:
    return sorted(path.parent.name for path in out.glob("stages/*/checkpoint"))


@pytest.mark.parametrize(
    ("saved", "kept"),
    [("all", ["between", "direct", "last", "root"]), ("target", ["direct", "last", "root"]), ("none", ["root"])],
)
def test_what_is_kept(tmp_path, saved, kept):
    assert run(tmp_path, saved) == ["root", "between", "last", "direct"]
    assert checkpoints(tmp_path) == kept
    assert not list(tmp_path.glob("stages/*/.*"))
    assert run(tmp_path, saved) == []  # everything is done, with or without checkpoints
    assert checkpoints(tmp_path) == kept


def test_what_a_later_run_needs_is_made_again(tmp_path, capsys):
    run(tmp_path, "none")
    assert run(tmp_path, "none", wanted=CELLS | {"direct": ["direct-1", "direct-2"]}) == ["direct"]
    assert checkpoints(tmp_path) == ["root"]
    longer = (*CHAIN, ("new", "last"))
    assert run(tmp_path, "target", longer, CELLS | {"new": ["new-1"]}) == ["between", "last", "new"]
    assert checkpoints(tmp_path) == ["last", "new", "root"]


def test_a_damaged_checkpoint_is_made_again_where_it_is_needed(tmp_path):
    store, whole = Store(tmp_path), Plan(STUDY, toys(), cells(CELLS))
    drain(store, whole)
    for name in ("root", "direct", "last"):
        (store.checkpoint(name) / "params").write_text(name.upper())
    Toy.made.clear()
    assert drain(store, whole) == [] and Toy.made == []
    lines = drain(store, Plan(STUDY, toys(), cells(CELLS | {"direct": ["direct-1", "direct-2"]})))
    for name, line in zip(("direct", "root"), lines, strict=False):
        path, aside = store.checkpoint(name) / "params", tmp_path / "damaged" / f"{name}-checkpoint"
        assert line.startswith(f"warning: {path}: damaged: found {len(name)} bytes")
        assert line.endswith(f"; it is set aside ({aside}) and made again")
        assert path.read_text() == name and (aside / "params").read_text() == name.upper()
    assert Toy.made == ["root", "direct"]
    assert (store.checkpoint("last") / "params").read_text() == "LAST"  # nothing reads it
    assert drain(store, whole) == []


def test_a_stage_that_fails_is_noted_and_left_out_and_the_rest_goes_on(tmp_path):
    store, plan = Store(tmp_path), Plan(STUDY, toys(), cells(CELLS))
    Toy.fails |= {"between"}
    worker = leader(store, plan)
    said = r"^1 stage failed, and the rest is done: stage between \(MemoryError: no room for between\); log.jsonl has"
    with pytest.raises(StageError, match=said):
        worker.lead()
    assert Toy.made == ["root", "between", "direct"] and list(store.cells.ids()) == ["direct-1"]
    (line,) = [line for line in worker.lines if "failed" in line]
    assert line.endswith("failed (MemoryError: no room for between); the rest goes on")
    (event,) = [event for event in store.events()[0] if event["event"] == "failed"]
    assert event["stage"] == "between" and event["error"] == "MemoryError: no room for between"
    assert "in make" in event["trace"]
    Toy.fails.clear(), Toy.made.clear()
    drain(store, plan)
    assert Toy.made == ["between", "last"] and sorted(store.cells.ids()) == ["direct-1", "last-1"]


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(("error", "several"), [(FULL, False), (ValueError("x"), True)])
def test_an_error_that_is_not_of_one_stage_ends_the_run(tmp_path, monkeypatch, error, several):
    def fails(self, workshop):
        raise error

    monkeypatch.setattr(Toy, "make", fails)
    monkeypatch.setattr(leading, "are_several", lambda: several)
    worker = leader(Store(tmp_path), Plan(STUDY, toys(), cells(CELLS)))
    with pytest.raises(type(error)):
        worker.all()
    assert not worker.failures and not list(tmp_path.glob("stages/*/record.json"))


def test_children_that_another_worker_is_on_keep_their_parent(tmp_path):
    store = Store(tmp_path)
    stages = {"root": Toy(spec=SPEC, id="root")}
    stages["between"] = Toy(spec=SPEC, id="between", parent=stages["root"])
    stages["last"] = Toy(spec=SPEC, id="last", parent=stages["between"])
    for name in ("root", "between"):
        store.checkpoint(name).mkdir(parents=True)
        store.write_record(name, {"id": name})
    keeping = Keeping(Plan(dataclasses.replace(STUDY, save_checkpoints="none"), stages), store)
    keeping.clear([stages["between"]])
    assert checkpoints(tmp_path) == ["between", "root"]
    store.checkpoint("last").mkdir(parents=True)
    store.write_record("last", {"id": "last"})
    keeping.clear([stages["last"]])
    assert checkpoints(tmp_path) == ["root"]


def test_results_are_there_while_the_run_goes_on(tmp_path, monkeypatch):
    class Noting(publishing.Publisher):
        """Notes how many results are there after each stage."""

        seen: ClassVar[list[int]] = []

        def write_plan(self):
            self.seen.append(len(read_results_of(self.store.out)))

    store, stages = Store(tmp_path), {"root": Toy(spec=SPEC, id="root")}
    for name in ("first", "second"):
        stages[name] = Toy(spec=SPEC, id=name, parent=stages["root"])
    plan = Plan(STUDY, stages, {name: [ToyCell(f"{name}-cell")] for name in ("first", "second")})
    store.write_plan({"study_id": study_id(STUDY), "name": "small"})
    monkeypatch.setattr(publishing, "PUBLISH_SECONDS", 0)
    monkeypatch.setattr(Noting, "publishing", property(lambda self: 0.0, lambda self, value: None), raising=False)
    drain(store, plan, Noting)
    assert Noting.seen == [0, 1, 2]


def read_results_of(out) -> list[dict]:
    """The rows of results.parquet so far."""
    path = Store(out).results
    return pq.read_table(path).to_pylist() if path.is_file() else []
