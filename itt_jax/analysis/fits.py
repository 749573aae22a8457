"""Quantities of arms as arrays over seeds and clusters of items, and their tables."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from itt_jax.analysis import inference
from itt_jax.analysis.inference import Columns


@dataclasses.dataclass(frozen=True)
class Fit:
    """Quantities of one arm, or the differences between two. Axes: S seeds, Q quantities, I items, C clusters.

    Larger values are better: a metric for which lower is better enters with the opposite sign.

    Attributes:
        values: [S, Q]. open_scale: [S, Q], the same on log-odds or Fisher's z. chance: [Q].
        influence: [S, Q, C]. members: bool [Q, I], the items that take part. shares: [Q, C], the share of each cluster,
            with all cells' weights taken as positive. cells: int [Q], the number of cells that a quantity combines.
    """

    values: np.ndarray
    influence: np.ndarray
    open_scale: np.ndarray
    chance: np.ndarray
    members: np.ndarray
    shares: np.ndarray
    cells: np.ndarray

    def less(self, other: "Fit") -> "Fit":
        """The difference, paired by seed and item."""
        return dataclasses.replace(
            self,
            values=self.values - other.values,
            influence=self.influence - other.influence,
            open_scale=self.open_scale - other.open_scale,
        )

    def table(self, is_mean: bool) -> pd.DataFrame:
        """`columns` as a data frame."""
        return pd.DataFrame(self.columns(is_mean))

    def columns(self, is_mean: bool, single: int = -1, tested: bool = True) -> Columns:
        """Statistics, one row a quantity.

        Args:
            is_mean: whether the metric is a mean over items.
            single: McNemar's test applies to quantities with this number of cells; -1 for none.
            tested: as in `inference.table`.
        """
        items = self.members.sum(1)
        if self.members.shape[1]:
            alone = (self.shares > 0).sum(1) == items
            two_cells = (self.cells == single) & alone if is_mean else None
            found = inference.table(self.values, self.influence, self.shares, two_cells, tested)
        else:
            found = inference.estimates(self.values)
        finite = np.isfinite(self.values)
        total = np.where(finite, self.open_scale, 0).sum(0)
        log_odds = np.divide(total, finite.sum(0), out=np.full(len(total), np.nan), where=finite.any(0))
        clusters = found.pop("clusters")
        return found | {"items": items, "clusters": clusters, "log_odds": log_odds}


def ratio(drop: Fit, clean: Fit, of_drop: float, of_clean: float, chance: float) -> Fit:
    """(of_drop x drop + of_clean x clean - chance) / (clean - chance), linearised about the means over seeds.

    The drop's chance is the difference between the chance levels, so a chance-corrected perturbed score uses its own
    level.
    """
    above = clean.values - chance * clean.chance
    numerator = of_drop * drop.values + of_clean * clean.values - chance * (clean.chance + drop.chance)
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = np.where(above.mean(0) > 0, above.mean(0), np.nan)
        found = numerator.mean(0) / middle
    values = found + (numerator - found * above) / middle
    part = of_drop * drop.influence + (of_clean - found)[None, :, None] * clean.influence
    return dataclasses.replace(drop, values=values, influence=part / middle[None, :, None])


def column(values: Sequence[Any]) -> np.ndarray:
    """A column of texts, or of numbers of one kind."""
    return np.array(values, dtype=object if values and isinstance(values[0], str) else None)


def repeated(count: int, **texts: str) -> Columns:
    """Columns of one text each."""
    return {name: np.full(count, text, dtype=object) for name, text in texts.items()}


def joined(parts: Iterable[Columns]) -> pd.DataFrame:
    """One table of the rows of several, as `concat`; all have the same columns."""
    parts = [part for part in parts if len(part["estimate"])]
    if not parts:
        return concat([])
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def concat(frames: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """One table of the frames that have rows; an empty one with the columns that callers read if none has."""
    frames = [frame for frame in frames if len(frame)]
    if frames:
        return pd.concat(frames, ignore_index=True)
    names = ["kind", "subset", "model", "target", "metric", "arm", "baseline", "quantity", "language", "domain"]
    statistics = ["estimate", "ci_low", "ci_high", "std_err", "seed_error", "item_error", "df", "p"]
    sides = [f"{side}{end}" for side in ("first", "second") for end in ("", "_low", "_high")]
    counted = ["languages", "domains", "groups", "groups_left_out", "groups_unchecked", "cross_lingual"]
    counted += ["groups_no_signal"]
    columns = [*names, "perturbation", "severity", *statistics, "test", "seeds", "items", "clusters", "log_odds"]
    counted += [f"{side}_{name}" for side in ("first", "second") for name in ("groups", "no_signal")]
    return pd.DataFrame(columns=[*columns, *sides, *counted]).astype(dict.fromkeys([*statistics, *sides], float))
