"""The page of an attack on one checkpoint: how often it succeeds, at which price, and its texts."""

import math
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.attack.outcomes import Outcome, summaries, summary
from itt_jax.report import html
from itt_jax.report.answers import First
from itt_jax.report.checkpoint_page import write_checkpoint_page
from itt_jax.report.examples import FOLDER, Block, attack_note
from itt_jax.report.figures import Panel, svg
from itt_jax.report.figures.curves import frame_of
from itt_jax.report.figures.forest import PLAIN, Row, forest
from itt_jax.report.summary import counted, listed
from itt_jax.report.tables.shown import points

MOST_ROWS = 200
"""Rows of a language that are shown as examples, in a block of their own."""
WIDTH, HEIGHT = 300.0, 190.0
TERMS = (
    (
        "Attack",
        "A search for small edits of a text that make the model wrong. Only attackable rows are attacked.",
    ),
    (
        "Attackable",
        "The model is right on the row before the attack; in tagging, on at least one entity. In regression all rows "
        "are attackable: the goal is that the score moves.",
    ),
    ("Success", "Share of the attacked rows on which the attack reached its goal, with a Wilson interval of 95 %."),
    ("Under attack", "Share of all rows that are attackable and on which the attack failed."),
)


def write_attack_page(out: pathlib.Path, about: Mapping[str, Any], outcomes: Sequence[Outcome]) -> pathlib.Path:
    """Write the report of an attack's folder; returns the path of its page.

    Args:
        about: what is attacked, by which recipe: "name", "encoder", "task", and "contaminated" where it is allowed.
    """
    figures = summaries(outcomes)
    first = html.ShownFigure(
        "success", "Success of the attack by language, 95 % intervals.", _success(figures), "figures/success.svg"
    )
    price = html.ShownFigure(
        "budget",
        "Share under attack by what this run spent: a success counts from the number of queries, or of edits, that it "
        "took. A run with a smaller budget of queries can end lower, one with fewer edits lower or higher.",
        [panel for own in figures for panel in _budgets(own)],
        "figures/budget.svg",
    )
    return write_checkpoint_page(
        out,
        about,
        f"Attack {about['name']} on {about['encoder']}",
        _first(about, outcomes),
        [first, price],
        ("languages", "Figures by language", _table(figures)),
        pd.DataFrame(figures).drop(columns=["curve_queries", "curve_edits"]),
        [own["language"] for own in figures],
        TERMS,
        "No row was attacked.",
        _blocks(about, outcomes),
    )


def _first(about: Mapping[str, Any], outcomes: Sequence[Outcome]) -> First:
    """The question, the answer and what it rests on."""
    whole = summary(outcomes)
    question = f"How often does the attack {about['name']} fool {about['encoder']} on {about['task']}?"
    rests = [
        ("Rows", f"{whole['rows']:,}, of which {whole['attacked']:,} are attackable and were attacked"),
        ("Languages", listed(own.language for own in outcomes)),
        ("Encoders", f"1: {about['encoder']}; one checkpoint, so nothing is said about another training"),
    ]
    if not whole["attacked"]:
        return First(question, ["No row is attackable, so nothing was attacked."], rests)
    answer = [
        f"{points(whole['accuracy'])} % of the rows are attackable; the attack fails on "
        f"{points(whole['accuracy_under_attack'])} % of the rows.",
        f"The attack succeeds on {points(whole['success_rate'])} % [{points(whole['success_rate_low'])}, "
        f"{points(whole['success_rate_high'])}] of the rows that it tries, after {whole['queries']:,.0f} queries a row "
        "on average.",
    ]
    if whole["succeeded"]:
        answer.append(
            f"A success changes {whole['edits']:.1f} grapheme clusters ({points(whole['edit_rate'])} % of the text) "
            f"and {whole['words_changed']:.1f} words on average."
        )
    return First(question, answer, rests)


def _table(figures: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """The figures of each language."""
    rows = []
    for own in figures:
        share = "–"
        if own["success_rate"] is not None:
            low, high = points(own["success_rate_low"]), points(own["success_rate_high"])
            share = f"{points(own['success_rate'])} [{low}, {high}]"
        rows.append(
            {
                "language": own["language"],
                "rows": f"{own['rows']:,}",
                "attackable %": points(own["accuracy"]),
                "under attack %": points(own["accuracy_under_attack"]),
                "success %": share,
                **{name: _decimal(own[key]) for name, key in (("queries", "queries"), ("edits", "edits"))},
                "words changed": _decimal(own["words_changed"]),
            }
        )
    return pd.DataFrame(rows)


def _decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}"


