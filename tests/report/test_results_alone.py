"""Reports of folders that hold their results without predictions."""

import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest

from itt_jax import main
from itt_jax.analysis import analyse
from itt_jax.report import contrast, summary_markdown
from tests.simulated_store import write_store

REAL_SMALL = pathlib.Path(__file__).parents[2] / "results" / "real_small"
KEY = ["model", "target", "metric", "arm", "baseline", "quantity", "language", "domain", "perturbation", "severity"]


def both(out, **store):
    """The analyses of one simulated folder with its predictions and without."""
    whole = analyse(write_store(out, **store))
    shutil.rmtree(out / "cells")
    return whole, analyse(out)


@pytest.mark.slow
def test_estimates_are_those_of_the_whole_folder(tmp_path):
    whole, alone = both(tmp_path)
    for name in ("curves", "gains", "gaps"):
        expected, found = getattr(whole, name), getattr(alone, name)
        pd.testing.assert_frame_equal(found[[*KEY, "seeds"]], expected[[*KEY, "seeds"]], check_dtype=False)
        np.testing.assert_allclose(found["estimate"], expected["estimate"], atol=1e-12)
        assert found[["ci_low", "ci_high", "std_err", "df", "p"]].isna().all(axis=None)
    kept = whole.robustness[whole.robustness["quantity"].isin(["clean", "perturbed", "area"])].reset_index(drop=True)
    np.testing.assert_allclose(alone.robustness["estimate"], kept["estimate"], atol=1e-12)
    assert alone.interactions.empty and alone.primary.empty and alone.controls.empty


@pytest.mark.slow
def test_what_is_missing_is_said_and_nothing_else_is_claimed(tmp_path, capsys):
    _, alone = both(tmp_path, seeds=(0, 1))
    text = summary_markdown(alone)
    assert "by operator and language in the training domain (general): direct / " in text
    assert "No verdict: the folder holds its results without the predictions" in text
    assert "Left out, because they rest on the predictions of single items: intervals, tests and verdicts" in text
    assert not {"no signal", "interaction |", "retention |", "2 seeds:", "[", "nan", "<NA>"} & {
        word for word in ("no signal", "interaction |", "retention |", "2 seeds:", "[", "nan", "<NA>") if word in text
    }
    assert main.main(["report", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.strip().endswith("index.html") and said.err.startswith("note: the folder holds its results without")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "without the predictions of its cells" in page and "nan" not in page and "&lt;NA&gt;" not in page
    assert main.main(["report", "--out", str(tmp_path), "--contrast", "itt-direct"]) == 0
    assert "no predictions to judge by" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.volume
def test_any_two_arms_are_compared_in_either_order(tmp_path):
    results = pd.read_parquet(write_store(tmp_path / "whole") / "results.parquet")
    results["arm"] = results["arm"].replace("matched_steps", "matched")  # which no plan and no catalogue describe
    results.to_parquet(tmp_path / "results.parquet")
    clean = []
    for pair in (("itt", "matched"), ("matched", "itt"), ("direct", "itt")):
        assert contrast.parse_pair("-".join(pair), ["direct", "matched", "itt"]) == pair
        gains = analyse(tmp_path, asked_pair=pair).gains.query("perturbation == 'clean' and language == 'all'")
        clean.append(gains.query(f"arm == {pair[0]!r} and baseline == {pair[1]!r}")["estimate"].iloc[0])
    mean = results.query("perturbation == 'clean'").groupby("arm")["value"].mean()
    expected = [mean["itt"] - mean["matched"], mean["matched"] - mean["itt"], mean["direct"] - mean["itt"]]
    np.testing.assert_allclose(clean, expected, atol=1e-12)
    assert main.main(["report", "--out", str(tmp_path), "--contrast", "itt-matched"]) == 0


def test_drops_of_conditions_that_lost_items_have_no_area(tmp_path):
    out = write_store(tmp_path)
    results = pd.read_parquet(out / "results.parquet")
    results.loc[results["perturbation"] == "swap", "n_not_applicable"] = 3
    results.to_parquet(out / "results.parquet")
    shutil.rmtree(out / "cells")
    assert analyse(out).robustness.empty


@pytest.mark.slow
def test_figures_of_what_is_gone_are_removed(tmp_path):
    out = write_store(tmp_path, seeds=(0,), languages=("en", "de"), domains=("general",))
    assert main.main(["report", "--out", str(out)]) == 0
    figures = out / "report" / "figures"
    assert (figures / "curves.svg").is_file()
    results = pd.read_parquet(out / "results.parquet")
    results[results["perturbation"] == "clean"].to_parquet(out / "results.parquet")
    assert main.main(["report", "--out", str(out)]) == 0
    assert (figures / "languages.svg").is_file() and not (figures / "curves.svg").exists()


@pytest.mark.slow
def test_published_results_are_reported_with_the_estimates_of_their_own_report(tmp_path):
    """The report that was committed beside them was made from the whole folder."""
    out = tmp_path / "real_small"
    shutil.copytree(REAL_SMALL, out, ignore=shutil.ignore_patterns("cells"))
    published = pd.read_csv(out / "report" / "tables" / "curves.csv")
    assert main.main(["report", "--out", str(out)]) == 0
    found = pd.read_csv(out / "report" / "tables" / "curves.csv")
    key = ["model", "target", "metric", "arm", "language", "domain", "perturbation", "severity"]
    joined = published.merge(found, on=key, suffixes=("_published", ""), validate="one_to_one")
    assert len(joined) == len(published) <= len(found)
    np.testing.assert_allclose(joined["estimate"], joined["estimate_published"], rtol=1e-4, atol=1e-6)
    assert found["ci_low"].isna().all() and found["seeds"].eq(5).all()
