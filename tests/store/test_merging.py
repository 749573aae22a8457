"""Merging results folders: what one folder would hold, or a refusal that names the conflict; never half a folder."""

import dataclasses
import json
import os
import pathlib
import re
import shutil

import numpy as np
import pandas as pd
import pytest

from itt_jax import files, main
from itt_jax.errors import InputError
from itt_jax.store import Store, merging
from itt_jax.store.claims import Claim
from itt_jax.store.merging import Merged, merge
from itt_jax.store.results import read_results, read_selection

STAGES = ("s0", "s1", "s2")
ROW = {"model": "bert", "arm": "itt", "target": "t", "task": "t", "split": "test", "domain": "d", "language": "en"}
ROW |= {"severity": 0.0, "replicate": 0, "metric": "accuracy", "n": 3}


def plan(**changes):
    study = {"seeds": [0, 1, 2], "targets": [{"name": "t", "test_split": "test", "dev_split": "dev"}]}
    about = {"study_id": "1", "name": "tiny", "study": study, "encoders": ["bert"], "cells": 6}
    about |= {"stages": [{"id": own} for own in STAGES], "inputs": {"rows of t": {"digest": "aa"}}}
    return about | changes


def made(stage, form, shift=0.0):
    own = ROW | {"stage": stage, "seed": STAGES.index(stage), "perturbation": form, "value": 0.5 + shift}
    columns = {"item_id": ["t/0", "t/1", "t/2"], "similarity": np.array([np.nan, 0.5, shift])}
    return own | {"cell": f"{stage} {form}"}, columns


def write(out, stages, forms=("clean", "swap"), **changes):
    """A folder with some stages of the plan, their parameters and cells."""
    store = Store(out)
    for stage in stages:
        with files.new_folder(store.checkpoint(stage)) as folder:
            (folder / "parameters").write_text(stage)
            files.write_manifest(folder)
        store.write_record(stage, {"id": stage, "losses": [[10, 0.5]], "wall_seconds": len(stages)})
        store.cells.write([made(stage, form) for form in forms])
    store.write_transfer(f"transfer {stages[0]}", [{"transferred": 1.0}])
    store.agreed.precision("bert", lambda: "float32")
    store.agreed.create_look("h", 2, {"seeds": 2, "time": len(stages), "stop": False, "questions": []})
    files.write_text(out / "attacks" / "a" / "rows" / "en-0000.jsonl", '{"row": 1}\n')
    store.write_plan(plan(stages_done=[{"id": stage} for stage in stages], **changes))
    store.write_results({"cell": f"{stage} {form}"} for stage in stages for form in forms)
    return out


@pytest.fixture
def two(tmp_path):
    """Folders of stages 1, 2 and 0, 1: the one in common was made twice, to the same outcome."""
    return [write(tmp_path / "a", ("s1", "s2")), write(tmp_path / "b", ("s0", "s1"))]


