"""Damage to any file of a results folder is named, or changes nothing that is read."""

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import read_results, read_selection
from itt_jax.store.texts import Texts, read_texts, write_texts
from tests.store.test_cells import cell

PLACE = ("task", "test", "en")
ROW = {"model": "m", "arm": "direct", "seed": 0, "task": "t", "split": "test", "domain": "d", "language": "en"}
ROW |= {"perturbation": "clean", "severity": 0.0, "replicate": 0, "metric": "accuracy", "n": 6}
PLAN = {"study_id": "x", "name": "n", "smallest_effect": 0.02, "seeds": [0], "cells": 2, "study": {"seeds": [0]}}
TEXTS = Texts("id", "classification", ("a", "b"), ("text",), ["t/0"], [["one"]], {("swap", 0.1, 0): {"t/0": ["oen"]}})

RECORD = {"id": "s", "kind": "target", "steps": 7, "dev_history": [[5, float("nan")]], "ä": 1e-30}
LOOK = {"seeds": 2, "stop": True, "questions": [{"estimate": 0.1}]}
ATTACK = {"attack_id": "a", "precision": "float32", "stage": "s"}


def known(*objects):
    """Without a field `checksum` whose name is damaged, as nothing else of the object is then."""
    return [{name: own[name] for name in own if name in {"schema", *PLAN, *RECORD, *LOOK, *ATTACK}} for own in objects]


READ = {
    "plan.json": lambda store: known(store.plan()),
    "stages/s/record.json": lambda store: known(store.record("s"), *store.records()),
    "looks/h/2.json": lambda store: known(store.agreed.look("h", 2), *store.agreed.looks("h")),
    "precision/bert": lambda store: store.agreed.precision("bert", lambda: "bfloat16"),
    "results.parquet": lambda store: [read_results(store.out).to_json(), sorted(store.result_cells())],
    "selection.parquet": lambda store: read_selection(store.out).to_json(),
    "clusters.parquet": lambda store: store.tables.clusters(),
    "domains.parquet": lambda store: store.tables.distances().to_json(),
    "texts/*.parquet": lambda store: read_texts(store, PLACE),
    "attacks/a/attack.json": lambda store: known(store.attack("a").existing() or {}),
    "attacks/a/rows/en-0000.jsonl": lambda store: store.attack("a").part("en", 0),
    "cells/index.json": lambda store: sorted(store.cells.ids()),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("whole") / "out")
    store.write_plan(PLAN)
    store.write_record("s", RECORD)
    store.agreed.create_look("h", 2, LOOK)
    store.agreed.precision("bert", lambda: "float32")
    store.cells.write([cell("a"), cell("b", 1)])
    store.write_results([{**ROW, "cell": "a"}, {**ROW, "cell": "b", "seed": 1}], [{**ROW, "cell": "a"}])
    store.tables.write_clusters({"t/0": "a", "t/1": "b"})
    store.tables.write_distances(pd.DataFrame({"rows": [12], "proxy_a_distance": [0.25]}), "x")
    write_texts(store, PLACE, TEXTS)
    store.attack("a").begin(ATTACK)
    store.attack("a").write_part("en", 0, [{"text": "Größe", "edits": 1}, {"text": "b", "edits": 2}])
    return store.out


@pytest.fixture
def out(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "out")
    return tmp_path / "out"


def outcome(out, name):
    """What is read, or the one line that says that it is damaged."""
    try:
        return repr(READ[name](Store(out)))
    except InputError as error:
        return error


@pytest.mark.parametrize("name", READ)
def test_a_damaged_file_is_named_or_reads_as_before(out, name):
    (path,) = out.glob(name)
    sound, content = outcome(out, name), path.read_bytes()
    assert isinstance(sound, str)

    def flip(at, bit):
        path.write_bytes(content[:at] + bytes([content[at] ^ bit]) + content[at + 1 :])

    def replace():
        path.unlink()
        path.mkdir()

    places, named = np.unique(np.linspace(0, len(content) - 1, 60).astype(int)).tolist(), 0
    acts = [lambda at=at, bit=bit: flip(at, bit) for at in places for bit in (1, 64)]
    acts += [lambda size=size: path.write_bytes(content[:size]) for size in (0, len(content) // 2, len(content) - 1)]
    for act in [*acts, replace]:
        act()
        found = outcome(out, name)
        if isinstance(found, InputError):
            named += 1
            assert str(path) in str(found) and "\n" not in str(found)
        else:
            assert found == sound
    assert named > len(acts) / 2 or name == "cells/index.json"


def test_damage_of_what_can_be_made_again_counts_as_absent(out):
    store = Store(out)
    path = out / "domains.parquet"
    assert store.tables.has_distances("x")
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert not store.tables.has_distances("x")


def test_files_of_earlier_versions_have_no_checksum(out):
    path = out / "plan.json"
    found = json.loads(path.read_text())
    assert found.pop("checksum") and Store(out).plan() == found
    path.write_text(json.dumps(found | {"name": "other"}))
    assert Store(out).plan()["name"] == "other"
    pd.read_parquet(out / "results.parquet").to_parquet(out / "results.parquet")
    assert len(read_results(out)) == 2
    os.remove(out / "clusters.parquet")
    assert Store(out).tables.clusters() == {}
