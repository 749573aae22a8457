"""What the study asked: the primary family, the claims, and whether the stages before the target learned."""

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.analysis.stages import NOT_JUDGED
from itt_jax.report.tables.shown import at_its_look, effort, kept_groups, p_value, points, verdict
from itt_jax.store.results import CLEAN_TEXT


def primary(analysis: Analysis) -> pd.DataFrame:
    """The primary family."""
    frame = analysis.primary
    return pd.DataFrame(
        {
            "encoder": frame["model"],
            "metric": frame["metric"],
            "arm": frame["arm"],
            "against": frame["baseline"],
            "interaction": at_its_look(frame),
            "verdict": frame.apply(verdict, axis=1) if len(frame) else [],
            "detectable": frame["detectable"].map(points),
            "p (Holm)": frame["p_adjusted"].map(p_value),
            **effort(frame),
            "seeds": frame["seeds"],
            "targets": frame["targets"],
            "kept": kept_groups(frame, analysis) if len(frame) else [],
        }
    )


def claims(analysis: Analysis) -> pd.DataFrame:
    """The claims of the config: contrast, estimate, verdict, what it rests on, and published scores beside ours."""
    frame = analysis.claims
    if frame.empty:
        return pd.DataFrame()
    rests = [_rests(row) for row in frame.to_dict("records")]
    return pd.DataFrame(
        {
            "claim": frame["claim"],
            "sentence": frame["sentence"],
            "contrast": [_contrast(row) for row in frame.to_dict("records")],
            "estimate": at_its_look(frame),
            "verdict": [claim_verdict(row) for _, row in frame.iterrows()],
            "ours": _pairs(frame, "first", "second"),
            "published": _pairs(frame, "published_first", "published_second"),
            "source": frame["source"],
            "rests on": rests,
        }
    )


def claim_place(row: dict, analysis: Analysis) -> dict[str, tuple[str, ...]]:
    """What a claim is about, for the filters of the page: dimension -> values; both of its sides are arms."""
    arms, attacks = [arm.name for arm in analysis.arms], set(analysis.attack_cells.get("perturbation", ()))
    noise = "attack" if row["perturbation"] in attacks else "operator"
    own = {"task": row["target"], "language": row["language"], "domain": row["domain"], noise: row["perturbation"]}
    place = {name: (value,) for name, value in own.items() if value not in ("all", CLEAN_TEXT)}
    return place | {"arm": tuple(name for name in (row["arm"], row["baseline"]) if name in arms)}


def claim_places(analysis: Analysis, frame: pd.DataFrame) -> dict[str, list[tuple[str, ...]]]:
    """`claim_place` of every claim: dimension -> the values of each row."""
    rows = [claim_place(row, analysis) for row in analysis.claims.to_dict("records")]
    return {name: [row.get(name, ()) for row in rows] for name in dict.fromkeys(name for row in rows for name in row)}


def _rests(row: dict) -> str:
    """What a claim rests on: "5 seeds, 600 items; bert xlnet; xnli; en de; 12 of 16 cells"."""
    if pd.isna(row["estimate"]):
        return "–"
    found = (
        f"{row['seeds']:.0f} seeds, {row['items']:,.0f} items; {row['models']}; {row['targets']}; {row['languages']}"
    )
    cells, left_out = row["conditions"], row["conditions_left_out"]
    return found + f"; {cells:.0f} of {cells + left_out:.0f} cells" * bool(left_out)


def claim_verdict(row: pd.Series) -> str:
    """The verdict on a claim in words."""
    if pd.isna(row["estimate"]):
        return row["not_judged"]
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
