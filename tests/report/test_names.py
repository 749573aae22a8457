"""Names with any character are shown as they are in Markdown, LaTeX, HTML and figures."""

import html
import re

import pandas as pd
import pytest

from itt_jax import main
from itt_jax.report import write_report
from itt_jax.report.names import as_markdown
from itt_jax.store import Store
from tests.simulated_store import write_store

ODD = "bert$\\frac$ | x_{1} `<b>` 50 % & \u200fעברית"


@pytest.mark.slow
def test_an_odd_name_is_shown_as_it_is(tmp_path, capsys):
    out = write_store(
        tmp_path, models=(ODD,), targets=("a|b", "a$b"), names={"itt": "_itt$|"}, seeds=(0, 1), items=20, domains=("d",)
    )
    page = write_report(out).read_text()
    assert html.escape(ODD) in page and ODD not in page
    assert len(list((out / "report" / "figures").iterdir())) > 2
    ids = re.findall(r'<[^>]* id="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    summary = (out / "report" / "summary.md").read_text()
    assert as_markdown(ODD) in summary
    tables = [part.splitlines() for part in re.findall(r"(?:^\|.*\n)+", summary, re.MULTILINE)]
    signs = [{len(re.findall(r"(?<!\\)\|", row)) for row in table} for table in tables]
    assert len(tables) > 3 and all(len(found) == 1 for found in signs)  # as many columns in each row of a table
    assert pd.read_csv(out / "report" / "tables" / "curves.csv")["model"].unique().tolist() == [ODD]
    assert main.main(["report", "--out", str(out), "--contrast", "_itt$|-direct", "--format", "latex"]) == 0
    latex = capsys.readouterr().out
    assert r"bert\$\textbackslash frac\$ \textbar{} x\_\{1\}" in latex and r"50 \% \& " in latex
    assert not {"\N{MINUS SIGN}", "|", "<"} & set(latex.replace("$<$", ""))  # pdfTeX prints other signs, or none


@pytest.mark.slow
def test_severity_0_alone_has_a_report_without_warnings(tmp_path):
    assert write_report(write_store(tmp_path, noises=(("swap", (0.0,)),), seeds=(0,), items=20)).is_file()


@pytest.mark.parametrize(
    ("text", "markdown"),
    [
        ("matched_steps p (Holm) <0.001 [1, 2]", "matched_steps p (Holm) <0.001 [1, 2]"),
        ("_a_ *b* $c$ `d` | \\", "\\_a\\_ \\*b\\* \\$c\\$ \\`d\\` \\| \\\\"),
        ("[x](http://y) <b> &lt; ~~z~~", "[x\\](http://y) \\<b> \\&lt; \\~~z\\~~"),
        ("two\nlines", "two lines"),
    ],
)
def test_markdown(text, markdown):
    assert as_markdown(text) == markdown


def test_precision_has_a_file_for_a_name_of_any_length(tmp_path):
    store = Store(tmp_path)
    for name in ("漢" * 100, "漢" * 99 + "x"):
        assert store.agreed.precision(name, lambda: "float32") == "float32"
    assert len(list((tmp_path / "precision").iterdir())) == 2
