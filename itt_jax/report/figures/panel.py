"""What a figure of the report is: panels, each a graphic that filters of the page can hide."""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from itt_jax.analysis import Analysis
from itt_jax.report.figures import svg

DIMENSIONS = ("encoder", "task", "arm", "domain", "language", "operator", "attack")
"""What the page filters by; the attribute data-NAME of an element has the values that it belongs to (`svg.line_of`)."""
UNSTYLED = (("#882255", "h", "-."), ("#332288", "p", "-."), ("#117733", "<", "-."), ("#AA4499", ">", "-."))
"""Colour, marker and line of arms that set none, in turn; from Tol's muted palette."""
SHEET = 1040
"""Width of a figure's file."""
KEY = 350
"""Width of a legend, which every screen has."""
GAP = 14


@dataclasses.dataclass(frozen=True)
class Style:
    """How an arm is drawn."""

    color: str
    marker: str
    dash: str

    def group(self, content: str, arm: str = "") -> str:
        """Markup in the arm's colour; with its name, the page's filters know it as the arm's."""
        return svg.tag("g", content, cls="arm", style=f"--own:{self.color}", data_arm=arm)


@dataclasses.dataclass(frozen=True)
class Panel:
    """One graphic.

    Attributes:
        title: what it shows, in one sentence. body: its markup. place: dimension -> value, or several, for filters.
        cls: "key" for a legend, which has a row of its own.
    """

    title: str
    width: float
    height: float
    body: str
    place: Mapping[str, str | tuple[str, ...]] = dataclasses.field(default_factory=dict)
    cls: str = ""

    def markup(self, **given: object) -> str:
        """The graphic as an element."""
        return svg.tag(
            "svg",
            f"<title>{escape(self.title)}</title>{self.body}",
            role="img",
            cls=self.cls,
            viewBox=f"0 0 {svg.number(self.width)} {svg.number(self.height)}",
            width=svg.number(self.width),
            height=svg.number(self.height),
            **{f"data_{name}": value for name, value in self.place.items()},
            **given,
        )


@dataclasses.dataclass(frozen=True)
class Figure:
    """A figure of the report.

    Attributes:
        name: of its file and its place in the page. section: id of the section that shows it (`report.sections`).
        caption: what it shows and how to read it; "{bound}" is filled in, and "{chance}" where its line is drawn.
        make: its panels, from an analysis and the folder's plan; none where the folder has nothing for it.
        has_arms: whether a legend of arms belongs to it.
    """

    name: str
    section: str
    caption: str
    make: Callable[[Analysis, Mapping[str, Any]], list[Panel]]
    has_arms: bool = True


def styles(analysis: Analysis) -> dict[str, Style]:
    """Arm -> how it is drawn."""
    unstyled, found = itertools.cycle(UNSTYLED), {}
    for arm in analysis.arms:
        own = (arm.color, arm.marker, arm.line)
        color, marker, line = own if all(own) else next(unstyled)
        found[arm.name] = Style(color, marker, svg.DASHES.get(line, ""))
    return found


def legend(analysis: Analysis) -> Panel:
    """The arms with their marker and line."""
    parts, x, y = [], 4.0, 14.0
    for name, style in styles(analysis).items():
        label = svg.shortened(name, 260)
        width = 40 + svg.width_of(label)
        if x > 4 and x + width > KEY:
            x, y = 4.0, y + 18
        mark = svg.line(x, y - 4, x + 26, y - 4, dash=style.dash) + svg.marker(x + 13, y - 4, style.marker)
        parts.append(svg.tag("g", style.group(mark, name) + svg.text(x + 31, y, label), data_arm=name))
        x += width
    return Panel("Arms: " + ", ".join(styles(analysis)), KEY, y + 8, "".join(parts), cls="key")


def sheet(panels: Sequence[Panel]) -> str:
    """Panels as one file, in rows from the left."""
    x = y = height = width = 0.0
    placed: list[str] = []
    for panel in panels:
        if x and (x + panel.width > SHEET or (placed and panels[len(placed) - 1].cls)):
            x, y, height = 0.0, y + height + GAP, 0.0
        placed.append(panel.markup(x=svg.number(x), y=svg.number(y)))
        x, height = x + panel.width + GAP, max(height, panel.height)
        width = max(width, x - GAP)
    size = f'width="{svg.number(width)}" height="{svg.number(y + height)}"'
    box = f'viewBox="0 0 {svg.number(width)} {svg.number(y + height)}"'
    title = escape("; ".join(dict.fromkeys(panel.title for panel in panels))[:400])
    style = f"<style>{svg.STYLE}{svg.DARK}</style>"
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} {box}><title>{title}</title>{style}{"".join(placed)}</svg>\n'  # noqa: E501
