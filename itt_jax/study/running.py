"""Running a plan: whatever the results folder lacks is made."""

import collections
import contextlib
import dataclasses
import datetime
import itertools
import pathlib
import sys
import time

import jax
import tqdm

from itt_jax.config import Study, Target, canonical
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import Place, RowForms, row_forms
from itt_jax.store import Store
from itt_jax.store.place import check_place
from itt_jax.store.results import read_results
from itt_jax.study import arms, growth
from itt_jax.study.absent import planned
from itt_jax.study.cells import Cell, variants_of
from itt_jax.study.distances import distances_id, domain_distances
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, evaluation_selections, study_id
from itt_jax.study.profiling import Profile
from itt_jax.study.provenance import agreed_dtype, check_precision, provenance
from itt_jax.study.stages import Stage
from itt_jax.study.stages.workshop import Workshop
from itt_jax.study.storing import check_stored, store_cells
from itt_jax.train.ceiling import matmul_rate
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.loop import HALVED
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import in_dtype, keep_precision, training_dtype

POLL_SECONDS = 2
"""Time between two looks at the folder while other workers hold everything that is left."""
SAY_SECONDS = 60
"""Time between two lines on the progress of one stage, where there is no terminal."""


@dataclasses.dataclass(frozen=True)
class Results:
    """The outcome of a run: the results folder, the number of cells of the plan, and how many this run made."""

    out: pathlib.Path
    cells: int
    made: int

    def to_pandas(self):
        """The tidy table of results: one row a cell."""
        return read_results(self.out)


