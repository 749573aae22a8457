"""Makes the tables of the quickstart in README.md and docs/results.md from results/quickstart.

    python docs/make_results.py

tests/test_docs.py fails where the pages and the stored results differ.
"""

import pathlib
import re

import pandas as pd

from itt_jax.report.tables import points

ROOT = pathlib.Path(__file__).parents[1]
TABLES = ROOT / "results" / "quickstart" / "report" / "tables"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
MARKED = re.compile(r"(<!-- quickstart (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
ENCODERS = {"bert": "BERT", "roberta": "RoBERTa", "xlnet": "XLNet"}


def scores() -> str:
    """Clean scores of each arm, with intervals over seeds and items."""
    curves = pd.read_csv(TABLES / "curves.csv")
    rows = [f"| clean accuracy, chance 50 | arm | {' | '.join(ENCODERS.values())} |", "|---|---|---|---|---|"]
    places = [("legal", "en", "legal, English"), ("legal", "all", "legal, mean of en de fr ru")]
    for domain, language, title in [*places, ("general", "all", "general, mean of en de fr ru")]:
        clean = curves[(curves["perturbation"] == "clean") & (curves["domain"] == domain)]
        clean = clean[clean["language"] == language].set_index(["arm", "model"])
        for arm in clean.index.unique("arm"):
            cells = [_interval(clean.loc[(arm, encoder)]) for encoder in ENCODERS]
            rows.append(f"| {title} | {arm} | {' | '.join(cells)} |")
            title = ""
    return "\n".join(rows)


def claims() -> str:
    """The primary contrasts and the claims, with their verdicts."""
    rows = ["| question | itt − matched_steps, points | verdict |", "|---|---|---|"]
    primary = pd.read_csv(TABLES / "primary.csv")
    for row in primary.itertuples():
        title = f"{ENCODERS[row.model]}: does perturbation cost less where both have signal (the {row.domains} domain)?"
        rows.append(f"| {title} | {_interval(row, signed=True)} | {row.verdict} |")
    for row in pd.read_csv(TABLES / "claims.csv").itertuples():
        rows.append(f"| {row.sentence} | {_interval(row, signed=True)} | {row.verdict} |")
    return "\n".join(rows)


def _interval(row, signed: bool = False) -> str:
    estimate, low, high = (points(value, signed) for value in (row.estimate, row.ci_low, row.ci_high))
    return f"{estimate} [{low}, {high}]"


def filled(page: str) -> str:
    """A page with its tables made again."""
    made = {"scores": scores, "claims": claims}
    return MARKED.sub(lambda found: f"{found[1]}\n{made[found[2]]()}\n{found[3]}", page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
