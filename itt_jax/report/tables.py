"""The report's tables, in percentage points with one decimal."""

import numpy as np
import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.names import as_markdown

VERDICTS = {
    "supported": "more robust",
    "contradicted": "less robust",
    "negligible": "no difference beyond the bound",
}
"""Verdict on an interaction -> its meaning."""


def points(value: float, signed: bool = False) -> str:
    """A value as percentage points with one decimal; a dash where there is none."""
    if pd.isna(value):
        return "–"
    text = f"{100 * value:{'+' if signed else ''}.1f}"
    return {"-0.0": "0.0", "+0.0": "0.0"}.get(text, text).replace("-", "\u2212")


def with_interval(frame: pd.DataFrame, signed: bool = False) -> pd.Series:
    """Estimates with their intervals, in points: "1.2 [0.3, 2.1]"."""
    texts = []
    for estimate, low, high in frame[["estimate", "ci_low", "ci_high"]].itertuples(index=False, name=None):
        text = points(estimate, signed)
        texts.append(text if pd.isna(low) else f"{text} [{points(low, signed)}, {points(high, signed)}]")
    return pd.Series(texts, index=frame.index, dtype=object)


def p_value(value: float) -> str:
    """A p-value with three decimals."""
    return "–" if pd.isna(value) else "<0.001" if value < 0.001 else f"{value:.3f}"


def verdict(row: pd.Series) -> str:
    """The verdict in words, with the reason why it is undetermined or not judged."""
    if pd.isna(row["estimate"]):
        return "no signal"
    if row["not_judged"]:
        return f"{NOT_JUDGED}: {row['not_judged']}"
    if row["verdict"] != "undetermined":
        return f"{row['verdict']} ({VERDICTS[row['verdict']]})"
    if not row["agree"]:
        return "undetermined (log-odds disagree)"
    return "undetermined (not after adjustment)" if row["clear"] else "undetermined"


def effort(frame: pd.DataFrame) -> pd.DataFrame:
    """Tokens and FLOPs of one run of an arm and of its baseline: "2.48 / 3.01"; no columns where none is known."""
    titles = {"tokens": ("M tokens", 1e6), "flops": ("TFLOP", 1e12)}
    return pd.DataFrame(
        {
            title: [
                " / ".join("–" if pd.isna(value) else _three_digits(value / unit) for value in pair)
                for pair in frame[[name, f"baseline_{name}"]].to_numpy()
            ]
            for name, (title, unit) in titles.items()
            if frame[name].notna().any()
        },
        index=frame.index,
    )


def _three_digits(value: float) -> str:
    return f"{value:,.{max(0, 2 - int(np.floor(np.log10(value))))}f}" if value > 0 else "0"


def checks(analysis: Analysis) -> pd.DataFrame:
    """Dev scores of the stages before each arm's last beside chance, and in how many seeds they learned."""
    frame = analysis.checks
    learned = frame["seeds"] - frame["seeds_failed"]
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "arm": frame["arm"],
            "stage": frame["stage"],
            "task": frame["task"],
            "metric": frame["metric"],
            "dev": [
                f"{row.dev:.3f} [{row.ci_low:.3f}, {row.ci_high:.3f}]" if pd.notna(row.dev) else "undefined"
                for row in frame.itertuples()
            ],
            "chance": frame["chance"].map("{:.3f}".format),
            "learned in": [
                f"{one} of {all_} seeds" + ("" if must else " (need not)")
                for one, all_, must in zip(learned, frame["seeds"], frame["must_learn"], strict=True)
            ],
        }
    )


def primary(analysis: Analysis) -> pd.DataFrame:
    """The primary family."""
    frame = analysis.primary
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "arm": frame["arm"],
            "against": frame["baseline"],
            "interaction": with_interval(frame, signed=True),
            "verdict": frame.apply(verdict, axis=1) if len(frame) else [],
            "detectable": frame["detectable"].map(points),
            "p (Holm)": frame["p_adjusted"].map(p_value),
            **effort(frame),
            "seeds": frame["seeds"],
            "targets": frame["targets"],
            "left out": frame["groups_left_out"],
        }
    )


def overall(frame: pd.DataFrame, **where) -> pd.DataFrame:
    """Rows over all languages and domains unless `where` names others, or None for every one."""
    for name, value in ({"language": "all", "domain": "all"} | where).items():
        if name in frame and value is not None:
            frame = frame[frame[name] == value]
    return frame


