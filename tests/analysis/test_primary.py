"""A primary contrast has one verdict, wherever it is shown."""

import numpy as np
import pytest

from itt_jax.analysis import analyse
from itt_jax.analysis.primary import DECIDED
from tests.simulated_store import write_store

GRID = {"items": 10, "seeds": (0, 1), "languages": ("en",), "domains": ("general",), "noises": (("swap", (0.1,)),)}


@pytest.mark.slow
@pytest.mark.parametrize("targets", [1, 2])
def test_a_contrast_of_one_target_has_the_verdict_of_the_primary_family(tmp_path, targets):
    """Also in the rows of its only operator and severity; with two targets no row is a primary contrast. The others are
    adjusted among themselves."""
    analysis = analyse(write_store(tmp_path, targets=("sentiment", "topic")[:targets], **GRID))
    rows, primary = analysis.interactions, analysis.primary
    rows = rows[(rows["subset"] == "all") & (rows["perturbation"] != "clean")]
    assert len(primary) == 1 and (rows["p_adjusted"] >= rows["p"]).all()
    for one in primary.to_dict("records"):
        own = rows[(rows["arm"] == one["arm"]) & (rows["baseline"] == one["baseline"])]
        same = np.isclose(own["estimate"], one["estimate"]) & np.isclose(own["std_err"], one["std_err"])
        assert same.all() == (targets == 1) and len(own) >= 3
        for row in own[same].to_dict("records"):
            assert {name: row[name] for name in DECIDED} == {name: one[name] for name in DECIDED}
