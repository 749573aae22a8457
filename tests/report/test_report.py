"""The report: complete, self-contained, and honest about what is not there."""

import dataclasses
import html
import html.parser
import json
import pathlib
import re
import runpy

import numpy as np
import pandas as pd
import pytest

from itt_jax.analysis import analyse
from itt_jax.data.contamination import Contamination
from itt_jax.errors import InputError
from itt_jax.report import examples, figures, summary_markdown, tables, write_report, writing
from itt_jax.report.answers import first_screen
from itt_jax.report.cautions import cautions
from itt_jax.report.figures import curves, forest
from itt_jax.report.tables.shown import points
from itt_jax.report.terms import terms

write_store = runpy.run_path(str(pathlib.Path(__file__).parents[1] / "simulated_store.py"))["write_store"]

PLAN = {
    "schema": 2,
    "study_id": "0123",
    "name": "A <small> study",
    "description": "Two encoders & three arms.",
    "smallest_effect": 0.03,
    "contamination": [
        {"source": "sst2/train", "rows": 100, "dropped": 7},
        {"source": "sick/train", "rows": 100, "dropped": 0},
        {
            "source": "claims/train",
            "rows": 100,
            "dropped": 0,
            "rule": "off",
            "whole_inputs": 8,
            "fields": {"claim": 9, "evidence": 60},
        },
    ],
    "skipped": ["diacritics: has no table for 'zh'"],
    "contaminated": ["bert-made-here"],
    "stages_done": [
        {
            "encoder": "bert",
            "kind": "target",
            "arms": ["itt"],
            "seed": 1,
            "steps": 200,
            "tokens": 12000,
            "flops": 3e12,
            "wall_seconds": 12.0,
            "diverged": True,
            "device": "cpu",
            "versions": {"jax": "0.10.2"},
        },
        {"id": "abc"},
    ],
}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = write_store(tmp_path_factory.mktemp("store"), models=("bert", "xlnet"), items=40, base=1.5, robust=0.5)
    (out / "plan.json").write_text(json.dumps(PLAN))
    return out


@pytest.fixture(scope="module")
def analysis(out):
    return analyse(out)


@pytest.fixture(scope="module")
def written(out, analysis):
    return out, write_report(out, analysis)


class Reader(html.parser.HTMLParser):
    """Collects what a page refers to, its ids and its tables, and checks that tags nest."""

    void = ("meta", "br", "input")

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.links, self.loads, self.tables = [], [], [], [], 0
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids += [attributes["id"]] if "id" in attributes else []
        self.links += [attributes["href"]] if tag == "a" else []
        self.loads += [attributes.get(name) for name in ("src", "srcset", "data") if name in attributes]
        self.loads += [tag] if tag in ("script", "link", "iframe", "img") else []
        self.tables += tag == "table"
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.void:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(written):
    text = written[1].read_text(encoding="utf-8")
    page = Reader(text)
    assert written[1].name == "index.html" and not page.open
    assert page.loads == ["script", "script"] and "@import" not in text and "url(" not in text
    assert len(page.ids) == len(set(page.ids))
    inner = {link.removeprefix("#") for link in page.links if link.startswith("#")}
    files = {link for link in page.links if not link.startswith("#")}
    assert inner <= set(page.ids) and all((written[1].parent / link).is_file() for link in files)
    assert {link.split("/")[0] for link in files} == {"tables", "figures"}
    assert page.tables >= 8 and text.count("<svg") > 20


def test_rows_belong_to_both_arms_and_domains_that_they_compare(written, analysis):
    text = written[1].read_text(encoding="utf-8")
    for name, expected in {
        "primary": 'data-arm="itt\nmatched_steps"',
        "clean_languages": 'data-domain="general"',
        "domains": 'data-domain="general\nlegal"',
    }.items():
        table = text[text.index(f'<div id="table-{name}"') :]
        rows = table[table.index("<tbody>") : table.index("</tbody>")]
        assert rows.count("<tr") == rows.count(expected) > 0
    claim = {"target": "all", "language": "de", "domain": "all", "perturbation": "swap", "arm": "itt", "baseline": "x"}
    place = tables.primary.claim_place(claim, analysis)
    assert place == {"language": ("de",), "operator": ("swap",), "arm": ("itt",)}


