"""Operators that may change the label are kept apart from noise."""

import numpy as np
import pandas as pd
import pandas.testing
import pytest

from itt_jax.analysis import analyse, controls
from itt_jax.report import write_report
from itt_jax.store import Store
from itt_jax.store.results import CellItems
from tests.simulated_store import columns_of, write_store

SHARE = 0.25  # of the changed items, those whose prediction the control turns


def add_control(out):
    """Write a cell of the operator "negation" for each clean cell: of the changed items every fourth is turned."""
    results = pd.read_parquet(out / "results.parquet")
    rows, store = [], Store(out)
    for row in results[results["perturbation"] == "clean"].to_dict("records"):
        table = store.read_cell(row["cell"])
        changed = np.arange(len(table)) % 2 == 0
        turned = np.arange(len(table)) % 8 == 0
        table["prediction"] = np.where(turned, 1 - table["prediction"], table["prediction"]).astype(np.int32)
        name = f"control-{row['cell']}"
        store.cells.write([({"cell": name}, columns_of(table.assign(changed=changed)))])
        value = float((table["prediction"] == table["label"]).mean())
        rows.append(
            row | {"perturbation": "negation", "severity": 1.0, "changes_label": True, "value": value, "cell": name}
        )
    pd.concat([results.assign(changes_label=False), pd.DataFrame(rows)]).to_parquet(out / "results.parquet")
    return len(rows)


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The analysis of a store, the folder of the same with a control, and how many cells that added."""
    out = write_store(tmp_path_factory.mktemp("controls"), items=64)
    return analyse(out), out, add_control(out)


@pytest.mark.slow
def test_the_share_noticed_is_that_of_the_changed_items(stores):
    table = analyse(stores[1]).controls
    assert set(table["arm"]) == {"direct", "matched_steps", "itt"}
    assert table["estimate"].tolist() == pytest.approx([SHARE] * 3, rel=1e-12)
    assert (table["items"] == 64).all()  # 32 of each of the two domains
    assert ((table["ci_low"] < SHARE) & (table["ci_high"] > SHARE)).all()


def simulated(random, studies, seeds, items, seed_sd):
    """Intervals [studies, 2] of the share noticed, whose truth is .5, in two languages with the same items."""
    found = []
    for _ in range(studies):
        hard, rows, cells = random.normal(0, 0.1, items), [], {}
        about = {"model": "m", "target": "t", "arm": "a", "metric": "accuracy", "task": "t", "split": "test"}
        about |= {"domain": "d", "severity": 1.0, "replicate": 0}
        everything, codes = np.ones(items, bool), np.arange(items, dtype=np.int32)
        for seed in range(seeds):
            level = 0.5 + random.normal(0, seed_sd)
            for language in ("en", "de"):
                turned = (random.random(items) < level + hard).astype(float)
                for name, predicted in (("clean", np.zeros(items)), ("negation", turned)):
                    cell = f"{seed} {language} {name}"
                    cells[cell] = CellItems(codes, {"prediction": predicted}, everything, everything, codes)
                    row = {"seed": seed, "language": language, "perturbation": name, "cell": cell}
                    rows.append(about | row | {"changes_label": name == "negation"})
        (row,) = controls.noticed(pd.DataFrame(rows), cells).to_dict("records")
        assert (row["seeds"], row["items"], row["clusters"]) == (seeds, items, items)
        found.append((row["ci_low"], row["ci_high"]))
    return np.array(found)


@pytest.mark.slow
@pytest.mark.volume
def test_the_share_noticed_holds_for_other_seeds_and_items():
    low, high = simulated(np.random.default_rng(0), 250, 3, 60, 0.05).T
    assert 0.93 <= ((low <= 0.5) & (0.5 <= high)).mean() <= 0.99


@pytest.mark.slow
def test_no_other_finding_sees_them(stores):
    without, out, added = stores
    found = analyse(out)
    assert len(found.cells) == len(without.cells) + added
    for name in ("primary", "interactions", "gains", "gaps", "curves", "robustness"):
        pandas.testing.assert_frame_equal(getattr(found, name), getattr(without, name))


@pytest.mark.slow
def test_the_report_shows_them_apart(stores):
    page = write_report(stores[1]).read_text(encoding="utf-8")
    section = page[page.index('id="controls"') : page.index('id="rests"')]
    assert "negation" in section
    assert "25.0" in section
    assert "negation" not in page[page.index('id="primary"') : page.index('id="controls"')]
