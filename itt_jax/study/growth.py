"""Results folders that grow: how a study differs from the one in its folder, and which differences are refused."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from itt_jax.config import canonical
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.study.inputs import Inputs, changed_inputs
from itt_jax.study.plan import Plan
from itt_jax.study.precision import check_precision

MOST_CHARACTERS = 80  # length of a value in the list of changes
ABSENT = object()


def changes(store: Store, plan: Plan, read: Inputs) -> list[str]:
    """How a plan differs from that of its folder, a line for each field and input; empty for a new folder.

    Ids are hashes of content, so shared stages and cells stay valid, and the others are left alone.

    Args:
        read: the plan's `inputs`.

    Raises:
        InputError: the folder holds something else, another study, or scores in another precision than the study would
            use for encoders of those names.
    """
    found = store.existing_plan()
    if found is None:
        return []
    if "study" not in found:
        raise InputError(f"--out {store.out}: holds {found['name']!r}, which is not a study; choose another --out")
    shared = {stage["id"] for stage in found.get("stages", ())} & set(plan.stages)
    if found["name"] != plan.study.name and not shared:
        raise InputError(
            f"--out {store.out}: holds study {found['name']!r}, with which study {plan.study.name!r} has no stage in "
            "common; choose another --out"
        )
    _check_precision(store, found, plan)
    return study_changes(found["study"], plan.study) + changed_inputs(found.get("inputs", {}), read)


def study_changes(before: Mapping[str, Any], study: Any) -> list[str]:
    """The differences between a study (or an evaluation) in plan.json and another: "seeds: [0] -> [0, 1]"."""
    return value_changes(before, canonical(study))


def value_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """The differences between two values in canonical form, a line each."""
    return list(_differences(before, now, ""))


def _differences(old: Any, new: Any, path: str) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from _differences(old.get(key, ABSENT), new.get(key, ABSENT), f"{path}.{key}" if path else key)
    elif (named := _by_name(old)) is not None and (others := _by_name(new)) is not None:
        if gone := [name for name in named if name not in others]:
            yield f"{path}: removed {_listed(gone)}"
        if added := [name for name in others if name not in named]:
            yield f"{path}: added {_listed(added)}"
        for name in named:
            if name in others:
                yield from _differences(named[name], others[name], f"{path}.{name}")
    else:
        yield f"{path}: {shown(old)} -> {shown(new)}"


def _by_name(values: Any) -> dict[str, Any] | None:
    """A list of named parts (encoders, targets, tasks) by name; None for any other value."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        return None
    named = {value["name"]: value for value in values if isinstance(value, Mapping) and value.get("name") is not None}
    return named if len(named) == len(values) else None


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names)


def shown(value: Any) -> str:
    """A value as shown in a line; fields added by later versions are included only if not at their defaults."""
    if value is ABSENT:
        return "the default"
    if isinstance(value, Mapping):
        value = value.get("name", value)
    if isinstance(value, list):
        value = [own.get("name", own) if isinstance(own, Mapping) else own for own in value]
    text = repr(value)
    return text if len(text) <= MOST_CHARACTERS else f"{text[: MOST_CHARACTERS - 4]} ..."


def _check_precision(store: Store, found: Mapping[str, Any], plan: Plan) -> None:
    """Check that existing cells keep their precision, which is stored under the encoder's name.

    Raises:
        InputError: an encoder has taken another's name, under which scores have a different precision.
    """
    for before, now in _renamed(found, plan):
        check_precision(store, plan.study.precision, [before])
        found = store.agreed.precisions([before, now])
        if before in found and found.get(now, found[before]) != found[before]:
            raise InputError(
                f"encoder {now!r}: called {before!r} in {store.out}, with scores in {found[before]}, while the folder "
                f"has scores in {found[now]} under {now!r}; choose another name"
            )


def carry_precision(store: Store, plan: Plan) -> None:
    """Evaluate renamed encoders in the precision of their existing cells."""
    for before, now in _renamed(store.plan(), plan):
        for precision in store.agreed.precisions([before]).values():
            store.agreed.precision(now, functools.partial(str, precision))


def _renamed(found: Mapping[str, Any], plan: Plan) -> set[tuple[str, str]]:
    """(name in the folder's plan, name now) of renamed encoders, which have evaluated stages in common."""
    names = {stage["id"]: stage["encoder"] for stage in found.get("stages", ())}
    pairs = {(names[name], plan.stages[name].spec.name) for name in plan.cells if name in names}
    return {(before, now) for before, now in pairs if before != now}