def test_graphics_and_tables_say_what_they_are(written):
    text = written[1].read_text(encoding="utf-8")
    graphics = re.findall(r"<svg[^>]*>(?:<title>[^<]+</title>)?", text)
    assert len(graphics) > 20 and all('role="img"' in own and own.endswith("</title>") for own in graphics)
    for path in (written[1].parent / "figures").iterdir():
        assert path.read_text(encoding="utf-8").startswith('<svg xmlns="http://www.w3.org/2000/svg" role="img"')
    tables = re.findall(r"<table>.*?</table>", text, re.DOTALL)
    for table in tables:
        assert re.match(r"<table><caption>[^<]+</caption><thead>", table)
        assert len(re.findall("<th ", table)) == table.count('scope="col"') + table.count('scope="row"')
        assert table.count('scope="row"') == table.count("<tr") - 1


def test_the_first_screen_answers_the_question(written, analysis):
    text = written[1].read_text(encoding="utf-8")
    answer = text[text.index('<section id="answer"') : text.index("<nav")]
    first = first_screen(analysis, PLAN)
    assert first.question == PLAN["description"] and all(
        html.escape(own, quote=False) in answer for own in first.answer
    )
    assert "Compared with matched_steps, " in first.answer[0] and "On clean text " in first.answer[1]
    own = analysis.interactions.query("kind == 'perturbation' and subset == 'all' and perturbation == 'all'")
    own = own.query("arm == 'itt' and baseline == 'matched_steps' and language == 'all' and domain == 'all'")
    assert len(own) and points(own["second"].min(), True) in first.answer[1]  # of the groups that the verdict is on
    assert '<figure id="figure-primary">' in answer and "<li>" not in answer[: answer.index("<details")]
    rests = dict(first.rests)
    assert rests["Encoders"] == "2: bert, xlnet" and rests["Seeds"] == "3"
    assert rests["Languages kept"].startswith("3 of 3 (en, de, zh)")
    assert rests["Contamination"].startswith("bert-made-here trained on some of the evaluation text")


def test_scores_by_budget_have_a_panel_for_each_attack_and_kind_of_budget(analysis):
    assert curves.budgets(analysis, PLAN) == []
    rows = [
        {"model": "bert", "target": "sentiment", "metric": "accuracy", "arm": arm, "perturbation": attack}
        | {"spent": spent, "budget": budget, "estimate": 0.9 - 0.1 * at, "ci_low": 0.5, "ci_high": 0.95}
        for arm in ("direct", "itt")
        for attack in ("charmer", "worst_of")
        for spent in ("queries", "edits")
        for at, budget in enumerate((0, 1, 2))
    ]
    panels = curves.budgets(dataclasses.replace(analysis, budgets=pd.DataFrame(rows)), PLAN)
    assert [panel.place["attack"] for panel in panels] == ["charmer", "charmer", "worst_of", "worst_of"]
    assert all(panel.body.count("<path") == 4 and "queries a row" in panel.body for panel in panels[::2])


def test_a_checkpoint_alone_has_a_first_screen_of_its_own(tmp_path):
    out = write_store(tmp_path, arms=("direct",), seeds=(0,), domains=("general",), languages=("en", "de"), items=20)
    results = pd.read_parquet(out / "results.parquet")
    results.assign(arm=None, seed=None, in_domain=None).to_parquet(out / "results.parquet")
    found = analyse(out)
    first, mean = first_screen(found, {}), results.groupby("perturbation")["value"].mean()
    assert first.question == "How robust is bert on sentiment?"
    worst = mean.drop("clean").idxmin()
    assert first.answer == [
        f"On clean text of sentiment it scores {tables.points(mean['clean'])} (accuracy; guessing scores 50.0); on "
        f"perturbed text {tables.points(mean.drop('clean').mean())} on average, and least, "
        f"{tables.points(mean[worst])}, under {worst}."
    ]
    page = write_report(out, found).read_text(encoding="utf-8")
    assert '<figure id="figure-scores">' in page and "treatment" not in page[: page.index("<nav")]
    attacked = {"model": "bert", "target": "sentiment", "metric": "accuracy", "language": "all", "domain": "all"}
    attacked |= {"arm": "as given", "baseline": "", "perturbation": "charmer"}
    quantities = [attacked | {"quantity": name, "estimate": value} for name, value in (("clean", 0.9), ("score", 0.2))]
    under = dataclasses.replace(found, attacks=pd.DataFrame(quantities))
    assert first_screen(under, {}).answer[-1] == "On the attacked rows it scores 20.0 under charmer (clean: 90.0)."
    # an operator that a language lacks stands beside the clean score of the other one
    results = results[(results["perturbation"] != "swap") | (results["language"] == "en")]
    results.assign(arm=None, seed=None, in_domain=None).to_parquet(out / "results.parquet")
    found, clean = analyse(out), results[results["perturbation"] == "clean"].set_index("language")["value"]
    shown = f" (clean {tables.points(clean['en'])})"
    (panel,) = forest.scores(found, {})
    assert [shown in line for line in re.findall("<text[^>]*>([^<]*)</text>", panel.body)].count(True) == 1
    assert first_screen(found, {}).answer[-1].startswith("In brackets: the score on the same rows' clean text")
    ((_, _, table),) = tables.scores.scores(found, "sentiment")
    assert table.set_index("operator")["clean text of the same"].to_dict() == {
        "clean": tables.points(clean.mean()),
        "swap": tables.points(clean["en"]),
        "keyboard": tables.points(clean.mean()),
        "all": tables.points(clean.mean()),  # languages weigh the same, whichever operators they have
    }


