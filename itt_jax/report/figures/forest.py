"""Forest plots: estimates with their intervals in rows, the bound of the smallest effect shaded."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.figures import svg
from itt_jax.report.figures.panel import Panel, Style, styles
from itt_jax.report.tables.primary import claim_place
from itt_jax.report.tables.shown import no_signal, other_starts, points

WIDTH, ROW, TOP = 400.0, 40.0, 8.0
UNDECIDED = ("undetermined", NOT_JUDGED)
PLAIN = Style("#0072B2", "o", "")
"""Of rows that are of no arm."""


@dataclasses.dataclass(frozen=True)
class Row:
    """One row: an estimate with its interval, in points of the metric (1 is perfect).

    Attributes:
        said: in words beside it. sure: whether it is filled. place: dimension -> value, or several, for filters.
    """

    label: str
    said: str
    estimate: float
    low: float
    high: float
    sure: bool
    style: Style
    place: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)


def forest(rows: Sequence[Row], title: str, axis: str, bound: float | None = None, at: float = 0.0) -> Panel:
    """Rows under each other.

    Args:
        bound: half the width of the shaded band around zero; None for none. at: the value of the vertical line.
    """
    ends = [value for row in rows for value in (row.low, row.high, row.estimate) if pd.notna(value)] + [at]
    ends += [-1.3 * bound, 1.3 * bound] if bound else []
    margin = 0.04 * (max(ends) - min(ends) or 0.02)
    scale = svg.Scale(min(ends) - margin, max(ends) + margin, 8.0, WIDTH - 8)
    bottom = TOP + ROW * len(rows)
    parts = []
    if bound:
        for index in range(len(rows)):  # below the words of each row
            parts.append(svg.rect(scale(-bound), TOP + ROW * index + 18, scale(bound) - scale(-bound), 17, "bound"))
    parts.append(svg.line(scale(at), TOP, scale(at), bottom, "axis"))
    for index, row in enumerate(rows):
        parts.append(_row(row, TOP + ROW * index, scale))
    parts.append(svg.line(scale.start, bottom, scale.stop, bottom, "axis"))
    for tick in svg.ticks(100 * scale.low, 100 * scale.high, 7):
        x = scale(tick / 100)
        parts += [svg.line(x, bottom, x, bottom + 4, "axis")]
        parts += [svg.text(x, bottom + 16, svg.short(tick), "soft", "middle")]
    parts.append(svg.text(WIDTH / 2, bottom + 32, axis, "soft", "middle"))
    return Panel(title, WIDTH, bottom + 40, "".join(parts))


def _row(row: Row, y: float, scale: svg.Scale) -> str:
    room = WIDTH - 24 - svg.width_of(row.said)
    head = svg.text(8, y + 13, svg.shortened(row.label, room), "strong")
    head += svg.text(WIDTH - 8, y + 13, row.said, "" if row.sure else "soft", "end")
    middle, drawn = y + 26, ""
    if pd.notna(row.low):
        drawn = svg.line(scale(row.low), middle, scale(row.high), middle)
    if pd.notna(row.estimate):
        drawn += svg.marker(scale(row.estimate), middle, row.style.marker, hollow=not row.sure, size=4)
    mark = row.style.group(svg.tag("g", drawn, cls="" if row.sure else "unsure")) if drawn else ""
    place = {f"data_{name}": value for name, value in row.place.items()}
    return svg.tag("g", head + mark, cls="row", **place)


def primary(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """The primary contrasts, a panel for each kind; one without an estimate is named with the others."""
    frame = analysis.primary
    if not frame["estimate"].notna().any():
        return []
    shifted = frame["kind"] == "domain"
    return [_primary(frame[own], analysis, kind) for kind, own in ((False, ~shifted), (True, shifted)) if own.any()]


def _primary(frame: pd.DataFrame, analysis: Analysis, shifted: bool) -> Panel:
    rows, drawn, several = [], styles(analysis), frame["metric"].nunique() > 1
    for row in frame.to_dict("records"):
        label = f"{row['model']}: {row['arm']} − {row['baseline']}" + (f" ({row['metric']})" if several else "")
        known = pd.notna(row["estimate"])
        at = f" at {row['look']:.0f} seeds" if known and pd.notna(row["latest"]) else ""
        said = f"{points(row['estimate'], True)} {row['verdict']}{at}" if known else "no answer"
        sure = known and row["verdict"] not in UNDECIDED
        place = {"encoder": row["model"], "arm": (row["arm"], row["baseline"])}
        numbers = (row["estimate"], row["ci_low"], row["ci_high"])
        rows.append(Row(label, said, *numbers, sure, drawn[row["arm"]], place))
    axis = "gain in the shifted domain − gain at home" if shifted else "perturbed gain − clean gain"
    title = f"Primary contrasts: {axis}, in points with 95 % intervals"
    return forest(rows, title, f"← less robust   ({axis}, points)   more robust →", analysis.smallest_effect)


def claims(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """The claims of the config."""
    frame, drawn = analysis.claims, styles(analysis)
    frame = frame[frame["estimate"].notna()] if len(frame) else frame
    if frame.empty:
        return []
    rows = []
    for row in frame.to_dict("records"):
        said = f"{points(row['estimate'], True)} {row['verdict']}"
        numbers = (row["estimate"], row["ci_low"], row["ci_high"])
        sure, place = row["verdict"] not in UNDECIDED, claim_place(row, analysis)
        label = f"{row['claim']}: {row['arm']} − {row['baseline']}"
        rows.append(Row(label, said, *numbers, sure, drawn.get(row["arm"], PLAIN), place))
    axis = "first − second, points"
    return [forest(rows, f"Claims: {axis}, with 95 % intervals", axis, float(frame["bound"].min()))]


def scores(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Scores of one checkpoint by operator beside its clean score."""
    frame = analysis.curves[(analysis.curves["language"] == "all") & (analysis.curves["domain"] == "all")]
    frame = frame[frame["severity"].isna() | (frame["perturbation"] == "clean")]
    panels = []
    for (model, target, metric), own in frame.groupby(["model", "target", "metric"], sort=False):
        clean, starts = own[own["perturbation"] == "clean"]["estimate"], other_starts(own)
        silent = [f" ({text.strip()})" if text else "" for text in no_signal(own)]
        names = {"clean": "clean text", "all": "mean of all operators"}
        rows = [
            Row(
                names.get(row["perturbation"], row["perturbation"]),
                f"{points(row['estimate'])}{starts.get(row['perturbation'], '')}{silent[at]}",
                *(row["estimate"], row["ci_low"], row["ci_high"]),
                True,
                PLAIN,
                {} if row["perturbation"] in names else {"operator": row["perturbation"]},
            )
            for at, row in enumerate(own.to_dict("records"))
        ]
        at = float(clean.iloc[0]) if len(clean) else float(own["estimate"].max())
        panel = forest(
            rows, f"{metric} of {model} on {target} by operator", f"{metric}, points; line: clean text", at=at
        )
        panels.append(dataclasses.replace(panel, place={"encoder": model, "task": target}))
    return panels
