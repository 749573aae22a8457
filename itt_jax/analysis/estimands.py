"""Estimands, as weights over the conditions of a panel.

Every quantity is a linear combination of cells, so an effect (one arm minus another), its values in each seed and its
items' influences follow by matrix products. Averages are taken level by level (replicates, severities, operators,
tasks, languages, domains), with equal weights within a level, over the cells that exist: an operator that a language
lacks is not a missing cell.
"""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence

import numpy as np
from scipy import sparse

from itt_jax.analysis.panels import Panel

ALL = "all"


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One linear quantity of a panel.

    Attributes:
        kind: "score" (a mean score), "drop" (perturbed minus clean on the same items; its difference between arms is
            the interaction), "clean" (the clean score at which a drop starts), "perturbed" (the score at which it
            ends), "area" (under the severity curve, divided by the largest severity: a mean score), "worst cell",
            "worst item", "language gap" (source language minus the mean of the others) or "domain gap" (training
            domain minus the one in `domain`).
        language, domain, perturbation: a value or "all". severity: NaN for all.
        weights: row of a condition -> weight.
    """

    kind: str
    language: str
    domain: str
    perturbation: str
    severity: float
    weights: dict[int, float]


def average(levels: Sequence[tuple], rows: np.ndarray) -> dict[int, float]:
    """Weights of the mean over the conditions in `rows` [int], level by level with equal weights.

    Args:
        levels: each condition's values, from the outermost level (`Panel.levels`).
    """
    keys = [levels[row] for row in rows]
    children = defaultdict(set)
    for key in keys:
        for depth in range(len(key)):
            children[key[:depth]].add(key[depth])
    shares = (math.prod(len(children[key[:depth]]) for depth in range(len(key))) for key in keys)
    return {int(row): 1.0 / share for row, share in zip(rows, shares, strict=True)}


def combine(*terms: tuple[float, dict[int, float]]) -> dict[int, float]:
    """The sum of factor x weights."""
    total: dict[int, float] = defaultdict(float)
    for factor, weights in terms:
        for row, weight in weights.items():
            total[row] += factor * weight
    return dict(total)


def matrix(quantities: Sequence[Quantity], conditions: int) -> sparse.csr_matrix:
    """The weights of quantities as [Q, K]."""
    counts = [len(quantity.weights) for quantity in quantities]
    k = np.fromiter((row for own in quantities for row in own.weights), dtype=np.int32, count=sum(counts))
    weights = np.fromiter((value for own in quantities for value in own.weights.values()), dtype=float, count=len(k))
    starts = np.concatenate([[0], np.cumsum(counts)])
    found = sparse.csr_matrix((weights, k, starts), shape=(len(quantities), conditions))
    found.sort_indices()
    return found


def scores(panel: Panel, excluded: Collection[int] = (), noise: str = "perturbed") -> list[Quantity]:
    """Mean scores, drops and clean scores of every scope, operator and severity.

    For a single language in a single domain, only the mean scores, on clean text and by operator.

    Args:
        excluded: groups (task, split, domain, language) to leave out.
        noise: role of the conditions with which clean text is compared.
    """
    role, twin = panel.columns["role"], panel.columns["twin"]
    found = []
    for language, domain, scope in _scopes(panel, _kept(panel, excluded)):
        clean, perturbed = scope[role[scope] == "clean"], scope[role[scope] == noise]
        if len(clean):
            found.append(Quantity("score", language, domain, "clean", 0.0, average(panel.levels, clean)))
        alone = ALL not in (language, domain)
        for operator, severity, part in _noises(panel, perturbed):
            weights = average(panel.levels, part)
            if not alone or np.isnan(severity):
                found.append(Quantity("score", language, domain, operator, severity, weights))
            if alone or (twin[part] < 0).any():
                continue
            twins = _to_twins(panel, weights)
            drop = combine((1.0, weights), (-1.0, twins))
            found.append(Quantity("drop", language, domain, operator, severity, drop))
            found.append(Quantity("clean", language, domain, operator, severity, twins))
    return found


def attacks(panel: Panel, excluded: Collection[int] = ()) -> list[Quantity]:
    """Scores under each attack, drops from the clean text of the same items, and clean scores; `scores` of attacks.

    The strength of attacks depends on their budgets, so nothing is averaged over several of them.
    """
    found = scores(panel, excluded, "attack")
    return [quantity for quantity in found if quantity.perturbation != ALL and np.isnan(quantity.severity)]


def curves(panel: Panel, excluded: Collection[int] = ()) -> list[Quantity]:
    """Clean and perturbed scores, areas under the severity curves (per operator and over all) and the worst cases.

    All are for all languages and domains. Averages weigh groups as elsewhere, so the area over all operators rests on
    the same cells as the clean and the perturbed score. Operators without a severity above 0 have no area.
    """
    rows = _kept(panel, excluded)
    role, operators = panel.columns["role"][rows], panel.columns["perturbation"][rows]
    perturbed = (role == "perturbed") & (panel.columns["twin"][rows] >= 0)
    found = []
    if perturbed.any():
        weights = average(panel.levels, rows[perturbed])
        found.append(Quantity("perturbed", ALL, ALL, ALL, np.nan, weights))
        found.append(Quantity("clean", ALL, ALL, ALL, np.nan, _to_twins(panel, weights)))
    elif (role == "clean").any():
        found.append(Quantity("clean", ALL, ALL, ALL, np.nan, average(panel.levels, rows[role == "clean"])))
    reaching = list(dict.fromkeys(operators[perturbed & (panel.columns["severity"][rows] > 0)]))
    for operator in reaching:
        area = _area(panel, rows[perturbed & (operators == operator)])
        found.append(Quantity("area", ALL, ALL, str(operator), np.nan, area))
    if reaching:
        area = _area(panel, rows[perturbed & np.isin(operators, reaching)])
        found.append(Quantity("area", ALL, ALL, ALL, np.nan, area))
    found += [
        Quantity(name, ALL, ALL, ALL, np.nan, average(panel.levels, rows[role == name]))
        for name in ("worst cell", "worst item")
        if (role == name).any()
    ]
    return found


def _area(panel: Panel, rows: np.ndarray) -> dict[int, float]:
    """Trapezoids from severity 0 (clean) to the largest severity, divided by it, for each group and operator.

    Those without a severity above 0 are left out.
    """
    names, severity = ("group", "perturbation"), panel.columns["severity"][rows]
    curves: dict[int, dict[int, float]] = {}
    for group, operator in dict.fromkeys(zip(*(panel.columns[name][rows] for name in names), strict=True)):
        own = (panel.columns["group"][rows] == group) & (panel.columns["perturbation"][rows] == operator)
        levels = np.unique(severity[own])
        if levels[-1] <= 0:
            continue
        knots = np.array([0.0, *levels])
        width = np.diff(knots)
        heights = (np.append(width, 0) + np.append(0, width)) / 2 / knots[-1]
        by_level = [average(panel.levels, rows[own & (severity == level)]) for level in levels]
        start = (heights[0], _to_twins(panel, by_level[0]))
        curves[int(rows[own][0])] = combine(start, *zip(heights[1:], by_level, strict=True))
    # Each curve is represented by one of its conditions, so curves are averaged as conditions are.
    return combine(*((weight, curves[row]) for row, weight in average(panel.levels, np.array(list(curves))).items()))


def gaps(panel: Panel, excluded: Collection[int] = ()) -> list[Quantity]:
    """Language gaps (per domain and over all) and domain gaps, on clean text and over all operators."""
    kept = _kept(panel, excluded)
    found: list[Quantity] = []
    for role, noise, severity in (("clean", "clean", 0.0), ("perturbed", ALL, np.nan)):
        rows = kept[panel.columns["role"][kept] == role]
        if len(rows):
            found += _language_gaps(panel, rows, noise, severity)
            found += _domain_gaps(panel, rows, noise, severity)
    return found


def _language_gaps(panel: Panel, rows: np.ndarray, noise: str, severity: float) -> Iterator[Quantity]:
    """The gaps of the domains that have both the source language and others."""
    source, domains = panel.columns["source_language"].astype(bool), panel.columns["domain"]
    both = [name for name in dict.fromkeys(domains[rows]) if len(set(source[rows[domains[rows] == name]])) == 2]
    rows = rows[np.isin(domains[rows], both)]
    several = len(set(panel.columns["domain"])) > 1
    for domain in ([ALL] if both else []) + (both if several else []):
        scope = rows if domain == ALL else rows[domains[rows] == domain]
        at_home, abroad = average(panel.levels, scope[source[scope]]), average(panel.levels, scope[~source[scope]])
        weights = combine((1.0, at_home), (-1.0, abroad))
        yield Quantity("language gap", ALL, str(domain), noise, severity, weights)


def _domain_gaps(panel: Panel, rows: np.ndarray, noise: str, severity: float) -> Iterator[Quantity]:
    """The gap of each domain that the target stage did not train on, in the languages it shares with one it did."""
    in_domain, domains = panel.columns["in_domain"].astype(bool), panel.columns["domain"]
    languages = panel.columns["language"]
    home = rows[in_domain[rows]]
    for domain in dict.fromkeys(domains[rows[~in_domain[rows]]]):
        away = rows[~in_domain[rows] & (domains[rows] == domain)]
        near = home[np.isin(languages[home], languages[away])]
        away = away[np.isin(languages[away], languages[near])]
        if len(away):
            weights = combine((1.0, average(panel.levels, near)), (-1.0, average(panel.levels, away)))
            yield Quantity("domain gap", ALL, str(domain), noise, severity, weights)


def _kept(panel: Panel, excluded: Collection[int]) -> np.ndarray:
    """Row numbers of the conditions whose group is not left out."""
    return np.flatnonzero(~np.isin(panel.columns["group"], list(excluded)))


def _to_twins(panel: Panel, weights: dict[int, float]) -> dict[int, float]:
    """The same weights on the clean counterparts."""
    twin = panel.columns["twin"]
    return combine(*((weight, {int(twin[row]): 1.0}) for row, weight in weights.items()))


def _scopes(panel: Panel, rows: np.ndarray) -> Iterator[tuple[str, str, np.ndarray]]:
    """(language, domain, conditions) for everything, each language, each domain and each language in each domain. A
    single language (or domain) has no separate scope.
    """
    languages, domains = panel.columns["language"], panel.columns["domain"]
    several = {name: list(dict.fromkeys(panel.columns[name])) for name in ("language", "domain")}
    several = {name: values if len(values) > 1 else [] for name, values in several.items()}
    for language in [ALL, *several["language"]]:
        for domain in [ALL, *several["domain"]]:
            part = rows[(languages[rows] == language) | (language == ALL)]
            part = part[(domains[part] == domain) | (domain == ALL)]
            if len(part) or ALL in (language, domain):
                yield str(language), str(domain), part


def _noises(panel: Panel, rows: np.ndarray) -> Iterator[tuple[str, float, np.ndarray]]:
    """(operator, severity, conditions) for everything, each operator and each operator at each severity."""
    operators, severity = panel.columns["perturbation"][rows], panel.columns["severity"][rows]
    if len(rows):
        yield ALL, np.nan, rows
    for operator in dict.fromkeys(operators):
        yield str(operator), np.nan, rows[operators == operator]
        for level in np.unique(severity[operators == operator]):
            yield str(operator), float(level), rows[(operators == operator) & (severity == level)]
