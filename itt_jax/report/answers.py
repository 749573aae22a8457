"""The first screen in plain words: the question, the answer, and what it rests on."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis, stages
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.cautions import WITHOUT_ITEMS, is_alone, unjudged_shifts, unknown
from itt_jax.report.summary import counted, listed
from itt_jax.report.tables.shown import no_signal, other_starts, overall, points
from itt_jax.store.results import CLEAN_TEXT, is_unchanged

FOUND = {
    "supported": "{arm} made predictions more robust to {change}",
    "contradicted": "{arm} made predictions less robust to {change}",
    "negligible": "{arm} changed robustness to {change} by less than {bound} points either way",
    "undetermined": "the data do not decide whether {arm} changes robustness to {change} by {bound} points or more",
    NOT_JUDGED: "nothing can be said about {arm}, because a stage before the target did not learn",
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
        answer += [_verdicts(str(arm), str(baseline), own, analysis), *_gain(own, analysis)]
    return First(question, [*answer, *unjudged_shifts(analysis)], rests)


def _verdicts(arm: str, baseline: str, own: pd.DataFrame, analysis: Analysis) -> str:
    """The verdicts on one contrast, encoders with the same one together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in own.to_dict("records"):
        known = pd.notna(row["estimate"])
        meaning = FOUND[row["verdict"]] if known else f"nothing can be said about {{arm}}, because {unknown(analysis)}"
        scope = _scope(row, analysis) if known and row["verdict"] not in (NOT_JUDGED, "undetermined") else ""
        change = "a shift of domain" if row["kind"] == "domain" else "perturbed text"
        words = {"arm": arm, "bound": points(analysis.smallest_effect), "change": change}
        found.setdefault((meaning.format(**words), scope), []).append(_name(row, own))
    parts = []
    for (meaning, scope), names in found.items():
        where = f" (in {listed(names)})" if len(found) > 1 or len(names) < len(own) else ""
        parts.append(f"{meaning}{where}{scope}")
    summaries = {one.name: one.summary for one in analysis.arms}
    named = [f"{name} is {_with_article(summaries[name])}" for name in (arm, baseline) if summaries.get(name)]
    what = f"{'; '.join(named)}. " if named else ""
    return f"{what}Compared with {baseline}, {'; '.join(parts)}."


def _with_article(summary: str) -> str:
    """The summary of an arm in a sentence: "a control: the target stage alone"."""
    return f"a {summary}" if summary.startswith("control") else summary


def _name(row: Mapping[str, Any], own: pd.DataFrame) -> str:
    """The encoder of a row, with the metric where there are several."""
    return f"{row['model']} ({row['metric']})" if own["metric"].nunique() > 1 else str(row["model"])


def _scope(row: Mapping[str, Any], analysis: Analysis) -> str:
    """What a verdict does not reach beyond."""
    source = "" if row["cross_lingual"] else ", in the source language alone"
    return source + (f", in one {analysis.another_run}" if row["seeds"] == 1 else "")


def _gain(own: pd.DataFrame, analysis: Analysis) -> list[str]:
    """What an arm changes on the clean text that its robustness is judged on, encoder by encoder."""
    rows, about = analysis.interactions, ["model", "metric", "arm", "baseline"]
    rows = rows[(rows["kind"] == "perturbation") & (rows["subset"] == "all")].merge(own[about], on=about)
    rows = rows[(rows[["language", "domain", "perturbation"]] == "all").all(axis=1) & rows["severity"].isna()]
    rows = rows[rows[["second", "second_low", "second_high"]].notna().all(axis=1)]
    several = rows["target"].nunique() > 1
    found: dict[str, dict[tuple[str, str], list[tuple[str, float]]]] = {}
    for row in rows.to_dict("records"):
        way = "higher" if row["second_low"] > 0 else "lower" if row["second_high"] < 0 else ""
        name = _name(row, own) + (f" on {row['target']}" if several else "")
        run = f", in one {analysis.another_run}" if row["seeds"] == 1 else ""
        places = [listed(row[place].split()) for place in ("domains", "languages")] if row["groups_left_out"] else []
        kept = f" ({'; '.join(places)})" if places else ""
        found.setdefault(kept, {}).setdefault((way, run), []).append((name, row["second"]))
    return [
        f"On clean text of the same groups{kept}, {'; '.join(_gained(ways, len(rows)))}."
        for kept, ways in found.items()
    ]


