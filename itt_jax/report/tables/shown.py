"""How tables show values: percentage points with one decimal, intervals, p-values, verdicts in words."""

import numpy as np
import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.looks import LATEST
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.store.results import CLEAN_TEXT

VERDICTS = {
    "supported": "more robust",
    "contradicted": "less robust",
    "negligible": "no difference beyond the bound",
}
"""Verdict on an interaction -> its meaning."""


def points(value: float, signed: bool = False) -> str:
    """A value as percentage points with one decimal; a dash where there is none."""
    if pd.isna(value):
        return "–"
    text = f"{100 * value:{'+' if signed else ''}.1f}"
    return {"-0.0": "0.0", "+0.0": "0.0"}.get(text, text).replace("-", "\u2212")


def with_interval(frame: pd.DataFrame, signed: bool = False) -> pd.Series:
    """Estimates with their intervals, in points: "1.2 [0.3, 2.1]"."""
    texts = []
    for estimate, low, high in frame[["estimate", "ci_low", "ci_high"]].itertuples(index=False, name=None):
        text = points(estimate, signed)
        texts.append(text if pd.isna(low) else f"{text} [{points(low, signed)}, {points(high, signed)}]")
    return pd.Series(texts, index=frame.index, dtype=object)


def at_its_look(frame: pd.DataFrame) -> pd.Series:
    """Signed estimates with their intervals; of what an earlier look decided, that look's and the present ones."""
    found = with_interval(frame, signed=True)
    latest = with_interval(frame[list(LATEST)].rename(columns=LATEST), signed=True)
    seeds = frame["look"].map("{:.0f}".format)
    return found.where(frame["latest"].isna(), found + " at " + seeds + " seeds; now " + latest)


def p_value(value: float) -> str:
    """A p-value with three decimals."""
    return "–" if pd.isna(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def verdict(row: pd.Series) -> str:
    """The verdict in words, with the reason why it is undetermined or not judged."""
    if pd.isna(row["estimate"]):
        return "no signal"
    if row["not_judged"]:
        return f"{NOT_JUDGED}: {row['not_judged']}"
    if row["verdict"] != "undetermined":
        alone = "" if row["cross_lingual"] else "; in the source language alone"
        return f"{row['verdict']} ({VERDICTS[row['verdict']]}{alone})"
    if not row["leaning"]:  # beyond the bound, in points
        return "undetermined (log-odds disagree)"
    return "undetermined (not after adjustment)" if row["clear"] else "undetermined"


def effort(frame: pd.DataFrame) -> pd.DataFrame:
    """Tokens and FLOPs of one run of an arm and of its baseline: "2.48 / 3.01"; no columns where none is known."""
    titles = {"tokens": ("M tokens", 1e6), "flops": ("TFLOP", 1e12)}
    return pd.DataFrame(
        {
            title: [
                " / ".join("–" if pd.isna(value) else _three_digits(value / unit) for value in pair)
                for pair in frame[[name, f"baseline_{name}"]].to_numpy()
            ]
            for name, (title, unit) in titles.items()
            if frame[name].notna().any()
        },
        index=frame.index,
    )


def _three_digits(value: float) -> str:
    return f"{value:,.{max(0, 2 - int(np.floor(np.log10(value))))}f}" if value > 0 else "0"


def kept_groups(frame: pd.DataFrame, analysis: Analysis) -> pd.Series:
    """What estimates rest on: "3 of 5 groups (en de es)", with the domains where the folder has several."""
    several = analysis.cells["domain"].nunique() > 1
    return pd.Series(
        [
            f"{row.groups} of {row.groups + row.groups_left_out} groups ({row.languages or 'none'}"
            + (f"; {row.domains})" if several and row.domains else ")")
            for row in frame.itertuples()
        ],
        index=frame.index,
        dtype=object,
    )


def no_signal(frame: pd.DataFrame, of: str = "") -> pd.Series:
    """ " no signal" or " 1 of 2 no signal" where estimates, or their sides "first" or "second", rest on groups without
    signal; else empty."""
    counted = ("groups", "groups_no_signal") if not of else (f"{of}_groups", f"{of}_no_signal")
    texts = [
        "" if not silent else " no signal" if silent == groups else f" {silent:.0f} of {groups:.0f} no signal"
        for groups, silent in zip(*(frame[name] for name in counted), strict=True)
    ]
    return pd.Series(texts, index=frame.index, dtype=object)


def side(frame: pd.DataFrame, name: str, signed: bool = True) -> pd.Series:
    """One side of differences, "first" or "second", with its interval."""
    ends = {name: "estimate", f"{name}_low": "ci_low", f"{name}_high": "ci_high"}
    return with_interval(frame[list(ends)].rename(columns=ends), signed)


def other_starts(scores: pd.DataFrame) -> dict[str, str]:
    """Operator -> " (clean 71.2)" where the clean text of its own cells scores other than all clean text does: it is
    there in some languages alone, or some rows lost their answer.

    Args:
        scores: rows of `Analysis.curves` in one scope, one an operator.
    """
    clean = scores.loc[scores["perturbation"] == CLEAN_TEXT, "estimate"]
    starts = scores.set_index("perturbation")["clean"].dropna()
    if clean.empty:
        return {}
    return {name: f" (clean {points(own)})" for name, own in starts.items() if abs(own - clean.iloc[0]) > 1e-9}


def overall(frame: pd.DataFrame, **where) -> pd.DataFrame:
    """Rows over all languages and domains unless `where` names others, or None for every one."""
    for name, value in ({"language": "all", "domain": "all"} | where).items():
        if name in frame and value is not None:
            frame = frame[frame[name] == value]
    return frame


def home(analysis: Analysis, target: str) -> str:
    """The domain in which languages are compared: the one trained on, or "all" where there is one domain."""
    cells = analysis.cells[analysis.cells["target"] == target]
    trained = cells.loc[cells["in_domain"].astype(bool), "domain"]
    return str(trained.iloc[0]) if cells["domain"].nunique() > 1 and len(trained) else "all"


def without_constant(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The table without those of its columns "metric" and `names` that have one value throughout."""
    return frame.drop(columns=[name for name in ("metric", *names) if name in frame and frame[name].nunique() == 1])


def in_order(wide: pd.DataFrame, frame: pd.DataFrame, key: tuple | list = ("model", "metric", "arm")) -> pd.DataFrame:
    """Rows in the order of the study."""
    order = pd.MultiIndex.from_frame(frame[list(key)].drop_duplicates())
    return wide.reindex(order)
