"""Interactions by operator and by language, and operators that may change the label."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.shown import effort, overall, p_value, points, verdict, with_interval


def operators(analysis: Analysis) -> pd.DataFrame:
    """Interactions by operator, all languages and severities."""
    frame = overall(analysis.interactions, kind="perturbation", subset="all")
    frame = frame[frame["severity"].isna() & (frame["perturbation"] != "all")]
    return interaction_table(frame, {"perturbation": "operator"})


def language_interactions(analysis: Analysis) -> pd.DataFrame:
    """Interactions by language, all operators."""
    frame = analysis.interactions
    frame = frame[(frame["kind"] == "perturbation") & (frame["subset"] == "all") & (frame["perturbation"] == "all")]
    return interaction_table(frame[frame["language"] != "all"], {"language": "language"})


def interaction_table(frame: pd.DataFrame, by: dict[str, str]) -> pd.DataFrame:
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
