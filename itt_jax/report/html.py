"""Pages of a report: HTML that is whole, loads nothing from elsewhere, and shows text of data as text."""

import base64
import dataclasses
import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.answers import First
from itt_jax.report.figures import DIMENSIONS, STYLE, Panel
from itt_jax.report.figures.svg import attributes, line_of

OPEN_ROWS = 30
"""Rows of the longest table that is shown without a click."""
LONG = 30
"""Characters of the longest value of a column that is given room."""
DIMENSION = {
    "encoder": "encoder",
    "target": "task",
    "arm": "arm",
    "against": "arm",
    "language": "language",
    "shifted domain": "domain",
    "operator": "operator",
    "attack": "attack",
}
"""Column of a table -> the dimension that its values are of; a row belongs to both of the arms it compares."""
NUMERIC = re.compile(r"[<+\N{MINUS SIGN}-]?\d[\d,.]*( %)?( \[.*\])?( (\d+ of \d+ )?no signal)?|–|")


@dataclasses.dataclass(frozen=True)
class ShownTable:
    """A table of a page.

    Attributes:
        wide: its columns that are languages, which the filter of languages hides. links: (text, file) to load it.
        place: dimension of filters -> the values that each row belongs to, instead of those of its columns.
    """

    name: str
    caption: str
    frame: pd.DataFrame
    note: str = ""
    wide: Sequence[str] = ()
    links: Sequence[tuple[str, str]] = ()
    place: Mapping[str, Sequence[tuple[str, ...]]] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class ShownFigure:
    """A figure of a page; `file` is its graphic on its own."""

    name: str
    caption: str
    panels: Sequence[Panel]
    file: str


@dataclasses.dataclass(frozen=True)
class ShownSection:
    """A section of a page; `lists` are headings with lines."""

    id: str
    title: str
    intro: str
    figures: Sequence[ShownFigure] = ()
    tables: Sequence[ShownTable] = ()
    lists: Sequence[tuple[str, Sequence[str]]] = ()


@dataclasses.dataclass(frozen=True)
class Page:
    """Everything that a page shows.

    Attributes:
        figure: of the first screen. cautions: (few words, sentence). notes: further sentences of the first screen.
        filters: dimension -> its values. examples: the blocks of texts (`report.examples`), or why there are none;
            examples_note says which are left out.
        terms: (name, explanation).
    """

    title: str
    first: First
    figure: ShownFigure | None
    cautions: Sequence[tuple[str, str]]
    notes: Sequence[str]
    sections: Sequence[ShownSection]
    filters: Mapping[str, Sequence[str]]
    examples: Sequence[Mapping[str, Any]]
    no_examples: str
    terms: Sequence[tuple[str, str]]
    examples_note: str = ""


def page(shown: Page) -> str:
    """The page's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("itt_jax.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"table": _table, "panels": _panels, "line": line_of}
    script = _resource("page.js")
    return environment.get_template("page.html.jinja").render(
        page=shown,
        style=_resource("page.css") + STYLE,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        # "<" is escaped, so that no value ends the element
        blocks=json.dumps(list(shown.examples), separators=(",", ":")).replace("<", "\\u003c"),
        open_rows=OPEN_ROWS,
        dimensions=[name for name in DIMENSIONS if name in shown.filters],
    )


def _resource(name: str) -> str:
    return importlib.resources.files("itt_jax.report").joinpath(name).read_text(encoding="utf-8")


def _panels(figure: ShownFigure):
    """The panels of a figure."""
    import markupsafe

    return markupsafe.Markup("".join(panel.markup() for panel in figure.panels))


def _table(shown: ShownTable):
    """A table with a caption, scopes, sortable columns, and the attributes that filters read."""
    import markupsafe

    escape, frame = markupsafe.escape, shown.frame
    names = [str(name) for name in frame.columns]
    values = frame.astype(object).to_numpy()
    numeric = [all(NUMERIC.fullmatch(str(value)) for value in column) for column in values.T]
    long = {
        name for name, column in zip(names, values.T, strict=True) if max(map(len, map(str, column)), default=0) > LONG
    }
    head = ""
    for name, is_number in zip(names, numeric, strict=True):
        place = attributes({"data_language": name}) if name in shown.wide else ""
        cls = "" if is_number else ' class="text"'
        head += f'<th scope="col"{cls}{place}><button type="button">{escape(name)}</button></th>'
    body = []
    for number, row in enumerate(values):
        place = attributes({f"data_{name}": value for name, value in _place(shown, number, names, row).items()})
        cells = [f'<th scope="row">{_cell(names[0], row[0], False)}</th>']
        for name, value, is_number in list(zip(names, row, numeric, strict=True))[1:]:
            cls = "" if is_number else f' class="text{" long" if name in long else ""}"'
            cells.append(f"<td{cls}>{_cell(name, value, is_number)}</td>")
        body.append(f"<tr{place}>{''.join(cells)}</tr>")
    caption = f"<caption>{escape(shown.caption)}</caption>"
    table = f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    label = attributes({"aria_label": shown.caption})
    return markupsafe.Markup(f'<div class="scroll" role="region" tabindex="0"{label}>{table}</div>')


def _place(shown: ShownTable, number: int, names: Sequence[str], row: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """What a row is about: dimension of filters -> values."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in zip(names, row, strict=True):
        if name in DIMENSION:
            found[DIMENSION[name]] = (*found.get(DIMENSION[name], ()), str(value))
    return found | {name: values[number] for name, values in shown.place.items()}


def _cell(name: str, value: Any, is_number: bool) -> str:
    """The HTML of a table's cell: a verdict in its colour, an interval below its estimate."""
    from markupsafe import escape

    shown = str(value)
    if name == "verdict" and shown:
        ((kind, rest),) = re.findall(rf"^(no signal|no data|{NOT_JUDGED}|\S+):?\s*(.*)\Z", shown, re.DOTALL)
        small = f" <small>{escape(rest)}</small>" if rest else ""
        return f'<span class="verdict {escape(kind.replace(" ", "-"))}">{escape(kind)}</span>{small}'
    if shown.endswith(("]", " no signal")) and is_number:
        estimate, _, interval = shown.partition(" ")
        return f"{escape(estimate)}<br><small>{escape(interval)}</small>"
    return str(escape(shown))