def _success(figures: Sequence[Mapping[str, Any]]) -> list[Panel]:
    """The success rates of the languages in which something was attacked."""
    rows = [
        Row(
            own["language"] or "all rows",
            f"attackable: {points(own['accuracy'])} → {points(own['accuracy_under_attack'])} %",
            *(own["success_rate"], own["success_rate_low"], own["success_rate_high"]),
            True,
            PLAIN,
            place={"language": own["language"]},
        )
        for own in figures
        if own["success_rate"] is not None
    ]
    axis = "success, % of the attacked rows"
    return [forest(rows, f"Attack by language: {axis}, with 95 % intervals", axis)] if rows else []


def _budgets(own: Mapping[str, Any]) -> Iterator[Panel]:
    """The share under attack over the budget of queries and of edits in one language."""
    for name, unit, on_logs in (("curve_queries", "queries", True), ("curve_edits", "edits", False)):
        curve = own[name]
        if len(curve) < 2:
            continue
        place = math.log10 if on_logs else float
        x = svg.Scale(place(curve[0][0]), place(curve[-1][0]), 40.0, WIDTH - 12)
        y = svg.Scale(0.0, 100.0, HEIGHT - 42, 24.0)
        line = [(x(place(budget)), y(100 * accuracy)) for budget, accuracy in curve]
        body = svg.text(8, 13, f"{own['language']}: under attack (%) by {unit}", "strong") + frame_of(x, y, {})
        for budget, _ in curve[:: math.ceil(len(curve) / 8)]:
            body += svg.text(x(place(budget)), HEIGHT - 28, svg.short(budget), "soft small", "middle")
        body += svg.text(WIDTH / 2, HEIGHT - 12, unit, "soft small", "middle")
        drawn = svg.path(line) + "".join(svg.marker(*point, PLAIN.marker, size=2.6) for point in line)
        body += svg.tag("g", drawn, cls="arm", style=f"--own:{PLAIN.color}")
        title = f"Share under attack by {unit} spent, {own['language']}"
        yield Panel(title, WIDTH, HEIGHT, body, {"language": own["language"]})


def _blocks(about: Mapping[str, Any], outcomes: Sequence[Outcome]) -> Iterator[Block]:
    """Texts before and after the attack, the successes first."""
    order = {"succeeded": 0, "failed": 1, "skipped": 2}
    for number, language in enumerate(dict.fromkeys(own.language for own in outcomes), 1):
        every = [own for own in outcomes if own.language == language]
        own = sorted(every, key=lambda row: order[row.result])[:MOST_ROWS]
        names: dict[str, int] = {}
        before, after, right = (
            [names.setdefault(getattr(row, name), len(names)) for row in own]
            for name in ("prediction_before", "prediction_after", "label")
        )
        graded = any(row.prediction_before == row.label for row in own)
        rows = f"{about['task']}, {language or 'all rows'} ({counted(len(own), 'row')})"
        place = {"file": f"{FOLDER}/{number:05d}.js", "rows": rows, "noise": about["name"], "language": language}
        items = [
            {
                "id": row.item_id,
                "label": row.label,
                "ok": True,
                "right": [truth] if graded else None,
                "clean": list(row.fields.values()),
                "noisy": None,
            }
            for row, truth in zip(own, right, strict=True)
        ]
        data = {"fields": list(own[0].fields), "language": language, "noise": about["name"], "of": len(every)}
        data |= {"models": [[about["encoder"], "as given", 0]], "items": items, "names": list(names)}
        data |= {"before": [before], "after": [after], "before_scores": [None], "after_scores": [None]}
        fields, changed = list(own[0].fields), [None if row.text == row.fields[row.field] else row.text for row in own]
        notes = [attack_note(row.result, row.queries) for row in own]
        data |= {"field": fields.index(own[0].field), "texts": [changed], "notes": [notes]}
        yield Block(place, data)
