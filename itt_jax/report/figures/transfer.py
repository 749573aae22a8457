"""Transfer of attacks: how much each arm loses under texts that were made on each of the others."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.figures import svg
from itt_jax.report.figures.panel import Panel
from itt_jax.report.tables.shown import points

CELL, ROOM, HEIGHT, HEAD = 82.0, 120.0, 34.0, 62.0
OWN = "same model"
CORNER = "made on ↓ read by →"


def matrix(analysis: Analysis, plan: Mapping[str, Any]) -> list[Panel]:
    """A row for each arm on which texts were made, a column for each that reads them: a panel for each encoder, target
    and attack."""
    frame = analysis.transfer
    if frame.empty:
        return []
    arms, top = [arm.name for arm in analysis.arms], max(float(frame["drop"].max()), 0.01)
    panels = []
    for key, own in frame.groupby(["model", "target", "metric", "perturbation"], sort=False):
        present = {*own["arm"], *own["made_on_arm"]}
        panels.append(_matrix(key, own, [name for name in arms if name in present], top))
    return panels


def _matrix(key: tuple[str, ...], own: pd.DataFrame, arms: Sequence[str], top: float) -> Panel:
    model, target, metric, attack = key
    labels = (svg.shortened(name, ROOM) for name in arms)
    left = 16 + max(svg.width_of(CORNER, 9.5), *map(svg.width_of, labels))
    width, height = max(left + CELL * len(arms) + 6, 250), HEAD + HEIGHT * len(arms) + 8
    parts = [svg.text(6, 14, svg.shortened(attack, width - 12), "strong")]
    parts.append(svg.text(6, 28, svg.shortened(f"{model}, {target} ({metric})", width - 12, 9.5), "soft small"))
    parts.append(svg.text(left - 6, HEAD - 6, CORNER, "soft small", "end"))
    drops: dict[tuple[str, str], dict[str, float]] = {}
    for made_on, reader, which, drop in own[["made_on_arm", "arm", "made_on", "drop"]].itertuples(index=False):
        drops.setdefault((made_on, reader), {})[which] = drop
    for column, reader in enumerate(arms):
        label = svg.shortened(reader, CELL - 4)
        parts.append(svg.text(left + CELL * (column + 0.5), HEAD - 6, label, "soft", "middle"))
    for row, made_on in enumerate(arms):
        y = HEAD + HEIGHT * row
        parts.append(svg.text(left - 6, y + HEIGHT / 2 + 4, svg.shortened(made_on, ROOM), "", "end"))
        for column, reader in enumerate(arms):
            if (made_on, reader) in drops:
                drawn = _cell(left + CELL * column, y, drops[made_on, reader], top)
                parts.append(svg.tag("g", drawn, data_arm=tuple(dict.fromkeys((made_on, reader)))))
    place = {"encoder": model, "task": target, "attack": attack}
    title = f"Drop of {metric} under {attack}, by the arm on which texts were made and the arm that reads them"
    return Panel(f"{title}: {model}, {target}", width, height, "".join(parts), place)


def _cell(x: float, y: float, drops: Mapping[str, float], top: float) -> str:
    """The drop under texts made on other models, which sets the shade, and under the reader's own texts."""
    others = [drop for made_on, drop in drops.items() if made_on != OWN]
    shade = min(1.0, max(0.0, others[0]) / top) if others else 0.0
    box = svg.rect(x + 1, y + 1, CELL - 2, HEIGHT - 2, "edge")
    if others:
        box += svg.rect(x + 1, y + 1, CELL - 2, HEIGHT - 2, "less", fill_opacity=f"{0.04 + 0.5 * shade:.2f}")
        box += svg.text(x + CELL / 2, y + (15 if OWN in drops else 21), points(others[0]), "strong", "middle")
    if OWN in drops:
        text = f"own {points(drops[OWN])}"
        box += svg.text(x + CELL / 2, y + (28 if others else 21), text, "soft small", "middle")
    return box
