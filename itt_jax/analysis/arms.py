"""The arms of a results folder, and which of them are compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from itt_jax.study import arms
from itt_jax.study.arms import Arm


def arms_of(plan: Mapping[str, Any], names: Iterable[str]) -> tuple[Arm, ...]:
    """The arms of those names: as the folder's plan describes them, else the catalogue's, else treatments.

    Args:
        plan: as `Store.plan` gives it. names: the arms that the results hold, each once, in their order.
    """
    described = {row["name"]: arms.from_row(row) for row in plan.get("arms", ())}
    catalogue = {one.name: one for one in arms.ARMS}
    return tuple(described.get(name) or catalogue.get(name) or Arm(name, "", ()) for name in names)


def pairs(compared: Sequence[Arm]) -> Iterator[tuple[str, str]]:
    """(arm, baseline) of every contrast: each arm but baselines, with each other arm that any arm has as baseline."""
    declared = {one.baseline for one in (*arms.ARMS, *compared)}
    baselines = [one for one in compared if one.role == "baseline"]
    baselines += [one for one in compared if one.role != "baseline" and one.name in declared]
    for one in compared:
        if one.role != "baseline":
            yield from ((one.name, other.name) for other in baselines if other.name != one.name)


def primary_pairs(compared: Sequence[Arm]) -> list[tuple[str, str]]:
    """Each treatment with its declared baseline; where that is absent, with the first arm of the role baseline."""
    names = [one.name for one in compared]
    plain = [one.name for one in compared if one.role == "baseline"][:1]
    found = []
    for one in compared:
        baseline = [one.baseline] if one.baseline in names else plain
        if one.role == "treatment" and baseline:
            found.append((one.name, *baseline))
    return found