def test_an_operator_of_one_severity_has_points_beside_the_curves_of_others(analysis):
    frame = analysis.curves
    frame = frame[(frame["perturbation"] != "swap") | (frame["severity"] != 0.2)]
    panels = curves.severity(dataclasses.replace(analysis, curves=frame), PLAN)
    drawn = {panel.place["operator"]: panel.body for panel in panels if panel.place["encoder"] == "bert"}
    arms = len(analysis.arms)
    assert set(drawn) == {"swap", "keyboard"} and drawn["keyboard"].count("<path") == 2 * arms
    assert (
        "<path" not in drawn["swap"] and drawn["swap"].count('class="unsure"') == 2 * arms
    )  # at clean text and at 0.1


@pytest.mark.parametrize(
    ("verdicts", "answer"),
    [
        (("negligible", "negligible"), "itt changed robustness to perturbed text by less than 3.0 points either way."),
        (
            ("supported", "undetermined"),
            "itt made predictions more robust to perturbed text (in bert); the data do not decide whether itt changes "
            "robustness to perturbed text (in xlnet).",
        ),
        (("contradicted", "contradicted"), "itt made predictions less robust to perturbed text."),
        (
            ("not judged", "not judged"),
            "nothing can be said about itt, because a stage before the target did not learn.",
        ),
    ],
)
def test_verdicts_are_told_in_plain_words(analysis, verdicts, answer):
    changed = dataclasses.replace(analysis, primary=analysis.primary.assign(verdict=verdicts))
    assert first_screen(changed, PLAN).answer[0].endswith(f"Compared with matched_steps, {answer}")


def test_gains_on_clean_text_are_said_encoder_by_encoder(analysis):
    found = analysis.interactions.copy()
    for model, (size, low, high) in {"bert": (0.03, 0.01, 0.05), "xlnet": (-0.02, -0.03, -0.01)}.items():
        found.loc[found["model"] == model, ["second", "second_low", "second_high"]] = size, low, high
    said = first_screen(dataclasses.replace(analysis, interactions=found), PLAN).answer[1]
    assert said.endswith("it scores higher in bert (+3.0 points); it scores lower in xlnet (−2.0 points).")
    found["groups_left_out"], found["domains"], found["languages"] = 1, "legal", "en de"
    found[["second_low", "second_high"]] = -0.1, 0.1
    said = first_screen(dataclasses.replace(analysis, interactions=found), PLAN).answer[1]
    kept = "On clean text of the same groups (legal; en, de), "
    assert said == f"{kept}the difference in score is not distinguishable from zero (−2.0 to +3.0 points)."
    none = dataclasses.replace(analysis, interactions=found.assign(second_low=np.nan))  # before the first look
    assert len(first_screen(none, PLAN).answer) == 1


def test_a_verdict_says_what_it_does_not_reach(analysis):
    alone = analysis.primary.assign(cross_lingual=False, verdict="supported")
    said = first_screen(dataclasses.replace(analysis, primary=alone), PLAN).answer[0]
    assert said.endswith("itt made predictions more robust to perturbed text, in the source language alone.")


