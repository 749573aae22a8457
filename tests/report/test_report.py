"""The report: complete, self-contained, and honest about what is not there."""

import dataclasses
import html
import html.parser
import json
import re

import pandas as pd
import pytest

from itt_jax.errors import InputError
from itt_jax.report import summary_markdown, tables, write_report
from itt_jax.report.terms import terms
from tests.simulated_store import write_store


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


def test_terms_name_the_baseline_of_this_study(analysis):
    direct, _, itt = analysis.arms
    assert dict(terms(analysis))["itt"].endswith("Its baseline is matched_steps.")
    assert dict(terms(dataclasses.replace(analysis, arms=(direct, itt))))["itt"].endswith("Its baseline is direct.")


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
