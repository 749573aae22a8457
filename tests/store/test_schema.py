"""Folders of earlier schemas: readable in today's names, and never added to."""

import json
import pathlib

import pandas as pd
import pytest

from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.store.results import read_cells, read_results
from itt_jax.store.schema import SCHEMA

QUICKSTART = pathlib.Path(__file__).parents[2] / "results" / "quickstart"

OLD_PLAN = {
    "study_id": "x",
    "name": "old",
    "arms": ["direct", "matched"],
    "overlap": [{"source": "sst2/train/en", "rows": 9, "dropped": 1}],
    "seen": ["bert"],
    "stages_done": [
        {"id": "s", "purpose": "target", "kind": "target", "model": "bert", "encoder": "bert", "arm": "direct, matched"}
        | {"updates": 3, "best_update": 2, "real_token_share": 0.9, "degenerate": True},
    ],
}


@pytest.fixture
def old(tmp_path):
    """A folder as the first schema wrote it."""
    (tmp_path / "plan.json").write_text(json.dumps(OLD_PLAN))
    row = {"cell": "c", "model": "bert", "target": "t", "task": "t", "split": "test", "language": "en", "domain": "d"}
    row |= {"perturbation": "clean", "severity": 0.0, "replicate": 0, "metric": "accuracy", "value": 0.5, "n": 2}
    rows = [row | {"arm": arm, "seed": 0, "adapted": False, "cell": arm} for arm in ("direct", "matched")]
    pd.DataFrame(rows).to_parquet(tmp_path / "results.parquet")
    return tmp_path


def test_it_is_read_in_todays_names(old):
    frame = read_results(old)
    assert frame["arm"].tolist() == ["direct", "matched_steps"]
    assert frame["in_domain"].tolist() == [False, False] and "adapted" not in frame
    plan = Store(old).plan()
    assert plan["contamination"] == OLD_PLAN["overlap"] and plan["contaminated"] == ["bert"]
    assert "arms" not in plan and {"overlap", "seen"}.isdisjoint(plan)
    assert plan["stages_done"] == [
        {"id": "s", "kind": "target", "encoder": "bert", "arms": ["direct", "matched_steps"]}
        | {"steps": 3, "best_step": 2, "packing_efficiency": 0.9, "diverged": True}
    ]


def test_nothing_is_added_to_it(old):
    with pytest.raises(InputError, match="written in schema 1, expected 3; `report` can read its results"):
        Store(old).existing_plan()


def test_what_is_written_names_the_schema_and_stays_as_it_is(tmp_path):
    store = Store(tmp_path)
    plan = {"study_id": "x", "name": "new", "arms": [{"name": "direct"}], "stages_done": []}
    store.write_plan(plan)
    assert store.plan() == {"schema": SCHEMA, **plan}
    assert store.existing_plan() == store.plan()


def test_an_arm_that_is_called_matched_today_keeps_its_name(old):
    Store(old).write_plan({"study_id": "x", "name": "new"})
    assert read_results(old)["arm"].tolist() == ["direct", "matched"]


def test_published_results_can_be_read():
    frame = read_results(QUICKSTART)
    assert len(frame) == 3888 and set(frame["arm"]) == {"direct", "itt", "matched_steps"}
    assert frame["in_domain"].mean() == pytest.approx(0.5)
    assert Store(QUICKSTART).plan()["stages_done"][0]["steps"] > 0


def test_a_missing_cell_is_named(tmp_path):
    store = Store(tmp_path)
    columns = {"item_id": ["x"], "prediction": [1.0], "changed": [False], "applicable": [True]}
    store.cells.write([({"cell": "a"}, columns)])
    with pytest.raises(
        InputError, match=r"cell 'b' not found, though results\.parquet or selection\.parquet names it \(1 such cells\)"
    ):
        read_cells(tmp_path, {"a": ("prediction",), "b": ("prediction",)})
    with pytest.raises(InputError, match=r"\.parquet: cell 'a' lacks the columns label$"):
        read_cells(tmp_path, {"a": ("label",)})


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "holds a list"), ("{}", "not a study's plan")])
def test_a_damaged_plan_is_named(tmp_path, text, message):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(InputError, match=message):
        Store(tmp_path).existing_plan()