def _gained(ways: Mapping[tuple[str, str], Sequence[tuple[str, float]]], rows: int) -> Iterator[str]:
    """The change on clean text, encoders with the same direction together, named unless they are all `rows`."""
    for way, run in sorted(ways, key=lambda one: ("higher", "lower", "").index(one[0])):
        those = ways[way, run]
        named = f" in {listed(name for name, _ in those)}" if len(those) < rows else ""
        low, high = (points(end(value for _, value in those), True) for end in (min, max))
        size = f"{low} points" if low == high else f"{low} to {high} points"
        said = f"it scores {way}" if way else "the difference in score is not distinguishable from zero"
        yield f"{said}{named} ({size}){run}"


def _alone(analysis: Analysis) -> list[str]:
    """What perturbation costs a checkpoint."""
    curves, answer = analysis.curves, []
    curves = curves[(curves["domain"] == "all") & (curves["language"] == "all")]
    several = curves["model"].nunique() > 1
    for (model, target, metric), own in curves.groupby(["model", "target", "metric"], sort=False):
        own = own[own["severity"].isna() | (own["perturbation"] == CLEAN_TEXT)].set_index("perturbation", drop=False)
        scores, starts, silent = own["estimate"], other_starts(own), no_signal(own)
        chance = analysis.cells[(analysis.cells["target"] == target) & (analysis.cells["metric"] == metric)]["chance"]
        if CLEAN_TEXT not in scores:
            continue
        sentence = f"On clean text of {target} {model if several else 'it'} scores {points(scores[CLEAN_TEXT])} "
        sentence += f"({metric}; guessing scores {points(chance.mean())}"
        sentence += f"; of the groups in this mean,{silent[CLEAN_TEXT]})" if silent[CLEAN_TEXT] else ")"
        operators = scores.drop(["all", CLEAN_TEXT], errors="ignore")
        if len(operators):
            worst = operators.idxmin()
            sentence += (
                f"; on perturbed text {points(scores.get('all', operators.mean()))}{starts.get('all', '')} on average, "
                f"and least, {points(operators[worst])}{starts.get(str(worst), '')}, under {worst}"
            )
        answer.append(f"{sentence}.")
        if starts:
            answer.append("In brackets: the score on the same rows' clean text, where rows were left out.")
        answer += _attacks(analysis, str(model), str(target), str(metric))
    return answer or ["The folder has no scores on clean text."]


def _attacks(analysis: Analysis, model: str, target: str, metric: str) -> list[str]:
    """What attacks cost a checkpoint."""
    frame = overall(analysis.attacks, model=model, target=target, metric=metric, baseline="")
    if frame.empty:
        return []
    found = frame.pivot(index="perturbation", columns="quantity", values="estimate")
    parts = [f"{points(own['score'])} under {name} (clean: {points(own['clean'])})" for name, own in found.iterrows()]
    return [f"On the attacked rows it scores {', '.join(parts)}."]


