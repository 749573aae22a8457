"""Makes the tables of README.md, docs/results.md and docs/attacks.md from the folders in results/.

    python docs/make_results.py

tests/test_docs.py fails where the pages and the stored results differ. A table whose folder is absent stays as it is.
"""

import functools
import pathlib
import re

import pandas as pd

from itt_jax.report.tables import points

ROOT = pathlib.Path(__file__).parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md", ROOT / "docs" / "attacks.md")
MARKED = re.compile(r"(<!-- ([\w/]+) (\w+) -->\n).*?(\n<!-- end -->)", re.DOTALL)
ENCODERS = {"bert": "BERT", "roberta": "RoBERTa", "xlnet": "XLNet"}


def scores() -> str:
    """Clean scores of each arm, with intervals over seeds and items."""
    curves = _table("quickstart", "curves")
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
    for row in _table("quickstart", "primary").itertuples():
        title = f"{ENCODERS[row.model]}: does perturbation cost less where both have signal (the {row.domains} domain)?"
        rows.append(f"| {title} | {_interval(row, signed=True)} | {row.verdict} |")
    for row in _table("quickstart", "claims").itertuples():
        rows.append(f"| {row.sentence} | {_interval(row, signed=True)} | {row.verdict} |")
    return "\n".join(rows)


def decided(folder: str) -> str:
    """The primary contrasts and the claims of a study of real encoders, with their verdicts."""
    rows = ["| question | difference, points | verdict |", "|---|---|---|"]
    for row in _table(folder, "primary").itertuples():
        measured = f"{ENCODERS.get(row.model, row.model)}, {row.metric.replace('_', ' ')}"
        question = f"{measured}: does perturbation cost {row.arm} less than {row.baseline}?"
        rows.append(f"| {question} | {_interval(row, signed=True)} | {row.verdict} |")
    found = _table(folder, "claims")
    for row in found.itertuples():
        of = f" ({row.metric.replace('_', ' ')})" if (found["sentence"] == row.sentence).sum() > 1 else ""
        rows.append(f"| {row.sentence}{of} | {_interval(row, signed=True)} | {row.verdict} |")
    return "\n".join(rows)


def costs(folder: str) -> str:
    """Scores on clean and on perturbed text, over the groups that have signal."""
    found = _table(folder, "robustness")
    found = found[found["baseline"].isna() & (found["language"] == "all") & (found["domain"] == "all")]
    found = found[found["perturbation"] == "all"]
    several = found["model"].nunique() > 1
    rows = [f"| {'encoder, ' if several else ''}target, arm | clean | perturbed |", "|---|---|---|"]
    for names, own in found.groupby(["model", "target", "arm"], sort=False):
        own = own.set_index("quantity")
        cells = [_interval(own.loc[quantity]) for quantity in ("clean", "perturbed")]
        shown = [ENCODERS.get(names[0], names[0]), *names[1:]] if several else names[1:]
        rows.append(f"| {', '.join(shown)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def by_arm() -> str:
    """Accuracy on clean text and under each attack, by arm."""
    found = _scores_under_attack("real_attacks/english")
    return _wide(found[found["language"] == "all"], "arm", "accuracy, points")


def kept() -> str:
    """How much less than the plain arm each hardened one loses to each attack."""
    found = _table("real_attacks/english", "attack_contrasts")
    found = found[(found["language"] == "all") & (found["domain"] == "all")]
    return _wide(found, "arm", "drop of direct − drop of the arm, points", signed=True)


def by_language() -> str:
    """Accuracy on clean text and under each attack, by language."""
    found = _scores_under_attack("real_attacks/languages")
    return _wide(found[(found["language"] != "all") & (found["arm"] == "direct")], "language", "accuracy, points")


def _scores_under_attack(folder: str) -> pd.DataFrame:
    """Scores of the arms themselves; those of clean text are of the rows of the attack with most."""
    found = _table(folder, "attacks")
    found = found[found["baseline"].isna() & (found["domain"] == "all")]
    clean = found[found["quantity"] == "clean"]
    clean = clean[clean["items"] == clean["items"].max()].drop_duplicates(["arm", "language"])
    return pd.concat([clean.assign(perturbation="clean text"), found[found["quantity"] == "score"]])


def _wide(frame: pd.DataFrame, columns: str, title: str, signed: bool = False) -> str:
    """A row for each attack, a column for each arm or language."""
    names = list(dict.fromkeys(frame[columns]))
    rows = [f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for attack, own in frame.groupby("perturbation", sort=False):
        own = own.set_index(columns)
        rows.append(f"| {attack} | {' | '.join(_interval(own.loc[name], signed) for name in names)} |")
    return "\n".join(rows)


def _table(folder: str, name: str) -> pd.DataFrame:
    return pd.read_csv(ROOT / "results" / folder / "report" / "tables" / f"{name}.csv")


def _interval(row, signed: bool = False) -> str:
    estimate, low, high = (points(value, signed) for value in (row.estimate, row.ci_low, row.ci_high))
    if pd.isna(row.estimate):
        return estimate
    return f"{estimate} [{low}, {high}]"


TABLES = {
    ("quickstart", "scores"): scores,
    ("quickstart", "claims"): claims,
    ("real_english", "decided"): functools.partial(decided, "real_english"),
    ("real_english", "costs"): functools.partial(costs, "real_english"),
    ("real_transfer", "decided"): functools.partial(decided, "real_transfer"),
    ("real_transfer", "costs"): functools.partial(costs, "real_transfer"),
    ("real_clinical", "decided"): functools.partial(decided, "real_clinical"),
    ("real_clinical", "costs"): functools.partial(costs, "real_clinical"),
    ("real_legal", "decided"): functools.partial(decided, "real_legal"),
    ("real_legal", "costs"): functools.partial(costs, "real_legal"),
    ("real_small", "decided"): functools.partial(decided, "real_small"),
    ("real_small", "costs"): functools.partial(costs, "real_small"),
    ("real_attacks/english", "by_arm"): by_arm,
    ("real_attacks/english", "kept"): kept,
    ("real_attacks/languages", "by_language"): by_language,
}
"""(folder in results/, name) -> what makes the table."""


def _made(found: re.Match) -> str:
    if not (ROOT / "results" / found[2]).is_dir():
        return found[0]
    return f"{found[1]}\n{TABLES[found[2], found[3]]()}\n{found[4]}"


def filled(page: str) -> str:
    """A page with its tables made again."""
    return MARKED.sub(_made, page)


if __name__ == "__main__":
    for path in PAGES:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
