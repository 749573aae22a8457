"""One contrast of two arms, as a sentence or as a table to paste into a paper."""

import itertools
from collections.abc import Sequence

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.errors import InputError, unknown
from itt_jax.report import tables
from itt_jax.store.results import CLEAN_TEXT

ALL = "all"
KEY = ["model", "target", "metric", "arm", "baseline"]
COLUMNS = {"model": "encoder", "target": "target", "arm": "arm", "baseline": "against"}


def parse_pair(text: str, arms: Sequence[str]) -> tuple[str, str]:
    """(arm, baseline) of "ARM-BASELINE", two of the arms, whose names may contain hyphens.

    Raises:
        InputError: there are no such arms; the message lists the contrasts there are.
    """
    if len(arms) < 2:
        raise InputError(f"--contrast {text}: the folder has no contrasts: it holds one arm")
    known = {f"{arm}-{baseline}": (arm, baseline) for arm, baseline in itertools.permutations(arms, 2)}
    if text not in known:
        raise unknown("contrast in --contrast:", text, known)
    return known[text]


def contrast(analysis: Analysis, pair: tuple[str, str], language: str = ALL, perturbation: str = ALL) -> pd.DataFrame:
    """Gains on clean and on perturbed text, and their difference, for one row an encoder and target.

    All are of the groups with signal; where none has any, the gains are of all groups and there is no interaction.

    Args:
        pair: arm and baseline. language, perturbation: one of the folder's, or "all".

    Raises:
        InputError: the folder has no such language or perturbation.
    """
    languages, operators = (list(dict.fromkeys(analysis.cells[name])) for name in ("language", "perturbation"))
    if language not in (ALL, *languages):
        raise unknown("language in --language:", language, languages)
    if perturbation not in (ALL, *operators):
        raise unknown("operator in --perturbation:", perturbation, operators)
    # where there is one language, "all" is its only scope
    scope = language if len(languages) > 1 else ALL
    where = {"arm": pair[0], "baseline": pair[1], "language": scope, "domain": ALL}
    gains, found = _at(analysis.gains, **where), _at(analysis.interactions, **where, kind="perturbation", subset=ALL)
    clean = gains[gains["perturbation"] == CLEAN_TEXT].set_index(KEY)
    perturbed, found = (
        frame[(frame["perturbation"] == perturbation) & frame["severity"].isna()].set_index(KEY)
        for frame in (gains, found)
    )
    table = pd.DataFrame(
        {
            "clean gain": _first(tables.side(found, "second"), _over_all(clean)),
            "perturbed gain": _first(tables.side(found, "first"), _over_all(perturbed)),
            "interaction": tables.with_interval(found, signed=True),
            "verdict": found.apply(tables.verdict, axis=1) if len(found) else pd.Series(dtype=object),
            "seeds": found["seeds"].astype(object),
        }
    )
    unknown_verdict = "no signal" if analysis.has_items else "no predictions to judge by"
    # interactions are of groups with signal, so that a contrast may have none
    return (
        table.reindex(clean.index)
        .reset_index()
        .rename(columns=COLUMNS)
        .fillna({"verdict": unknown_verdict})
        .fillna("–")
    )


def _over_all(gains: pd.DataFrame) -> pd.Series:
    """Gains over all groups, also those without signal, which are counted."""
    return tables.with_interval(gains, signed=True) + tables.no_signal(gains)


def _first(found: pd.Series, otherwise: pd.Series) -> pd.Series:
    return found.reindex(otherwise.index.union(found.index)).fillna(otherwise)


def sentences(table: pd.DataFrame, language: str, perturbation: str) -> str:
    """The contrast in a line an encoder and target."""
    place = "all languages" if language == ALL else language
    noise = "all operators" if perturbation == ALL else perturbation
    return "\n".join(
        f"{row['encoder']}, {row['target']} ({row['metric']}), {row['arm']} against {row['against']}, {place}: gain "
        f"{row['clean gain']} on clean text, {row['perturbed gain']} under {noise}; {_interaction(row)}"
        for row in table.to_dict("records")
    )


def _interaction(row: dict[str, str]) -> str:
    if row["interaction"] == "–":
        return f"no interaction ({row['verdict']})"
    return f"interaction {row['interaction']}, {row['verdict']}, {row['seeds']} seeds"


FORMATS = ("line", "markdown", "latex")


def rendered(table: pd.DataFrame, form: str, language: str, perturbation: str) -> str:
    """The contrast as `FORMATS` names it."""
    if form == "line":
        return sentences(table, language, perturbation)
    shown = tables.without_constant(table)
    return tables.markdown(shown) if form == "markdown" else tables.latex(shown)


def _at(frame: pd.DataFrame, **where: str) -> pd.DataFrame:
    """The rows with these values."""
    for name, value in where.items():
        frame = frame[frame[name] == value]
    return frame