def _rests(analysis: Analysis, plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the answer rests on."""
    cells = analysis.cells
    found = [("Encoders", f"{cells['model'].nunique()}: {listed(cells['model'])}")]
    if not is_alone(analysis):
        found.append(("Seeds", _seeds(analysis)))
    found.append(("Evaluated", _evaluated(analysis)))
    if analysis.has_items and len(analysis.primary):
        found.append(("Languages kept", _kept(analysis)))
    found.append(("Contamination", _contamination(analysis, plan)))
    if not is_alone(analysis):
        found.append(("Manipulation check", _checks(analysis, plan)))
    return found


def _seeds(analysis: Analysis) -> str:
    """Seeds of the results, and of the primary contrasts where they rest on fewer."""
    every, primary = analysis.cells["seed"].nunique(), analysis.primary
    own = {int(number) for number in primary.loc[primary["estimate"].notna(), "seeds"]}
    if own <= {every}:
        return str(every)
    return f"{every}; primary contrasts rest on {' to '.join(map(str, sorted({min(own), max(own)})))}"


def _evaluated(analysis: Analysis) -> str:
    cells = analysis.cells
    operators = cells.loc[cells["perturbation"] != CLEAN_TEXT, "perturbation"].nunique()
    parts = [counted(cells[name].nunique(), name) for name in ("target", "domain", "language")]
    missing = f" of {len(cells) + analysis.missing_cells:,}" if analysis.missing_cells else ""
    parts += [
        counted(operators, "operator"),
        f"{len(cells):,}{missing} cells" if missing else counted(len(cells), "cell"),
        counted(int(cells["n"].sum()), "prediction"),
    ]
    return ", ".join(parts)


def _kept(analysis: Analysis) -> str:
    """Languages and groups that each encoder's primary contrasts rest on, of all evaluated."""
    if is_unchanged(analysis.cells):
        return "none asked: no text was perturbed and no domain shifted"
    primary, every = analysis.primary, list(dict.fromkeys(analysis.cells["language"]))
    found: dict[str, list[str]] = {}
    several = primary["arm"].nunique() > 1
    for row in primary.to_dict("records"):
        own = [name for name in every if name in str(row["languages"]).split()]
        name = _name(row, primary) + (f" {row['arm']}" if several else "")
        found.setdefault(f"{len(own)} of {len(every)} ({listed(own) or 'none'})", []).append(name)
    sentence = "; ".join(f"{listed(names)}: {said}" if len(found) > 1 else said for said, names in found.items())
    if primary["groups_left_out"].sum():
        shares = {
            f"{groups:.0f} of {groups + left_out:.0f}"
            for groups, left_out in zip(primary["groups"], primary["groups_left_out"], strict=True)
        }
        sentence += f"; {listed(sorted(shares))} groups of task, domain and language for each encoder and arm, those "
        sentence += "where both arms have signal"
    return sentence


def _contamination(analysis: Analysis, plan: Mapping[str, Any]) -> str:
    allowed = [str(name) for name in plan.get("contaminated") or ()]
    if allowed:
        return f"{listed(allowed)} trained on some of the evaluation text; this was allowed"
    if not plan:
        return "unknown: the folder has no plan.json"
    if "contamination" not in plan:
        return (
            "rows that the checkpoint records as training text are refused; a checkpoint without records is not checked"
        )
    dropped = sum(entry.dropped for entry in analysis.contamination)
    # a field's count includes the dropped rows, so that only what exceeds them is known to be kept
    shared = sum(
        1 for entry in analysis.contamination if max([entry.whole_inputs, *entry.fields.values()]) > entry.dropped
    )
    if not dropped and not shared:
        return "no training or dev row shares its text with an evaluation row"
    parts = [f"{dropped:,} training and dev rows were dropped because their text is evaluated"] if dropped else []
    if shared:
        parts.append(f"kept rows of {counted(shared, 'source')} share text with evaluation rows (table below)")
    return "; ".join(parts)


def _checks(analysis: Analysis, plan: Mapping[str, Any]) -> str:
    """Whether the stages before the target learned."""
    checks = analysis.checks
    if checks.empty:
        return "no stage before the target is recorded"
    must = checks["must_learn"].astype(bool)
    need_not = f"; {listed(checks.loc[~must, 'arm'])} (permuted labels) need not learn" if not must.all() else ""
    failed = checks[must & (checks["seeds_failed"] > 0)]
    if failed.empty and not must.any():
        return f"no stage before the target must learn{need_not}"
    if failed.empty:
        which = "every stage that had to learn did" if need_not else "every stage before the target learned"
        return f"{which}, in every seed{need_not}"
    withheld, parts = stages.failures(plan), []
    for row in failed.to_dict("records"):
        without = (row["model"], row["target"], row["arm"]) in withheld
        after = "verdicts on it are withheld" if without else "its stage learned another task"
        parts.append(f"{row['model']} {row['arm']} ({row['task']}; {after})")
    return f"not learned in some seed: {listed(parts, 4)}{need_not}"
