"""Where arms differ: a map of languages and operators, scores by language, and slopes between domains."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.figures import svg
from itt_jax.report.figures.curves import chance_line, chance_of, frame_of
from itt_jax.report.figures.panel import Panel, styles
from itt_jax.report.tables.explored import by_language
from itt_jax.report.tables.shown import home, points

CELL, HEIGHT, HEAD = 68.0, 30.0, 58.0
MARKS = {"supported": " ▲", "contradicted": " ▼", "negligible": " ="}
"""Verdict -> its mark in a map."""
LEAST_RANGE = 5.0
"""Points at the ends of a colour bar, at least."""


def map_of(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Interactions by operator and language: a panel for each encoder, target, arm and baseline."""
    frame = by_language(analysis)
    top = max(LEAST_RANGE, 100 * float(frame["estimate"].abs().max())) if frame["estimate"].notna().any() else 0
    key = ["model", "target", "metric", "arm", "baseline"]
    return [_map(name, own, top) for name, own in frame.groupby(key, sort=False) if own["estimate"].notna().any()]


def _map(name: tuple[str, ...], own: pd.DataFrame, top: float) -> Panel:
    model, target, metric, arm, baseline = name
    operators, languages = (_all_last(own[column]) for column in ("perturbation", "language"))
    shown = {name: svg.shortened(name, 150) for name in operators}
    left = 12 + max(svg.width_of(text) for text in shown.values())
    width, height = max(left + CELL * len(languages) + 6, 330), HEAD + HEIGHT * len(operators) + 44
    title = f"{arm} − {baseline}"
    parts = [svg.text(6, 14, svg.shortened(title, width - 12), "strong")]
    parts.append(svg.text(6, 28, svg.shortened(f"{model}, {target} ({metric})", width - 12, 9.5), "soft small"))
    for column, language in enumerate(languages):
        label = svg.text(left + CELL * (column + 0.5), HEAD - 8, svg.shortened(language, CELL - 4), "soft", "middle")
        parts.append(svg.tag("g", label, data_language=_filtered(language)))
    rows = {(row["perturbation"], row["language"]): row for row in own.to_dict("records")}
    for number, operator in enumerate(operators):
        y = HEAD + HEIGHT * number
        cells = svg.text(left - 6, y + HEIGHT / 2 + 4, shown[operator], "", "end")
        for column, language in enumerate(languages):
            if (operator, language) in rows:
                drawn = _cell(left + CELL * column, y, rows[operator, language], top)
                cells += svg.tag("g", drawn, data_language=_filtered(language))
        parts.append(svg.tag("g", cells, data_operator=_filtered(operator)))
    parts.append(_bar(6, height - 34, top))
    place: dict[str, str | tuple[str, ...]] = {"encoder": model, "task": target, "arm": (arm, baseline)}
    said = f"Interactions by operator and language, in points: {arm} less {baseline}, {model}, {target}"
    return Panel(said, width, height, "".join(parts), place)


def _cell(x: float, y: float, row: Mapping[str, Any], top: float) -> str:
    """One interaction: grey where nothing is decided."""
    value, verdict = row["estimate"], row["verdict"]
    sides = (x + 1, y + 1, CELL - 2, HEIGHT - 2)
    if pd.isna(value):
        return svg.rect(*sides, "edge") + svg.text(
            x + CELL / 2, y + HEIGHT / 2 + 4, "no signal", "soft small", "middle"
        )
    sure = verdict not in ("undetermined", NOT_JUDGED)
    way, depth = "more" if value > 0 else "less", 0.08 + 0.5 * min(1.0, 100 * abs(value) / top)
    box = svg.rect(*sides, way, fill_opacity=f"{depth:.2f}") if sure else svg.rect(*sides, "grey")
    head = points(value, True) + MARKS.get(verdict, "")
    drawn = svg.text(x + CELL / 2, y + 13, head, "strong" if sure else "soft", "middle")
    if pd.notna(row["ci_low"]):
        ends = f"{points(row['ci_low'], True)} to {points(row['ci_high'], True)}"
        drawn += svg.text(x + CELL / 2, y + 24, ends, "soft small", "middle")
    return box + drawn


