"""Scalable graphics as text: elements, scales and axes, in colours that a page or a file of its own defines.

Colours are classes (`STYLE`), so that a figure follows its page's light and dark theme and prints in ink on paper.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

STYLE = """
svg text { fill: var(--ink, #1d2126); font: 11px system-ui, "Segoe UI", "DejaVu Sans", Helvetica, Arial, sans-serif; }
svg text.soft { fill: var(--soft, #555b63); }
svg text.strong { font-weight: 600; }
svg text.small { font-size: 9.5px; }
svg .axis { stroke: var(--soft, #555b63); stroke-width: 1; fill: none; }
svg .grid { stroke: var(--line, #d9dde2); stroke-width: 1; fill: none; }
svg .chance { stroke: var(--soft, #555b63); stroke-width: 1; stroke-dasharray: 2 3; fill: none; }
svg .bound { fill: var(--bound, #e6e9ed); }
svg .arm { stroke: var(--shown, var(--own)); fill: var(--shown, var(--own)); }
svg .arm path, svg .arm line { fill: none; stroke-width: 1.8; }
svg .arm .band { stroke: none; fill-opacity: .14; fill: var(--shown, var(--own)); }
svg .arm .hollow { fill: var(--paper, #fff); stroke-width: 1.6; }
svg .arm .bar { stroke: none; }
svg .unsure { opacity: .55; }
svg .more { fill: #2b7bba; } svg .less { fill: #d8702a; }
svg .grey { fill: var(--pale, #f1f3f5); }
svg .edge { fill: none; stroke: var(--line, #d9dde2); }
"""
"""Of a page; a file of its own takes the colours behind the commas, or `DARK`."""
DARK = """@media (prefers-color-scheme: dark) {
svg { --ink: #e8eaed; --soft: #a9b0b8; --line: #3c4249; --bound: #2c3238; --pale: #262b30; --paper: #16191d; background: #16191d; }
svg .arm { --shown: color-mix(in oklab, var(--own), white 40%); } }"""  # noqa: E501
CHANCE = 'class="chance"'
"""What the line of chance has, where a figure draws one."""
STEPS = (1, 2, 5, 10)
MARKERS = {
    "s": ((-1, -1), (1, -1), (1, 1), (-1, 1)),
    "D": ((0, -1.3), (1.3, 0), (0, 1.3), (-1.3, 0)),
    "^": ((0, -1.3), (1.2, 1), (-1.2, 1)),
    "v": ((0, 1.3), (1.2, -1), (-1.2, -1)),
    "<": ((-1.3, 0), (1, -1.2), (1, 1.2)),
    ">": ((1.3, 0), (-1, -1.2), (-1, 1.2)),
    "p": ((0, -1.3), (1.24, -0.4), (0.76, 1.05), (-0.76, 1.05), (-1.24, -0.4)),
    "h": ((0, -1.3), (1.13, -0.65), (1.13, 0.65), (0, 1.3), (-1.13, 0.65), (-1.13, -0.65)),
}
"""Marker -> corners around its centre; any other marker is a circle."""
DASHES = {"-": "", "--": "6 3", "-.": "6 2 1 2", ":": "1.5 2.5"}


def number(value: float) -> str:
    """A coordinate."""
    return f"{value:.1f}".removesuffix(".0")


def attributes(given: Mapping[str, object]) -> str:
    """Attributes of a tag; `cls` is the class, underscores are hyphens, empty ones are left out.

    Those named data_... are what filters read: one value, or a tuple of them, each in a line (`line_of`).
    """
    shown = []
    for name, value in given.items():
        if value not in ("", None, ()):
            text = number(value) if isinstance(value, float) else str(value)
            if name.startswith("data_"):
                text = "\n".join(map(line_of, value if isinstance(value, tuple) else (value,)))
            name = "class" if name == "cls" else name.replace("_", "-")
            shown.append(f' {name}="{escape(text)}"')
    return "".join(shown)


def line_of(value: object) -> str:
    """A name, which may hold any character, as one line: what JSON writes between its quotes."""
    return json.dumps(str(value), ensure_ascii=False)[1:-1]


def tag(name: str, content: str = "", **given: Any) -> str:
    """An element; `content` is markup."""
    return f"<{name}{attributes(given)}>{content}</{name}>" if content else f"<{name}{attributes(given)}/>"


def text(x: float, y: float, value: object, cls: str = "", anchor: str = "") -> str:
    """A text; `anchor` is "middle" or "end"."""
    return tag("text", escape(str(value)), x=number(x), y=number(y), cls=cls, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, cls: str = "", dash: str = "") -> str:
    """A line."""
    return tag(
        "line", x1=number(x1), y1=number(y1), x2=number(x2), y2=number(y2), cls=cls, stroke_dasharray=dash
    )  # fmt: skip


def rect(x: float, y: float, width: float, height: float, cls: str = "", **given: Any) -> str:
    """A rectangle."""
    sides = {"x": number(x), "y": number(y), "width": number(max(0.0, width)), "height": number(height)}
    return tag("rect", cls=cls, **sides, **given)


def path(points: Sequence[tuple[float, float]], cls: str = "", dash: str = "", closed: bool = False) -> str:
    """A line through points, or the area within them."""
    corners = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return tag("path", d=f"M{corners}{'Z' if closed else ''}", cls=cls, stroke_dasharray=dash)


def marker(x: float, y: float, shape: str, hollow: bool = False, size: float = 3.4) -> str:
    """An arm's marker, filled or hollow."""
    cls = "hollow" if hollow else ""
    if shape not in MARKERS:
        return tag("circle", cx=number(x), cy=number(y), r=number(size * 1.15), cls=cls)
    corners = " ".join(f"{number(x + size * dx)},{number(y + size * dy)}" for dx, dy in MARKERS[shape])
    return tag("polygon", points=corners, cls=cls)


def width_of(value: str, size: float = 11) -> float:
    """About how wide a text is; East Asian characters are as wide as they are high."""
    return sum(size if ord(character) > 0x2E7F else 0.58 * size for character in value)


def shortened(value: str, room: float, size: float = 11) -> str:
    """A text that fits into `room`, with an ellipsis where it was cut."""
    if width_of(value, size) <= room:
        return value
    while value and width_of(value + "…", size) > room:
        value = value[:-1]
    return value + "…"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two values, at most about `most` but two at least."""
    span = max(high - low, 1e-9)
    unit = 10 ** math.floor(math.log10(span / most))
    at = next(number for number, factor in enumerate(STEPS) if span / (unit * factor) <= most)
    coarse, fine = ([*_multiples(low, high, unit * STEPS[number])] for number in (at, max(0, at - 1)))
    return coarse if len(coarse) > 1 else fine


def _multiples(low: float, high: float, step: float) -> Iterator[float]:
    """The multiples of a step between two values."""
    for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1):
        yield step * index


def short(value: float) -> str:
    """A tick's label."""
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


class Scale:
    """A linear scale from values to coordinates; values beyond its ends stay at them."""

    def __init__(self, low: float, high: float, start: float, stop: float):
        self.low, self.high = (low, high) if high > low else (low - 1, low + 1)
        self.start, self.stop = start, stop

    def __call__(self, value: float) -> float:
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """Round numbers on it."""
        return ticks(self.low, self.high, most)
