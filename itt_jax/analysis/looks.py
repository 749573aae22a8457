"""The looks at a results folder: their design, the number of seeds that count, and the results of earlier looks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import inference
from itt_jax.analysis.sequential import ONCE, Anytime, Declared, Look
from itt_jax.store import Store

RECORDED = ["family", *inference.CONTRAST, "estimate", "ci_low", "ci_high", "p_design", "leaning", "look", "verdict"]
"""The columns that every look records of a question, besides the other columns of its table."""
LATEST = {"latest": "estimate", "latest_low": "ci_low", "latest_high": "ci_high"}
"""Columns for the present figures of a question that an earlier look decided."""


@dataclasses.dataclass(frozen=True)
class Looked:
    """The looks at a folder.

    Attributes:
        look: the design and the number of seeds. seeds: those that count; None for all.
        earlier: the questions of earlier looks, as recorded.
        looks: all numbers of seeds that were declared. made: those at which there was a look.
    """

    look: Look = ONCE
    seeds: tuple[int, ...] | None = None
    earlier: pd.DataFrame = dataclasses.field(default_factory=lambda: pd.DataFrame(columns=RECORDED))
    looks: tuple[int, ...] = ()
    made: tuple[int, ...] = ()

    def earlier_of(self, family: str) -> pd.DataFrame | None:
        """The records of earlier looks on "primary" contrasts or "claims"."""
        own = self.earlier[self.earlier["family"] == family]
        return own if len(own) else None


def looked(store: Store, plan: Mapping[str, Any], results: pd.DataFrame, number: int | None = None) -> Looked:
    """The present look at a folder.

    Args:
        number: number of seeds to look at; None takes the latest look that was made.
    """
    declared = plan.get("declared")
    if not declared:
        return Looked()
    stopping = declared["content"]["stopping"]
    if "anytime" in stopping:
        return Looked(Look(Anytime(), results["seed"].nunique()))
    if "looks" not in stopping:
        return Looked()
    seen = store.agreed.looks(declared["hash"])
    made = tuple(look["seeds"] for look in seen)
    number = number or max(made, default=0)
    rows = [row for look in seen if look["seeds"] < number for row in look["questions"]]
    looks = tuple(stopping["looks"])
    earlier = pd.DataFrame(rows, columns=list(dict.fromkeys([*RECORDED, *(name for row in rows for name in row)])))
    earlier = earlier.astype({"p_design": float})
    seeds = tuple(plan["seeds"][:number]) if number else None
    return Looked(Look(Declared(looks), number), seeds, earlier, looks, made)


def at_look(frame: pd.DataFrame, look: Look) -> pd.DataFrame:
    """A table with the intervals of the look's level in its contrasts; scores of one arm keep 95 %."""
    if look == ONCE or frame.empty:
        return frame
    contrast = frame["baseline"] != ""
    found = inference.intervals(frame, look)
    return frame.assign(**{name: frame[name].where(~contrast, end) for name, end in found.items()})


def as_decided(frame: pd.DataFrame, earlier: pd.DataFrame | None) -> pd.DataFrame:
    """Judged contrasts; those that an earlier look decided have the figures of that look, on which the verdict rests.

    Adds LATEST: the present estimate and interval of such a row; NaN in the others.

    Args:
        earlier: as in `inference.judge`.
    """
    frame = frame.assign(**dict.fromkeys(LATEST, np.nan))
    if earlier is None:
        return frame
    past = inference.clearest(frame, earlier)
    before = (frame["verdict"] != "undetermined") & (past["p_design"] == frame["p_design"])
    before &= past["look"] == frame["look"]
    present = {name: frame[own].where(before) for name, own in LATEST.items()}
    fixed = {*inference.CONTRAST, *LATEST, "verdict", "p_bound"}
    recorded = {
        name: frame[name].where(~before, past[name]).astype(frame[name].dtype)
        for name in frame.columns.intersection(past.columns)
        if name not in fixed
    }
    return frame.assign(**recorded | present)
