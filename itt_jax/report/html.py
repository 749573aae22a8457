"""Writes the report: one self-contained HTML page, a Markdown summary, CSV tables and SVG figures."""

import pathlib
import re
from typing import Any

import pandas as pd

from itt_jax import files
from itt_jax.analysis import Analysis, analyse
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report import declared, provenance, summary, tables
from itt_jax.report.names import file_name
from itt_jax.store import Store


def write_report(out: pathlib.Path, analysis: Analysis | None = None) -> pathlib.Path:
    """Write the report of a results folder: index.html, summary.md, tables/*.csv, figures/*.svg.

    Args:
        out: the folder; its plan, where there is one, adds provenance and costs.
        analysis: of that folder; None makes it.

    Returns:
        the path of index.html.

    Raises:
        InputError: there are no results, or they are damaged.
    """
    from itt_jax.report.figures import all_figures

    store = Store(pathlib.Path(out))
    plan = store.plan()
    analysis = analysis or analyse(store.out)
    report = store.report
    found = tables.tidy(analysis).items()
    _write_all(
        report / "tables", {f"{name}.csv": table.to_csv(index=False, float_format="%.6g") for name, table in found}
    )
    figures = {file_name(name): figure for name, figure in all_figures(analysis).items()}
    _write_all(report / "figures", {f"{name}.svg": figure for name, figure in figures.items()})
    files.write_text(report / "summary.md", summary.summary_markdown(analysis) + "\n")
    page = report / "index.html"
    files.write_text(page, _page(analysis, plan, figures))
    return page


def _write_all(folder: pathlib.Path, texts: dict[str, str]) -> None:
    """Write files by name and remove those of an earlier report, which may have had other targets."""
    for name, text in texts.items():
        files.write_text(folder / name, text)
    for path in folder.glob("*.*"):
        if path.suffix in (".csv", ".svg") and path.name not in texts:
            path.unlink()


def _page(analysis: Analysis, plan: dict[str, Any], figures: dict[str, str]) -> str:
    """The page's HTML."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("itt_jax.report", "."),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["table"] = _html_table
    targets = [_target(analysis, target, figures) for target in summary.targets(analysis)]
    return environment.get_template("page.html.jinja").render(
        title=plan.get("name") or "A study of robust transfer",
        description=plan.get("description") or "",
        run=summary.run_sentence(analysis),
        verdicts=summary.verdict_sentences(analysis),
        declared=declared.sentences(analysis),
        warnings=summary.warning_sentences(analysis),
        contaminated=[str(name) for name in plan.get("contaminated") or ()],
        primary=tables.primary.primary(analysis),
        checks=tables.without_constant(tables.primary.checks(analysis)),
        forest=figures.get("primary"),
        claims=tables.primary.claims(analysis),
        arms=[arm for arm in analysis.arms if arm.summary],
        targets=targets,
        operators=tables.explored.operators(analysis),
        languages=tables.explored.language_interactions(analysis),
        shifts=tables.domains.shifts(analysis),
        distances=tables.domains.distances(analysis),
        kept=tables.without_constant(tables.domains.kept(analysis)),
        controls=tables.without_constant(tables.explored.controls(analysis)),
        edits=tables.rests.edits(analysis),
        counts=tables.without_constant(tables.rests.counts(analysis)),
        contamination=provenance.contamination(analysis.contamination),
        skipped=[str(reason) for reason in plan.get("skipped") or ()],
        stages=provenance.stages(plan),
        precision=provenance.precision(plan),
        machines=provenance.machines(plan),
        bound=tables.points(analysis.smallest_effect),
        has_plan=bool(plan),
    )


def _target(analysis: Analysis, target: str, figures: dict[str, str]) -> dict[str, Any]:
    """One target's part of the page."""
    cells = analysis.cells[analysis.cells["target"] == target]
    perturbed = (cells["perturbation"] != "clean").any()
    return {
        "name": target,
        "metrics": ", ".join(dict.fromkeys(cells["metric"])),
        "id": file_name(target),
        "arms": tables.without_constant(tables.scores.arms(analysis, target)),
        "gains": tables.without_constant(tables.scores.gains(analysis, target)),
        "clean": tables.without_constant(tables.scores.languages(analysis, target, "clean")),
        "perturbed": tables.without_constant(tables.scores.languages(analysis, target, "all"))
        if perturbed
        else pd.DataFrame(),
        "domains": tables.without_constant(tables.domains.domains(analysis, target)),
        "figures": {name: figures.get(file_name(f"{name}-{target}")) for name in ("curves", "operators", "languages")},
    }


def _html_table(frame: pd.DataFrame):
    """A table with text on the left and numbers on the right of their columns; verdicts have a class."""
    import markupsafe

    escape = markupsafe.escape
    names = [str(name) for name in frame.columns]
    text = {"encoder", "arm", "against", "metric", "target", "verdict", "operator", "language", "stage"}
    text |= {
        "shifted domain",
        "source",
        "evaluation",
        "no signal: seeds",
        "diverged seeds",
        "text",
        "task",
        "claim",
        "sentence",
        "contrast",
        "rests on",
    }
    head = "".join(f"<th{_left(name in text)}>{escape(name)}</th>" for name in names)
    body, above = [], None
    for row in frame.astype(object).to_numpy():
        cells = []
        for name, value in zip(names, row, strict=True):
            same = name == "encoder" and above is not None and above[0] == value
            cells.append(f"<td{_left(name in text, same)}>{_cell(name, value, name in text)}</td>")
        begins = ' class="begins"' if above is not None and names[0] == "encoder" and above[0] != row[0] else ""
        body.append(f"<tr{begins}>{''.join(cells)}</tr>")
        above = row
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>"
    return markupsafe.Markup(f'<div class="scroll">{table}</div>')


def _cell(name: str, value: Any, is_text: bool) -> str:
    """The HTML of a table's cell: a verdict in its color, an interval below its estimate."""
    from markupsafe import escape

    shown = str(value)
    if name == "verdict" and shown:
        kind, rest = re.fullmatch(rf"(no signal|no data|{NOT_JUDGED}|\S+):?\s*(.*)", shown).groups()
        small = f"<br><small>{escape(rest)}</small>" if rest else ""
        return f'<span class="verdict {escape(kind)}">{escape(kind)}</span>{small}'
    if shown.endswith("]") and not is_text:
        estimate, _, interval = shown.partition(" ")
        return f"{escape(estimate)}<br><small>{escape(interval)}</small>"
    return str(escape(shown))


def _left(is_text: bool, same: bool = False) -> str:
    return f' class="text{" same" if same else ""}"' if is_text else ""