def arms(analysis: Analysis, target: str) -> pd.DataFrame:
    """Clean and perturbed scores of each arm on one target, with relative drop, retention, area and worst case."""
    columns = {}
    curves = overall(analysis.curves, target=target)
    for name in ("clean", "all"):
        column = curves[curves["perturbation"] == name].set_index(["model", "metric", "arm"])
        columns["clean" if name == "clean" else "perturbed"] = with_interval(column)
    robustness = overall(analysis.robustness, target=target, perturbation="all", baseline="")
    titles = {"relative_drop": "relative drop", "retention": "retention", "area": "area under curve"}
    for quantity, title in (titles | {"worst cell": "worst cell", "worst item": "worst case per item"}).items():
        column = robustness[robustness["quantity"] == quantity].set_index(["model", "metric", "arm"])
        if len(column):
            columns[title] = with_interval(column)
    return _in_order(pd.DataFrame(columns), curves).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def gains(analysis: Analysis, target: str) -> pd.DataFrame:
    """Each arm less each baseline on one target, clean and perturbed, and the interaction."""
    key = ["model", "metric", "arm", "baseline"]
    columns = {}
    frame = overall(analysis.gains, target=target)
    for name, title in (("clean", "clean gain"), ("all", "perturbed gain")):
        columns[title] = with_interval(frame[frame["perturbation"] == name].set_index(key), signed=True)
    found = overall(analysis.interactions, target=target, kind="perturbation", subset="all", perturbation="all")
    found = found.set_index(key)
    if len(found):
        columns |= {"interaction": with_interval(found, signed=True), "verdict": found.apply(verdict, axis=1)}
        columns["detectable"] = found["detectable"].map(points)
        columns |= dict(effort(found))
    changed = overall(analysis.interactions, target=target, kind="perturbation", subset="changed", perturbation="all")
    if len(changed):
        columns["changed items only"] = with_interval(changed.set_index(key), signed=True)
    named = _in_order(pd.DataFrame(columns), frame, key).rename_axis(["encoder", "metric", "arm", "against"])
    return named.reset_index().fillna("–")


def languages(analysis: Analysis, target: str, noise: str) -> pd.DataFrame:
    """Scores on one target by language, on clean text (noise "clean") or over all operators ("all"), and the gap."""
    key = ["model", "metric", "arm"]
    frame = analysis.curves[(analysis.curves["target"] == target) & (analysis.curves["domain"] == "all")]
    frame = frame[frame["perturbation"] == noise]
    wide = frame.assign(text=with_interval(frame)).pivot(index=key, columns="language", values="text")
    order = [name for name in dict.fromkeys(frame["language"]) if name != "all"]
    wide = wide.reindex(columns=[*order, "all"]).rename(columns={"all": "mean"})
    gaps = overall(analysis.gaps, target=target, quantity="language gap", perturbation=noise, baseline="")
    if len(gaps):
        wide["source − others"] = with_interval(gaps.set_index(key), signed=True)
    return _in_order(wide, frame).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def scores(analysis: Analysis, target: str) -> list[tuple[str, list[str], pd.DataFrame]]:
    """(encoder, arms, scores by operator and language) of each encoder on one target; a cell holds the arms' scores.

    Scores are means over severities, in points; their intervals are in curves.csv.
    """
    frame = overall(analysis.curves, target=target, language=None)
    frame = frame[frame["severity"].isna() | (frame["perturbation"] == "clean")]
    found = []
    for (encoder, metric), own in frame.groupby(["model", "metric"], sort=False):
        arms = list(dict.fromkeys(own["arm"]))
        wide = own.pivot(index="perturbation", columns=["language", "arm"], values="estimate")
        languages = [name for name in dict.fromkeys(own["language"]) if name != "all"]
        table = pd.DataFrame(
            {
                "mean" if language == "all" else language: [
                    " / ".join(points(wide.get((language, arm), {}).get(operator)) for arm in arms)
                    for operator in wide.index
                ]
                for language in [*languages, "all"]
            },
            index=wide.index,
        )
        order = dict.fromkeys(own["perturbation"])
        operators = [name for name in order if name not in ("clean", "all")]
        table = table.loc[[name for name in ("clean", *operators, "all") if name in order]]
        name = f"{encoder} ({metric})"
        found.append((name, arms, table.rename_axis("operator").reset_index()))
    return found


