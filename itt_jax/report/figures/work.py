"""What the study took: cost of each arm, and training curves."""

import math
from collections.abc import Mapping
from typing import Any

from itt_jax.analysis import Analysis, stages
from itt_jax.report.figures import svg
from itt_jax.report.figures.curves import frame_of
from itt_jax.report.figures.panel import Panel, Style, styles

WIDTH = 340.0
MOST_POINTS = 60
"""Of a training curve."""
SHARED = Style("#666666", "o", "")
"""Of stages that several arms share."""


def cost(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """FLOPs of one run of each arm after pretraining: a panel for each encoder and target."""
    efforts, drawn, panels = stages.effort(plan), styles(analysis), []
    if efforts.empty:
        return []
    top = float(efforts["flops"].max()) or 1.0
    unit, name = next(((u, n) for u, n in ((1e15, "PFLOP"), (1e12, "TFLOP"), (1e9, "GFLOP")) if top >= u), (1, "FLOP"))
    for (model, target), own in efforts.groupby(level=[0, 1], sort=False):
        left = 14 + max(svg.width_of(svg.shortened(arm, 120)) for _, _, arm in own.index)
        body = svg.text(6, 14, svg.shortened(model, WIDTH - 12), "strong")
        body += svg.text(6, 28, svg.shortened(target, WIDTH - 12, 9.5), "soft small")
        for number, ((_, _, arm), row) in enumerate(own.iterrows()):
            y, width = 38 + 20 * number, (WIDTH - left - 70) * row["flops"] / top
            label = svg.text(left - 6, y + 11, svg.shortened(arm, 120), "", "end")
            label += svg.text(left + width + 5, y + 11, f"{row['flops'] / unit:,.3g} {name}", "soft small")
            style = drawn.get(arm, SHARED)
            body += svg.tag("g", label, data_arm=arm) + style.group(svg.rect(left, y, width, 14, "bar"), arm)
        place = {"encoder": str(model), "task": str(target)}
        panels.append(Panel(f"Cost of each arm: {model}, {target}", WIDTH, 44 + 20 * len(own), body, place))
    return panels


def training(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """Dev scores of stages by step, or losses where a stage has none: a panel for each encoder, kind and arms."""
    found: dict[tuple, list[list]] = {}
    for record in plan.get("stages_done", ()):
        history, what = record.get("dev_history") or (), "dev score"
        if len(history) < 2:
            history, what = record.get("losses") or (), "loss"
        points = [(step, value) for step, value in history if value is not None and math.isfinite(value)]
        if len(points) > 1:
            key = (record.get("encoder"), record.get("kind"), tuple(record.get("arms", ())), what)
            found.setdefault(key, []).append(points[:: math.ceil(len(points) / MOST_POINTS)])
    drawn = styles(analysis)
    return [_training(encoder, kind, arms, what, runs, drawn) for (encoder, kind, arms, what), runs in found.items()]


def _training(
    encoder: str, kind: str, arms: tuple[str, ...], what: str, runs: list[list], drawn: Mapping[str, Style]
) -> Panel:
    steps, values = zip(*(point for run in runs for point in run), strict=True)
    x, y = svg.Scale(0, max(steps), 40.0, 228.0), svg.Scale(min(values), max(values), 136.0, 36.0)
    style = drawn.get(arms[0], SHARED) if len(arms) == 1 else SHARED
    body = svg.text(6, 12, svg.shortened(f"{encoder}, {kind}", 224), "strong")
    body += svg.text(6, 25, svg.shortened(f"{', '.join(arms) or 'all arms'}: {what}", 224, 9.5), "soft small")
    body += frame_of(x, y, {tick: svg.short(tick) for tick in svg.ticks(0, max(steps), 4)})
    body += svg.text(134, 163, "step", "soft small", "middle")
    lines = "".join(svg.path([(x(step), y(value)) for step, value in run]) for run in runs)
    body += svg.tag("g", lines, cls="arm", style=f"--own:{style.color}")
    place = {"encoder": str(encoder)} | ({"arm": tuple(arms)} if arms else {})
    return Panel(f"{what} by training step: {encoder}, {kind}, {', '.join(arms)}", 236, 168, body, place)
