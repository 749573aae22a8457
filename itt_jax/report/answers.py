"""The first screen in plain words: the question, the answer, and what it rests on."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.cautions import WITHOUT_ITEMS, is_alone
from itt_jax.report.summary import counted, listed
from itt_jax.report.tables.shown import points
from itt_jax.store.results import CLEAN_TEXT

NO_SIGNAL = "no signal"
FOUND = {
    "supported": "{arm} made predictions more robust to {change}",
    "contradicted": "{arm} made predictions less robust to {change}",
    "negligible": "{arm} changed robustness to {change} by less than {bound} points either way",
    "undetermined": "the data do not decide whether {arm} changes robustness to {change}",
    NOT_JUDGED: "nothing can be said about {arm}, because a stage before the target did not learn",
    NO_SIGNAL: "nothing can be said about {arm}, because scores are at the level of chance",
}
"""Verdict -> what it means for robustness."""


@dataclasses.dataclass(frozen=True)
class First:
    """The first screen.

    Attributes:
        question: in one sentence. answer: sentences that a reader from another field understands.
        rests: what the answer rests on: (name, text).
    """

    question: str
    answer: Sequence[str]
    rests: Sequence[tuple[str, str]]


def first_screen(analysis: Analysis, plan: Mapping[str, Any]) -> First:
    """The first screen of a study, or of a checkpoint that was evaluated alone."""
    rests = _rests(analysis, plan)
    if is_alone(analysis):
        cells = analysis.cells
        question = f"How robust is {listed(cells['model'])} on {listed(cells['target'])}?"
        return First(question, _alone(analysis), rests)
    question = plan.get("description") or "Does the arm make transfer more robust?"
    if not analysis.has_items:
        return First(question, [f"No verdict: {WITHOUT_ITEMS[0]}"], rests)
    if analysis.primary.empty:
        return First(question, ["The folder has no treatment with a baseline, so there is nothing to compare."], rests)
    answer = []
    for (arm, baseline), own in analysis.primary.groupby(["arm", "baseline"], sort=False):
        answer += [_verdicts(str(arm), str(baseline), own, analysis), *_gain(str(arm), str(baseline), analysis)]
    return First(question, answer, rests)


def _verdicts(arm: str, baseline: str, own: pd.DataFrame, analysis: Analysis) -> str:
    """The verdicts on one contrast, encoders with the same one together."""
    several = own["metric"].nunique() > 1
    found: dict[str, list[str]] = {}
    for row in own.to_dict("records"):
        name = f"{row['model']} ({row['metric']})" if several else row["model"]
        found.setdefault(row["verdict"] if pd.notna(row["estimate"]) else NO_SIGNAL, []).append(name)
    noise = (own["kind"] == "perturbation").all()
    words = {"arm": arm, "bound": points(analysis.smallest_effect)}
    words["change"] = "perturbed text" if noise else "a shift of domain"
    parts = []
    for verdict, meaning in FOUND.items():
        if names := found.get(verdict):
            where = f" (in {listed(names)})" if len(found) > 1 or len(names) < len(own) else ""
            parts.append(meaning.format(**words) + where)
    summaries = {one.name: one.summary for one in analysis.arms}
    what = f"{arm} is {summaries[arm]}. " if summaries.get(arm) else ""
    return f"{what}Compared with {baseline}, {'; '.join(parts)}."


def _gain(arm: str, baseline: str, analysis: Analysis) -> list[str]:
    """What an arm changes on the clean text that its robustness is judged on."""
    rows = analysis.interactions
    rows = rows[(rows["kind"] == "perturbation") & (rows["subset"] == "all")]
    rows = rows[(rows["arm"] == arm) & (rows["baseline"] == baseline)]
    rows = rows[(rows[["language", "domain", "perturbation"]] == "all").all(axis=1) & rows["severity"].isna()]
    gains = rows[["second", "second_low", "second_high"]].dropna()
    gains.columns = ["estimate", "ci_low", "ci_high"]
    if gains.empty:
        return []
    low, high = gains["estimate"].min(), gains["estimate"].max()
    size = points(low, True) if len(gains) == 1 else f"{points(low, True)} to {points(high, True)}"
    where = "" if len(gains) == 1 else " over encoders and targets"
    above, below = (gains["ci_low"] > 0).all(), (gains["ci_high"] < 0).all()
    within = ((gains["ci_low"] <= 0) & (gains["ci_high"] >= 0)).all()
    if above or below:
        found = f"it scores {'higher' if above else 'lower'} ({size} points{where})"
    elif within:
        found = f"the difference in score is not distinguishable from zero ({size} points{where})"
    else:
        found = f"the difference in score is {size} points{where}; not all of it is distinguishable from zero"
    return [f"On clean text of the same tasks and languages {found}."]


def _alone(analysis: Analysis) -> list[str]:
    """What perturbation costs a checkpoint."""
    curves, answer = analysis.curves, []
    curves = curves[(curves["domain"] == "all") & (curves["language"] == "all")]
    for (target, metric), own in curves.groupby(["target", "metric"], sort=False):
        scores = own[own["severity"].isna() | (own["perturbation"] == CLEAN_TEXT)].set_index("perturbation")["estimate"]
        chance = analysis.cells[(analysis.cells["target"] == target) & (analysis.cells["metric"] == metric)]["chance"]
        if CLEAN_TEXT not in scores:
            continue
        sentence = f"On clean text of {target} it scores {points(scores[CLEAN_TEXT])} ({metric}; guessing scores "
        sentence += f"{points(chance.mean())})"
        operators = scores.drop(["all", CLEAN_TEXT], errors="ignore")
        if len(operators):
            worst = operators.idxmin()
            sentence += (
                f"; on perturbed text {points(scores.get('all', operators.mean()))} on average, and least, "
                f"{points(operators[worst])}, under {worst}"
            )
        answer.append(f"{sentence}.")
    return answer or ["The folder has no scores on clean text."]


def _rests(analysis: Analysis, plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the answer rests on."""
    cells = analysis.cells
    found = [("Encoders", f"{cells['model'].nunique()}: {listed(cells['model'])}")]
    if not is_alone(analysis):
        found.append(("Seeds", f"{cells['seed'].nunique()}"))
    found.append(("Evaluated", _evaluated(analysis)))
    if analysis.has_items and len(analysis.primary):
        found.append(("Languages kept", _kept(analysis)))
    found.append(("Contamination", _contamination(analysis, plan)))
    if not is_alone(analysis):
        found.append(("Manipulation check", _checks(analysis)))
    return found


