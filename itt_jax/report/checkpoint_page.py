"""What the pages of one checkpoint, of an attack on it and of its certificates, have in common."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax import files
from itt_jax.report import html, tables
from itt_jax.report.answers import First
from itt_jax.report.cautions import allowed_contamination
from itt_jax.report.examples import Block
from itt_jax.report.figures import sheet
from itt_jax.report.writing import csv, links, write_all, write_blocks


def write_checkpoint_page(
    out: pathlib.Path,
    about: Mapping[str, Any],
    title: str,
    first: First,
    figures: Sequence[html.ShownFigure],
    table: tuple[str, str, pd.DataFrame],
    tidy: pd.DataFrame,
    languages: Sequence[str],
    terms: Sequence[tuple[str, str]],
    no_examples: str,
    blocks: Iterable[Block] = (),
) -> pathlib.Path:
    """Write the report of a folder of one checkpoint; returns the path of its page.

    Args:
        about: the checkpoint: "encoder", and "contaminated" where it is allowed.
        figures: the first one for the first screen. table: name, caption and rows as shown; `tidy` with six digits.
        no_examples: what is said in place of examples if there are no blocks of them.
    """
    report, (name, caption, frame) = pathlib.Path(out) / "report", table
    written = {f"{name}.csv": csv(tidy)}
    written |= {f"{name}.md": tables.markdown(frame) + "\n", f"{name}.tex": tables.latex(frame) + "\n"}
    write_all(report / "tables", written)
    write_all(report / "figures", {f"{own.name}.svg": sheet(own.panels) for own in figures if own.panels})
    examples = write_blocks(report, blocks)
    shown = html.ShownTable(name, caption, frame, links=links(name, ""))
    more = [own for own in figures[1:] if own.panels]
    page = html.Page(
        title=title,
        first=first,
        figure=figures[0],
        cautions=allowed_contamination(about),
        notes=[],
        sections=[html.ShownSection("figures", "Figures", "", more, [shown])],
        filters={"language": languages} if len(languages) > 1 else {},
        examples=examples,
        no_examples="" if examples else no_examples,
        terms=terms,
    )
    files.write_text(report / "index.html", html.page(page))
    return report / "index.html"
