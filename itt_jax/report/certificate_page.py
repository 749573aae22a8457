"""The page of a checkpoint's certificates: accuracy that no edit within a radius can lower."""

import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.certify.figures import SHOWN
from itt_jax.report import html
from itt_jax.report.answers import First
from itt_jax.report.checkpoint_page import write_checkpoint_page
from itt_jax.report.figures import Panel, svg
from itt_jax.report.figures.curves import frame_of
from itt_jax.report.figures.forest import PLAIN
from itt_jax.report.summary import listed
from itt_jax.report.tables.shown import points

WIDTH, HEIGHT = 300.0, 190.0
CAPTION = (
    "Share of the rows that are right with a radius of at least so many edits. Band: down to the lower bound, which "
    "true accuracy under so many edits is not below, with the stated confidence."
)
UNDER_ATTACK = (
    " Dashed: rows on which the attack needed more edits, or failed; it was made on the checkpoint as it is, not on "
    "the smoothed classifier."
)
TERMS = (
    (
        "Smoothed classifier",
        "Every unit of a text is deleted with the stated probability; the most frequent class of many such samples is "
        "the prediction. It abstains where no class is clearly more probable than all others.",
    ),
    (
        "Radius",
        "Insertions, deletions and substitutions of units, in any mixture, that leave the prediction as it is.",
    ),
    (
        "At least",
        "Each certificate may be false with probability 1 − confidence, so the bound subtracts the most rows that "
        "may be false.",
    ),
)
NO_TEXTS = "Certificates hold no texts; `attack` shows those that it finds."


def write_certificate_page(
    out: pathlib.Path, about: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]
) -> pathlib.Path:
    """Write the report of a folder of certificates; returns the path of its page.

    Args:
        about: what is certified: "encoder", "task", and "contaminated" where it is allowed. figures: of each language,
            see `certify.figures.summary`.
    """
    caption = CAPTION + (UNDER_ATTACK if any("under_attack" in own for own in figures) else "")
    return write_checkpoint_page(
        out,
        about,
        f"Certificates of {about['encoder']}",
        _first(about, figures),
        [html.ShownFigure("certified", caption, list(_panels(figures)), "figures/certified.svg")],
        ("certified", "Certified accuracy by radius", _table(figures)),
        _tidy(figures),
        [own["language"] for own in figures],
        TERMS,
        NO_TEXTS,
    )


def _first(about: Mapping[str, Any], figures: Sequence[Mapping[str, Any]]) -> First:
    """The question, the answer and what it rests on."""
    own, rows = figures[0], sum(one["rows"] for one in figures)
    unit, confidence = own["unit"], 100 * own["confidence"]
    mean = lambda name: sum(one[name] * one["rows"] for one in figures) / rows  # noqa: E731
    farthest = max(one["certified"][-1][0] for one in figures)
    answer = [
        f"The smoothed classifier is right on {points(mean('accuracy'))} % of the rows and abstains on "
        f"{points(mean('abstained'))} %."
    ]
    for radius in dict.fromkeys((min(1, farthest), farthest)):
        share = sum(_at(one["certified"], radius) * one["rows"] for one in figures) / rows
        said = f"{points(share)} % of the rows are certified to stay right"
        answer.append(f"Whatever {_edits(radius, unit)} made, {said}." if radius else "No radius is above 0.")
    rests = [
        ("Rows", f"{rows:,}"),
        ("Languages", listed(one["language"] for one in figures)),
        ("Samples", f"{own['samples']:,} a text; each {unit} is deleted with probability {own['rate']:g}"),
        ("Confidence", f"{confidence:g} % for each row's certificate; lower bounds of shares are in the table"),
        ("Encoders", f"1: {about['encoder']}; one checkpoint, so nothing is said about another training"),
    ]
    question = f"How accurate is {about['encoder']} on {about['task']} whatever small edits are made?"
    return First(question, answer, rests)


def _edits(radius: int, unit: str) -> str:
    """ "3 edits of characters are"."""
    return f"{radius} edit{' of' if radius == 1 else 's of'} {unit}s {'is' if radius == 1 else 'are'}"


def _at(curve: Sequence[Sequence[float]], radius: int) -> float:
    """The share at a radius; zero beyond the last."""
    return next((share for r, share, *_ in curve if r == radius), 0.0)


def _tidy(figures: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A row for each language and radius, unrounded."""
    rows = []
    for own in figures:
        attacked = dict(own.get("under_attack", ()))
        place = {name: own[name] for name in ("language", "rows", "unit", "rate", "confidence", "abstained")}
        for radius, share, low in own["certified"]:
            row = place | {"radius": radius, "certified": share, "at_least": low}
            rows.append(row | ({"under_attack": attacked[radius]} if attacked else {}))
    return pd.DataFrame(rows)


def _table(figures: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Some radii of each language, in percent."""
    frame = _tidy(figures)
    last = frame.groupby("language", sort=False)["radius"].transform("max")
    frame = frame[frame["radius"].isin(SHOWN) | (frame["radius"] == last)]
    shown = {"language": frame["language"], "radius": frame["radius"], "certified %": frame["certified"].map(points)}
    shown["at least %"] = frame["at_least"].map(points)
    if "under_attack" in frame:
        shown["under attack %"] = frame["under_attack"].map(points)
    return pd.DataFrame(shown).reset_index(drop=True)


def _panels(figures: Sequence[Mapping[str, Any]]) -> Iterator[Panel]:
    """Certified accuracy over radius: a panel for each language, on the same axes."""
    farthest = max(max(own["certified"][-1][0] for own in figures), 1)
    x, y = svg.Scale(0.0, farthest, 40.0, WIDTH - 12), svg.Scale(0.0, 100.0, HEIGHT - 42, 24.0)
    step = math.ceil((farthest + 1) / 9)
    labels = {float(radius): str(radius) for radius in range(0, farthest + 1, step)}
    for own in figures:
        curve = [(x(r), y(100 * share), y(100 * low)) for r, share, low in own["certified"]]
        band = [(r, share) for r, share, _ in curve] + [(r, low) for r, _, low in reversed(curve)]
        drawn = svg.path(band, "band", closed=True) + svg.path([(r, share) for r, share, _ in curve])
        drawn += "".join(svg.marker(r, share, PLAIN.marker, size=2.6) for r, share, _ in curve)
        body = svg.text(8, 13, f"{own['language']}: certified accuracy (%)", "strong") + frame_of(x, y, labels)
        body += svg.text(WIDTH / 2, HEIGHT - 12, f"radius in edits of {own['unit']}s", "soft small", "middle")
        body += svg.tag("g", drawn, cls="arm", style=f"--own:{PLAIN.color}")
        if attacked := own.get("under_attack"):
            line = svg.path([(x(r), y(100 * share)) for r, share in attacked], dash="6 3")
            body += svg.tag("g", line, cls="arm", style="--own:#D55E00")
        title = f"Certified accuracy by radius, {own['language']}"
        yield Panel(title, WIDTH, HEIGHT, body, {"language": own["language"]})