def _evaluated(analysis: Analysis) -> str:
    cells = analysis.cells
    operators = cells.loc[cells["perturbation"] != CLEAN_TEXT, "perturbation"].nunique()
    parts = [counted(cells[name].nunique(), name) for name in ("target", "domain", "language")]
    missing = f" of {len(cells) + analysis.missing_cells:,}" if analysis.missing_cells else ""
    parts += [
        counted(operators, "operator"),
        f"{len(cells):,}{missing} cells",
        f"{int(cells['n'].sum()):,} predictions",
    ]
    return ", ".join(parts)


def _kept(analysis: Analysis) -> str:
    """Languages and groups that the primary contrasts rest on, of all evaluated."""
    primary, every = analysis.primary, list(dict.fromkeys(analysis.cells["language"]))
    kept = set(" ".join(primary["languages"].fillna("")).split())
    groups, left_out = int(primary["groups"].sum()), int(primary["groups_left_out"].sum())
    named = [name for name in every if name in kept]
    sentence = f"{len(named)} of {len(every)} ({', '.join(named) or 'none'})"
    if left_out:
        sentence += f"; {groups} of {groups + left_out} groups of encoder, task, domain and language are above chance"
    return sentence


def _contamination(analysis: Analysis, plan: Mapping[str, Any]) -> str:
    allowed = [str(name) for name in plan.get("contaminated") or ()]
    dropped = sum(entry.dropped for entry in analysis.contamination)
    kept = sum(1 for entry in analysis.contamination if entry.warning())
    if allowed:
        return f"{listed(allowed)} trained on some of the evaluation text; the study allowed this"
    if not plan:
        return "unknown: the folder has no plan.json"
    if not dropped and not kept:
        return "no training or dev row shares its text with an evaluation row"
    note = f"; see the notes on {counted(kept, 'source')}" if kept else ""
    return f"{dropped:,} training and dev rows were dropped because their text is evaluated{note}"


def _checks(analysis: Analysis) -> str:
    """Whether the stages before the target learned."""
    checks = analysis.checks
    checks = checks[checks["must_learn"].astype(bool)] if len(checks) else checks
    if checks.empty:
        return "no stage before the target is recorded"
    failed = checks[checks["seeds_failed"] > 0]
    if failed.empty:
        return "every stage before the target learned, in every seed"
    names = (f"{row['model']} {row['arm']} ({row['task']})" for row in failed.to_dict("records"))
    return f"not learned in some seed: {listed(names, 4)}; verdicts on it are withheld"
