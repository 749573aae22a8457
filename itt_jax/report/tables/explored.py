"""Interactions by operator and by language, and operators that may change the label."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import BESIDE
from itt_jax.report.tables.shown import effort, overall, p_value, points, verdict, with_interval

SCOPE = ["model", "target", "metric", "arm", "baseline", "language", "domain", "perturbation"]
"""Columns that name a difference between arms."""


def operators(analysis: Analysis) -> pd.DataFrame:
    """Interactions by operator, all languages and severities."""
    frame = overall(analysis.interactions, kind="perturbation", subset="all")
    frame = frame[frame["severity"].isna() & (frame["perturbation"] != "all")]
    return interaction_table(frame, {"perturbation": "operator"})


def language_interactions(analysis: Analysis) -> pd.DataFrame:
    """Interactions by language, all operators."""
    frame = by_language(analysis)
    frame = frame[(frame["perturbation"] == "all") & (frame["language"] != "all")]
    return interaction_table(frame, {"language": "language"})


def by_language(analysis: Analysis) -> pd.DataFrame:
    """Interactions by operator and language, over all domains and severities; those of languages without signal have
    no estimate."""
    frame, every = analysis.interactions, analysis.gains
    return in_full(
        frame[(frame["kind"] == "perturbation") & (frame["subset"] == "all") & frame["severity"].isna()],
        every[every["severity"].isna() & (every["domain"] == "all")],
    )


def in_full(frame: pd.DataFrame, every: pd.DataFrame) -> pd.DataFrame:
    """Interactions, and a row without an estimate for each that is left out because its groups have no signal.

    Args:
        every: the same differences over all groups, in the order of the study.
    """
    found = every[[*SCOPE, "groups_no_signal"]].merge(
        frame.drop(columns="groups_no_signal"), on=SCOPE, how="left", indicator="known"
    )
    found = found[(found["known"] == "both") | (found["groups_no_signal"] > 0)].drop(columns="known")
    return found.reindex(columns=list(dict.fromkeys([*found, "detectable", "p_adjusted", *BESIDE])))


def interaction_table(frame: pd.DataFrame, by: dict[str, str]) -> pd.DataFrame:
    """Interactions with intervals, verdicts and adjusted p-values; without rows and these columns if there are none.

    Args:
        by: column of `frame` that tells the rows apart, such as its language -> heading.
    """
    named = frame.rename(columns={"model": "encoder", "baseline": "against"} | by)
    table = named[["encoder", "target", "arm", "against", *by.values()]].copy()
    if frame.empty:
        return table
    table["interaction"] = with_interval(frame, signed=True)
    table["verdict"] = frame.apply(verdict, axis=1)
    table["detectable"] = frame["detectable"].map(points)
    table["p (BH)"] = frame["p_adjusted"].map(p_value)
    return table.assign(**effort(frame))


def controls(analysis: Analysis) -> pd.DataFrame:
    """Label-changing operators: how often the predicted class changes with them."""
    frame = analysis.controls
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "arm": frame["arm"],
            "operator": frame["perturbation"],
            "severity": frame["severity"],
            "prediction changes": with_interval(frame) if len(frame) else [],
            "items": frame["items"],
        }
    )