def test_what_the_answer_rests_on_is_that_of_the_primary_contrasts(analysis):
    primary = analysis.primary.assign(seeds=[3, 2], languages=["en de", "en zh"])
    own = analysis.interactions
    one = own.assign(
        seeds=1, groups_left_out=1, domains="legal", languages=np.where(own["model"] == "bert", "en", "zh")
    )
    found = dataclasses.replace(analysis, primary=primary, interactions=one, missing_cells=4, plan={})
    first, short = first_screen(found, {}), {caution.short for caution in cautions(found)}
    rests = dict(first.rests)
    assert rests["Seeds"] == "3; primary contrasts rest on 2 to 3" and {"only 2 seeds", "cells are missing"} <= short
    assert rests["Languages kept"].startswith("bert: 2 of 3 (en, de); xlnet: 2 of 3 (en, zh)")
    bert, xlnet = first.answer[1:3]
    assert bert.startswith("On clean text of the same groups (legal; en), ") and " in bert (" in bert
    assert xlnet.startswith("On clean text of the same groups (legal; zh), ") and " in xlnet (" in xlnet
    assert bert.endswith("points), in one training run.")


def test_dropped_rows_share_no_text_and_kept_ones_do(analysis):
    def said(*entries: dict) -> str:
        found = tuple(Contamination("sst2/train", 100, **own) for own in entries)
        return dict(first_screen(dataclasses.replace(analysis, contamination=found), {"contamination": []}).rests)[
            "Contamination"
        ]

    dropped = {"dropped": 4, "whole_inputs": 4, "fields": {"text": 4}}
    assert said(dropped) == "4 training and dev rows were dropped because their text is evaluated"
    kept = "; kept rows of 1 source share text with evaluation rows (table below)"
    assert said(dropped | {"fields": {"text": 5}}).endswith(kept)


def test_a_scale_has_two_labels_and_the_line_of_chance_is_named_where_drawn(analysis):
    assert figures.svg.ticks(46.0, 54.5, 4) == [46, 48, 50, 52, 54] and figures.svg.ticks(0, 40, 4) == [
        0,
        10,
        20,
        30,
        40,
    ]
    cells = analysis.cells
    assert curves.chance_of(analysis, "sentiment", "accuracy") == 0.5
    apart = dataclasses.replace(
        analysis, cells=cells.assign(chance=np.where(cells["domain"] == "general", 1 / 3, 0.295))
    )
    assert curves.chance_of(apart, "sentiment", "accuracy") is None
    assert curves.chance_of(apart, "sentiment", "accuracy", domain="legal") == 0.295
    shown = {figure.name: writing._figure(figure, apart, PLAN) for figure in figures.FIGURES[:9]}
    for own in shown.values():
        assert ("; dotted: chance" in own.caption) == any('class="chance"' in panel.body for panel in own.panels)
    assert "dotted" not in shown["curves"].caption


def test_terms_name_the_baseline_of_this_study(analysis):
    direct, _, itt = analysis.arms
    assert dict(terms(analysis))["itt"].endswith("Its baseline is matched_steps.")
    assert dict(terms(dataclasses.replace(analysis, arms=(direct, itt))))["itt"].endswith("Its baseline is direct.")


def test_a_contrast_without_an_estimate_says_why(analysis):
    missing = dataclasses.replace(analysis, primary=analysis.primary.assign(estimate=np.nan))
    reason = "no clean score was above chance in both arms"
    assert first_screen(missing, PLAN).answer[0].endswith(f"nothing can be said about itt, because {reason}.")
    cells = analysis.cells.query("perturbation == 'clean' and in_domain")
    clean = dataclasses.replace(missing, cells=cells)
    assert "because no text was perturbed and no domain shifted." in first_screen(clean, PLAN).answer[0]
    assert "no answer, because no text was perturbed and no domain shifted." in summary_markdown(clean)


def test_verdicts_are_withheld_only_where_a_stage_learned_nothing(analysis):
    row = {"model": "bert", "target": "sentiment", "arm": "itt", "stage": "intermediate", "task": "sick"}
    row |= {"metric": "pearson", "seeds": 3, "seeds_failed": 1, "must_learn": True}
    checked = dataclasses.replace(analysis, checks=pd.DataFrame([row]))
    rests = dict(first_screen(checked, PLAN).rests)
    assert rests["Manipulation check"] == "not learned in some seed: bert itt (sick; its stage learned another task)"
    rows = [row | {"seeds_failed": 0}, row | {"arm": "shuffled_itt", "seeds_failed": 3, "must_learn": False}]
    rests = dict(first_screen(dataclasses.replace(analysis, checks=pd.DataFrame(rows)), PLAN).rests)
    said = "every stage that had to learn did, in every seed"
    assert rests["Manipulation check"] == f"{said}; shuffled_itt (permuted labels) need not learn"


