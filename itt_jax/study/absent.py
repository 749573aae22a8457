"""Missing data: a stand-in task takes its place, or the target that needs it is left out; notes say which."""

import dataclasses
import pathlib
from typing import Literal

from itt_jax.config import StandIn, Study, Target
from itt_jax.data.sources.paths import NO_ROOT
from itt_jax.errors import InputError, listed
from itt_jax.study import arms
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, check_names, make_plan


def available(study: Study, material: Material) -> tuple[Study, list[str]]:
    """The study reduced to targets whose data is there, and a note on each target that is left out or changed.

    The name of a stand-in becomes part of its target's name, so every table shows it.

    Raises:
        InputError: no target can run.
    """
    check_names(study, material)
    targets, notes = [], []
    for target in study.running_targets():
        found, said = _with_data(study, target, material)
        targets += [found] if found else []
        notes += said
    if not targets:
        remedy = "" if material.data_root else f"; {NO_ROOT}"
        raise InputError(f"no target of the study has its data: {'; '.join(notes)}{remedy}")
    if not notes:
        return study, []
    return dataclasses.replace(study, targets=tuple(targets), active_targets=()), notes


def planned(study: Study, data_root: str | pathlib.Path | None) -> tuple[Material, Plan]:
    """The material of a study, and the plan of what can run on it; `plan.skipped` lists what cannot.

    Raises:
        InputError: see `make_plan`; or no target can run.
    """
    material = Material(study, None if data_root is None else pathlib.Path(data_root))
    material.study, notes = available(study, material)
    plan = make_plan(material.study, material)
    plan.skipped[:0] = notes
    return material, plan


def _with_data(study: Study, target: Target, material: Material) -> tuple[Target | None, list[str]]:
    """The target as it can run, or None; and notes on it."""
    notes, names = [], []
    evaluate = [name for name in target.evaluate or (target.train,) if _evaluates(study, target, name, material)]
    for name in target.evaluate or (target.train,):
        if name not in evaluate:
            notes.append(f"{target.name}: {name} has no split {target.test_split!r} here and is not evaluated")
    if not evaluate:
        return None, notes
    found = dataclasses.replace(target, evaluate=tuple(evaluate)) if notes else target
    if lacks := _lacks(target.train, (target.train_split, target.dev_split), material):
        other = _stand_in(study, target.train, material)
        if other is None:
            _check_own(study, target, target.train, target.train_split, target.dev_split, lacks)
            return None, [*notes, f"{target.name}: no {lacks} rows of {target.train} here; left out"]
        notes.append(f"{target.name}: {_said(other)} replaces the training rows of {target.train}")
        names.append(f"trained on {_said(other)}")
        found = dataclasses.replace(
            found,
            train=other.task,
            evaluate=tuple(evaluate),
            train_split=other.train_split,
            dev_split=other.dev_split,
        )
    train_split, dev_split = target.intermediate_split, target.intermediate_dev_split
    intermediate = []
    wanted = any("intermediate" in arm.needs for arm in arms.resolved(study.arms))
    for name in target.intermediate if wanted else ():
        task = name
        if lacks := _lacks(name, (train_split, dev_split), material):
            other = _stand_in(study, name, material)
            if other is None:
                _check_own(study, target, name, train_split, dev_split, lacks)
                return None, [*notes, f"{target.name}: no {lacks} rows of {name} (intermediate) here; left out"]
            notes.append(f"{target.name}: {_said(other)} replaces the intermediate rows of {name}")
            names.append(f"itt on {_said(other)}")
            task, train_split, dev_split = other.task, other.train_split, other.dev_split
        intermediate.append(task)
    suffix = f" ({', '.join(names)})" if names else ""
    if intermediate:
        found = dataclasses.replace(
            found,
            intermediate=tuple(intermediate),
            intermediate_split=train_split,
            intermediate_dev_split=dev_split,
        )
    return dataclasses.replace(found, name=target.name + suffix), notes


def _evaluates(study: Study, target: Target, name: str, material: Material) -> bool:
    """Whether a task has rows in any of the study's languages."""
    wanted = set(target.languages or study.languages or material.task(name).languages)
    if not wanted & set(material.task(name).languages):
        return True  # a mistake in the study; planning reports it
    return any(
        material.has(name, target.test_split, language)
        for language in material.task(name).languages
        if language in wanted
    )


def _lacks(name: str, splits: tuple[str, str], material: Material) -> Literal["", "training", "dev"]:
    """Whether a task lacks training or dev rows in its source language; "training" if it lacks both, "" if neither."""
    language, (train_split, dev_split) = material.task(name).source_language, splits
    if not material.has(name, train_split, language):
        return "training"
    return "" if material.has(name, dev_split, language) else "dev"


def _check_own(study: Study, target: Target, name: str, train_split: str, dev_split: str, lacks: str) -> None:
    """Raises InputError if the task is one of the study's own: a split that it lacks is a mistake, not absent data."""
    own = next((task for task in study.tasks if task.name == name), None)
    if own is not None:
        known = listed(dict.fromkeys(split for source in own.sources for split in source.all_splits))
        split = train_split if lacks == "training" else dev_split
        raise InputError(
            f"target {target.name!r}: task {name!r} has no split {split!r} for its {lacks} rows; it has {known}; name "
            f"one in the target, or make it in the source: slices={{{split!r}: 'train[90%:]', ...}}"
        )


def _stand_in(study: Study, absent: str, material: Material) -> StandIn | None:
    """The first stand-in for a task whose own data is there; None if there is none."""
    for other in study.stand_ins:
        if other.absent == absent and not _lacks(other.task, (other.train_split, other.dev_split), material):
            return other
    return None


def _said(other: StandIn) -> str:
    return other.task if other.train_split == "train" else f"{other.task} {other.train_split}"
