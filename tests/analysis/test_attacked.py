"""Attacks: whose texts are whose, how far curves go, and means over the rows of cells of different sizes."""

import re
import types

import numpy as np
import pandas as pd

from itt_jax.analysis import attacked
from itt_jax.report.figures.transfer import matrix
from itt_jax.report.tables.attacks import attacks


def test_texts_of_the_same_stage_are_of_the_same_model():
    """Two arms share their last stage."""
    stages = {("a", 0): "s0", ("a", 1): "s1", ("b", 0): "s0", ("b", 1): "s2"}
    rows = pd.DataFrame(
        {"arm": arm, "seed": seed, "stage": stage, "made_on_arm": "a", "made_on_seed": 0, "made_on_stage": "s0"}
        for (arm, seed), stage in stages.items()
    ).assign(model="m", target="t", metric="accuracy", perturbation="p", score=0.5, clean=0.75, transferred=0.25)
    found = attacked.transfer(rows).set_index(["arm", "made_on"])["pairs"].to_dict()
    assert found == {
        ("a", "same model"): 1,
        ("a", "another seed"): 1,
        ("b", "same model"): 1,
        ("b", "another arm"): 1,
    }


def test_budgets_end_within_what_was_asked():
    values = {"queries": np.array([12, 7, 3]), "edits": np.array([4, 2, 9]), "succeeded": np.array([0, 1, 0])}
    cell = types.SimpleNamespace(values=values)
    assert attacked._grid([cell], "queries") == [0, 1, 2, 5, 10] and attacked._grid([cell], "edits") == [0, 1, 2]
    values["queries"] = np.array([9, 7, 3])
    assert attacked._grid([cell], "queries") == [0, 1, 2, 5, 9] and attacked._grid([], "queries") == [0]


def test_means_are_over_rows_not_over_cells():
    """30 attacked rows, 3 successes; and 10, 6 successes. A third cell has nothing to attack."""
    place = {"model": "m", "target": "t", "arm": "a", "perturbation": "p"}
    cells = pd.DataFrame(
        {"attacked": [30, 10, 0], "success_rate": [0.1, 0.6, None], "queries": [8.0, 4.0, None]}
        | {"edits": [1.0, 4.0, None], "words_changed": [2.0, 5.0, None], "similarity": [0.9, 0.6, None]}
    ).assign(**place)
    figures = {"quantity": "score", "estimate": 0.5, "ci_low": 0.4, "ci_high": 0.6, "language": "all", "baseline": ""}
    frame = pd.DataFrame([place | figures | {"metric": "accuracy", "domain": "all", "severity": 0.0}])
    (row,) = attacks(types.SimpleNamespace(attacks=frame, attack_cells=cells)).to_dict("records")
    assert row["success %"] == "22.5" and row["queries"] == "7.0"
    assert row["edits"] == "3.0" and row["words changed"] == "4.0" and row["similarity"] == "0.700"


def test_the_transfer_matrix_has_texts_of_others_and_own_ones():
    """Each reader's column has every arm on which texts were made; own texts are apart, and set no shade."""
    rows = [("a", "a", "same model", 0.4), ("a", "a", "another seed", 0.2), ("a", "b", "another arm", 0.1)]
    frame = pd.DataFrame(rows, columns=["made_on_arm", "arm", "made_on", "drop"])
    frame = frame.assign(model="m", target="t", metric="accuracy", perturbation="p")
    arms = [types.SimpleNamespace(name=name) for name in ("b", "a", "c")]
    (panel,) = matrix(types.SimpleNamespace(transfer=frame, arms=arms), {})
    assert panel.place == {"encoder": "m", "task": "t", "attack": "p"}
    cells = re.findall(r'<g data-arm="([^"]*)">(.*?)</g>', panel.body, re.DOTALL)
    assert [arms for arms, _ in cells] == ["a\nb", "a"]  # read by b, by a; c reads nothing
    assert [re.findall(">([^<]+)<", drawn) for _, drawn in cells] == [["10.0"], ["20.0", "own 40.0"]]