def test_costs_of_stages_are_plain_numbers_and_left_out_examples_are_said(written, analysis, monkeypatch):
    costs = pd.read_csv(written[1].parent / "tables" / "stages.csv").set_index("stage").loc["target"]
    assert (costs["tokens"], costs["flops"], costs["wall_seconds"], costs["diverged"]) == (12000, 3e12, 12.0, 1)
    assert len(examples.shown_cells(analysis.cells)) == len(analysis.cells)
    monkeypatch.setattr(examples, "MOST_CELLS", 100)
    left = examples.shown_cells(analysis.cells)
    assert set(left["severity"]) == {0.0, 0.2} and len(left) < len(analysis.cells)


def test_the_page_says_what_the_plan_knows(written):
    text = written[1].read_text(encoding="utf-8")
    assert "A &lt;small&gt; study" in text and "encoders &amp; three" in text
    assert "sst2/train: 7 of 100 rows (7%) were dropped because their text is evaluated" in text
    assert "claims/train: 8 of 100 rows (8%) are evaluated and were kept" in text and "claim 9, evidence 60" in text
    assert "sick/train" not in text
    assert "bert-made-here was trained on" in text and "diacritics: has no table" in text
    assert "jax 0.10.2" in text and "12,000" in text


def test_the_smallest_effect_is_the_studys(written, analysis):
    assert analysis.smallest_effect == 0.03
    assert "Smallest effect of interest: 3.0 points" in written[1].read_text(encoding="utf-8")


def test_tables_and_figures_stand_beside_the_page(written, analysis):
    page = written[1]
    for name in ("primary", "interactions", "gains", "gaps", "curves", "robustness", "controls", "counts"):
        table = pd.read_csv(page.parent / "tables" / f"{name}.csv")
        assert len(table) == len(getattr(analysis, name))
    found = {path.stem for path in (page.parent / "figures").glob("*.svg")}
    assert found == {"primary", "curves", "curves_by_language", "map", "languages", "domains"}
    for name in ("primary", "arms", "differences", "operators", "kept"):
        assert (page.parent / "tables" / f"{name}.md").read_text().startswith("| encoder ")
        assert (page.parent / "tables" / f"{name}.tex").read_text().startswith("\\begin{tabular}")


@pytest.mark.slow
def test_writing_again_gives_the_same_bytes(written):
    out, page = written
    before = page.read_bytes()
    assert write_report(out).read_bytes() == before


def test_the_summary_gives_estimate_interval_and_verdict(written, analysis):
    text = summary_markdown(analysis)
    row = analysis.primary.iloc[0]
    interval = f"[{tables.points(row['ci_low'], True)}, {tables.points(row['ci_high'], True)}]"
    assert f"interaction {tables.points(row['estimate'], True)} {interval}" in text
    assert row["verdict"] in text and "2 encoders (bert, xlnet)" in text
    assert (written[1].parent / "summary.md").read_text(encoding="utf-8") == text + "\n"


def test_log_odds_disagree_only_where_the_estimate_lies_beyond_the_bound():
    row = {"estimate": 0.01, "not_judged": "", "verdict": "undetermined", "agree": False, "clear": False}
    assert tables.verdict(pd.Series(row | {"leaning": "negligible"})) == "undetermined"
    assert tables.verdict(pd.Series(row | {"leaning": ""})) == "undetermined (log-odds disagree)"


def test_one_domain_that_is_left_of_several_is_named(analysis):
    one = analysis.primary.head(1).assign(groups=2, groups_left_out=1, languages="en de", domains="legal")
    shown = tables.primary.primary(dataclasses.replace(analysis, primary=one))["kept"].tolist()
    assert shown == ["2 of 3 groups (en de; legal)"]


def test_points_have_one_decimal_and_a_true_minus():
    shown = [tables.points(0.0123), tables.points(-0.0123, True), tables.points(0.5, True), tables.points(-0.0001)]
    assert shown == ["1.2", "−1.2", "+50.0", "0.0"]
    assert tables.points(float("nan")) == "–"


