"""The findings in plain words, as Markdown; the report begins with the same sentences."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.findings import FINE_TUNING
from itt_jax.report import declared, tables
from itt_jax.report.names import as_markdown
from itt_jax.report.tables import primary, scores
from itt_jax.report.tables.shown import at_its_look, home
from itt_jax.store.results import ALONE


def summary_markdown(analysis: Analysis) -> str:
    """The study and its findings, for a terminal or a text file."""
    parts = ["# What was run", as_markdown(run_sentence(analysis))]
    if len(analysis.arms) > 1:
        parts += ["# Does the arm make transfer more robust?"]
        parts += [f"- {as_markdown(sentence)}" for sentence in verdict_sentences(analysis)]
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
    warnings = warning_sentences(analysis)
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
    arms, seeds = _count(cells["arm"].nunique(), "arm"), _count(cells["seed"].nunique(), "seed")
    trained = f"{arms} ({_listed(cells['arm'])}), {seeds}, "
    sentence = (
        f"{_count(cells['model'].nunique(), 'encoder')} ({_listed(cells['model'])}), "
        f"{'' if _is_alone(analysis) else trained}{_count(cells['target'].nunique(), 'target')} "
        f"({_listed(cells['target'])}); evaluated in {_count(cells['language'].nunique(), 'language')} "
        f"({_listed(cells['language'])}) and {_count(cells['domain'].nunique(), 'domain')} ({_listed(cells['domain'])})"
    )
    if len(perturbed):
        names = perturbed["perturbation"]
        conditions = len(perturbed.drop_duplicates(["perturbation", "severity"]))
        operators, pairs = _count(names.nunique(), "operator"), _count(conditions, "pair")
        sentence += f", clean and under {operators} ({_listed(names)}; {pairs} of operator and severity)"
    cells_made = f"{len(cells):,} of {len(cells) + analysis.missing_cells:,} cells" if analysis.missing_cells else None
    return f"{sentence}. {cells_made or _count(len(cells), 'cell')}, {int(cells['n'].sum()):,} predictions."


def _is_alone(analysis: Analysis) -> bool:
    """Whether a checkpoint was evaluated without a study."""
    return bool((analysis.cells["arm"] == ALONE["arm"]).all())


WITHOUT_ITEMS = (
    "the folder holds its results without the predictions of its cells (cells/), on which intervals and tests rest.",
    "Left out, because they rest on the predictions of single items: intervals, tests and verdicts; interactions, "
    "relative drop and retention (which groups have signal is unknown); worst cells and cases; how often edits that "
    "may change the label are noticed; and areas under curves of targets some of whose items lost their right answer.",
    "Scores and their differences are means over seeds of the scores in results.parquet.",
)
"""What a report says that is made of results alone."""


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
        return about + "no answer, because no clean score was above chance in both arms."
    if row["not_judged"]:
        return f"{about}not judged: {row['not_judged']}."
    changed = "perturbation" if row["kind"] == "perturbation" else "the shift of domain"
    size = tables.points(abs(row["estimate"]))
    way = "smaller" if row["estimate"] > 0 else "larger"
    found = f"{changed} costs {size} points less" if way == "smaller" else f"{changed} costs {size} points more"
    interval = f"interaction {at_its_look(row.to_frame().T).iloc[0]}"
    bound = tables.points(smallest_effect)
    verdicts = {
        "supported": f"supported: more robust, beyond the smallest effect of interest ({bound})",
        "contradicted": f"contradicted: less robust, beyond the smallest effect of interest ({bound})",
        "negligible": f"negligible: the difference is smaller than {bound} points either way",
        "undetermined": f"undetermined; an effect of {tables.points(row['detectable'])} points would have been found",
    }
    tail = "" if row["cross_lingual"] else "; in the source language alone: nothing is said about other languages"
    if row["seeds"] == 1:
        tail += f"; one seed: this says nothing about another {analysis.another_run}"
    else:
        tail += f"; holds for another {analysis.another_run}" if row["verdict"] != "undetermined" else ""
    return f"{about}{found} ({interval}); {verdicts[row['verdict']]}{tail}."


def warning_sentences(analysis: Analysis) -> list[str]:
    """Warnings to read before trusting the tables."""
    counts, found = (
        analysis.counts,
        [f"Contamination: {w}." for entry in analysis.contamination if (w := entry.warning())],
    )
    for _, row in counts[counts["no_signal_seeds"] != ""].iterrows():
        about = f"{row['model']}, {row['arm']}, {row['target']} ({row['metric']})"
        seeds = "" if _is_alone(analysis) else f"{_seeds(row['no_signal_seeds'])} of "
        found.append(f"{seeds}{about}: not above chance in the source language; scores are reported all the same.")
    if analysis.missing_cells:
        found.append(
            f"The run is not finished: {analysis.missing_cells:,} cells are missing; arms may differ in seeds."
        )
    if not analysis.has_items:
        found += [WITHOUT_ITEMS[0].capitalize(), *WITHOUT_ITEMS[1:]]
    below = counts["groups_no_signal"].sum()
    if analysis.has_items and below:
        found.append(
            f"{below} of {counts['groups'].sum()} combinations of encoder, arm, task and language have no score above "
            "chance on dev rows; they are left out of ratios and interactions."
        )
    unchecked = counts["groups_unchecked"].sum()
    if analysis.has_items and unchecked:
        found.append(
            f"Signal not checked: {unchecked} of {counts['groups'].sum()} combinations of encoder, arm, task and "
            "language have no dev rows; they are kept, so that interactions may include scores at chance."
        )
    seeds = counts["seeds"].min() if len(counts) else 0
    if analysis.has_items and seeds == 1:
        one = "One checkpoint" if _is_alone(analysis) else "One seed"
        found.append(f"{one}: intervals and tests cover the choice of items alone, not another {analysis.another_run}.")
    elif analysis.has_items and 1 < seeds < 5:
        found.append(
            f"{seeds} seeds: intervals are wide because few seeds say little about the variation between "
            f"{analysis.another_run}s."
        )
    if analysis.has_items and seeds and analysis.another_run == FINE_TUNING:
        found.append(
            "All seeds of an encoder start from the same pretrained parameters: nothing is said about pretraining."
        )
    differing = int(counts["cells_whose_value_differs"].sum())
    if differing:
        found.append(f"Stored values of {differing} cells differ from those of their predictions; the latter are used.")
    return found


def _seeds(numbers: str) -> str:
    """ "0 1" as "Seeds 0 and 1"."""
    *first, last = numbers.split()
    return f"Seeds {', '.join(first)} and {last}" if first else f"Seed {last}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _listed(values: pd.Series, most: int = 12) -> str:
    names = [str(name) for name in dict.fromkeys(values)]
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
