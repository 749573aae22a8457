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
        alone = "" if row["cross_lingual"] else "; in the source language alone"
        return f"{row['verdict']} ({VERDICTS[row['verdict']]}{alone})"
    if not row["leaning"]:  # beyond the bound, in points
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
            "metric": frame["metric"],
            "arm": frame["arm"],
            "against": frame["baseline"],
            "interaction": with_interval(frame, signed=True),
            "verdict": frame.apply(verdict, axis=1) if len(frame) else [],
            "detectable": frame["detectable"].map(points),
            "p (Holm)": frame["p_adjusted"].map(p_value),
            **effort(frame),
            "seeds": frame["seeds"],
            "targets": frame["targets"],
            "kept": _kept(frame, analysis) if len(frame) else [],
        }
    )


def claims(analysis: Analysis) -> pd.DataFrame:
    """The claims of the config: contrast, estimate, verdict, what it rests on, and published scores beside ours."""
    frame = analysis.claims
    if frame.empty:
        return pd.DataFrame()
    rests = [
        f"{row['seeds']:.0f} seeds, {row['items']:,.0f} items; {row['models']}; {row['targets']}; {row['languages']}"
        if pd.notna(row["estimate"])
        else "–"
        for row in frame.to_dict("records")
    ]
    return pd.DataFrame(
        {
            "claim": frame["claim"],
            "sentence": frame["sentence"],
            "contrast": [_contrast(row) for row in frame.to_dict("records")],
            "estimate": with_interval(frame, signed=True),
            "verdict": [claim_verdict(row) for _, row in frame.iterrows()],
            "ours": _pairs(frame, "first", "second"),
            "published": _pairs(frame, "published_first", "published_second"),
            "source": frame["source"],
            "rests on": rests,
        }
    )


def claim_verdict(row: pd.Series) -> str:
    """The verdict on a claim in words."""
    if pd.isna(row["estimate"]):
        return f"no data: {row['not_judged']}" if row["not_judged"] else "no data"
    if row["not_judged"]:
        return f"{NOT_JUDGED}: {row['not_judged']}"
    meaning = {"contradicted": " (the other way round)", "negligible": f" (within {points(row['bound'])} points)"}
    return f"{row['verdict']}{meaning.get(row['verdict'], '')}"


def _contrast(row: dict) -> str:
    """A claim's contrast: "itt − direct, score, clean, xnli, legal (accuracy)"."""
    named = [row[name] for name in ("target", "language", "domain") if row[name] != "all"]
    where = [row["quantity"], row["perturbation"], *named]
    metric = f" ({row['metric']})" if row["metric"] else ""
    return f"{row['arm']} − {row['baseline']}, {', '.join(where)}{metric}"


def _pairs(frame: pd.DataFrame, first: str, second: str) -> list[str]:
    """Two scores of each row: "80.0 / 79.2"."""
    pairs = frame[[first, second]].to_numpy(dtype=float)
    return ["–" if pd.isna(pair).any() else " / ".join(points(value) for value in pair) for pair in pairs]


def overall(frame: pd.DataFrame, **where) -> pd.DataFrame:
    """Rows over all languages and domains unless `where` names others, or None for every one."""
    for name, value in ({"language": "all", "domain": "all"} | where).items():
        if name in frame and value is not None:
            frame = frame[frame[name] == value]
    return frame


def arms(analysis: Analysis, target: str) -> pd.DataFrame:
    """Scores of each arm on one target, with relative drop, retention, area and worst case, all on the same cells."""
    key = ["model", "metric", "arm"]
    frame = overall(analysis.robustness, target=target, perturbation="all", baseline="")
    titles = {"clean": "clean", "perturbed": "perturbed", "relative_drop": "relative drop", "retention": "retention"}
    titles |= {"area": "area under curve", "worst cell": "worst cell", "worst item": "worst case per item"}
    columns = {}
    for quantity, title in titles.items():
        column = frame[frame["quantity"] == quantity].set_index(key)
        if len(column):
            columns[title] = with_interval(column)
    curves = overall(analysis.curves, target=target)
    if "clean" not in columns:  # items that lost their answer have no clean counterpart without predictions
        for name, title in (("clean", "clean"), ("all", "perturbed")):
            columns[title] = with_interval(curves[curves["perturbation"] == name].set_index(key))
    elif analysis.has_items:
        columns["kept"] = _kept(frame[frame["quantity"] == "clean"].set_index(key), analysis)
    return _in_order(pd.DataFrame(columns), curves).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def _kept(frame: pd.DataFrame, analysis: Analysis) -> pd.Series:
    """What estimates rest on: "3 of 5 groups (en de es)", with the domains where the folder has several."""
    several = analysis.cells["domain"].nunique() > 1
    return pd.Series(
        [
            f"{row.groups} of {row.groups + row.groups_left_out} groups ({row.languages or 'none'}"
            + (f"; {row.domains})" if several and row.domains else ")")
            for row in frame.itertuples()
        ],
        index=frame.index,
        dtype=object,
    )


def side(frame: pd.DataFrame, name: str, signed: bool = True) -> pd.Series:
    """One side of differences, "first" or "second", with its interval."""
    ends = {name: "estimate", f"{name}_low": "ci_low", f"{name}_high": "ci_high"}
    return with_interval(frame[list(ends)].rename(columns=ends), signed)


