"""Outcomes of an attack: a row for each attacked item, and figures over many rows."""

import dataclasses
import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.attack.attack import Attack
from itt_jax.attack.constraints import Similar, edit_distance
from itt_jax.attack.goals import Goal
from itt_jax.attack.lockstep import Attempt
from itt_jax.attack.subject import words_of

Z95 = 1.959964
"""Quantile of the normal distribution for intervals of 95 %."""
STEPS = (1, 2, 5)
"""Numbers of queries at which accuracy is evaluated: these, times powers of ten."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """One attacked item.

    Attributes:
        result: "succeeded", "failed", or "skipped" if the row is not attackable (see `Goal.aim`).
        fields: field -> clean text. field: the edited one. text: its final text.
        label, prediction_before, prediction_after: as text.
        score_before, score_after: scores of the goal. queries: number of texts asked about.
        edits: Levenshtein distance of the edited field in grapheme clusters. clusters: its clean length.
        words_changed: Levenshtein distance in words. words: their clean number.
        similarity: cosine of the edited field with its clean text, under the encoder of the attack's `Similar`; None
            without one.
    """

    item_id: str
    language: str
    result: str
    fields: dict[str, str]
    field: str
    text: str
    label: str
    prediction_before: str
    prediction_after: str
    score_before: float
    score_after: float
    queries: int
    edits: int
    clusters: int
    words_changed: int
    words: int
    similarity: float | None = None


def outcomes_of(attempts: Sequence[Attempt], attack: Attack, goal: Goal) -> list[Outcome]:
    """The rows of the attempts of one attack."""
    meter = next((own for own in attack.constraints if isinstance(own, Similar)), None)
    found = [outcome(attempt, goal) for attempt in attempts]
    if meter is None:
        return found
    cosines = (float(meter.similarities(own.subject, [own.text])[0]) for own in attempts)
    return [dataclasses.replace(own, similarity=cosine) for own, cosine in zip(found, cosines, strict=True)]


def outcome(attempt: Attempt, goal: Goal) -> Outcome:
    """The row of an attempt, without its similarity."""
    from rapidfuzz.distance import Levenshtein

    subject = attempt.subject
    before, after = words_of([subject.text, attempt.text])
    return Outcome(
        item_id=subject.item,
        language=subject.language,
        result=attempt.result,
        fields=subject.fields,
        field=subject.field,
        text=attempt.text,
        label=goal.label(subject),
        prediction_before=goal.prediction(subject, attempt.before),
        prediction_after=goal.prediction(subject, attempt.after),
        score_before=attempt.score_before,
        score_after=attempt.score_after,
        queries=attempt.queries,
        edits=edit_distance(subject.clusters, attempt.text),
        clusters=len(subject.clusters),
        words_changed=Levenshtein.distance(before, after),
        words=len(before),
    )


def summary(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of some rows; a figure is None if nothing was attacked, or nothing succeeded.

    Rates are shares of all rows ("accuracy": attackable; "accuracy_under_attack": attackable, and the attack failed) or
    of the attacked ones ("success_rate", with a Wilson interval of 95 %). Queries are means over attacked rows; edits
    and words, over successes. Curves hold [budget, accuracy under attack] counting the successes of this run that took
    no more than the budget. A success counts after the whole list of candidates that contains it, and a search that may
    make fewer edits can take a different path. So a run with a smaller budget of queries may find more successes, and
    one with fewer edits more or fewer.
    """
    rows = len(outcomes)
    attacked = [own for own in outcomes if own.result != "skipped"]
    succeeded = [own for own in attacked if own.result == "succeeded"]
    low, high = wilson(len(succeeded), len(attacked))
    steps = functools.partial(query_budgets, asked=max((own.queries for own in attacked), default=1))
    return {
        "rows": rows,
        "skipped": rows - len(attacked),
        "attacked": len(attacked),
        "succeeded": len(succeeded),
        "accuracy": len(attacked) / rows if rows else None,
        "accuracy_under_attack": (len(attacked) - len(succeeded)) / rows if rows else None,
        "success_rate": len(succeeded) / len(attacked) if attacked else None,
        "success_rate_low": low,
        "success_rate_high": high,
        "queries": _mean([own.queries for own in attacked]),
        "edits": _mean([own.edits for own in succeeded]),
        "edit_rate": _mean([own.edits / max(1, own.clusters) for own in succeeded]),
        "words_changed": _mean([own.words_changed for own in succeeded]),
        "word_change_rate": _mean([own.words_changed / max(1, own.words) for own in succeeded]),
        "similarity": _mean([own.similarity for own in succeeded if own.similarity is not None]),
        "curve_queries": _curve(rows, len(attacked), [own.queries for own in succeeded], steps),
        "curve_edits": _curve(rows, len(attacked), [own.edits for own in succeeded], lambda most: range(most + 1)),
    }


def summaries(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """`summary` for each language, in order of occurrence."""
    languages = dict.fromkeys(own.language for own in outcomes)
    return [
        {"language": language, **summary([own for own in outcomes if own.language == language])}
        for language in languages
    ]


def summary_lines(found: Sequence[dict[str, Any]]) -> list[str]:
    """Summaries as lines of a table."""
    head = ("language", "rows", "attackable", "under attack", "success (95 %)", "edits", "words", "queries")
    lines = [head]
    for own in found:
        interval = "-"
        if own["success_rate"] is not None:
            interval = "{success_rate:.1%} ({success_rate_low:.1%}-{success_rate_high:.1%})".format(**own)
        lines.append(
            (
                own["language"],
                str(own["rows"]),
                _shown(own["accuracy"], ".1%"),
                _shown(own["accuracy_under_attack"], ".1%"),
                interval,
                _shown(own["edits"], ".1f"),
                _shown(own["words_changed"], ".1f"),
                _shown(own["queries"], ",.1f"),
            )
        )
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(part.rjust(width) for part, width in zip(line, widths, strict=True)) for line in lines]


def wilson(count: int, total: int) -> tuple[float | None, float | None]:
    """Wilson's interval of 95 % for a share; None without any observation."""
    if not total:
        return None, None
    share, z2 = count / total, Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return max(0.0, middle - half), min(1.0, middle + half)


def _curve(rows: int, attacked: int, needed: Sequence[int], budgets: Any) -> list[list[float]]:
    """Accuracy at each budget up to the largest number of queries that a success needed."""
    if not rows:
        return []
    at = np.sort(np.array(needed, np.int64))
    most = int(at[-1]) if len(at) else 0
    return [[b, (attacked - int(np.searchsorted(at, b, "right"))) / rows] for b in budgets(most)]


def query_budgets(most: int, asked: int) -> list[int]:
    """1, 2, 5, 10, 20 ... up to the first that is at least `most`, or up to `asked` if that is smaller.

    Args:
        most: queries of the costliest success. asked: largest number of queries about any row, which no budget is
            below.
    """
    steps = [step * 10**power for power in range(len(str(most)) + 1) for step in STEPS]
    return [min(step, asked) for i, step in enumerate(steps) if i == 0 or steps[i - 1] < most]


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