def domains(analysis: Analysis, target: str) -> pd.DataFrame:
    """Clean scores on one target by domain, and the gap to the domain trained on."""
    frame = analysis.curves[(analysis.curves["target"] == target) & (analysis.curves["perturbation"] == "clean")]
    frame = frame[(frame["language"] == "all") & (frame["domain"] != "all")]
    if frame.empty:
        return pd.DataFrame()
    key = ["model", "metric", "arm"]
    wide = frame.assign(text=with_interval(frame)).pivot(index=key, columns="domain", values="text")
    wide = wide[list(dict.fromkeys(frame["domain"]))]
    gaps = analysis.gaps[(analysis.gaps["target"] == target) & (analysis.gaps["quantity"] == "domain gap")]
    gaps = gaps[(gaps["perturbation"] == "clean") & (gaps["baseline"] == "")]
    for domain in dict.fromkeys(gaps["domain"]):
        wide[f"home − {domain}"] = with_interval(gaps[gaps["domain"] == domain].set_index(key), signed=True)
    return _in_order(wide, frame).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def kept(analysis: Analysis) -> pd.DataFrame:
    """How much of an arm's gain is kept under a shift of domain, by language, on clean text and over all operators.

    The share kept (gain there / gain at home) is given where the interval of the gain at home is above zero.
    """
    key = ["model", "target", "metric", "arm", "baseline", "language", "perturbation"]
    home = analysis.cells[analysis.cells["in_domain"].astype(bool)].groupby("target")["domain"].first()
    frame = analysis.gains
    frame = frame[(frame["domain"] != "all") & frame["perturbation"].isin(["clean", "all"])]
    if frame.empty:
        return pd.DataFrame()
    at_home = frame["domain"] == frame["target"].map(home)
    before = frame[at_home].set_index(key)
    rows = []
    for row in frame[~at_home].to_dict("records"):
        place = tuple(row[name] for name in key)
        if place not in before.index:
            continue
        own = before.loc[place]
        share = points(row["estimate"] / own["estimate"]) if own["ci_low"] > 0 else "–"
        text = {"clean": "clean", "all": "perturbed"}[row["perturbation"]]
        named = dict(zip(("encoder", "target", "metric", "arm", "against", "language"), place, strict=False))
        shown = {"text": text, "shifted domain": row["domain"]}
        gains = {"gain at home": with_interval(pd.DataFrame([own]), signed=True).iloc[0]}
        gains["gain there"] = with_interval(pd.DataFrame([row]), signed=True).iloc[0]
        rows.append(named | shown | gains | {"kept %": share})
    return pd.DataFrame(rows)


def distances(analysis: Analysis) -> pd.DataFrame:
    """How far shifted domains are from the training domain."""
    frame = analysis.distances
    if frame.empty:
        return frame
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "shifted domain": frame["domain"],
            "task": frame["task"],
            "language": frame["language"],
            "divergence of words": frame["vocabulary_divergence"].map("{:.2f}".format),
            "proxy A-distance": frame["proxy_a_distance"].map(lambda value: "–" if pd.isna(value) else f"{value:.2f}"),
            "rows": frame["rows"],
        }
    )


def shifts(analysis: Analysis) -> pd.DataFrame:
    """Interactions with the shift of domain."""
    frame = analysis.interactions
    frame = frame[(frame["kind"] == "domain") & (frame["perturbation"] == "clean")]
    return _interaction_table(frame, {"domain": "shifted domain"})


def controls(analysis: Analysis) -> pd.DataFrame:
    """Label-changing operators: how often the predicted class changes with them."""
    frame = analysis.controls
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "arm": frame["arm"],
            "operator": frame["perturbation"],
            "severity": frame["severity"],
            "prediction changes": with_interval(frame) if len(frame) else [],
            "items": frame["items"],
        }
    )


def operators(analysis: Analysis) -> pd.DataFrame:
    """Interactions by operator, all languages and severities."""
    frame = overall(analysis.interactions, kind="perturbation", subset="all")
    frame = frame[frame["severity"].isna() & (frame["perturbation"] != "all")]
    return _interaction_table(frame, {"perturbation": "operator"})