def run(
    study: Study,
    out: str | pathlib.Path,
    data_root: str | pathlib.Path | None = None,
    quiet: bool = False,
    stack: int | None = None,
    profile: bool = False,
) -> Results:
    """Train and evaluate whatever the results folder `out` lacks of the study.

    Several processes may run the same study on one folder; each claims the stages that it works on. The study may have
    changed since the folder was written: stages and cells that it shares with the former one stay valid, and plan and
    results describe the study of the latest run.

    Args:
        stack: maximum number of fine-tunings of one shape that are trained and evaluated together; None lets the memory
            decide (1 on a CPU). It changes results by rounding and by the draws of dropout alone.
        profile: write a trace of a few steps of the first stage to OUT/profile.

    Raises:
        InputError: the study or its data is wrong, or `out` holds something else; nothing is written then.
        NotFiniteError: cells with a score that is not finite; everything else is done and stored.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(study.precision)
    store = Store(pathlib.Path(out))
    check_place(store.out)
    material, plan = planned(study, data_root)
    study = plan.study
    changed = growth.changes(store, plan)
    check_precision(store, study.precision, [spec.name for spec in study.encoders], plan.stages)
    runner = _Runner(store, plan, material, quiet, stack, Profile(store.profile if profile else None))
    if changed:
        runner.take_over(changed)
    runner.write_plan()
    for entry in material.contamination.values():
        if warning := entry.warning():
            runner.warn(warning)
    made = runner.all()
    if store.holds(study_id(study)):
        store.write_results(cell.row({}) for cell in plan.all_cells())
        distances = distances_id(plan, material)
        if not store.has_distances(distances):
            store.write_distances(domain_distances(plan, material, runner.workshop), distances)
        runner.write_plan()
    else:
        runner.warn(f"{store.out} was given another version of the study meanwhile, which its results describe")
    check_stored(runner.failed, store.out)
    return Results(store.out, len(plan.all_cells()), made)


class _Runner:
    """One worker on a plan; keeps the evaluators of one encoder at a time."""

    def __init__(self, store: Store, plan: Plan, material: Material, quiet: bool, stack: int | None, profile: Profile):
        self.store = store
        self.plan = plan
        self.material = material
        self.quiet, self.profile = quiet, profile
        self.workshop = Workshop(store, material, self.progress, stack)
        self.dtype = training_dtype(plan.study.precision)
        self.said = time.time()
        self.failed: list[str] = []
        self.bar = tqdm.tqdm(total=len(plan.stages), unit="stage", disable=True if quiet else None)
        self._evaluators: dict[tuple[str, str], Evaluator] = {}
        self._forms: dict[str, dict[Place, RowForms]] = {}

    def all(self) -> int:
        """Make every missing stage and cell, or wait for the worker that does; returns how many cells were made."""
        made = 0
        pending = list(self.plan.stages.values())
        with self.bar:
            while pending:
                waiting, done = [], set()
                for number, stage in enumerate(pending):
                    self.bar.set_description(self.plan.label(stage))
                    if stage.id not in done and self.needed(stage):
                        with contextlib.ExitStack() as claims:
                            together = self.claimed([stage, *self.companions(stage, pending[number + 1 :])], claims)
                            made += self.work([own for own in together if self.needed(own)])
                        done |= {own.id for own in together}
                        if stage not in together:
                            waiting.append(stage)
                            continue
                    self.bar.update()
                if len(waiting) == len(pending):
                    time.sleep(POLL_SECONDS)
                pending = waiting
        return made

    def companions(self, stage: Stage, later: list[Stage]) -> list[Stage]:
        """Later stages that may train together with this one."""
        key = stage.stack_key(self.material)
        if key is None:
            return []
        same = (other for other in later if other.stack_key(self.material) == key)
        ready = (other for other in same if self.needed(other) and self.parent_ready(other))
        return list(itertools.islice(ready, self.workshop.most_together - 1))

    def claimed(self, stages: list[Stage], claims: contextlib.ExitStack) -> list[Stage]:
        """Those that are missing, whose parents are done and that no other worker is on; ours until `claims` closes."""
        return [
            stage
            for stage in stages
            if self.needed(stage) and claims.enter_context(self.store.claim(stage.id)) and self.parent_ready(stage)
        ]

    def missing_cells(self, stage: Stage):
        """Cells of the stage that the folder lacks."""
        return [cell for cell in self.plan.cells.get(stage.id, ()) if not self.store.has_cell(cell.cell)]

    def needed(self, stage: Stage) -> bool:
        """Whether the stage or a cell of it is missing."""
        return bool(self.missing_cells(stage)) or not stage.is_done(self.store)

    def work(self, stages: list[Stage]) -> int:
        """Make the missing ones of the stages, then their missing cells; returns the number of cells."""
        missing = [stage for stage in stages if not stage.is_done(self.store)]
        if missing:
            began = time.time()
            made = type(missing[0]).make_all(missing, self.workshop)
            self.profile.stop()
            seconds = round((time.time() - began) / len(missing), 2)
            for stage, recorded in zip(missing, made, strict=True):
                self.finish(stage, recorded, seconds)
        cells = {stage.id: self.missing_cells(stage) for stage in stages}
        size, made = self.workshop.most_together, 0
        for first in range(0, len(stages), size):
            made += self.evaluate([stage for stage in stages[first : first + size] if cells[stage.id]], cells)
        return made

    def parent_ready(self, stage: Stage) -> bool:
        """Whether the parameters that the stage starts from are there; another worker may still be making them."""
        return stage.parent is None or stage.parent.is_done(self.store)

    def finish(self, stage: Stage, made: dict, seconds: float) -> None:
        """Record a stage, with its cost and provenance, which makes it done."""
        described = self.plan.described(stage)
        self.store.write_record(stage.id, described | made | {"wall_seconds": seconds} | provenance(self.dtype))
        self.store.log("stage", **described, seconds=seconds)
        compiling = (
            f", {made['compile_seconds']:.0f} s of them compiling" if made.get("compile_seconds", 0) >= 1 else ""
        )
        done = f"{made['steps']} steps in {seconds:.0f} s{compiling}"
        self.say(f"{self.plan.label(stage)}: {done}")

    # --- Cells

    def evaluate(self, stages: list[Stage], cells: dict[str, list[Cell]]) -> int:
        """Predict the stages' missing cells, from one stream of distinct inputs a target, and store them.

        Returns the number of cells stored; what is said of the others goes to `failed`.
        """
        began = time.time()
        loaded, stored = {stage.id: stage.load(self.store) for stage in stages}, collections.Counter()
        # Two targets that train alike share a stage.
        for target in dict.fromkeys(cell.target for stage in stages for cell in cells[stage.id]):
            own = {name: [cell for cell in cells[name] if cell.target == target] for name in loaded}
            own = {name: found for name, found in own.items() if found}
            (body, head, _), first = loaded[next(iter(own))], next(iter(own.values()))[0]
            evaluator, dtype = (
                self.evaluator(body.tokenizer, first),
                agreed_dtype(self.store, first.model, body.encoder, self.plan.study.precision),
            )
            encoder, head = in_dtype(body.encoder, dtype), head and in_dtype(head, dtype)
            models = [{"encoder": loaded[name][0].params, "head": loaded[name][2]} for name in own]
            predicted = evaluator.predict_stack(encoder, head, models)
            for name, params, scores in zip(own, models, predicted, strict=True):
                diverged = bool((self.store.record(name) or {}).get("diverged"))
                failed = store_cells(self.store, evaluator, scores, own[name], self.material.task, params, diverged)
                self.failed += failed
                stored[name] += len(own[name]) - len(failed)
        seconds = round((time.time() - began) / max(1, len(stages)), 2)
        for stage in stages:
            named = self.plan.described(stage)
            self.store.log("cells", stage=named.pop("id"), **named, cells=stored[stage.id], seconds=seconds)
        return stored.total()

    def evaluator(self, tokenizer: Tokenizer, cell: Cell) -> Evaluator:
        """The evaluation inputs of one target for one tokenizer; kept while the same encoder is evaluated."""
        key = (cell.model, cell.target)
        if key not in self._evaluators:
            self._evaluators = {other: own for other, own in self._evaluators.items() if other[0] == cell.model}
            target = next(target for target in self.plan.study.targets if target.name == cell.target)
            self._evaluators[key] = Evaluator(tokenizer, self.plan.study.max_length, self.forms(target))
        return self._evaluators[key]

    def forms(self, target: Target) -> dict[Place, RowForms]:
        """The perturbed rows of a target's evaluation tasks, made once for all encoders."""
        if target.name not in self._forms:
            study, found = self.plan.study, {}
            for name in target.evaluate or (target.train,):
                task = self.material.task(name)
                for selection in evaluation_selections(study, target, task, self.material):
                    wanted = variants_of(study.perturbations, selection.language, self.plan.skip)
                    forms = row_forms(task, self.material.rows(selection), wanted, study.noise_seed)
                    found[name, selection.split, selection.language] = forms
            self._forms[target.name] = found
        return self._forms[target.name]

    # --- Plan and progress

    def take_over(self, changed: list[str]) -> None:
        """Say what has changed in the folder's study, and reduce its results to the cells that are still asked for."""
        for line in changed:
            self.say_above(f"changed: {line}")
        growth.carry_precision(self.store, self.plan)
        self.store.log("changed", fields=changed)
        self.store.write_results(cell.row({}) for cell in self.plan.all_cells())

    def write_plan(self) -> None:
        """Write the plan: the study, what was dropped and skipped, and the records of finished stages."""
        study = self.plan.study
        names = [spec.name for spec in study.encoders]
        # A stage has the names of today's study, whichever study of the folder trained it.
        records = [
            record | self.plan.described(stage)
            for stage in self.plan.stages.values()
            if (record := self.store.record(stage.id))
        ]
        self.store.write_plan(
            {
                "study_id": study_id(study),
                "name": study.name,
                "description": study.description,
                "study": canonical(study),
                "encoders": names,
                "arms": [arms.as_row(arm) for arm in arms.resolved(study.arms)],
                "targets": [target.name for target in study.running_targets()],
                "seeds": list(study.seeds),
                "smallest_effect": study.smallest_effect,
                "stages": [self.plan.described(stage) for stage in self.plan.stages.values()],
                "cells": len(self.plan.all_cells()),
                "precision": {"asked": study.precision, "evaluation": self.store.dtypes(names)},
                "skipped": self.plan.skipped,
                "contaminated": [spec.name for spec in study.encoders if self.material.is_contaminated(spec)],
                "contamination": [dataclasses.asdict(entry) for entry in self.material.contamination.values()],
                "stages_done": records,
            },
        )

    def warn(self, text: str) -> None:
        """Print a warning above the bar, if there is one."""
        self.say_above(f"warning: {text}")

    def say_above(self, text: str) -> None:
        """Print a line above the bar, if there is one."""
        if not self.quiet:
            self.bar.write(text, file=sys.stderr)

    def say(self, text: str) -> None:
        """Print a line for a log, where there is no terminal to draw a bar on."""
        if self.bar.disable and not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def progress(self, done: int, steps: int, values: dict[str, float]) -> None:
        """Show how far the current stage is; in a log once a minute."""
        self.profile.progress(values)
        late = time.time() - self.said >= SAY_SECONDS or HALVED in values  # a log shows that at once
        if self.quiet or (self.bar.disable and not late):
            return
        parts = [
            f"step {done}/{steps}",
            *(f"{name} {values[name]:.3f}" for name in ("loss", "dev") if name in values),
        ]
        if HALVED in values:
            parts.append(f"microbatches halved {values[HALVED]} times to fit the memory")
        if "tokens/s" in values:
            share = values["flops/s"] / (matmul_rate(self.dtype) * jax.device_count())
            left = datetime.timedelta(seconds=round(values["left"]))
            parts += [f"{values['tokens/s']:,.0f} tokens/s", f"packing efficiency {values['packing efficiency']:.0%}"]
            parts += [f"{share:.0%} of the matmul rate", f"{left} left"]
        if self.bar.disable:
            self.say(f"{self.bar.desc}{', '.join(parts)}")
            self.said = time.time()
        else:
            self.bar.set_postfix_str(", ".join(parts))
