"""What is estimated, as weights over the conditions of a block.

Every quantity is a linear combination of cells, so an effect (one arm less another), its seed-level values and its
items' influences follow by matrix products. Averages are taken level by level (replicates, severities, operators,
tasks, languages, domains), each level with equal weights, over what exists: an operator that a language lacks is no
missing cell.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
import pandas as pd
from scipy import sparse

from itt_jax.study.grid import Block

ALL = "all"
LEVELS = ["domain", "language", "task", "split", "perturbation", "severity", "replicate"]


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One linear quantity of a block.

    Attributes:
        kind: "score" (a mean score), "drop" (perturbed less clean on the same items: the arms' difference of it is
            the interaction), "clean" (the clean score that a drop starts from), "area" (under the severity curve,
            over the largest severity: a mean score), "worst cell", "worst item", "language gap" (source language
            less the mean of the others) or "domain gap" (adapted domain less the one in `domain`).
        language, domain, perturbation: a value or "all"; severity: NaN for all.
        weights: condition's row -> weight.
    """

    kind: str
    language: str
    domain: str
    perturbation: str
    severity: float
    weights: dict[int, float]


def average(conditions: pd.DataFrame) -> dict[int, float]:
    """Weights of the mean over the given conditions, level by level with equal weights."""
    keys = list(conditions[LEVELS].itertuples(index=False, name=None))
    children = defaultdict(set)
    for key in keys:
        for depth in range(len(LEVELS)):
            children[key[:depth]].add(key[depth])
    shares = (np.prod([len(children[key[:depth]]) for depth in range(len(LEVELS))]) for key in keys)
    return {row: 1.0 / float(share) for row, share in zip(conditions.index, shares, strict=True)}


def combine(*terms: tuple[float, dict[int, float]]) -> dict[int, float]:
    """The sum of factor x weights."""
    total: dict[int, float] = defaultdict(float)
    for factor, weights in terms:
        for row, weight in weights.items():
            total[row] += factor * weight
    return dict(total)


def matrix(quantities: list[Quantity], conditions: int) -> sparse.csr_matrix:
    """The weights of quantities as [Q, K]."""
    cells = [(q, row, weight) for q, quantity in enumerate(quantities) for row, weight in quantity.weights.items()]
    q, k, weights = (np.array(part) for part in zip(*cells, strict=True)) if cells else ([], [], [])
    return sparse.csr_matrix((weights, (q, k)), shape=(len(quantities), conditions))


def scores(block: Block, excluded: Collection[int] = ()) -> list[Quantity]:
    """Mean scores, drops and clean scores of every scope, operator and severity.

    Args:
        excluded: groups (task, split, domain, language) that are left out.
    """
    frame = block.conditions[~block.conditions["group"].isin(list(excluded))]
    found = []
    for language, domain, scope in _scopes(frame, block.conditions):
        clean, perturbed = scope[scope["role"] == "clean"], scope[scope["role"] == "perturbed"]
        if len(clean):
            found.append(Quantity("score", language, domain, "clean", 0.0, average(clean)))
        for operator, severity, part in _noises(perturbed):
            weights = average(part)
            found.append(Quantity("score", language, domain, operator, severity, weights))
            if (part["twin"] < 0).any():
                continue
            twins = _to_twins(block, weights)
            drop = combine((1.0, weights), (-1.0, twins))
            found.append(Quantity("drop", language, domain, operator, severity, drop))
            found.append(Quantity("clean", language, domain, operator, severity, twins))
    return found


