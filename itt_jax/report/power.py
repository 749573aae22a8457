"""The designs that decide a study's primary questions, in words and tables."""

from collections.abc import Sequence

import pandas as pd

from itt_jax.report import tables

MOST_DESIGNS = 12
"""Designs shown of those that decide everything."""


def power_markdown(designs: pd.DataFrame, bound: float, questions: int, unknown: Sequence[str] = ()) -> str:
    """For each question its cheapest design, then the cheapest ones that decide all.

    Args:
        questions: number of primary questions. unknown: those of which the pilot has no estimate.
    """
    each, every = designs[designs["question"] != "all"], designs[designs["question"] == "all"]
    parts = [
        f"Designs that decide with probability 0.8 at the bound of {tables.points(bound)} points, as one of "
        f"{questions} primary question{'' if questions == 1 else 's'}: zero is called negligible, twice the bound "
        "supported or contradicted. One look; with declared looks the last one needs about as many seeds.",
        "The cheapest design of each question:",
        tables.markdown(_shown(each)),
    ]
    if unknown:
        parts += [f"The pilot has no estimate, so there is no design for: {'; '.join(unknown)}."]
    if every.empty:
        parts += [
            "No design that was tried (up to 100 seeds, 8 times the rows, the operators of the study) decides all."
        ]
    else:
        parts += ["Designs that decide every question, the cheapest first:"]
        parts += [tables.markdown(_shown(every.head(MOST_DESIGNS)).drop(columns="question"))]
    return "\n\n".join(parts)


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with its units."""
    missing = frame["seeds"].isna()
    counts = {name: frame[name].map("{:.0f}".format).mask(missing, "–") for name in ("seeds", "rows", "operators")}
    return pd.DataFrame(
        {
            "question": frame["question"],
            **counts,
            "TFLOP": (frame["flops"] / 1e12).map("{:,.1f}".format).mask(missing, "–"),
            "hours": frame["hours"].map("{:,.2f}".format).mask(missing, "–"),
        }
    )