@pytest.mark.parametrize(
    "options",
    [
        {"arms": ("direct",), "seeds": (0,), "domains": ("general",)},
        {"noises": (), "arms": ("direct", "itt")},
        {"languages": ("en",), "domains": ("general",), "noises": (("swap", (0.1,)),)},
        {"metric": "pearson", "base": 3.0, "domains": ("general",)},
        {"base": -3.0, "dev": 30},
        {"noises": (("swap", (0.0,)),)},
        {"noises": (("swap", (0.0,)),), "arms": ("direct",), "seeds": (0,)},
    ],
    ids=[
        "one arm, one seed",
        "no noise",
        "one language",
        "correlation",
        "no signal anywhere",
        "severity 0",
        "severity 0, one arm",
    ],
)
@pytest.mark.slow
def test_small_and_odd_stores_have_a_report(tmp_path, options):
    out = write_store(tmp_path, items=30, **options)
    text = write_report(out).read_text(encoding="utf-8")
    assert Reader(text).tables and "nan" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL).lower().split()
    assert "Unknown: the store has no plan.json" in text


def test_cells_that_are_absent_leave_the_rest_of_the_report(tmp_path):
    """A cell with a score that is not finite is never written; here that is clean text."""
    out = write_store(tmp_path, arms=("direct",), seeds=(0,), domains=("general",), items=20)
    results = pd.read_parquet(out / "results.parquet")
    results[results["perturbation"] != "clean"].to_parquet(out / "results.parquet", index=False)
    assert Reader(write_report(out).read_text(encoding="utf-8")).tables


def test_a_damaged_plan_is_named(tmp_path):
    out = write_store(tmp_path, arms=("direct",), seeds=(0,), domains=("general",), items=10)
    (out / "plan.json").write_text("{")
    with pytest.raises(InputError, match=r"plan\.json: not JSON"):
        write_report(out)


def test_gains_kept_under_a_shift_are_those_of_the_cells(written, analysis):
    """By language and on average: gain there over gain at home, from the cells' values themselves."""
    table = tables.domains.kept(analysis)
    assert set(table["shifted domain"]) == {"legal"}
    assert set(table["language"]) == {"all", "en", "de", "zh"}
    assert set(table["text"]) == {"clean", "perturbed"}
    cells = analysis.cells[(analysis.cells["model"] == "bert") & (analysis.cells["perturbation"] == "clean")]
    mean = cells.groupby(["language", "domain", "arm"])["value"].mean()
    for row in table[(table["encoder"] == "bert") & (table["arm"] == "itt") & (table["text"] == "clean")].to_dict(
        "records"
    ):
        if row["language"] == "all" or row["against"] != "direct":
            continue
        gains = [
            mean[row["language"], domain, "itt"] - mean[row["language"], domain, "direct"]
            for domain in ("general", "legal")
        ]
        for gain, column in zip(gains, ("gain at home", "gain there"), strict=True):
            assert row[column].split(" ")[0] == tables.points(gain, signed=True)
        assert row["kept %"] in ("–", tables.points(gains[1] / gains[0]))
    tidy = pd.read_csv(written[1].parent / "tables" / "gain_kept.csv")
    known = tidy["first_low"] > 0
    np.testing.assert_allclose(tidy["kept"], (tidy["second"] / tidy["first"]).where(known), rtol=1e-4)
    assert len(tidy) == len(table) and 'href="tables/gain_kept.csv"' in written[1].read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("stages", [1, 2, 4])
def test_a_run_that_goes_on_is_reported_on_what_is_there(tmp_path, stages):
    out = write_store(tmp_path, languages=("en", "de"), noises=(("swap", (0.1,)),), seeds=(0, 1), items=20)
    results = pd.read_parquet(out / "results.parquet")
    each = len(results) // 6  # two seeds, three arms, in the order in which a run makes them
    results[: stages * each].to_parquet(out / "results.parquet")
    (out / "plan.json").write_text(json.dumps({"schema": 2, "name": "running", "cells": len(results)}))
    page = write_report(out).read_text(encoding="utf-8")
    assert f"{stages * each} of {len(results)} cells" in page
    assert f"The run is not finished: {len(results) - stages * each} cells are missing" in page


def test_a_finished_run_is_not_called_unfinished(written, analysis):
    assert analysis.missing_cells == 0 and "not finished" not in written[1].read_text(encoding="utf-8")
