"""The basis of verdicts: the compute of each arm, and whether its stages before the last learned anything.

Both are read from the records of stages in a folder's plan; records of earlier versions may lack them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from itt_jax.analysis.inference import LEVEL, half_width
from itt_jax.metrics import METRICS

NOT_JUDGED = "not judged"
ARM = ["model", "target", "arm"]
CHECKED = [*ARM, "stage", "task", "metric", "dev", "ci_low", "ci_high", "chance", "seeds", "seeds_failed", "must_learn"]
EFFORT = ["tokens", "flops"]
BESIDE = ["tokens", "baseline_tokens", "flops", "baseline_flops"]


def _uses(plan: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str, str], dict[str, Any], bool]]:
    """((encoder, target, arm), record, whether the arm ends there) of every finished stage in every arm."""
    for record in plan.get("stages_done", ()):
        for use in record.get("used_by", ()):
            yield (record["encoder"], use["target"], use["arm"]), record, use in record["evaluated_as"]


def effort(plan: Mapping[str, Any]) -> pd.DataFrame:
    """Tokens and model FLOPs of one run of each arm, all its stages after pretraining; means over seeds."""
    rows = [[*arm, record["seed"], *(record[name] for name in EFFORT)] for arm, record, _ in _uses(plan)]
    frame = pd.DataFrame(rows, columns=[*ARM, "seed", *EFFORT])
    return frame.groupby([*ARM, "seed"]).sum().groupby(ARM).mean()


def with_effort(frame: pd.DataFrame, efforts: pd.DataFrame) -> pd.DataFrame:
    """A table of contrasts with the tokens and FLOPs of both arms, summed over the targets that a contrast rests on."""
    targets, frame = _targets(frame), frame.copy()
    known = {name: efforts[name].to_dict() for name in EFFORT}
    for side, prefix in (("arm", ""), ("baseline", "baseline_")):
        uses = list(zip(frame["model"].to_numpy(), targets, frame[side].to_numpy(), strict=True))
        for name in EFFORT:
            sums = {use: _sum_of(known[name], *use) for use in set(uses)}  # the same few of very many rows
            frame[f"{prefix}{name}"] = np.array([sums[use] for use in uses], dtype=float)
    return frame


def _sum_of(known: Mapping[tuple, float], model: str, targets: tuple[str, ...], arm: str) -> float:
    return sum(known.get((model, target, arm), np.nan) for target in targets) if targets else np.nan


def _targets(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """The targets that each contrast rests on."""
    return list(frame["rests_on"]) if "rests_on" in frame else [(target,) for target in frame["target"].to_numpy()]


def checks(plan: Mapping[str, Any]) -> pd.DataFrame:
    """The dev scores of stages before an arm's last, compared with chance: a row for each arm, stage and task, over
    seeds.

    The interval covers other seeds and other items. The error of the items counts as if all seeds made the same
    mistakes, because a record does not show how similar these are; if they differ, the interval is conservative.
    Rates and checkpoints were chosen on these rows, so its level is that of the records (Bonferroni). A stage with
    permuted labels need not learn.
    """
    found: dict[tuple, list[dict[str, Any]]] = {}
    for arm, record, is_last in _uses(plan):
        for check in () if is_last else record.get("dev_checks", ()):
            kind = "intermediate" if record["kind"] == "target" else record["kind"]
            place = (*arm, kind, check["task"], check["metric"], record.get("labels") != "shuffled")
            found.setdefault(place, []).append(check)
    rows = []
    for (*named, must_learn), own in found.items():
        numbers = dict(zip(("dev", "ci_low", "ci_high"), _interval(own), strict=True))
        numbers["chance"] = _mean(check["chance"] for check in own)
        failed = sum(not check["learned"] for check in own)
        about = dict(zip([*ARM, "stage", "task", "metric"], named, strict=True))
        rows.append(about | numbers | {"seeds": len(own), "seeds_failed": failed, "must_learn": must_learn})
    return pd.DataFrame(rows, columns=CHECKED)


def _interval(own: list[dict[str, Any]]) -> tuple[float, float, float]:
    """Mean and interval of the dev scores of one stage in several seeds; undefined scores are left out."""
    known = [check for check in own if check["dev"] is not None]
    if not known:
        return np.nan, np.nan, np.nan
    level = LEVEL / max(max(check["looks"], 1) for check in known)
    dev, high = (np.array([check[name] for check in known]) for name in ("dev", "ci_high"))
    looks = np.array([max(check["looks"], 1) for check in known])
    item_error = np.sqrt(np.mean(((high - dev) / stats.norm.isf(LEVEL / 2 / looks)) ** 2))
    about = {"estimate": dev.mean(), "seeds": len(known), "clusters": known[0]["rows"], "item_error": item_error}
    about["seed_error"] = dev.std(ddof=1) / np.sqrt(len(known)) if len(known) > 1 else 0.0
    half = half_width(pd.DataFrame([about]), level / 2)[0]
    scale = next((own for own in METRICS if own.name == known[0]["metric"]), None)  # a loss has no range
    lowest, highest = (-np.inf, np.inf) if scale is None else (scale.lowest, scale.highest)
    return float(dev.mean()), float(max(dev.mean() - half, lowest)), float(min(dev.mean() + half, highest))


def failures(plan: Mapping[str, Any]) -> dict[tuple[str, str, str], list[str]]:
    """(encoder, target, arm) -> a description of the stages before its last that had to learn but did not.

    A stage on several tasks fails in a seed if it learned none of them.
    """
    found: dict[tuple, list[list[dict[str, Any]]]] = {}
    for arm, record, is_last in _uses(plan):
        own = record.get("dev_checks")
        if own and not is_last and record.get("labels") != "shuffled":
            kind = "adaptation" if record["kind"] == "adaptation" else "intermediate"
            found.setdefault((arm, kind, tuple(check["task"] for check in own)), []).append(own)
    said: dict[tuple[str, str, str], list[str]] = {}
    for (arm, kind, tasks), seeds in found.items():
        failed = [own for own in seeds if not any(check["learned"] for check in own)]
        if failed:
            figures = "; ".join(_figures([own[at] for own in failed]) for at in range(len(tasks)))
            name = f"{kind} stage on {', '.join(tasks)}"
            said.setdefault(arm, []).append(f"{name} did not learn in {len(failed)} of {len(seeds)} seeds ({figures})")
    return said


def withheld(frame: pd.DataFrame, failed: Mapping[tuple[str, str, str], list[str]]) -> pd.DataFrame:
    """Judged contrasts without the verdicts that rest on a stage that did not learn.

    Adds not_judged: the reason, empty if there is none. A contrast over several targets (rests_on) rests on the
    stages of each.
    """
    of_targets = "target" in frame
    rows = list(zip(*(frame[name].to_numpy() for name in ("model", "arm", "baseline")), _targets(frame), strict=True))
    reasons = {row: _reasons(row, failed, of_targets) for row in set(rows)}
    frame = frame.assign(not_judged=np.array([reasons[row] for row in rows], dtype=object))
    frame["verdict"] = frame["verdict"].where(frame["not_judged"] == "", NOT_JUDGED)
    return frame


def _reasons(
    row: tuple[str, str, str, tuple[str, ...]], failed: Mapping[tuple[str, str, str], list[str]], of_targets: bool
) -> str:
    """Why a contrast is not judged; empty if it is judged.

    Args:
        row: its encoder, arm, baseline and targets. of_targets: whether its table has a row for each target.
    """
    model, arm, baseline, targets = row
    found = []
    for (own, target, of), said in failed.items():
        if own == model and of in (arm, baseline) and target in targets:
            named = [name for name, shown in ((target, not of_targets), (of, of == baseline)) if shown]
            found += [f"{', '.join(named)}: {reason}" if named else reason for reason in said]
    return "; ".join(found)


def _figures(seeds: list[dict[str, Any]]) -> str:
    """Mean dev score and chance level over seeds: "dev .04, chance 0"."""
    return ", ".join(f"{name} {short(_mean(check[name] for check in seeds))}" for name in ("dev", "chance"))


def short(value: float) -> str:
    """A score with two decimals, without its leading zero."""
    if np.isnan(value):
        return "undefined"
    text = f"{value:.2f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.2f}"
    return "0" if text in (".00", "-.00") else text


def _mean(values: Iterable[float | None]) -> float:
    """The mean of the existing values; NaN if there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else float("nan")
