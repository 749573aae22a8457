"""The store: whole files or none, no other study's folder."""

import os

import pandas as pd
import pytest

from itt_jax import files
from itt_jax.errors import InputError
from itt_jax.store import Store


def test_results_are_derived_from_the_cells_of_the_plan(tmp_path):
    store = Store(tmp_path)
    made = (("a", 0.5), ("b", 0.75), ("other", 0.0))
    store.cells.write([({"cell": name, "value": value}, {"item_id": ["x"]}) for name, value in made])
    assert store.write_results({"cell": name} for name in ("a", "b", "missing")) == 2
    assert pd.read_parquet(tmp_path / "results.parquet").to_dict("list") == {"cell": ["a", "b"], "value": [0.5, 0.75]}


def test_the_plan_precedes_what_a_cell_was_called(tmp_path):
    store = Store(tmp_path)
    store.cells.write([({"cell": "a", "model": "old", "value": 0.5}, {"item_id": ["x"]})])
    store.write_results([{"cell": "a", "model": "new"}])
    assert pd.read_parquet(store.results).to_dict("list") == {"cell": ["a"], "model": ["new"], "value": [0.5]}
    assert store.write_results([{"cell": "b"}]) == 0
    assert not store.results.exists() and store.has_cell("a")


def test_results_that_are_removed_before_they_are_read_have_no_cells(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "exists", lambda path: True)
    assert Store(tmp_path).result_cells() == set()


def test_results_without_their_cells_are_not_added_to(tmp_path):
    store = Store(tmp_path)
    store.write_plan({"study_id": "1", "name": "one"})
    pd.DataFrame({"cell": ["a"]}).to_parquet(store.results)
    with pytest.raises(InputError, match="holds results without their cells"):
        store.existing_plan()


def test_distances_are_named_by_what_they_were_computed_from(tmp_path):
    store, frame = Store(tmp_path), pd.DataFrame({"rows": [1]})
    assert not store.tables.has_distances("x") and store.tables.distances().empty
    store.tables.write_distances(frame, "x")
    assert store.tables.has_distances("x") and not store.tables.has_distances("y")
    pd.testing.assert_frame_equal(store.tables.distances(), frame)


def test_a_folder_whose_worker_was_killed_before_its_plan_was_written_can_be_begun(tmp_path):
    store = Store(tmp_path)
    store.agreed.precision("bert", lambda: "float32")
    files.temporary(tmp_path / "plan.json").write_text('{"stu')
    assert store.existing_plan() is None


def test_a_plan_that_another_worker_writes_at_this_moment_is_no_reason_to_refuse_the_folder(tmp_path, monkeypatch):
    """Whatever it does between any two questions to the disk."""
    exists, listdir, asked = files.exists, os.listdir, []

    def after(question):
        def asking(path):
            answer = question(path)
            asked.append(path)
            if len(asked) == number:
                Store(tmp_path / str(number)).write_plan({"study_id": "x", "name": "x"})
                Store(tmp_path / str(number)).write_record("s", {"id": "s"})
            return answer

        return asking

    monkeypatch.setattr(files, "exists", after(exists))
    monkeypatch.setattr(os, "listdir", after(listdir))
    for number in (1, 2):
        asked.clear()
        (tmp_path / str(number)).mkdir()
        found = Store(tmp_path / str(number)).existing_plan()
        assert found is None or found["study_id"] == "x"
        assert len(asked) >= 2 and Store(tmp_path / str(number)).existing_plan()["study_id"] == "x"


def test_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(InputError, match="holds files, but no study;"):
        Store(tmp_path).existing_plan()
