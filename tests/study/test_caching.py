"""Stages that studies share through a cache: trained once in a group, whoever is first, and the same as without one."""

import dataclasses
import errno
import os
import pathlib
import re
import shutil
import threading
from typing import ClassVar

import pytest

from itt_jax import files
from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.claims import Claim
from itt_jax.study import describe, leading, running
from itt_jax.study.leading import Leader
from itt_jax.study.making import Maker
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, make_plan
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Progress, flop
from itt_jax.study.publishing import Publisher
from itt_jax.study.stages import Stage
from tests.study.studies import STUDY, joined

SPEC = EncoderSpec("bert", "bert")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Toy(Stage):
    """A stage whose checkpoint holds its id; it notes in whose folder it was made, and may wait before that."""

    made: ClassVar[list[tuple[str, str]]] = []
    meets: ClassVar[dict] = {}

    @property
    def kind(self):
        return "toy"

    def make(self, workshop):
        assert self.parent is None or self.parent.has_parameters(workshop.store)
        self.made.append((workshop.store.out.name, self.id))
        self.meets.get(self.id, lambda store: None)(workshop.store)
        with files.new_folder(workshop.store.checkpoint(self.id)) as folder:
            (folder / "params").mkdir()
            (folder / "params" / "array").write_bytes(self.id.encode() * 1000)
            files.write_manifest(folder)
        return {"steps": 1, "flops": 5.0}


@pytest.fixture(autouse=True)
def nothing_made(monkeypatch):
    monkeypatch.setattr(Toy, "made", [])
    monkeypatch.setattr(Toy, "meets", {})
    monkeypatch.setattr(leading, "POLL_SECONDS", 0.01)


def runner(out, cache: pathlib.Path | None, arm: str = "direct", lines: list | None = None, names: str = "abc"):
    """A worker on stages a, b (from a), c (from a) of a study of its own."""
    found: dict[str, Stage] = {}
    for name in names:
        found[name] = Toy(spec=SPEC, id=name, parent=None if name == "a" else found["a"])
    progress, plan = Progress(quiet=True), Plan(STUDY, found)
    plan.uses.update({name: [("t", arm)] for name in found})
    progress.say = (lines if lines is not None else []).append
    own, stages = joined(plan), None if cache is None else StageCache(cache, "float32")
    maker = Maker(Store(out), own, progress, None, Profile(None), cache=stages)
    maker.caching.begin()
    return Leader(maker, own, Publisher(maker.store, own, {}))


def checkpoints(out):
    root = out / "stages"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.parent.name == "params"}


def names(cache):
    return sorted(path.name for path in (cache / "stages").iterdir())


def test_a_second_study_takes_what_the_first_has_trained(tmp_path):
    lines, cache = [], tmp_path / "cache"
    runner(tmp_path / "one", cache, "direct").all()
    (tmp_path / "two" / "stages" / "a" / "rate-1" / "resume-5").mkdir(parents=True)  # a training that was interrupted
    runner(tmp_path / "two", cache, "itt", lines, "abcd").all()
    runner(tmp_path / "alone", None, "itt", names="abcd").all()
    assert Toy.made[:4] == [("one", "a"), ("one", "b"), ("one", "c"), ("two", "d")]
    assert checkpoints(tmp_path / "two") == checkpoints(tmp_path / "alone")
    assert [line for line in lines if "taken from the cache" in line] and len(lines) == 4
    two, alone = (Store(tmp_path / name).record("a") for name in ("two", "alone"))
    assert two["arms"] == ["itt"] == alone["arms"] and Store(tmp_path / "one").record("a")["arms"] == ["direct"]
    assert two | {"wall_seconds": 0} == alone | {"wall_seconds": 0} and list(two) == list(alone)
    assert names(cache) == [f"{name}-float32" for name in "abcd"] and not any((cache / "claims").iterdir())
    assert not (tmp_path / "two" / "stages" / "a" / "rate-1" / "resume-5").exists()
    place = pathlib.Path("checkpoint", "params", "array")
    assert (tmp_path / "two" / "stages" / "a" / place).samefile(cache / "stages" / "a-float32" / place)
    shutil.rmtree(cache)
    assert checkpoints(tmp_path / "two") == checkpoints(tmp_path / "alone")  # and needs the cache no more