def curves(block: Block, excluded: Collection[int] = ()) -> list[Quantity]:
    """Areas under the severity curves, per operator and over all, and the worst cases, for all languages."""
    frame = block.conditions[~block.conditions["group"].isin(list(excluded))]
    perturbed = frame[(frame["role"] == "perturbed") & (frame["twin"] >= 0)]
    areas = []
    for operator, part in perturbed.groupby("perturbation", sort=False):
        weights = _area(block, part)
        areas.append(Quantity("area", ALL, ALL, str(operator), np.nan, weights))
    if areas:
        mean = combine(*((1.0 / len(areas), quantity.weights) for quantity in areas))
        areas.append(Quantity("area", ALL, ALL, ALL, np.nan, mean))
    worst = []
    for role in ("worst cell", "worst item"):
        part = frame[frame["role"] == role]
        if len(part):
            worst.append(Quantity(role, ALL, ALL, ALL, np.nan, average(part)))
    return areas + worst


def _area(block: Block, part: pd.DataFrame) -> dict[int, float]:
    """Trapezoids from the clean score at severity 0 to the largest severity, divided by it; each group alike."""
    terms = []
    groups = part.groupby("group", sort=False)
    for _, rows in groups:
        levels = sorted(set(rows["severity"]))
        knots = np.array([0.0, *levels])
        width = np.diff(knots)
        heights = (np.append(width, 0) + np.append(0, width)) / 2 / knots[-1]
        by_level = [average(rows[rows["severity"] == level]) for level in levels]
        terms += list(zip(heights[1:] / len(groups), by_level, strict=True))
        terms.append((heights[0] / len(groups), _to_twins(block, by_level[0])))
    return combine(*terms)


def gaps(block: Block, excluded: Collection[int] = ()) -> list[Quantity]:
    """Language gaps (per domain and over all) and domain gaps, on clean text and over all operators."""
    frame = block.conditions[~block.conditions["group"].isin(list(excluded))]
    found = []
    for role, noise in (("clean", "clean"), ("perturbed", ALL)):
        rows = frame[frame["role"] == role]
        severity = 0.0 if role == "clean" else np.nan
        for domain in [ALL, *_several(rows["domain"])]:
            scope = rows if domain == ALL else rows[rows["domain"] == domain]
            source = scope["source_language"].astype(bool)
            scope_has_both = scope.groupby("domain")["source_language"].nunique()
            if len(scope) and (scope_has_both == 2).all():
                weights = combine((1.0, average(scope[source])), (-1.0, average(scope[~source])))
                found.append(Quantity("language gap", ALL, domain, noise, severity, weights))
        adapted = rows["adapted"].astype(bool)
        for domain in dict.fromkeys(rows.loc[~adapted, "domain"]):
            shifted = rows[~adapted & (rows["domain"] == domain)]
            home = rows[adapted & rows["language"].isin(set(shifted["language"]))]
            shifted = shifted[shifted["language"].isin(set(home["language"]))]
            if len(shifted):
                weights = combine((1.0, average(home)), (-1.0, average(shifted)))
                found.append(Quantity("domain gap", ALL, str(domain), noise, severity, weights))
    return found


def _to_twins(block: Block, weights: dict[int, float]) -> dict[int, float]:
    """The same weights on the clean counterparts."""
    twin = block.conditions["twin"].to_numpy()
    return combine(*((weight, {int(twin[row]): 1.0}) for row, weight in weights.items()))


def _several(column: pd.Series) -> list[str]:
    """The distinct values where there is more than one."""
    values = list(dict.fromkeys(column))
    return values if len(values) > 1 else []


def _scopes(frame: pd.DataFrame, whole: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """(language, domain, conditions) of: everything, each language of the whole, each domain of the whole."""
    yield ALL, ALL, frame
    for language in _several(whole["language"]):
        yield language, ALL, frame[frame["language"] == language]
    for domain in _several(whole["domain"]):
        yield ALL, domain, frame[frame["domain"] == domain]


def _noises(perturbed: pd.DataFrame) -> Iterator[tuple[str, float, pd.DataFrame]]:
    """(operator, severity, conditions) of: everything, each operator, each operator at each severity."""
    if len(perturbed):
        yield ALL, np.nan, perturbed
    for operator, part in perturbed.groupby("perturbation", sort=False):
        yield str(operator), np.nan, part
        for severity, level in part.groupby("severity"):
            yield str(operator), float(severity), level
