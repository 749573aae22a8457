"""Groups without signal are marked wherever they are shown, and a shift that cannot be judged is said to be."""

import pandas as pd
import pytest

from itt_jax.analysis import analyse
from itt_jax.errors import InputError
from itt_jax.report import tables
from itt_jax.report.answers import first_screen
from itt_jax.report.cautions import cautions
from itt_jax.report.figures import curves, places
from itt_jax.report.summary import summary_markdown
from tests.simulated_store import change_cells, constant, write_store

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def analysis(tmp_path_factory):
    """bert is at chance in the shifted domain, roberta in German."""
    out = write_store(
        tmp_path_factory.mktemp("store"),
        models=("bert", "roberta"),
        arms=("matched_steps", "itt"),
        languages=("en", "de"),
        noises=(("swap", (0.1,)),),
        seeds=(0, 1),
        items=30,
        base=2.5,
        dev=60,
    )
    dev = pd.read_parquet(out / "selection.parquet")
    is_bert = dev["model"] == "bert"
    silent = dev[(is_bert & (dev["domain"] == "legal")) | (~is_bert & (dev["language"] == "de"))]
    change_cells(out, dict.fromkeys(silent["cell"], constant))
    return analyse(out)


def of(table: pd.DataFrame, encoder: str) -> dict[str, str]:
    """The row of the arm itt."""
    rows = table[table["encoder"] == encoder]
    return rows[rows["arm"] == "itt"].iloc[0].to_dict() if "arm" in rows else rows.iloc[0].to_dict()


def test_scores_and_their_means_say_which_groups_have_no_signal(analysis):
    clean = tables.scores.languages(analysis, "sentiment", "clean")
    perturbed = tables.scores.languages(analysis, "sentiment", "all")
    for table in (clean, perturbed):
        assert all("no signal" not in text for text in of(table, "bert").values())
        row = of(table, "roberta")
        assert "no signal" not in row["en"] and row["de"].endswith("] no signal")
        assert row["mean"].endswith("] 1 of 2 no signal") and row["source − others"].endswith("] 1 of 2 no signal")
    domains = tables.domains.domains(analysis, "sentiment")
    assert "no signal" not in of(domains, "bert")["home"] and of(domains, "bert")["there"].endswith("] no signal")
    assert of(domains, "roberta")["home"].endswith("] 1 of 2 no signal")
    kept = tables.domains.kept(analysis)
    assert (
        of(kept, "bert")["gain there"].endswith("] no signal") and kept["gain at home"].str.endswith("no signal").any()
    )
    overall = analysis.curves.query("language == 'all' and domain == 'all'")
    assert (overall["groups_no_signal"] == 2).all() and (analysis.interactions["groups_no_signal"] == 0).all()
    assert "| de (no signal)" in summary_markdown(analysis) and "| mean (1 of 2 no signal)" in summary_markdown(
        analysis
    )


def test_interactions_without_signal_are_rows_and_cells(analysis):
    by_language = tables.explored.language_interactions(analysis).set_index(["encoder", "language"])["verdict"]
    silent = by_language == "no signal"
    assert silent.index[silent].tolist() == [("roberta", "de")] and len(by_language) == 4
    shifts = tables.domains.shifts(analysis).set_index("encoder")["verdict"]
    assert shifts["bert"] == "no signal" != shifts["roberta"]
    maps = {panel.place["encoder"]: panel.body for panel in places.map_of(analysis, {})}
    assert "no signal" not in maps["bert"] and maps["roberta"].count("no signal") == 2  # under swap and under all


def test_figures_name_what_has_no_signal(analysis):
    languages = {panel.place["encoder"]: panel.body for panel in places.languages(analysis, {})}
    assert "no signal" not in languages["bert"] and languages["roberta"].count(">no signal<") == 1
    slopes = {panel.place["encoder"]: panel.body for panel in places.slopes(analysis, {})}
    assert slopes["bert"].count(">no signal<") == 1 and slopes["roberta"].count(">in part<") == 2
    assert all("2 of 4 no signal" in panel.body for panel in curves.severity(analysis, {}))
    german = [panel for panel in curves.by_language(analysis, {}) if panel.place["language"] == "de"]
    assert ["1 of 2 no signal" in panel.body for panel in german] == [True, False]
    assert ">no signal<" in german[1].body


def test_a_shift_that_cannot_be_judged_is_said_on_the_first_screen(analysis):
    said = (
        "How the shift of domain to legal changes the gain of itt over matched_steps cannot be judged in bert on "
        "sentiment, because no language has a dev score above chance there in both arms."
    )
    assert first_screen(analysis, {}).answer[-1] == said
    assert said in summary_markdown(analysis)


def test_cells_that_an_arm_lacks_are_missing_without_a_plan_too(tmp_path):
    out = write_store(tmp_path, languages=("en",), domains=("general",), noises=(("swap", (0.1,)),), items=20)
    results = pd.read_parquet(out / "results.parquet")
    lacking = (results["arm"] == "itt") & (results["seed"] == 2) & (results["perturbation"] == "swap")
    results[~lacking].to_parquet(out / "results.parquet")
    found = analyse(out)
    rests = dict(first_screen(found, {}).rests)
    assert found.missing_cells == 1 and "17 of 18 cells" in rests["Evaluated"]
    assert rests["Seeds"] == "3; primary contrasts rest on 2"
    assert {"cells are missing", "only 2 seeds"} <= {caution.short for caution in cautions(found)}
    results.assign(value=results["value"].where(~lacking)).to_parquet(out / "results.parquet")
    with pytest.raises(InputError, match=r"results\.parquet: cell 'c\d+' has the value nan, expected a finite score"):
        analyse(out)


def test_two_checkpoints_alone_have_a_sentence_each(tmp_path):
    out = write_store(tmp_path, models=("m1", "m2"), arms=("as given",), seeds=(0,), languages=("en",), noises=())
    found = analyse(out)
    assert [own.split(" scores ")[0] for own in first_screen(found, {}).answer] == [
        "On clean text of sentiment m1",
        "On clean text of sentiment m2",
    ]