def test_a_stage_that_another_study_is_on_is_waited_for_and_taken(tmp_path):
    """The first holds stage a until the second has said that it waits, so the order of the two is fixed."""
    cache, begun, lines = tmp_path / "cache", threading.Event(), []
    second = runner(tmp_path / "two", cache, lines=lines, names="ab")

    def wait(store):
        if store.out.name == "one":
            begun.set()
            while not any(line.startswith("waiting") for line in lines):
                threading.Event().wait(0.005)

    Toy.meets["a"] = wait
    first = runner(tmp_path / "one", cache, names="ac")
    worker = threading.Thread(target=first.all)
    worker.start()
    assert begun.wait(20)
    second.all()
    worker.join(20)
    assert [name for name in Toy.made if name[1] == "a"] == [("one", "a")]
    assert sorted(Toy.made) == [("one", "a"), ("one", "c"), ("two", "b")]
    assert re.fullmatch(rf"waiting for 2 stages: \S+, process {os.getpid()}, on 1 of them since .*", lines[0])


def test_of_two_that_publish_at_one_moment_one_stays_whole(tmp_path):
    """A worker that was suspended has lost its claim: both have the whole stage ready before either renames it."""
    cache, meet, rename = tmp_path / "cache", threading.Barrier(2, timeout=20), os.rename
    for name in ("one", "two"):
        runner(tmp_path / name, None, names="a").all()

    def together(source, target):
        if pathlib.Path(target).parent == cache / "stages":
            meet.wait()
        rename(source, target)

    def publish(name):
        store = Store(tmp_path / name)
        StageCache(cache, "float32").add("a", store.record("a"), store.checkpoint("a"))

    workers = [threading.Thread(target=publish, args=(name,)) for name in ("one", "two")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rename", together)
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join(20)
    assert names(cache) == ["a-float32"]
    assert StageCache(cache, "float32").take("a", tmp_path / "three" / "checkpoint")["id"] == "a"


def damaged_array(stage):
    path = stage / "checkpoint" / "params" / "array"
    path.write_bytes(b"x" + path.read_bytes()[1:])


DAMAGE = {
    "a flipped byte": damaged_array,
    "a file cut": lambda stage: os.truncate(stage / "checkpoint" / "params" / "array", 7),
    "an empty record": lambda stage: (stage / "record.json").write_text(""),
    "a changed record": lambda stage: (stage / "record.json").write_text(
        (stage / "record.json").read_text().replace('"steps": 1', '"steps": 2')
    ),
    "no manifest": lambda stage: (stage / files.MANIFEST).unlink(),
    "another checkpoint's manifest": lambda stage: (stage / "checkpoint" / files.MANIFEST).write_text("{}"),
    "no checkpoint": lambda stage: shutil.rmtree(stage / "checkpoint"),
}


@pytest.mark.parametrize("kind, read_only", [(kind, False) for kind in DAMAGE] + [("a flipped byte", True)])
def test_a_damaged_stage_is_named_and_trained_again(tmp_path, monkeypatch, kind, read_only):
    cache, lines = tmp_path / "cache", []
    runner(tmp_path / "one", cache, names="a").all()
    stage = cache / "stages" / "a-float32"
    for path in [path for path in stage.rglob("*") if path.is_file()]:  # a copy, so that the first study stays sound
        path.write_bytes((path.read_bytes(), path.unlink())[0])
    DAMAGE[kind](stage)
    if read_only:
        monkeypatch.setattr(os, "access", lambda path, mode: path != cache)  # the superuser may write everywhere
    runner(tmp_path / "two", cache, lines=lines, names="a").all()
    assert Toy.made == [("one", "a"), ("two", "a")]
    assert checkpoints(tmp_path / "two") == checkpoints(tmp_path / "one")
    (line,) = [line for line in lines if "trained again" in line]
    assert line.startswith(f"warning: {stage}") and "\n" not in line
    if read_only:
        assert lines[0] == f"warning: --cache {cache}: read-only; stages are taken from it, none is added"
        assert names(cache) == ["a-float32"] and not (cache / "damaged").exists()
    else:
        (aside,) = (cache / "damaged").iterdir()
        assert f"it is set aside ({aside}) and trained again" in line
        runner(tmp_path / "three", cache, names="a").all()
        assert len(Toy.made) == 2 and checkpoints(tmp_path / "three") == checkpoints(tmp_path / "one")


def test_a_cache_whose_disk_is_full_or_fails_leaves_the_study_as_it_is(tmp_path, monkeypatch):
    cache, lines = tmp_path / "cache", []

    def full(own):
        def act(source, target, **options):
            if cache in pathlib.Path(target).parents:
                raise OSError(errno.ENOSPC, "No space left on device")
            return own(source, target, **options)

        return act

    for module, name in ((os, "link"), (os, "replace"), (shutil, "copyfile")):
        monkeypatch.setattr(module, name, full(getattr(module, name)))
    runner(tmp_path / "one", cache, lines=lines).all()
    runner(tmp_path / "two", None).all()
    assert checkpoints(tmp_path / "one") == checkpoints(tmp_path / "two") and len(Toy.made) == 6
    assert not any(path.is_file() for path in cache.rglob("*")) and names(cache) == []
    warnings = [line for line in lines if line.startswith("warning")]
    assert warnings[0] == f"warning: --cache {cache}: no claim on its stages (No space left on device)"
    assert len(warnings) == 4 and all("No space left on device" in line for line in warnings)


def test_stages_of_another_precision_are_other_stages(tmp_path):
    cache = tmp_path / "cache"
    runner(tmp_path / "one", cache, names="a").all()
    assert "a" in StageCache(cache, "float32") and "a" not in StageCache(cache, "bfloat16")


def test_what_a_killed_worker_has_left_of_a_stage_goes_with_the_next_claim(tmp_path):
    cache = StageCache(tmp_path, "float32")
    (left, other) = (tmp_path / "stages" / f".{name}-float32.host.1.ab" for name in ("a", "b"))
    left.mkdir(parents=True)
    other.mkdir()
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "b-float32").write_text(dataclasses.replace(Claim.own(), host="another").written())
    with cache.claim("a") as ours, cache.claim("b") as others:
        assert ours and not others and not left.exists() and other.exists()


