"""What a table of the report is."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from itt_jax.analysis import Analysis
from itt_jax.report.tables.shown import home, without_constant

EXPLORATORY = (
    "Exploratory: adjusted for the false discovery rate (Benjamini-Hochberg). A row that is itself a primary contrast "
    "(one target, and all of what it varies) has the primary verdict and figures."
)
"""The note of interactions that are not all of the primary family."""
ALL_GROUPS = (
    "No signal: a score on dev rows that is not above chance, of differences in one of the arms. Such groups are part "
    "of the means here, which then say how many of their groups they are; ratios and interactions leave them out, and "
    'so does "Each arm" where some group has signal in every arm.'
)
"""The note of scores over all groups."""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the report, in rounded figures to read.

    Attributes:
        name: of its files and its place in the page.
        section: id of the section that shows it (`report.sections`).
        caption: what it shows, in one line; "{metrics}" and "{bound}" are filled in.
        make: makes it from an analysis and the folder's plan; empty where the folder has nothing for it.
        note: how to read it.
        source: name of the tidy table with its unrounded figures; empty where its figures are in no other.
        wide: whether its columns are languages.
        place: what its rows are about beyond what its columns say, from the analysis and the table: dimension of the
            page's filters -> the values of each row, instead of those of its columns.
    """

    name: str
    section: str
    caption: str
    make: Callable[[Analysis, Mapping[str, Any]], pd.DataFrame]
    note: str = ""
    source: str = ""
    wide: bool = False
    place: Callable[[Analysis, pd.DataFrame], Mapping[str, Sequence[tuple[str, ...]]]] = lambda analysis, frame: {}

    def of(self, analysis: Analysis, plan: Mapping[str, Any]) -> pd.DataFrame:
        """The table, without columns of target or metric that have one value."""
        several = analysis.cells["target"].nunique() > 1
        return without_constant(self.make(analysis, plan), *(() if several else ("target",)))


def by_target(make: Callable[[Analysis, str], pd.DataFrame]) -> Callable[[Analysis, Mapping[str, Any]], pd.DataFrame]:
    """The tables of all targets as one, with a column "target" after the encoder."""

    def joined(analysis: Analysis, plan: Mapping[str, Any]) -> pd.DataFrame:
        parts = []
        for target in dict.fromkeys(analysis.cells["target"]):
            part = make(analysis, target)
            part.insert(min(1, part.shape[1]), "target", target)
            parts.append(part)
        frame = pd.concat(parts, ignore_index=True).fillna("–") if parts else pd.DataFrame()
        return frame.sort_values("encoder", key=_first_seen, kind="stable", ignore_index=True) if len(frame) else frame

    return joined


def at_home(analysis: Analysis, frame: pd.DataFrame) -> dict[str, list[tuple[str, ...]]]:
    """Rows of the training domain of their target, or of that and a shifted one, where they have such a column."""
    targets = frame["target"] if "target" in frame else [analysis.cells["target"].iloc[0]] * len(frame)
    shifted = frame["shifted domain"] if "shifted domain" in frame else [""] * len(frame)
    pairs = zip((home(analysis, target) for target in targets), shifted, strict=True)
    return {"domain": [tuple(name for name in pair if name not in ("", "all")) for pair in pairs]}


def _first_seen(values: pd.Series) -> pd.Series:
    return pd.Series(pd.factorize(values)[0], values.index)
