"""Writes the report: pages, a Markdown summary, tables, figures and examples."""

import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax import files
from itt_jax.analysis import Analysis, analyse
from itt_jax.report import declared, examples, html, provenance, tables
from itt_jax.report.answers import first_screen
from itt_jax.report.cautions import cautions, is_alone
from itt_jax.report.figures import ALONE, FIGURES, Figure, legend, sheet, svg
from itt_jax.report.sections import SECTIONS
from itt_jax.report.summary import run_sentence, summary_markdown, verdict_sentences
from itt_jax.report.terms import terms
from itt_jax.store import Store

OF_CELLS = {"encoder": "model", "task": "target", "arm": "arm", "domain": "domain", "language": "language"}
"""Dimension of filters -> column of the results."""
NO_TEXTS = (
    "The folder has no texts of its rows, which `run` and `evaluate` keep where they find the data: run the same "
    "command again, and the report has them."
)
NO_PREDICTIONS = "The folder has no predictions of single rows (cells/)."


def write_report(out: pathlib.Path, analysis: Analysis | None = None) -> pathlib.Path:
    """Write the report of a results folder: index.html, summary.md, tables/, figures/ and examples/.

    Args:
        out: the folder; its plan, where there is one, adds provenance and costs.
        analysis: of that folder; None makes it.

    Returns:
        the path of index.html.

    Raises:
        InputError: there are no results, or they are damaged.
    """
    store = Store(pathlib.Path(out))
    analysis = analysis or analyse(store.out)
    plan, report = analysis.plan, store.report
    shown = {table.name: table.of(analysis, plan) for table in tables.TABLES}
    texts = {name: csv(table) for name, table in tables.tidy(analysis).items()}
    texts |= {table.name: csv(shown[table.name]) for table in tables.TABLES if not table.source}
    texts["stages"] = csv(provenance.stage_costs(plan))
    found = {f"{name}.csv": text for name, text in texts.items()}
    for name, table in shown.items():
        if len(table):
            found |= {f"{name}.md": tables.markdown(table) + "\n", f"{name}.tex": tables.latex(table) + "\n"}
    write_all(report / "tables", found)
    figures = [_figure(figure, analysis, plan) for figure in (*FIGURES, *([ALONE] if is_alone(analysis) else []))]
    write_all(report / "figures", {f"{own.name}.svg": sheet(own.panels) for own in figures if own.panels})
    every = pd.concat([own for own in (analysis.cells, analysis.attack_cells) if len(own)])
    blocks = write_blocks(report, examples.blocks(store.out, every) if analysis.has_items else ())
    files.write_text(report / "summary.md", summary_markdown(analysis) + "\n")
    page = report / "index.html"
    note = examples.LEFT_OUT if blocks and len(examples.shown_cells(every)) < len(every) else ""
    files.write_text(page, html.page(_page(analysis, plan, shown, figures, blocks, note)))
    return page


def write_all(folder: pathlib.Path, texts: Mapping[str, str]) -> None:
    """Write files by name and remove those of an earlier report, which may have had other targets."""
    for name, text in texts.items():
        files.write_text(folder / name, text)
    for path in folder.glob("*.*"):
        if path.suffix in (".csv", ".md", ".tex", ".svg", ".js") and path.name not in texts:
            path.unlink()


def write_blocks(report: pathlib.Path, found: Iterable[examples.Block]) -> list[Mapping[str, str]]:
    """Write the blocks of examples, one after the other; returns what a page knows of each."""
    folder, written = report / examples.FOLDER, []
    for block in found:
        files.write_text(report / block.about["file"], block.script)
        written.append(block.about)
    names = {pathlib.PurePath(about["file"]).name for about in written}
    for path in folder.glob("*.js"):
        if path.name not in names:
            path.unlink()
    return written


def csv(table: pd.DataFrame) -> str:
    """A table with six significant digits."""
    return table.to_csv(index=False, float_format="%.6g")


def _figure(figure: Figure, analysis: Analysis, plan: Mapping[str, Any]) -> html.ShownFigure:
    """A figure with its panels, the legend before them."""
    panels = figure.make(analysis, plan)
    if panels and figure.has_arms and not is_alone(analysis):
        panels = [legend(analysis), *panels]
    chance = "; dotted: chance" if any(svg.CHANCE in panel.body for panel in panels) else ""
    caption = figure.caption.format(bound=tables.points(analysis.smallest_effect), chance=chance)
    return html.ShownFigure(figure.name, caption, panels, f"figures/{figure.name}.svg")


