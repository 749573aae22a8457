"""Transfer to domains that the target stage never saw."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.explored import in_full, interaction_table
from itt_jax.report.tables.shown import home, no_signal, points, side, with_interval


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
            "home": side(gaps, "first", signed=False) + no_signal(gaps, "first"),
            "there": side(gaps, "second", signed=False) + no_signal(gaps, "second"),
            "home − there": with_interval(gaps, signed=True) + no_signal(gaps),
            "languages": gaps["languages"],
        }
    )


def shifts(analysis: Analysis) -> pd.DataFrame:
    """Interactions with the shift of domain; those of domains without signal have no estimate."""
    frame, every = analysis.interactions, analysis.gaps
    every = every[(every["quantity"] == "domain gap") & (every["perturbation"] == "clean") & (every["baseline"] != "")]
    return interaction_table(in_full(frame[frame["kind"] == "domain"], every), {"domain": "shifted domain"})


def gain_kept(analysis: Analysis) -> pd.DataFrame:
    """How much of an arm's gain is kept under a shift of domain, by language, on clean text and over all operators.

    Over all languages: those that have both domains. first: the gain at home; second: the gain in the shifted domain;
    kept: second / first where the interval of the gain at home is above zero.
    """
    key = ["model", "target", "metric", "arm", "baseline", "language", "perturbation"]
    frame = analysis.gains
    frame = frame[
        (frame["domain"] != "all") & (frame["language"] != "all") & frame["perturbation"].isin(["clean", "all"])
    ]
    at_home = frame["domain"] == frame["target"].map({name: home(analysis, name) for name in set(frame["target"])})
    ends = {"estimate": "", "ci_low": "_low", "ci_high": "_high", "groups": "_groups", "groups_no_signal": "_no_signal"}
    first, second = ({name: f"{side}{end}" for name, end in ends.items()} for side in ("first", "second"))
    there = frame[~at_home][[*key, "domain", *second, "languages"]].rename(columns=second)
    both = there.merge(frame[at_home][[*key, *first]].rename(columns=first), on=key)
    gaps = analysis.gaps
    gaps = gaps[(gaps["quantity"] == "domain gap") & (gaps["baseline"] != "")] if len(gaps) else gaps
    columns = [*key, "domain", *first.values(), *second.values(), "languages"]
    found = pd.concat([gaps.reindex(columns=columns), both[columns]], ignore_index=True)
    return found.assign(kept=(found["second"] / found["first"]).where(found["first_low"] > 0))


def kept(analysis: Analysis) -> pd.DataFrame:
    """`gain_kept` to read."""
    frame = gain_kept(analysis)
    if frame.empty:
        return pd.DataFrame()
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "target": frame["target"],
            "metric": frame["metric"],
            "arm": frame["arm"],
            "against": frame["baseline"],
            "language": frame["language"],
            "text": frame["perturbation"].replace("all", "perturbed"),
            "shifted domain": frame["domain"],
            "gain at home": side(frame, "first") + no_signal(frame, "first"),
            "gain there": side(frame, "second") + no_signal(frame, "second"),
            "languages": frame["languages"],
            "kept %": frame["kept"].map(points),
        }
    )


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
