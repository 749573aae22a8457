"""The findings in plain words, as Markdown; the report begins with the same sentences."""

from collections.abc import Iterable

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report import declared, tables
from itt_jax.report.cautions import WITHOUT_ITEMS, cautions, is_alone, unjudged_shifts, unknown
from itt_jax.report.names import as_markdown
from itt_jax.report.tables import primary, scores
from itt_jax.report.tables.shown import at_its_look, home


def summary_markdown(analysis: Analysis) -> str:
    """The study and its findings, for a terminal or a text file."""
    parts = ["# What was run", as_markdown(run_sentence(analysis))]
    if len(analysis.arms) > 1:
        parts += ["# Does the arm make transfer more robust?"]
        said = [*verdict_sentences(analysis), *unjudged_shifts(analysis)]
        parts += [f"- {as_markdown(sentence)}" for sentence in said]
    if len(analysis.primary):
        parts += ["", tables.markdown(primary.primary(analysis))]
    if len(analysis.claims):
        parts += ["", "# Claims", tables.markdown(primary.claims(analysis))]
    if found := declared.sentences(analysis):
        parts += ["", *(f"- {as_markdown(sentence)}" for sentence in found)]
    if len(analysis.checks):
        parts += ["", "# Did the stages before the target learn?", tables.markdown(primary.checks(analysis))]
    for target in targets(analysis):
        parts += ["", f"# {as_markdown(target)}", tables.markdown(scores.arms(analysis, target))]
        gains = scores.gains(analysis, target)
        parts += ["", tables.markdown(gains)] if len(gains) else []
        domain = home(analysis, target)
        where = "" if domain == "all" else f" in the training domain ({domain})"
        for encoder, arms, table in scores.scores(analysis, target):
            heading = f"Scores of {encoder} by operator and language{where}: {' / '.join(arms)}"
            parts += ["", as_markdown(heading), ""]
            parts += [tables.markdown(table)]
    warnings = [caution.sentence for caution in cautions(analysis)]
    if warnings:
        parts += ["", "# Note", *(f"- {as_markdown(sentence)}" for sentence in warnings)]
    return "\n".join(parts)


def targets(analysis: Analysis) -> list[str]:
    """The targets in the study's order."""
    return list(dict.fromkeys(analysis.cells["target"]))


def run_sentence(analysis: Analysis) -> str:
    """One sentence on the size of the study."""
    cells = analysis.cells
    perturbed = cells[cells["perturbation"] != "clean"]
    arms, seeds = counted(cells["arm"].nunique(), "arm"), counted(cells["seed"].nunique(), "seed")
    trained = f"{arms} ({listed(cells['arm'])}), {seeds}, "
    sentence = (
        f"{counted(cells['model'].nunique(), 'encoder')} ({listed(cells['model'])}), "
        f"{'' if is_alone(analysis) else trained}{counted(cells['target'].nunique(), 'target')} "
        f"({listed(cells['target'])}); evaluated in {counted(cells['language'].nunique(), 'language')} "
        f"({listed(cells['language'])}) and {counted(cells['domain'].nunique(), 'domain')} ({listed(cells['domain'])})"
    )
    if len(perturbed):
        names = perturbed["perturbation"]
        conditions = len(perturbed.drop_duplicates(["perturbation", "severity"]))
        operators, pairs = counted(names.nunique(), "operator"), counted(conditions, "pair")
        sentence += f", clean and under {operators} ({listed(names)}; {pairs} of operator and severity)"
    cells_made = f"{len(cells):,} of {len(cells) + analysis.missing_cells:,} cells" if analysis.missing_cells else None
    return f"{sentence}. {cells_made or counted(len(cells), 'cell')}, {counted(int(cells['n'].sum()), 'prediction')}."


def verdict_sentences(analysis: Analysis) -> list[str]:
    """One sentence for each primary contrast."""
    if not analysis.has_items:
        return [f"No verdict: {WITHOUT_ITEMS[0]}"]
    if analysis.primary.empty:
        return ["There is no treatment with a baseline, so there is no primary contrast; scores are below."]
    return [_verdict_sentence(row, analysis) for _, row in analysis.primary.iterrows()]


def _verdict_sentence(row: pd.Series, analysis: Analysis) -> str:
    """The contrast of one encoder and arm in words."""
    smallest_effect, about = analysis.smallest_effect, f"{row['model']}, {row['arm']} against {row['baseline']}"
    about += f" ({row['metric']}): " if analysis.primary["metric"].nunique() > 1 else ": "
    if pd.isna(row["estimate"]):
        return f"{about}no answer, because {unknown(analysis)}."
    if row["not_judged"]:
        return f"{about}not judged: {row['not_judged']}."
    changed = "perturbation" if row["kind"] == "perturbation" else "the shift of domain"
    size = tables.points(abs(row["estimate"]))
    found = f"{changed} costs {size} points {'less' if row['estimate'] > 0 else 'more'}"
    found = f"{changed} costs as much" if size == tables.points(0) else found
    interval = f"interaction {at_its_look(row.to_frame().T).iloc[0]}"
    bound = tables.points(smallest_effect)
    verdicts = {
        "supported": f"supported: more robust, beyond the smallest effect of interest ({bound})",
        "contradicted": f"contradicted: less robust, beyond the smallest effect of interest ({bound})",
        "negligible": f"negligible: the difference is smaller than {bound} points either way",
        "undetermined": "undetermined",
    }
    if not row["leaning"]:
        verdicts["undetermined"] += ": percentage points and log-odds differ in sign"
    if pd.notna(row["detectable"]):
        effect = tables.points(row["detectable"])
        verdicts["undetermined"] += f"; four of five such studies would find an effect of {effect} points"
    tail = "" if row["cross_lingual"] else "; in the source language alone: nothing is said about other languages"
    if row["seeds"] == 1:
        tail += f"; one seed: this says nothing about another {analysis.another_run}"
    else:
        tail += f"; holds for another {analysis.another_run}" if row["verdict"] != "undetermined" else ""
    return f"{about}{found} ({interval}); {verdicts[row['verdict']]}{tail}."


def counted(number: int, noun: str) -> str:
    """ "2 seeds"."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def listed(values: Iterable[object], most: int = 12) -> str:
    """The different ones, separated by commas; more than `most` are counted."""
    names = [str(name) for name in dict.fromkeys(values)]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