def _page(
    analysis: Analysis,
    plan: Mapping[str, Any],
    shown: Mapping[str, pd.DataFrame],
    figures: Sequence[html.ShownFigure],
    blocks: Sequence[Mapping[str, str]],
    note: str,
) -> html.Page:
    """What the page shows."""
    drawn = {own.name: own for own in figures}
    care = [(one.short, one.sentence) for one in cautions(analysis)]
    allowed = "{} was trained on some of the evaluation text; the study allowed this."
    care += [("contaminated encoders", f"Contamination: {allowed.format(n)}") for n in plan.get("contaminated") or ()]
    missing = NO_TEXTS if analysis.has_items else NO_PREDICTIONS
    verdicts = () if is_alone(analysis) else verdict_sentences(analysis)
    return html.Page(
        title=plan.get("name") or "A study of robust transfer",
        first=first_screen(analysis, plan),
        figure=drawn["scores"] if is_alone(analysis) else drawn["primary"],
        cautions=care,
        notes=[run_sentence(analysis), *verdicts, *declared.sentences(analysis)],
        sections=_sections(analysis, plan, shown, drawn),
        filters=_filters(analysis),
        examples=blocks,
        no_examples="" if blocks else missing,
        terms=terms(analysis),
        examples_note=note,
    )


def _sections(
    analysis: Analysis,
    plan: Mapping[str, Any],
    shown: Mapping[str, pd.DataFrame],
    drawn: Mapping[str, html.ShownFigure],
) -> list[html.ShownSection]:
    """The sections that have something to show."""
    lists, found = _lists(analysis, plan), []
    languages = list(dict.fromkeys(analysis.cells["language"]))
    words = {
        "metrics": ", ".join(dict.fromkeys(analysis.cells["metric"])),
        "bound": tables.points(analysis.smallest_effect),
    }
    for section in SECTIONS:
        figures = [drawn[own.name] for own in FIGURES if own.section == section.id and drawn[own.name].panels]
        own = [table for table in tables.TABLES if table.section == section.id and len(shown[table.name])]
        part = html.ShownSection(
            section.id,
            section.title,
            section.intro,
            figures,
            [
                html.ShownTable(
                    table.name,
                    table.caption.format(**words),
                    shown[table.name],
                    table.note.format(**words),
                    languages if table.wide else (),
                    links(table.name, table.source),
                    table.place(analysis, shown[table.name]),
                )
                for table in own
            ],
            lists.get(section.id, ()),
        )
        if part.figures or part.tables or part.lists:
            found.append(part)
    return found


def links(name: str, source: str) -> list[tuple[str, str]]:
    """The files of a table."""
    csv = f"tables/{source or name}.csv"
    return [("CSV", csv), ("LaTeX", f"tables/{name}.tex"), ("Markdown", f"tables/{name}.md")]


def _lists(analysis: Analysis, plan: Mapping[str, Any]) -> dict[str, list[tuple[str, list[str]]]]:
    """Section -> its headings with lines."""
    rests, cost = [], []
    if not plan:
        rests.append(("Contamination", ["Unknown: the store has no plan.json."]))
    elif provenance.contamination(analysis.contamination).empty:
        rests.append(("Contamination", ["No training or dev row shares its text with an evaluation row."]))
    if skipped := [str(reason) for reason in plan.get("skipped") or ()]:
        rests.append(("Requested but absent", skipped))
    for heading, lines in (
        ("Precision", provenance.precision(plan)),
        ("Machine and versions", provenance.machines(plan)),
    ):
        if lines:
            cost.append((heading, lines))
    return {"rests": rests, "cost": cost}


def _filters(analysis: Analysis) -> dict[str, list[str]]:
    """Dimension -> its values, where there are several."""
    cells = analysis.cells
    found = {name: list(dict.fromkeys(map(str, cells[column]))) for name, column in OF_CELLS.items()}
    found["operator"] = list(dict.fromkeys(cells.loc[cells["perturbation"] != "clean", "perturbation"]))
    found["attack"] = list(dict.fromkeys(analysis.attack_cells.get("perturbation", ())))
    return {name: values for name, values in found.items() if len(values) > 1}