def gains(analysis: Analysis, target: str) -> pd.DataFrame:
    """Each arm less each baseline on one target, clean and perturbed, and the interaction, all on the same cells.

    Where nothing is perturbed, or no group has signal, the clean gain over all groups.
    """
    key = ["model", "metric", "arm", "baseline"]
    frame = overall(analysis.gains, target=target)
    found = overall(analysis.interactions, target=target, kind="perturbation", subset="all", perturbation="all")
    found = found.set_index(key)
    if not len(found):
        columns = {
            title: with_interval(frame[frame["perturbation"] == name].set_index(key), signed=True)
            for name, title in (("clean", "clean gain"), ("all", "perturbed gain"))
        }
    else:
        columns = {"clean gain": side(found, "second"), "perturbed gain": side(found, "first")}
        columns |= {"interaction": with_interval(found, signed=True), "verdict": found.apply(verdict, axis=1)}
        columns["detectable"] = found["detectable"].map(points)
        columns |= {"kept": _kept(found, analysis)} | dict(effort(found))
    changed = overall(analysis.interactions, target=target, kind="perturbation", subset="changed", perturbation="all")
    if len(changed):
        columns["changed items only"] = with_interval(changed.set_index(key), signed=True)
    named = _in_order(pd.DataFrame(columns), frame, key).rename_axis(["encoder", "metric", "arm", "against"])
    return named.reset_index().fillna("–")


def home(analysis: Analysis, target: str) -> str:
    """The domain in which languages are compared: the one trained on, or "all" where there is one domain."""
    cells = analysis.cells[analysis.cells["target"] == target]
    trained = cells.loc[cells["in_domain"].astype(bool), "domain"]
    return str(trained.iloc[0]) if cells["domain"].nunique() > 1 and len(trained) else "all"


def languages(analysis: Analysis, target: str, noise: str) -> pd.DataFrame:
    """Scores on one target by language in the training domain, on clean text or over all operators, and the gap.

    Args:
        noise: "clean", or "all" operators.
    """
    key, domain = ["model", "metric", "arm"], home(analysis, target)
    frame = overall(analysis.curves, target=target, language=None, domain=domain)
    frame = frame[frame["perturbation"] == noise]
    wide = frame.assign(text=with_interval(frame)).pivot(index=key, columns="language", values="text")
    order = [name for name in dict.fromkeys(frame["language"]) if name != "all"]
    wide = wide.reindex(columns=[*order, "all"]).rename(columns={"all": "mean"})
    gaps = overall(
        analysis.gaps, target=target, quantity="language gap", perturbation=noise, baseline="", domain=domain
    )
    if len(gaps):
        wide["source − others"] = with_interval(gaps.set_index(key), signed=True)
    return _in_order(wide, frame).rename_axis(["encoder", "metric", "arm"]).reset_index().fillna("–")


def scores(analysis: Analysis, target: str) -> list[tuple[str, list[str], pd.DataFrame]]:
    """(encoder, arms, scores by operator and language) of each encoder on one target; a cell holds the arms' scores.

    Scores are means over severities, in points; their intervals are in curves.csv.
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
    """Clean scores on one target at home and in each shifted domain, in the languages that have both, and the gap."""
    gaps = analysis.gaps[(analysis.gaps["target"] == target) & (analysis.gaps["quantity"] == "domain gap")]
    gaps = gaps[(gaps["perturbation"] == "clean") & (gaps["baseline"] == "")]
    return pd.DataFrame(
        {
            "encoder": gaps["model"],
            "metric": gaps["metric"],
            "arm": gaps["arm"],
            "shifted domain": gaps["domain"],
            "home": side(gaps, "first", signed=False),
            "there": side(gaps, "second", signed=False),
            "home − there": with_interval(gaps, signed=True),
            "languages": gaps["languages"],
        }
    )


def kept(analysis: Analysis) -> pd.DataFrame:
    """How much of an arm's gain is kept under a shift of domain, by language, on clean text and over all operators.

    Over all languages: those that have both domains. The share kept (gain there / gain at home) is given where the
    interval of the gain at home is above zero.
    """
    key = ["model", "target", "metric", "arm", "baseline", "language", "perturbation"]
    frame = analysis.gains
    frame = frame[
        (frame["domain"] != "all") & (frame["language"] != "all") & frame["perturbation"].isin(["clean", "all"])
    ]
    at_home = frame["domain"] == frame["target"].map({name: home(analysis, name) for name in set(frame["target"])})
    columns = ["estimate", "ci_low", "ci_high"]
    both = frame[~at_home].merge(frame[at_home][[*key, *columns]], on=key, suffixes=("", "_home"))
    sides = {"first": "estimate_home", "first_low": "ci_low_home", "first_high": "ci_high_home"}
    sides |= {"second": "estimate", "second_low": "ci_low", "second_high": "ci_high"}
    gaps = analysis.gaps
    gaps = gaps[(gaps["quantity"] == "domain gap") & (gaps["baseline"] != "")]
    both = pd.concat([gaps.drop(columns=columns).rename(columns=sides), both], ignore_index=True)
    rows, titles = [], ("encoder", "target", "metric", "arm", "against", "language")
    for row in both.to_dict("records"):
        named = {title: row[name] for title, name in zip(titles, key, strict=False)}
        shown = {"text": {"clean": "clean", "all": "perturbed"}[row["perturbation"]], "shifted domain": row["domain"]}
        for title, end in (("gain at home", "_home"), ("gain there", "")):
            own = pd.DataFrame([{name: row[name + end] for name in columns}])
            shown[title] = with_interval(own, signed=True).iloc[0]
        share = points(row["estimate"] / row["estimate_home"]) if row["ci_low_home"] > 0 else "–"
        rows.append(named | shown | {"languages": row["languages"], "kept %": share})
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
    names = ("primary", "claims", "interactions", "gains", "gaps", "curves", "robustness", "controls", "distances")
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
