"""A run on several hosts: one process plans, claims and writes, and all of them train and evaluate.

Every process plans the same study. Then the first one decides (`leading`): before each piece of work that takes all
devices it tells the others which stages and cells are next; they take part in it (`making`) but write nothing. Until
they are told they wait without blocking a device, so the first process may take its time.
"""

import pathlib
from collections.abc import Sequence
from typing import Any, Protocol

import jax

import itt_jax
from itt_jax.config import content_id
from itt_jax.errors import InputError
from itt_jax.study.cells import Cell
from itt_jax.study.distances import domain_distances
from itt_jax.study.inputs import Inputs
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, study_id
from itt_jax.study.stages import Stage
from itt_jax.study.stages.workshop import Workshop
from itt_jax.train.processes import gathered, is_first, part, shared
from itt_jax.train.provenance import code_digest


class Worker(Protocol):
    """The part of a worker that runs in every process (`making.Maker`)."""

    plan: Plan
    material: Material
    workshop: Workshop

    def train(self, stages: list[Stage]) -> None:
        """Make stages of one shape together."""

    def evaluate(self, stages: list[Stage], cells: dict[str, list[Cell]]) -> int:
        """Make these cells of the stages; returns the number stored."""

    def transfer(self, stages: list[Stage]) -> None:
        """Run the stages' models on the texts that attacks made on other models."""


def installation(stack: int | None, looks: tuple[int, ...]) -> dict[str, Any]:
    """Facts about a process, by name, that are known before anything is read.

    Args:
        stack, looks: as in `running.run`.
    """
    import jaxlib

    code = code_digest(pathlib.Path(itt_jax.__file__).parent)
    return {
        "--stack": stack,
        "number of seeds at each look": looks,
        "version of jax": jax.__version__,
        "version of jaxlib": jaxlib.__version__,
        "code of itt_jax": f"{itt_jax.__version__} ({code})",
    }


def described(plan: Plan, inputs: Inputs) -> dict[str, Any]:
    """What a process plans and reads, by name."""
    cells = sorted(cell.cell for own in (plan.cells, plan.signal) for cells in own.values() for cell in cells)
    read = {name: own["digest"] for name, own in inputs.items()}
    return {"config": study_id(plan.study), **read, "stages": content_id(list(plan.stages)), "cells": content_id(cells)}


def check_same(facts: dict[str, Any]) -> None:
    """Check that every process has the same facts as the first; if one differs, all end.

    Raises:
        InputError: a process differs, the same error in every process.
    """
    first, *others = found = gathered(facts)
    for index, other in enumerate(others, 1):
        for name in dict.fromkeys([*first, *other]):
            if first.get(name) != other.get(name):
                part()
                raise InputError(
                    f"process {index} of {len(found)}: {name}: found {other.get(name, 'nothing')}, and "
                    f"{first.get(name, 'nothing')} in the first process; expected the same on every host"
                )


def tell(work: str, stages: Sequence[Stage] = (), cells: dict[str, list[Cell]] | None = None) -> None:
    """Tell the other processes, which are in `follow`, what all do next."""
    if is_first():
        ids = {name: [cell.cell for cell in own] for name, own in (cells or {}).items()}
        shared(lambda: [work, [stage.id for stage in stages], ids])


def end(made: int, failed: list[str]) -> None:
    """Tell the other processes that everything is done, and what `follow` is to return."""
    if is_first():
        shared(lambda: ["end", made, failed])


def follow(worker: Worker) -> tuple[int, list[str]]:
    """Take part in the work that the first process announces; returns the number of cells made, and lines on the
    others."""
    plan = worker.plan
    while True:
        work, *given = shared(list)
        if work == "end":
            made, failed = given
            return made, failed
        stages, (ids, wanted) = [plan.stages[name] for name in given[0]], given
        if work == "train":
            worker.train(stages)
        elif work == "evaluate":
            planned = {name: (*plan.cells.get(name, ()), *plan.signal.get(name, ())) for name in ids}
            cells = {name: [cell for cell in planned[name] if cell.cell in wanted[name]] for name in ids}
            worker.evaluate(stages, cells)
        elif work == "transfer":
            worker.transfer(stages)
        else:
            domain_distances(plan, worker.material, worker.workshop)
