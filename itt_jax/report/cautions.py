"""What to know before trusting the tables: each caution in a few words and in a sentence."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from itt_jax.analysis import Analysis
from itt_jax.analysis.findings import FINE_TUNING
from itt_jax.store.results import ALONE, CLEAN_TEXT, is_unchanged

WITHOUT_ITEMS = (
    "the folder holds its results without the predictions of its cells (cells/), on which intervals and tests rest.",
    "Left out, because they rest on the predictions of single items: intervals, tests and verdicts; interactions, "
    "relative drop and retention (which groups have signal is unknown); worst cells and cases; how often edits that "
    "may change the label are noticed; and areas under curves of targets some of whose items lost their right answer.",
    "Scores and their differences are means over seeds of the scores in results.parquet.",
)
"""What a report says that is made of results alone."""
FEW_SEEDS = 5
"""Seeds below which intervals are wide."""


@dataclasses.dataclass(frozen=True)
class Caution:
    """One caution: a few words for the first screen, and the whole of it."""

    short: str
    sentence: str


def is_alone(analysis: Analysis) -> bool:
    """Whether a checkpoint was evaluated without a study."""
    return bool((analysis.cells["arm"] == ALONE["arm"]).all())


def unknown(analysis: Analysis) -> str:
    """Why a primary contrast has no estimate."""
    if is_unchanged(analysis.cells):
        return "no text was perturbed and no domain shifted"
    missing = "cells are missing, or " if analysis.missing_cells else ""
    return f"{missing}no clean score was above chance in both arms"


def unjudged_shifts(analysis: Analysis) -> list[str]:
    """A sentence on each shifted domain that no primary pair of arms can be compared in, for want of signal."""
    gaps, judged = analysis.gaps, analysis.interactions
    found: dict[tuple[str, str, str, bool], list[Mapping[str, Any]]] = {}
    about = ["model", "metric", "arm", "baseline"]
    asked = gaps[(gaps["quantity"] == "domain gap") & (gaps["perturbation"] == CLEAN_TEXT)]
    asked = asked[asked["groups_no_signal"] > 0].merge(analysis.primary[about], on=about)
    known = set(judged.loc[judged["kind"] == "domain", [*about, "target", "domain"]].itertuples(index=False, name=None))
    for row in asked.to_dict("records"):
        if tuple(row[name] for name in (*about, "target", "domain")) not in known:
            there = row["second_no_signal"] == row["second_groups"]
            found.setdefault((row["arm"], row["baseline"], row["domain"], bool(there)), []).append(row)
    return [_unjudged(*key, rows, len(asked)) for key, rows in found.items()]


def _unjudged(arm: str, baseline: str, domain: str, there: bool, rows: list[Mapping[str, Any]], all_rows: int) -> str:
    """Why the shift to a domain is not judged; which encoders and targets, where they are not all."""
    names = dict.fromkeys(f"{row['model']} on {row['target']}" for row in rows)
    where = f" in {', '.join(names)}" if len(rows) < all_rows else ""
    place = "there" if there else "both there and at home"
    why = f"no language has a dev score above chance {place} in both arms"
    said = f"How the shift of domain to {domain} changes the gain of {arm} over {baseline} cannot be judged"
    return f"{said}{where}, because {why}."


def cautions(analysis: Analysis) -> list[Caution]:
    """All cautions, those that change the reading most first."""
    of_items = [*_of_items(analysis), *_of_claims(analysis)] if analysis.has_items else ()
    return [*_of_data(analysis), *of_items, *_of_values(analysis)]


def _of_data(analysis: Analysis) -> list[Caution]:
    counts = analysis.counts
    warnings = [entry.warning() for entry in analysis.contamination]
    found = [Caution("evaluated text among training rows", f"Contamination: {own}.") for own in warnings if own]
    for _, row in counts[counts["no_signal_seeds"] != ""].iterrows():
        about = f"{row['model']}, {row['arm']}, {row['target']} ({row['metric']})"
        seeds = "" if is_alone(analysis) else f"{_seeds(row['no_signal_seeds'])} of "
        sentence = f"{seeds}{about}: not above chance in the source language; scores are reported all the same."
        found.append(Caution("seeds at chance in the source language", sentence))
    if missing := analysis.missing_cells:
        short, sentence = "cells are missing", f"{missing:,} cells are missing that other arms or seeds have"
        if analysis.plan.get("cells"):
            short, sentence = "the run is not finished", f"The run is not finished: {missing:,} cells are missing"
        found.append(Caution(short, f"{sentence}; arms may differ in seeds, and contrasts rest on those they share."))
    if not analysis.has_items:
        sentences = (WITHOUT_ITEMS[0].capitalize(), *WITHOUT_ITEMS[1:])
        found += [Caution("no predictions, so no intervals or verdicts", sentence) for sentence in sentences]
    return found


def _of_items(analysis: Analysis) -> list[Caution]:
    counts, found = analysis.counts, []
    groups = counts["groups"].sum()
    if below := counts["groups_no_signal"].sum():
        sentence = (
            f"{below} of {groups} combinations of encoder, arm, task and language have no score above "
            "chance on dev rows; they are left out of ratios and interactions."
        )
        found.append(Caution(f"{below} of {groups} combinations at chance, left out", sentence))
    if unchecked := counts["groups_unchecked"].sum():
        sentence = (
            f"Signal not checked: {unchecked} of {groups} combinations of encoder, arm, task and "
            "language have no dev rows; they are kept, so that interactions may include scores at chance."
        )
        found.append(Caution("scores at chance are not excluded everywhere", sentence))
    primary = analysis.primary[analysis.primary["estimate"].notna()]
    primary = primary.loc[primary["latest"].isna(), "seeds"] if len(primary) else ()
    seeds = int(min([*counts["seeds"], *primary], default=0))
    if seeds == 1:
        one = "One checkpoint" if is_alone(analysis) else "One seed"
        sentence = f"{one}: intervals and tests cover the choice of items alone, not another {analysis.another_run}."
        found.append(Caution(one.lower(), sentence))
    elif 1 < seeds < FEW_SEEDS:
        sentence = (
            f"{seeds} seeds: intervals are wide because few seeds say little about the variation between "
            f"{analysis.another_run}s."
        )
        found.append(Caution(f"only {seeds} seeds", sentence))
    if seeds and analysis.another_run == FINE_TUNING and not is_alone(analysis):
        sentence = (
            "All seeds of an encoder start from the same pretrained parameters: nothing is said about pretraining."
        )
        found.append(Caution("one pretraining for each encoder", sentence))
    return found


def _of_claims(analysis: Analysis) -> list[Caution]:
    attacks = analysis.attack_cells.get("perturbation", ())
    names = [claim for claim, on in analysis.claims[["claim", "perturbation"]].to_numpy() if on in set(attacks)]
    if not names:
        return []
    sentence = (
        f"Claims about an attack ({', '.join(dict.fromkeys(names))}): its texts are chosen against each model, so that "
        "arms read different texts, and another attack or budget may order them differently."
    )
    return [Caution("claims about attacks, chosen per model", sentence)]


def _of_values(analysis: Analysis) -> list[Caution]:
    differing = int(analysis.counts["cells_whose_value_differs"].sum())
    if not differing:
        return []
    sentence = f"Stored values of {differing} cells differ from those of their predictions; the latter are used."
    return [Caution("stored values differ from their predictions", sentence)]


def _seeds(numbers: str) -> str:
    """ "0 1" as "Seeds 0 and 1"."""
    *first, last = numbers.split()
    return f"Seeds {', '.join(first)} and {last}" if first else f"Seed {last}"


def allowed_contamination(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The caution of an attack's or certificate's page on a checkpoint that was trained on evaluation text."""
    care = "Contamination: {encoder} was trained on some of the evaluation text; the command allowed this."
    return [("contaminated", care.format(**about))] if about.get("contaminated") else []
