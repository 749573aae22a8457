"""Transfer to domains that the target stage never saw."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.explored import interaction_table
from itt_jax.report.tables.shown import home, points, side, with_interval


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


def shifts(analysis: Analysis) -> pd.DataFrame:
    """Interactions with the shift of domain."""
    frame = analysis.interactions
    frame = frame[(frame["kind"] == "domain") & (frame["perturbation"] == "clean")]
    return interaction_table(frame, {"domain": "shifted domain"})


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