def content(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def test_the_merged_folder_is_that_of_one_machine(two, tmp_path):
    before = [content(own) for own in two]
    out = tmp_path / "both"
    assert merge(two, out) == Merged(stages=3, cells=6, others=0)
    whole = write(tmp_path / "whole", STAGES)
    pd.testing.assert_frame_equal(read_results(out), read_results(whole))
    store = Store(out)
    assert [record["id"] for record in store.plan()["stages_done"]] == list(STAGES)
    assert store.plan() | {"stages_done": []} == Store(whole).plan() | {"stages_done": []}
    for stage in STAGES:
        files.check_manifest(store.checkpoint(stage), "checkpoint")
        assert store.record(stage)["losses"] == [[10, 0.5]]
    assert set(store.transfer_ids()) == {"transfer s0", "transfer s1"} and len(store.agreed.looks("h")) == 1
    assert store.agreed.precisions(["bert"]) == {"bert": "float32"} and (out / "attacks/a/rows/en-0000.jsonl").is_file()
    assert {name for name in content(out) if name.startswith("cells/")} == {
        name for name in content(whole) if name.startswith("cells/")
    }
    assert before == [content(own) for own in two] and not list(tmp_path.glob(".*"))


def test_dev_checks_have_the_names_of_the_first_plan(two, tmp_path):
    """A study whose tasks were renamed has grown in the folder, whose records keep the former names."""
    for name, out in zip(("new", "newer"), two, strict=True):
        store = Store(out)
        store.write_record("s1", {"id": "s1", "losses": [[10, 0.5]], "dev_checks": [{"task": "former"}]})
        done = [own | {"dev_checks": [{"task": name}]} for own in store.plan()["stages_done"]]
        store.write_plan(store.plan() | {"stages_done": done})
    merge(two, tmp_path / "both")
    done = Store(tmp_path / "both").plan()["stages_done"]
    assert [own["dev_checks"][0]["task"] for own in done] == ["newer", "new", "new"]  # the first folder lacks s0


def test_parameters_are_taken_from_whichever_folder_kept_them(two, tmp_path):
    Store(two[0]).remove_checkpoint("s1")
    merge(two, tmp_path / "both")
    assert Store(tmp_path / "both").has_checkpoint("s1")


def test_blocks_that_hold_different_parts_of_a_stage(tmp_path):
    """A worker that was stopped wrote some of a stage's cells; both blocks are kept, and each cell counts once."""
    one, both = write(tmp_path / "a", ("s0",), forms=("clean",)), write(tmp_path / "b", ("s0",))
    assert merge([one, both], tmp_path / "c") == Merged(stages=1, cells=2, others=0)
    assert read_results(tmp_path / "c")["cell"].tolist() == ["s0 clean", "s0 swap"]


def test_another_variant_of_the_study_is_kept_for_later(two, tmp_path, capsys):
    write(tmp_path / "more", ("s0",), study_id="2", study={"seeds": [0]})
    assert main.main(["merge", str(two[0]), str(tmp_path / "more"), "--out", str(tmp_path / "c"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"out": str(tmp_path / "c"), "stages": 3, "cells": 4, "others": 2}
    assert Store(tmp_path / "c").has_cell("s0 clean")


def other_cell(out):
    for path in (out / "cells").glob("*.parquet"):
        path.unlink()
    Store(out).cells.write([made(stage, form, 0.25) for stage in ("s0", "s1") for form in ("clean", "swap")])


def flip(out):
    path = next((out / "cells").glob("*.parquet"))
    path.write_bytes(path.read_bytes()[:-9] + bytes(9))


CONFLICTS = {
    "another study": (lambda out: Store(out).write_plan(plan(name="other")), "b: holds study 'other', expected 'tiny'"),
    "other rows": (
        lambda out: Store(out).write_plan(plan(inputs={"rows of t": {"digest": "bb"}})),
        "b: rows of t: digest bb, expected aa as in .*a",
    ),
    "a precision": (
        lambda out: (out / "precision" / "bert").write_text("bfloat16"),
        "b: results of bert are in bfloat16, expected float32",
    ),
    "a schema": (lambda out: files.write_json(out / "plan.json", plan(schema=2)), "b: written in schema 2, expected 3"),
    "no folder": (shutil.rmtree, "b: no such folder; expected results folders of one study"),
    "no study": (lambda out: (shutil.rmtree(out), out.mkdir()), "b: expected the results folder of a study"),
    "a stage": (
        lambda out: Store(out).write_record("s1", {"id": "s1", "losses": [[10, 0.625]]}),
        r"s1/record.json: losses \[\[10, 0.625\]\], expected \[\[10, 0.5\]\]",
    ),
    "a cell": (other_cell, "b/cells/.*: cell s1 (clean|swap) differs from that of .*a/cells/"),
    "a damaged block": (flip, "b/cells/.*damaged"),
    "a damaged checkpoint": (
        lambda out: (Store(out).checkpoint("s0") / "parameters").write_text("s9"),
        "b/stages/s0/checkpoint/parameters: damaged",
    ),
    "a look": (
        lambda out: (out / "looks" / "h" / "2.json").write_text('{"seeds": 2, "stop": true}'),
        "b/looks/h/2.json: saw",
    ),
    "a part of an attack": (
        lambda out: (out / "attacks/a/rows/en-0000.jsonl").write_text('{"row": 2}\n'),
        "b/attacks/a/rows/en-0000.jsonl: SHA-256",
    ),
    "transfers": (
        lambda out: Store(out).write_transfer("transfer s1", [{"transferred": 0.0}]),
        "b/transfer/transfer s1-.*: holds",
    ),
}


@pytest.mark.parametrize("conflict", CONFLICTS)
def test_conflicts_are_refused_by_name_and_nothing_is_written(two, tmp_path, conflict):
    change, message = CONFLICTS[conflict]
    change(two[1])
    with pytest.raises(InputError, match=message):
        merge(two, tmp_path / "both")
    assert {path.name for path in tmp_path.iterdir()} <= {"a", "b"}


@pytest.mark.parametrize("after", [0, 3, 9, 16])
def test_a_merge_that_was_killed_goes_on(two, tmp_path, monkeypatch, after):
    copied, copy = [], shutil.copyfile

    def dying(source, target):
        if len(copied) == after:
            raise KeyboardInterrupt
        copied.append(source)
        return copy(source, target)

    monkeypatch.setattr(shutil, "copyfile", dying)
    with pytest.raises(KeyboardInterrupt):
        merge(two, tmp_path / "both")
    assert not (tmp_path / "both").exists()
    first = list(copied)
    after = -1
    merge(two, tmp_path / "both")
    assert not set(first) & set(copied[len(first) :])
    monkeypatch.undo()
    merge(two, tmp_path / "at once")
    found, expected = content(tmp_path / "both"), content(tmp_path / "at once")
    assert found.pop("log.jsonl") and expected.pop("log.jsonl") and found == expected


def test_what_is_left_of_another_merge_is_not_taken_up(two, tmp_path):
    files.write_text(tmp_path / ".both.merging" / "sources.json", '["/elsewhere"]')
    files.write_text(tmp_path / ".both.merging" / "folder" / "stages" / "s9" / "record.json", '{"id": "s9"}')
    assert merge(two, tmp_path / "both").stages == 3


def test_places(two, tmp_path, monkeypatch):
    with pytest.raises(InputError, match=r"--out .*a: not empty"):
        merge(two, two[0])
    for given, message in (
        (two[:1], f"{two[0]}: is alone; expected two or more results folders before --out"),
        ([*two, two[0]], f"{two[0]}: named twice; expected different folders"),
        ([two[0], tmp_path / "c"], f"{tmp_path / 'c'}: no such folder"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            merge(given, tmp_path / "both")
    for name in (".", "link", "dangling"):
        (tmp_path / "empty").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "empty")
        (tmp_path / "dangling").symlink_to(tmp_path / "new")
        monkeypatch.chdir(tmp_path / "empty")
        assert merge(two, pathlib.Path(name) if name == "." else tmp_path / name).cells == 6
        monkeypatch.chdir(tmp_path)
        assert Store(tmp_path / ("new" if name == "dangling" else "empty")).has_cell("s0 swap")
        for own in ("link", "dangling"):
            (tmp_path / own).unlink()
        shutil.rmtree(tmp_path / "empty")
    monkeypatch.setattr(os.path, "ismount", lambda own: str(own) == str(tmp_path / "disk"))
    with pytest.raises(InputError, match=r"--out .*disk: a mount point"):
        merge(two, tmp_path / "disk")
    assert not list(tmp_path.glob(".*"))


def interrupted(two, out, monkeypatch):
    """Stop a merge before it becomes `out`."""
    with monkeypatch.context() as changed:
        changed.setattr(merging, "_publish", lambda *about: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            merge(two, out)


@pytest.mark.parametrize("there", ["folder", "file"])
def test_what_appears_in_out_meanwhile_stays(two, tmp_path, monkeypatch, there):
    out, write_tables = tmp_path / "both", merging._write_tables

    def slow(*about):
        files.write_text(out / "mine" if there == "folder" else out, "mine")
        return write_tables(*about)

    monkeypatch.setattr(merging, "_write_tables", slow)
    with pytest.raises(InputError, match=r"--out .*both: (not empty .it holds 'mine'|a file)"):
        merge(two, out)
    assert (out / "mine" if there == "folder" else out).read_text() == "mine"
    monkeypatch.undo()
    (shutil.rmtree if there == "folder" else os.unlink)(out)
    monkeypatch.setattr(shutil, "copyfile", None)  # everything is copied
    assert merge(two, out).cells == 6 and not list(tmp_path.glob(".*"))


def test_a_rename_that_fails_loses_nothing(two, tmp_path, monkeypatch):
    def failing(*about, **options):
        raise OSError(16, "busy")

    with monkeypatch.context() as changed:
        changed.setattr(files, "publish_folder", failing)
        with pytest.raises(OSError, match="busy"):
            merge(two, tmp_path / "both")
    monkeypatch.setattr(shutil, "copyfile", None)
    assert merge(two, tmp_path / "both").cells == 6


@pytest.mark.parametrize("grown", ["clusters", "stage"])
def test_an_unfinished_merge_of_folders_that_have_changed_starts_anew(two, tmp_path, monkeypatch, grown):
    store = Store(two[0])
    store.tables.write_clusters({"t/0": "a"})
    interrupted(two, tmp_path / "both", monkeypatch)
    if grown == "clusters":
        store.tables.write_clusters({"t/0": "a", "t/1": "a"})
    else:
        store.write_record("s2", {"id": "s2", "losses": [[10, 0.25]]})
    merge(two, tmp_path / "both")
    both = Store(tmp_path / "both")
    assert both.tables.clusters() == store.tables.clusters() and both.record("s2") == store.record("s2")


def test_halves_of_files_are_neither_taken_nor_kept(two, tmp_path, monkeypatch):
    files.write_text(Store(two[0]).stage("s1") / ".checkpoint.host.1.ab" / "parameters", "half")
    interrupted(two, tmp_path / "both", monkeypatch)
    files.write_text(tmp_path / ".both.merging" / "folder" / "stages" / "s1" / ".record.json.host.1.ab", "half")
    merge(two, tmp_path / "both")
    assert not [name for name in content(tmp_path / "both") if "/." in name]


@pytest.mark.parametrize("where", ["here", "beating elsewhere", "ended here", "silent elsewhere"])
def test_one_merge_at_a_time(two, tmp_path, monkeypatch, where):
    claim, path, beats = Claim.own(), tmp_path / ".both.merging" / "merge", []
    if "elsewhere" in where:
        claim = dataclasses.replace(claim, host="other", machine="another boot")
    if where == "ended here":
        claim = dataclasses.replace(claim, started=-2)
    files.write_text(path, claim.written())

    def sleep(seconds):
        beats.append(seconds)
        if where == "beating elsewhere":
            files.write_text(path, dataclasses.replace(claim, beat=1).written())
        elif len(beats) > 1:
            monkeypatch.setattr("itt_jax.store.claims.STALE_SECONDS", -1)

    monkeypatch.setattr(merging.time, "sleep", sleep)
    if where in ("ended here", "silent elsewhere"):
        assert merge(two, tmp_path / "both").cells == 6 and not list(tmp_path.glob(".*"))
    else:
        with pytest.raises(InputError, match=rf"--out .*both: another merge to it is running \({claim.host}, process"):
            merge(two, tmp_path / "both")
        assert path.exists() and not (tmp_path / "both").exists()


def test_a_merge_that_ended_meanwhile_is_not_replaced(two, tmp_path, monkeypatch):
    """The other one held the claim while this one checked its folders."""
    check, out = merging._check_same_attacks, tmp_path / "both"

    def slow(stores):
        check(stores)
        monkeypatch.undo()
        merge(two, out)

    monkeypatch.setattr(merging, "_check_same_attacks", slow)
    with pytest.raises(InputError, match=r"--out .*both: not empty"):
        merge(two, out)
    assert Store(out).has_cell("s0 clean") and not list(tmp_path.glob(".*"))


def killed(out, *rows):
    """Store cells, and the stage that they are of, as a worker that is killed before it writes tables and plan."""
    store = Store(out)
    store.log("began")
    store.cells.write([(row, made("s0", "clean")[1]) for row in rows])
    store.write_record("s0", {"id": "s0", "losses": [[10, 0.5]]})


def row(**changes):
    return made("s0", "clean")[0] | changes


def test_cells_of_a_worker_that_was_killed_are_results(two, tmp_path):
    write(tmp_path / "c", ("s1",))
    dev = row(cell="s0 dev", split="dev")
    noisy = dev | {"cell": "noisy dev", "perturbation": "swap"}
    killed(tmp_path / "c", row(), dev, noisy, row(cell="other", stage="s9"))
    assert merge([two[0], tmp_path / "c"], tmp_path / "both") == Merged(stages=3, cells=5, others=2)
    assert read_results(tmp_path / "both")["cell"].tolist()[0] == "s0 clean"
    assert read_selection(tmp_path / "both")["cell"].tolist() == ["s0 dev"]
    assert [own["id"] for own in Store(tmp_path / "both").plan()["stages_done"]] == list(STAGES)


@pytest.mark.parametrize("why", ["changed", "merged", "no log", "two versions", "another study"])
def test_cells_that_may_be_of_another_variant_are_not(two, tmp_path, capsys, why):
    out = write(tmp_path / "c", ("s1",), **({"study_id": "2"} if why == "another study" else {}))
    killed(out, row(), *([row(cell="of before")] if why == "two versions" else []))
    if why in merging.OTHER_VARIANTS:
        Store(out).log(why)
    elif why == "no log":
        (out / "log.jsonl").unlink()
    others = 2 if why == "two versions" else 1
    assert main.main(["merge", str(two[0]), str(out), "--out", str(tmp_path / "both")]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("3 stages, 4 cells in its results")
    assert said[1].startswith(f"{others} more cells are not in the results: ")