@pytest.mark.parametrize("make, said", [
    (lambda path: path.write_text(""), "is a file, expected a folder"),
    (lambda path: files.write_json(path / "plan.json", {}), "a results folder, expected one for stages"),
])  # fmt: skip
def test_what_cannot_be_a_cache_is_refused_before_any_work(tmp_path, make, said):
    path = tmp_path / "cache"
    make(path)
    with pytest.raises(InputError, match=rf"^--cache {path}: .*{said}[^\n]*$"):
        running.run(STUDY, tmp_path / "out", quiet=True, cache=path)
    assert not (tmp_path / "out").exists()


def test_a_new_cache_where_nothing_can_be_written_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(InputError, match=r"^--cache .*: .* is read-only, expected a folder that is there"):
        StageCache(tmp_path / "new", "float32")


@pytest.mark.slow
def test_a_plan_says_what_is_found_and_subtracts_its_cost(tmp_path):
    cache, out = tmp_path / "cache", tmp_path / "out"
    *others, last = make_plan(STUDY, Material(STUDY)).stages
    whole = describe(STUDY, out, cache=cache).as_dict()
    assert whole["stages_cached"] == 0 == whole["flops_cached"] and others and not cache.exists()
    (cache / "stages" / f"{last}-float32").mkdir(parents=True)
    described = describe(STUDY, out, cache=cache)
    found = described.as_dict()
    before, after = (
        {row["kind"]: (row["done"], row["flops_missing"]) for row in own["stages"]} for own in (whole, found)
    )
    assert found["stages_cached"] == 1 and found["flops_cached"] == before["target"][1] > 0
    assert after == before | {"target": (0, 0.0)}
    assert f"1 stage found in the cache, which saves {flop(found['flops_cached'])}" in described.text().split("\n")
    assert found["disk_bytes"]["kept"] == whole["disk_bytes"]["kept"]