def _bar(x: float, y: float, top: float) -> str:
    """The colour bar."""
    steps, width = 20, 150.0
    parts = []
    for step in range(steps):
        value = (2 * (step + 0.5) / steps - 1) * top
        way, depth = "more" if value > 0 else "less", 0.08 + 0.5 * abs(value) / top
        parts.append(svg.rect(x + width * step / steps, y, width / steps, 9, way, fill_opacity=f"{depth:.2f}"))
    for share, value in ((0, -top), (0.5, 0), (1, top)):
        anchor = {0: "", 0.5: "middle", 1: "end"}[share]
        parts.append(svg.text(x + width * share, y + 21, svg.short(round(value)), "soft small", anchor))
    parts.append(svg.text(x + width + 8, y + 8, "▲ more robust  ▼ less  = neither", "soft small"))
    parts.append(svg.text(x + width + 8, y + 21, "grey: undetermined", "soft small"))
    return "".join(parts)


def _all_last(values: pd.Series) -> list[str]:
    names = list(dict.fromkeys(values))
    return [name for name in names if name != "all"] + ["all"] * ("all" in names)


def _filtered(value: str) -> str:
    """A value for filters; nothing hides what is over all."""
    return "" if value == "all" else value


def languages(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Clean (filled) and perturbed (hollow) scores by language, in the training domain."""
    panels, drawn = [], styles(analysis)
    for (model, target, metric), own in analysis.curves.groupby(["model", "target", "metric"], sort=False):
        domain = home(analysis, str(target))
        own = own[(own["language"] != "all") & (own["domain"] == domain)]
        own = own[own["perturbation"].isin(["clean", "all"])]
        if own.empty:
            continue
        names, arms = list(dict.fromkeys(own["language"])), list(dict.fromkeys(own["arm"]))
        silent = _silent(own, "language", "groups", "groups_no_signal")
        step = max(52.0 if any(silent.values()) else 34.0, 12.0 * len(arms) + 8)
        low, high = own["ci_low"].fillna(own["estimate"]).min(), own["ci_high"].fillna(own["estimate"]).max()
        y = svg.Scale(100 * low - 1, 100 * high + 1, 178.0, 36.0)
        width = max(240.0, 46 + step * len(names))
        body = svg.text(8, 12, svg.shortened(model, width - 16), "strong")
        body += svg.text(8, 25, svg.shortened(f"{target} ({metric})", width - 16, 9.5), "soft small")
        chance = chance_of(analysis, target, metric, **({} if domain == "all" else {"domain": domain}))
        body += frame_of(svg.Scale(0, 1, 34.0, width - 8), y, {}, chance)
        rows = {(row["arm"], row["language"], row["perturbation"]): row for row in own.to_dict("records")}
        for column, language in enumerate(names):
            middle = 40 + step * (column + 0.5)
            marks = svg.text(middle, 194, svg.shortened(language, step - 2), "soft", "middle")
            marks += svg.text(middle, 206, silent[language], "soft small", "middle")
            for number, arm in enumerate(arms):
                x = middle + (number - (len(arms) - 1) / 2) * 11
                pair = [rows.get((arm, language, noise)) for noise in ("clean", "all")]
                pale = any(row is not None and row["groups_no_signal"] for row in pair)
                marks += drawn[arm].group(_pale(_pair(x, y, pair, drawn[arm].marker), pale), arm)
            body += svg.tag("g", marks, data_language=language)
        title = f"{metric} by language: {model}, {target}"
        height = 212 if any(silent.values()) else 204
        place = {"encoder": str(model), "task": str(target), "domain": _filtered(home(analysis, str(target)))}
        panels.append(Panel(title, width, height, body, place))
    return panels


def _silent(own: pd.DataFrame, name: str, groups: str, counted: str) -> dict[str, str]:
    """Value of a column -> what its label says of signal: "no signal", or "in part" where some arms or groups have."""
    found = {}
    for value, rows in own.groupby(name, sort=False):
        every = (rows[counted] == rows[groups]).all()
        found[str(value)] = "" if not rows[counted].any() else "no signal" if every else "in part"
    return found


def _pale(markup: str, pale: bool) -> str:
    return svg.tag("g", markup, cls="unsure") if pale else markup


def _pair(x: float, y: svg.Scale, pair: list[Mapping[str, Any] | None], shape: str) -> str:
    """A clean and a perturbed score above each other, each with its interval."""
    parts = []
    for offset, row in zip((-2.0, 2.0), pair, strict=True):
        if row is not None and pd.notna(row["ci_low"]):
            low, high = y(100 * row["ci_low"]), y(100 * row["ci_high"])
            parts.append(svg.line(x + offset, low, x + offset, high, "unsure" if offset > 0 else ""))
    for offset, row in zip((-2.0, 2.0), pair, strict=True):
        if row is not None:
            parts.append(svg.marker(x + offset, y(100 * row["estimate"]), shape, hollow=offset > 0, size=2.8))
    return "".join(parts)


def slopes(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Clean scores at home and in a shifted domain: a panel for each encoder, target and shifted domain."""
    gaps, drawn, panels = analysis.gaps, styles(analysis), []
    if gaps.empty:
        return []
    gaps = gaps[(gaps["quantity"] == "domain gap") & (gaps["perturbation"] == "clean") & (gaps["baseline"] == "")]
    for (model, target, metric, domain), own in gaps.groupby(["model", "target", "metric", "domain"], sort=False):
        columns = ["first", "second", "first_low", "second_low", "first_high", "second_high"]
        values = own[columns].to_numpy().ravel()
        known = [100 * value for value in values if not math.isnan(value)]
        y, x = svg.Scale(min(known) - 1, max(known) + 1, 150.0, 36.0), svg.Scale(0, 1, 70.0, 200.0)
        body = svg.text(8, 12, svg.shortened(model, 220), "strong")
        body += svg.text(8, 25, svg.shortened(f"{target} ({metric})", 220, 9.5), "soft small")
        body += frame_of(svg.Scale(0, 1, 34.0, 228.0), y, {})
        for end, (name, side) in enumerate(((home(analysis, str(target)), "first"), (domain, "second"))):
            body += svg.text(x(end), 164, svg.shortened(str(name), 100), "soft", "middle")
            said = _silent(own, "target", f"{side}_groups", f"{side}_no_signal")[target]
            body += svg.text(x(end), 176, said, "soft small", "middle")
            chance = chance_of(analysis, target, metric, domain=name)
            body += chance_line(x(end) - 36, x(end) + 28, y, chance)
        arms = own.to_dict("records")
        for number, row in enumerate(arms):
            shift, style = 3.0 * (number - (len(arms) - 1) / 2), drawn[row["arm"]]
            ends = [(x(end) + shift, y(100 * row[side])) for end, side in enumerate(("first", "second"))]
            marks = svg.path(ends, dash=style.dash)
            for (at, height), side in zip(ends, ("first", "second"), strict=True):
                point = svg.marker(at, height, style.marker)
                if pd.notna(row[f"{side}_low"]):
                    point += svg.line(at, y(100 * row[f"{side}_low"]), at, y(100 * row[f"{side}_high"]), "unsure")
                marks += _pale(point, row[f"{side}_no_signal"] > 0)
            body += style.group(marks, row["arm"])
        title = f"Clean {metric} at home and in {domain}: {model}, {target}"
        place: dict[str, str | tuple[str, ...]] = {"encoder": str(model), "task": str(target)}
        place["domain"] = (home(analysis, str(target)), str(domain))
        silent = own[["first_no_signal", "second_no_signal"]].to_numpy().any()
        panels.append(Panel(title, 236, 184 if silent else 174, body, place))
    return panels
