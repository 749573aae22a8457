"""The cells in results/ give the conclusions that docs/results.md states."""

import pathlib

import pytest

from itt_jax.analysis import analyse

RESULTS = pathlib.Path(__file__).parents[2] / "results"


@pytest.mark.slow
@pytest.mark.volume
def test_real_english():
    found = analyse(RESULTS / "real_english")
    stated = {}
    for row in (found.primary.iloc[0], found.claims.iloc[0]):
        points = [round(100 * row[name], 1) for name in ("estimate", "ci_low", "ci_high")]
        stated[row["arm"], row["baseline"]] = (*points, row["verdict"])
    assert stated == {
        ("itt", "matched_compute"): (-0.2, -1.9, 1.5, "negligible"),
        ("itt", "shuffled_itt"): (0.4, -1.1, 1.9, "negligible"),
    }


@pytest.mark.slow
@pytest.mark.volume
def test_real_transfer():
    found = analyse(RESULTS / "real_transfer")
    stated = {
        (row["metric"], *(round(100 * row[name], 1) for name in ("estimate", "ci_low", "ci_high")), row["verdict"])
        for _, row in found.primary.iterrows()
    }
    assert stated == {
        ("macro_f1", -1.5, -5.7, 2.7, "undetermined"),
        ("accuracy", -1.1, -6.4, 4.2, "undetermined"),
    }


@pytest.mark.slow
@pytest.mark.volume
def test_real_small():
    found = analyse(RESULTS / "real_small")
    stated = {
        (row["model"], *(round(100 * row[name], 1) for name in ("estimate", "ci_low", "ci_high")), row["verdict"])
        for _, row in found.primary.iterrows()
    }
    assert stated == {
        ("bert", 1.1, -3.2, 5.5, "undetermined"),
        ("roberta", 1.2, -3.2, 5.6, "undetermined"),
        ("xlnet", 0.3, -4.9, 5.5, "undetermined"),
    }
    assert not found.primary["cross_lingual"].any()
