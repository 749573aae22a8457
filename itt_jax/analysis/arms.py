"""The arms of a results folder, and which of them are compared."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from itt_jax.study import arms
from itt_jax.study.arms import Arm


def arms_of(plan: Mapping[str, Any], names: Iterable[str]) -> tuple[Arm, ...]:
    """The arms of those names: as described in the folder's plan, otherwise as in the catalogue, otherwise as
    treatments.

    Args:
        plan: the result of `Store.plan`. names: the arms in the results, each once, in their order.
    """
    described = {row["name"]: arms.from_row(row) for row in plan.get("arms", ())}
    catalogue = {one.name: one for one in arms.ARMS}
    return tuple(described.get(name) or catalogue.get(name) or Arm(name, "", ()) for name in names)


def pairs(compared: Sequence[Arm]) -> Iterator[tuple[str, str]]:
    """(arm, baseline) of every contrast.

    Each arm except baselines, with every other arm that is the baseline of any arm, and with controls that match its
    compute.
    """
    declared = {one.baseline for one in (*arms.ARMS, *compared)}
    baselines = [one for one in compared if one.role == "baseline"]
    baselines += [one for one in compared if one.role != "baseline" and one.name in declared]
    for one in compared:
        if one.role != "baseline":
            own = [other for other in compared if other.treatment == one.name and other not in baselines]
            yield from ((one.name, other.name) for other in (*baselines, *own) if other.name != one.name)


def primary_pairs(compared: Sequence[Arm]) -> list[tuple[str, str]]:
    """Each treatment with its declared baseline.

    If that is absent, with the control that matches its compute, otherwise with the first arm of the role baseline.
    """
    plain = [one.name for one in compared if one.role == "baseline"]
    found = []
    for one in (one for one in compared if one.role == "treatment"):
        declared = [other.name for other in compared if other.name == one.baseline]
        matched = [other.name for other in compared if other.treatment == one.name]
        found += [(one.name, baseline) for baseline in [*declared, *matched, *plain][:1]]
    return found
