"""What the findings rest on: seeds, items, groups, and what the operators did to the text."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.shown import points


def edits(analysis: Analysis) -> pd.DataFrame:
    """Effect of each operator on the text: share of items changed, realised edit rate, share of tokens changed."""
    frame = analysis.cells[analysis.cells["perturbation"] != "clean"]
    frame = frame.drop_duplicates(["target", "task", "split", "language", "perturbation", "severity", "replicate"])
    rows = []
    for (operator, severity), part in frame.groupby(["perturbation", "severity"], sort=False):
        row = {"operator": operator, "severity": f"{severity:g}", "languages": part["language"].nunique()}
        row["items changed %"] = points(part["n_changed"].sum() / max(part["n"].sum(), 1))
        row |= {"not applicable": int(part["n_not_applicable"].sum()), "edits per grapheme": _rate(part["edit_rate"])}
        by_language = part.groupby("language")["edit_rate"].mean()
        spread = f"{by_language.min():.3f} to {by_language.max():.3f}" if by_language.notna().any() else "–"
        rows.append(row | {"over languages": spread, "tokens changed %": points(part["token_change_rate"].mean())})
    return pd.DataFrame(rows)


def _rate(values: pd.Series) -> str:
    return f"{values.mean():.3f}" if values.notna().any() else "–"


def counts(analysis: Analysis) -> pd.DataFrame:
    """Number of seeds, items and groups behind each arm's findings."""
    frame = analysis.counts
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "metric": frame["metric"],
            "arm": frame["arm"],
            "seeds": frame["seeds"],
            "no signal: seeds": frame["no_signal_seeds"].replace("", "none") if analysis.has_items else "–",
            "cells": frame["cells"],
            "no signal: groups": _shares(frame["groups_no_signal"], frame["groups"]),
            "unchecked groups": _shares(frame["groups_unchecked"], frame["groups"]),
            "items changed %": frame["changed_share"].map(points),
            "not applicable": frame["not_applicable"],
        }
    )


def _shares(parts: pd.Series, wholes: pd.Series) -> list[str]:
    """ "2 of 9"; a dash where the part is unknown."""
    return ["–" if pd.isna(part) else f"{part} of {whole}" for part, whole in zip(parts, wholes, strict=True)]
