"""Damaged files of a results folder are named in one line, with the field."""

import json

import pytest

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.objects import LOOK, PLAN, RECORD, read_object, write_object


@pytest.mark.parametrize(
    ("types", "found", "says"),
    [
        (PLAN, {"stages": "x"}, "stages: found 'x', expected a list"),
        (PLAN, {"stages": [7]}, r"stages\[0\]: found 7, expected an object"),
        (PLAN, {"stages": [{"id": "a"}, {"id": []}]}, r"stages\[1\]\.id: found \[\], expected text"),
        (PLAN, {"seeds": 3}, "seeds: found 3, expected a list"),
        (PLAN, {"cells": 1.5}, "cells: found 1.5, expected a whole number"),
        (PLAN, {"cells": True}, "cells: found True, expected a whole number"),
        (PLAN, {"declared": []}, r"declared: found \[\], expected an object"),
        (PLAN, {"smallest_effect": "big"}, "smallest_effect: found 'big', expected a number"),
        (
            PLAN,
            {"stages_done": [{"used_by": [{"arm": 1}]}]},
            r"stages_done\[0\]\.used_by\[0\]\.arm: found 1, expected text",
        ),
        (RECORD, {"diverged": "no"}, "diverged: found 'no', expected true or false"),
        (LOOK, {"stop": 0}, "stop: found 0, expected true or false"),
    ],
)
def test_a_field_of_another_type_is_named(tmp_path, types, found, says):
    path = tmp_path / "file.json"
    path.write_text(json.dumps(found))
    with pytest.raises(InputError, match=f"^{path}: {says}$"):
        read_object(path, types)


def test_absent_null_and_other_fields_are_no_fault(tmp_path):
    path, found = tmp_path / "file.json", {"declared": None, "cells": 3, "smallest_effect": 1, "new": object.__name__}
    path.write_text(json.dumps(found))
    assert read_object(path, PLAN) == found


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"[]", b"7", b"null"])
@pytest.mark.parametrize("name", ["plan.json", "stages/s/record.json", "looks/h/2.json"])
def test_a_damaged_file_is_named(tmp_path, name, content):
    store, path = Store(tmp_path), tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    read = {"p": store.plan, "s": lambda: store.record("s"), "l": lambda: store.agreed.look("h", 2)}[name[0]]
    with pytest.raises(InputError, match=rf"^{path}: (not JSON \(|holds a .*, expected an object)"):
        read()


def test_an_edited_file_and_a_merge_of_an_earlier_version_are_named_as_what_they_may_be(tmp_path):
    """An earlier version reads the checksum as a field like others, and writes it with another plan."""
    path = tmp_path / "plan.json"
    write_object(path, {"cells": 3, "stages_done": []})
    merged = json.loads(path.read_text()) | {"stages_done": [{"id": "a"}]}
    path.write_text(json.dumps(merged))
    with pytest.raises(InputError, match=rf"^{path}: its field 'checksum' does not fit: .* merge again, or remove"):
        read_object(path, PLAN)
    del merged["checksum"]
    path.write_text(json.dumps(merged))
    assert read_object(path, PLAN) == {"cells": 3, "stages_done": [{"id": "a"}]}


def test_ids_of_many_cells_are_one_line_and_nested_objects_one_a_field(tmp_path):
    path, found = tmp_path / "plan.json", {"cell_ids": ["ä", 'b"', "c\n"], "arms": [{"name": "x"}], "seeds": [1, 2]}
    write_object(path, found)
    assert read_object(path, PLAN) == found == {key: json.loads(path.read_text())[key] for key in found}
    lines = path.read_text().splitlines()
    assert lines[0] == "{" and lines[1] == r' "cell_ids": ["ä", "b\"", "c\n"],' and len(lines) == 13
    assert lines[2:7] == [' "arms": [', "  {", '   "name": "x"', "  }", " ],"]


def test_the_record_of_another_stage_is_refused(tmp_path):
    store = Store(tmp_path)
    store.write_record("a", {"id": "b"})
    for read in (lambda: store.record("a"), lambda: list(store.records())):
        with pytest.raises(InputError, match=r"a/record\.json: id: found 'b', expected that of the stage's folder"):
            read()


def test_a_precision_file_may_end_in_a_new_line_and_names_one_of_ours(tmp_path):
    store, path = Store(tmp_path), tmp_path / "precision" / "bert"
    path.parent.mkdir()
    path.write_text("bfloat16\n")
    assert store.agreed.precision("bert", lambda: "float32") == "bfloat16"
    assert store.agreed.precisions(["bert"]) == {"bert": "bfloat16"}
    for content in (b"", b"float16", b"\xff"):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"^{path}: (found '.*', expected float32 or bfloat16|cannot be read)"):
            store.agreed.precision("bert", lambda: "float32")


def test_damaged_distances_are_made_again(tmp_path):
    import pandas as pd

    store, path = Store(tmp_path), tmp_path / "domains.parquet"
    store.tables.write_distances(pd.DataFrame({"rows": [1]}), "x")
    whole = path.read_bytes()
    for content in (b"", whole[:-20], b"PAR1" + bytes(100) + b"PAR1"):
        path.write_bytes(content)
        assert not store.tables.has_distances("x")
        with pytest.raises(InputError, match=rf"^{path}: damaged"):
            store.tables.distances()
