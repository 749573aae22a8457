"""Scores of each arm on one target, and arms compared."""

from collections.abc import Sequence

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.shown import (
    effort,
    home,
    in_order,
    kept_groups,
    no_signal,
    other_starts,
    overall,
    points,
    side,
    verdict,
    with_interval,
)
from itt_jax.store.results import CLEAN_TEXT


def arms(analysis: Analysis, target: str) -> pd.DataFrame:
    """Scores of each arm on one target, with relative drop, retention, area and worst case, all on the same cells.

    A figure that fewer groups have (a worst case needs several conditions) says how many it is of.
    """
    key = ["model", "metric", "arm"]
    frame = overall(analysis.robustness, target=target, perturbation="all", baseline="")
    titles = {"clean": "clean", "perturbed": "perturbed", "relative_drop": "relative drop", "retention": "retention"}
    titles |= {"area": "area under curve", "worst cell": "worst cell", "worst item": "worst case per item"}
    columns, groups = {}, frame.groupby(key)["groups"].max()
    for quantity, title in titles.items():
        column = frame[frame["quantity"] == quantity].set_index(key)
        if len(column):
            fewer = column["groups"] < groups.reindex(column.index)
            of = " of " + column["groups"].astype(str) + " groups"
            columns[title] = with_interval(column) + of.where(fewer, "")
    curves = overall(analysis.curves, target=target)
    # Arms without signal anywhere, and items that lost their answer, have no such scores: show those of all groups.
    for name, title in (("clean", "clean"), ("all", "perturbed")):
        own = curves[curves["perturbation"] == name].set_index(key)
        everywhere = with_interval(own) + no_signal(own)
        columns[title] = columns[title].combine_first(everywhere) if title in columns else everywhere
    if analysis.has_items:
        kept = kept_groups(frame[frame["quantity"] == "clean"].set_index(key), analysis)
        columns["kept"] = kept.combine_first("all " + own["groups"].astype(str) + " groups")
    return in_order(pd.DataFrame(columns), curves).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def gains(analysis: Analysis, target: str) -> pd.DataFrame:
    """Each arm less each baseline on one target, clean and perturbed, and the interaction, all on the same cells.

    Where nothing is perturbed, or no group has signal, the clean gain over all groups.
    """
    key = ["model", "metric", "arm", "baseline"]
    frame = overall(analysis.gains, target=target)
    found = overall(analysis.interactions, target=target, kind="perturbation", subset="all", perturbation="all")
    found = found.set_index(key)
    if not len(found):
        columns = {}
        for name, title in (("clean", "clean gain"), ("all", "perturbed gain")):
            own = frame[frame["perturbation"] == name].set_index(key)
            columns[title] = with_interval(own, signed=True) + no_signal(own)
    else:
        columns = {"interaction": with_interval(found, signed=True), "verdict": found.apply(verdict, axis=1)}
        columns |= {"clean gain": side(found, "second"), "perturbed gain": side(found, "first")}
        columns["detectable"] = found["detectable"].map(points)
        columns |= {"kept": kept_groups(found, analysis)} | dict(effort(found))
    changed = overall(analysis.interactions, target=target, kind="perturbation", subset="changed", perturbation="all")
    if len(changed):
        columns["changed items only"] = with_interval(changed.set_index(key), signed=True)
    named = in_order(pd.DataFrame(columns), frame, key).rename_axis(["encoder", "metric", "arm", "against"])
    return named.reset_index().fillna("–")


def languages(analysis: Analysis, target: str, noise: str) -> pd.DataFrame:
    """Scores on one target by language in the training domain, on clean text or over all operators, and the gap.

    Args:
        noise: "clean", or "all" operators.
    """
    key, domain = ["model", "metric", "arm"], home(analysis, target)
    frame = overall(analysis.curves, target=target, language=None, domain=domain)
    frame = frame[frame["perturbation"] == noise]
    wide = frame.assign(text=with_interval(frame) + no_signal(frame)).pivot(
        index=key, columns="language", values="text"
    )
    order = [name for name in dict.fromkeys(frame["language"]) if name != "all"]
    wide = wide.reindex(columns=[*order, "all"]).rename(columns={"all": "mean"})
    gaps = overall(
        analysis.gaps, target=target, quantity="language gap", perturbation=noise, baseline="", domain=domain
    )
    if len(gaps):
        gaps = gaps.set_index(key)
        wide["source − others"] = with_interval(gaps, signed=True) + no_signal(gaps)
    return in_order(wide, frame).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def _silent(own: pd.DataFrame, language: str, arms: Sequence[str]) -> str:
    """What the heading of a language says of groups without signal: " (no signal: direct)"."""
    clean = own[(own["language"] == language) & (own["perturbation"] == CLEAN_TEXT)]
    found: dict[str, list[str]] = {}
    for arm, text in zip(clean["arm"], no_signal(clean), strict=True):
        found.setdefault(text.strip(), []).append(arm)
    parts = [
        text if len(those) == len(arms) else f"{text}: {', '.join(those)}" for text, those in found.items() if text
    ]
    return f" ({'; '.join(parts)})" if parts else ""


def perturbed_languages(analysis: Analysis, target: str) -> pd.DataFrame:
    """`languages` over all operators; empty where nothing is perturbed."""
    cells = analysis.cells[analysis.cells["target"] == target]
    perturbed = (cells["perturbation"] != "clean").any()
    return languages(analysis, target, "all") if perturbed else pd.DataFrame()


def scores(analysis: Analysis, target: str) -> list[tuple[str, list[str], pd.DataFrame]]:
    """(encoder, arms, scores by operator and language) of each encoder on one target; a cell holds the arms' scores.

    Scores are means over severities, in points; their intervals are in curves.csv. Where an operator is there in some
    languages or rows alone, a last column has the mean on their clean text.
    """
    frame = overall(analysis.curves, target=target, language=None, domain=home(analysis, target))
    frame = frame[frame["severity"].isna() | (frame["perturbation"] == "clean")]
    found = []
    for (encoder, metric), own in frame.groupby(["model", "metric"], sort=False):
        arms = list(dict.fromkeys(own["arm"]))
        wide = own.pivot(index="perturbation", columns=["language", "arm"], values="estimate")
        languages = [name for name in dict.fromkeys(own["language"]) if name != "all"]
        table = pd.DataFrame(
            {
                f"{'mean' if language == 'all' else language}{_silent(own, language, arms)}": [
                    " / ".join(points(wide.get((language, arm), {}).get(operator)) for arm in arms)
                    for operator in wide.index
                ]
                for language in [*languages, "all"]
            },
            index=wide.index,
        )
        whole = own[own["language"] == "all"]
        if any(other_starts(part) for _, part in whole.groupby("arm")):
            starts = whole.assign(clean=whole["clean"].fillna(whole["estimate"]))
            starts = starts.pivot(index="perturbation", columns="arm", values="clean").reindex(wide.index)
            table["clean text of the same"] = [" / ".join(map(points, row)) for row in starts[arms].to_numpy()]
        order = dict.fromkeys(own["perturbation"])
        operators = [name for name in order if name not in ("clean", "all")]
        table = table.loc[[name for name in ("clean", *operators, "all") if name in order]]
        name = f"{encoder} ({metric})"
        found.append((name, arms, table.rename_axis("operator").reset_index()))
    return found