def language_interactions(analysis: Analysis) -> pd.DataFrame:
    """Interactions by language, all operators."""
    frame = analysis.interactions
    frame = frame[(frame["kind"] == "perturbation") & (frame["subset"] == "all") & (frame["perturbation"] == "all")]
    return _interaction_table(frame[frame["language"] != "all"], {"language": "language"})


def _interaction_table(frame: pd.DataFrame, by: dict[str, str]) -> pd.DataFrame:
    named = frame.rename(columns={"model": "encoder", "baseline": "against"} | by)
    table = named[["encoder", "target", "arm", "against", *by.values()]].copy()
    if frame.empty:
        return table
    table["interaction"] = with_interval(frame, signed=True)
    table["verdict"] = frame.apply(verdict, axis=1)
    table["detectable"] = frame["detectable"].map(points)
    table["p (BH)"] = frame["p_adjusted"].map(p_value)
    return table.assign(**effort(frame))


def edits(analysis: Analysis) -> pd.DataFrame:
    """Effect of each operator on the text: share of items changed, realised edit rate, share of tokens changed."""
    frame = analysis.cells[analysis.cells["perturbation"] != "clean"]
    frame = frame.drop_duplicates(["target", "task", "split", "language", "perturbation", "severity", "replicate"])
    rows = []
    for (operator, severity), part in frame.groupby(["perturbation", "severity"], sort=False):
        row = {"operator": operator, "severity": f"{severity:g}", "languages": part["language"].nunique()}
        row["items changed %"] = points(part["n_changed"].sum() / max(part["n"].sum(), 1))
        row |= {"not applicable": int(part["n_not_applicable"].sum()), "edits per grapheme": _rate(part["edit_rate"])}
        by_language = part.groupby("language")["edit_rate"].mean()
        spread = f"{by_language.min():.3f} to {by_language.max():.3f}" if by_language.notna().any() else "–"
        rows.append(row | {"over languages": spread, "tokens changed %": points(part["token_change_rate"].mean())})
    return pd.DataFrame(rows)


def _rate(values: pd.Series) -> str:
    return f"{values.mean():.3f}" if values.notna().any() else "–"


def counts(analysis: Analysis) -> pd.DataFrame:
    """Number of seeds, items and groups behind each arm's findings."""
    frame = analysis.counts
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "metric": frame["metric"],
            "arm": frame["arm"],
            "seeds": frame["seeds"],
            "no signal: seeds": frame["no_signal_seeds"].replace("", "none") if analysis.has_items else "–",
            "cells": frame["cells"],
            "no signal: groups": _shares(frame["groups_no_signal"], frame["groups"]),
            "unchecked groups": _shares(frame["groups_unchecked"], frame["groups"]),
            "items changed %": frame["changed_share"].map(points),
            "not applicable": frame["not_applicable"],
        }
    )


def _shares(parts: pd.Series, wholes: pd.Series) -> list[str]:
    """ "2 of 9"; a dash where the part is unknown."""
    return ["–" if pd.isna(part) else f"{part} of {whole}" for part, whole in zip(parts, wholes, strict=True)]


def without_constant(frame: pd.DataFrame, name: str = "metric") -> pd.DataFrame:
    """The table without a column that has one value throughout."""
    return frame.drop(columns=name) if name in frame and frame[name].nunique() == 1 else frame


def _in_order(wide: pd.DataFrame, frame: pd.DataFrame, key: tuple | list = ("model", "metric", "arm")) -> pd.DataFrame:
    """Rows in the order of the study."""
    order = pd.MultiIndex.from_frame(frame[list(key)].drop_duplicates())
    return wide.reindex(order)


def all_tables(analysis: Analysis) -> dict[str, pd.DataFrame]:
    """The tidy tables that are written as CSV, by file name."""
    names = ("primary", "interactions", "gains", "gaps", "curves", "robustness", "controls", "distances")
    names += ("checks", "counts")
    return {name: getattr(analysis, name) for name in names} | {"edits": edits(analysis)}


def markdown(frame: pd.DataFrame) -> str:
    """A table as Markdown, with aligned columns."""
    rows = [[as_markdown(str(value)) for value in row] for row in (frame.columns, *frame.to_numpy())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
