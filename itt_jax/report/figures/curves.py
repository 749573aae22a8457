"""Scores by severity, with bands: a panel for each encoder, target and operator, a line for each arm."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.figures import svg
from itt_jax.report.figures.panel import Panel, Style, styles
from itt_jax.report.tables.shown import no_signal

WIDTH, HEIGHT = 236.0, 176.0
LEFT, RIGHT, TOP, BOTTOM = 34.0, 8.0, 34.0, 30.0
APART = 7.0
"""Between the points of two arms."""
MOST = 240
"""Panels of single languages; where a study has more of them, its page has none."""


def severity(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Means over languages and domains."""
    return _panels(analysis, analysis.curves[analysis.curves["language"] == "all"])


def by_language(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Each language, over all domains."""
    frame = analysis.curves[analysis.curves["language"] != "all"]
    found = frame[["model", "target", "metric", "language", "perturbation"]].drop_duplicates()
    return _panels(analysis, frame) if len(found) <= MOST else []


def _panels(analysis: Analysis, frame: pd.DataFrame) -> list[Panel]:
    frame = frame[(frame["domain"] == "all") & frame["severity"].notna()]
    drawn, panels = styles(analysis), []
    key = ["model", "target", "metric", "language"]
    for (model, target, metric, language), own in frame.groupby(key, sort=False):
        operators = [name for name in dict.fromkeys(own["perturbation"]) if name != "clean"]
        low, high = own["ci_low"].fillna(own["estimate"]).min(), own["ci_high"].fillna(own["estimate"]).max()
        scale = svg.Scale(100 * low - 1, 100 * high + 1, HEIGHT - BOTTOM, TOP)
        chance = chance_of(analysis, target, metric, **({} if language == "all" else {"language": language}))
        for operator in operators:
            place = {"encoder": model, "task": target, "operator": operator}
            where = f"{model}, {target}"
            if language != "all":
                place, where = place | {"language": language}, f"{where}, {language}"
            part = _from_clean(own[own["perturbation"] == operator])
            said = _no_signal(own[own["perturbation"] == operator])
            body = svg.text(WIDTH - RIGHT, 12, said, "soft small", "end") if said else ""
            room = WIDTH - 16 - svg.width_of(said, 9.5)
            body += svg.text(LEFT - 26, 12, svg.shortened(operator, room), "strong")
            body += svg.text(LEFT - 26, 25, svg.shortened(f"{where} ({metric})", WIDTH - 16, 9.5), "soft small")
            body += _lines(part, drawn, scale, chance)
            panels.append(Panel(f"{metric} by severity of {operator}: {where}", WIDTH, HEIGHT, body, place))
    return panels


def _no_signal(curves: pd.DataFrame) -> str:
    """How many groups of a panel have no signal, over its arms: "up to 2 of 6 no signal"."""
    found = [text.strip() for text in no_signal(curves.sort_values("groups_no_signal"))]
    if found[0] == found[-1]:
        return found[-1]
    return "some arms: no signal" if found[-1] == "no signal" else f"up to {found[-1]}"


def _from_clean(curves: pd.DataFrame) -> pd.DataFrame:
    """Severity curves that begin at the clean scores of their own cells, where these are known. joined: of one severity
    alone there is no curve, but two points."""
    columns = {"clean": "estimate", "clean_low": "ci_low", "clean_high": "ci_high"}
    starts = curves.sort_values("severity").drop_duplicates("arm")[["arm", *columns]].rename(columns=columns)
    found = pd.concat([starts[starts["estimate"].notna()].assign(severity=0.0), curves])
    return found.assign(joined=curves["severity"].nunique() > 1)


def budgets(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Scores by what an attack may spend on a row: a panel for each encoder, target, attack and kind of budget."""
    frame, drawn, panels = analysis.budgets, styles(analysis), []
    if frame.empty:
        return []
    frame = frame.assign(severity=np.log10(1 + frame["budget"].astype(float)), joined=True)
    for (model, target, metric, attack, spent), own in frame.groupby(
        ["model", "target", "metric", "perturbation", "spent"], sort=False
    ):
        low, high = own["ci_low"].fillna(own["estimate"]).min(), own["ci_high"].fillna(own["estimate"]).max()
        scale = svg.Scale(100 * low - 1, 100 * high + 1, HEIGHT - BOTTOM, TOP)
        body = svg.text(LEFT - 26, 12, svg.shortened(attack, WIDTH - 16), "strong")
        body += svg.text(LEFT - 26, 25, svg.shortened(f"{model}, {target} ({metric})", WIDTH - 16, 9.5), "soft small")
        every = own.drop_duplicates("budget").sort_values("budget")
        kept = every.iloc[:: math.ceil(len(every) / 7)]
        labels = {at: svg.short(budget) for at, budget in zip(kept["severity"], kept["budget"], strict=True)}
        body += _lines(own, drawn, scale, None, f"{spent} a row", labels)
        place = {"encoder": model, "task": target, "attack": attack}
        panels.append(Panel(f"{metric} by {spent} of {attack}: {model}, {target}", WIDTH, HEIGHT, body, place))
    return panels


def _lines(
    part: pd.DataFrame,
    drawn: Mapping[str, Style],
    y: svg.Scale,
    chance: float | None,
    axis: str = "severity",
    labels: Mapping[float, str] | None = None,
) -> str:
    margin = 0 if part["joined"].iloc[0] else APART * part["arm"].nunique() / 2
    x = svg.Scale(0.0, float(part["severity"].max()), LEFT + margin, WIDTH - RIGHT - margin)
    labels = labels or {level: svg.short(level) for level in sorted(set(part["severity"]))}
    parts = [frame_of(x, y, labels, chance)]
    parts.append(svg.text((LEFT + WIDTH) / 2, HEIGHT - 3, axis, "soft small", "middle"))
    joined, arms = part["joined"].iloc[0], part["arm"].nunique()
    for number, (arm, own) in enumerate(part.groupby("arm", sort=False)):
        own, style = own.sort_values("severity"), drawn[str(arm)]
        aside = 0.0 if joined else APART * (number - (arms - 1) / 2)
        places = [x(level) + aside for level in own["severity"]]
        points = [(at, y(100 * value)) for at, value in zip(places, own["estimate"], strict=True)]
        ends = zip(places, own["ci_low"], own["ci_high"], strict=True)
        known = [(at, y(100 * low), y(100 * high)) for at, low, high in ends if not math.isnan(low)]
        if joined:
            band = [(at, low) for at, low, _ in known] + [(at, high) for at, _, high in reversed(known)]
            shown = svg.path(band, "band", closed=True) if band else ""
            shown += svg.path(points, dash=style.dash)
        else:
            shown = "".join(svg.line(at, low, at, high, "unsure") for at, low, high in known)
        shown += "".join(svg.marker(*point, style.marker) for point in points)
        parts.append(style.group(shown, str(arm)))
    return "".join(parts)


def frame_of(x: svg.Scale, y: svg.Scale, levels: Mapping[float, str], chance: float | None = None) -> str:
    """Grid and axes of a panel; a dotted line at the level of chance.

    Args:
        levels: value on the horizontal axis -> its label.
    """
    parts = []
    for tick in y.ticks(4):
        parts.append(svg.line(x.start, y(tick), x.stop, y(tick), "grid"))
        parts.append(svg.text(x.start - 5, y(tick) + 4, svg.short(tick), "soft small", "end"))
    for level, label in levels.items():
        parts.append(svg.text(x(level), y.start + 13, label, "soft small", "middle"))
    parts.append(svg.line(x.start, y.start, x.stop, y.start, "axis"))
    return "".join([*parts, chance_line(x.start, x.stop, y, chance)])


def chance_line(start: float, stop: float, y: svg.Scale, chance: float | None) -> str:
    """A dotted line at the level of chance; none where it is unknown or beyond the scale."""
    if chance is None or not y.low <= 100 * chance <= y.high:
        return ""
    return svg.line(start, y(100 * chance), stop, y(100 * chance), "chance")


def chance_of(analysis: Analysis, target: str, metric: str, **where: str) -> float | None:
    """The score of guessing where it is the same in all cells: of a language or domain, where one is named."""
    cells = analysis.cells
    for name, value in {"target": target, "metric": metric, **where}.items():
        cells = cells[cells[name] == value]
    values = cells["chance"]
    return float(values.iloc[0]) if len(values) and values.max() - values.min() < 0.005 else None
