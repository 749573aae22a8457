"""The figures of many certificates, compared with accuracy under an attack with the same budget."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax.attack.csv_files import one_text
from itt_jax.attack.outcomes import Outcome
from itt_jax.attack.subject import Subject
from itt_jax.certify.deletion import Deletion
from itt_jax.certify.radius import most_false
from itt_jax.certify.smoothing import Certificate, Smoothing
from itt_jax.errors import InputError

SHOWN = (0, 1, 2, 3, 5, 8, 13, 21)
"""Radii in the printed table."""


def summary(found: Sequence[Certificate], smoothing: Smoothing, attacked: Sequence[int | None] = ()) -> dict[str, Any]:
    """The figures of the rows of one language.

    `certified` holds [r, share of rows that are right with a radius of r or more, lower bound]. Each certificate holds
    with `confidence`, so some of the share may be false; true accuracy under every r edits is at least the last number,
    for all r together, with that confidence too.

    Args:
        attacked: for each row, the number of edits with which an attack succeeded; -1 if the row was wrong before, None
            if the attack failed. `under_attack` then holds [r, share of rows that are still right after r edits].
    """
    rows, radii = len(found), np.array([own.radius if own.right else -1 for own in found])
    false, certified = most_false(rows, smoothing.alpha), []
    for r in range(max(0, int(radii.max(initial=0))) + 1):
        count = int(np.count_nonzero(radii >= r))
        certified.append([r, count / rows, max(0, count - false) / rows])
    figures = {
        "rows": rows,
        "accuracy": float(np.mean([own.right for own in found])),
        "abstained": float(np.mean([own.radius < 0 for own in found])),
        "confidence": 1 - smoothing.alpha,
        "unit": smoothing.deletion.unit,
        "rate": smoothing.deletion.rate,
        "samples": smoothing.samples,
        "distinct": float(np.mean([own.distinct for own in found])),
        "certified": certified,
    }
    if attacked:
        edits = [np.inf if own is None else own for own in attacked]
        figures["under_attack"] = [[r, float(np.mean(np.array(edits) > r))] for r, *_ in certified]
    return figures


def summaries(
    found: Sequence[Certificate], smoothing: Smoothing, outcomes: Sequence[Outcome] | None = None
) -> list[dict[str, Any]]:
    """`summary` for each language, in order of occurrence.

    Args:
        outcomes: those of an attack on the same rows (see `check_attack`).
    """
    by_language: dict[str, list[Certificate]] = {}
    for own in found:
        by_language.setdefault(own.language, []).append(own)
    edits = {} if outcomes is None else attack_edits(outcomes, smoothing.deletion)
    made = []
    for language, rows in by_language.items():
        attacked = []
        if outcomes is not None:
            attacked = [edits[language, own.item_id] for own in rows]
        made.append({"language": language, **summary(rows, smoothing, attacked)})
    return made


def check_attack(outcomes: Sequence[Outcome], subjects: Sequence[Subject]) -> None:
    """Check that an attack was on these rows.

    Raises:
        InputError: it lacks a row, edits another field, or has another clean text.
    """
    found = {(own.language, own.item_id): own for own in outcomes}
    for own in subjects:
        where, other = f"row {own.item!r} in language {own.language!r}", found.get((own.language, own.item))
        if other is None:
            raise InputError(f"--attack: no {where}; expected an attack on the same rows")
        if other.field != own.field:
            raise InputError(f"--attack: {where}: edits field {other.field!r}; expected {own.field!r}")
        if one_text(other.fields) != one_text(own.fields):
            raise InputError(f"--attack: {where}: has another clean text; expected an attack on the same rows")


def attack_edits(outcomes: Sequence[Outcome], deletion: Deletion) -> dict[tuple[str, str], int | None]:
    """(language, item) -> edits with which an attack succeeded, in the units of the mechanism; see `summary`."""
    from rapidfuzz.distance import Levenshtein

    before, after = (
        deletion.sequences(texts, "")
        for texts in ([own.fields[own.field] for own in outcomes], [own.text for own in outcomes])
    )
    found: dict[tuple[str, str], int | None] = {}
    for own, old, new in zip(outcomes, before, after, strict=True):
        edits = Levenshtein.distance(old, new) if own.result == "succeeded" else None
        found[own.language, own.item_id] = -1 if own.result == "skipped" else edits
    return found


def summary_lines(figures: Sequence[dict[str, Any]]) -> list[str]:
    """Summaries as a printed table, with a line for each language and radius."""
    lines = [("language", "rows", "abstained", "radius", "certified", "at least", "under attack")]
    for own in figures:
        attacked = dict(own.get("under_attack", ()))
        for r, share, low in own["certified"]:
            if r in SHOWN or r == own["certified"][-1][0]:
                first = (own["language"], str(own["rows"]), f"{own['abstained']:.1%}") if r == 0 else ("", "", "")
                under = f"{attacked[r]:.1%}" if r in attacked else "-"
                lines.append((*first, str(r), f"{share:.1%}", f"{low:.1%}", under))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return ["  ".join(part.rjust(width) for part, width in zip(line, widths, strict=True)) for line in lines]
