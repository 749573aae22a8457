"""The plan: the stages and cells that a study expands to, each with an id, a hash of what determines its result.

Part of an id: recipe, rows, parents, versions. Not part of it: devices, row shapes, paths and, for stages, names of
arms. So arms share their common stages, and a stage or cell in the results folder is never made again.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from itt_jax import kinds
from itt_jax.config import EncoderSpec, Recipe, Study, Target, content_id
from itt_jax.errors import InputError
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.study import arms, stages
from itt_jax.study.adversaries import Attacked, attacks_on, check_used, recipe_of
from itt_jax.study.arms import Arm
from itt_jax.study.cells import Cell, Evaluated, attack_cell, cells_of, check_perturbation, variants_of
from itt_jax.study.fitting import check_fits
from itt_jax.study.material import Material, Selection, digest_rows
from itt_jax.study.stages import Place, Stage
from itt_jax.study.stages.stage import Skipped
from itt_jax.tasks import Task
from itt_jax.train import objectives


@dataclasses.dataclass
class Plan:
    """A study expanded.

    Attributes:
        stages: by id, each after its parent. cells: by the id of the evaluated stage.
        signal: by the same id, cells of clean dev rows, which decide what has signal and are not results.
        uses: id of a stage -> the (target, arm) pairs that it is trained for; empty for an encoder's root.
        attacked: id of a cell under attack -> the attack and its rows.
        skipped: parts of the study for which there is no data.
        attacks: evaluated rows -> the attacks on them, the same for all models.
    """

    study: Study
    stages: dict[str, Stage] = dataclasses.field(default_factory=dict)
    cells: dict[str, list[Cell]] = dataclasses.field(default_factory=dict)
    signal: dict[str, list[Cell]] = dataclasses.field(default_factory=dict)
    uses: dict[str, list[tuple[str, str]]] = dataclasses.field(default_factory=dict)
    attacked: dict[str, Attacked] = dataclasses.field(default_factory=dict)
    skipped: list[str] = dataclasses.field(default_factory=list)
    attacks: dict[Selection, list[Attacked]] = dataclasses.field(default_factory=dict)

    def made(self) -> list[Stage]:
        """The stages to make: all but given checkpoints."""
        return [stage for stage in self.stages.values() if stage.is_made]

    def all_cells(self) -> list[Cell]:
        """Every cell, in the order of the stages."""
        return [cell for cells in self.cells.values() for cell in cells]

    def signal_cells(self) -> list[Cell]:
        """Every cell of dev rows, in the order of the stages."""
        return [cell for cells in self.signal.values() for cell in cells]

    def described(self, stage: Stage) -> dict[str, Any]:
        """The names of a stage in plan.json and its record."""
        uses = self.uses.get(stage.id, ())
        return {
            "id": stage.id,
            "kind": stage.kind,
            "encoder": stage.spec.name,
            "targets": list(dict.fromkeys(target for target, _ in uses)),
            "arms": list(dict.fromkeys(arm for _, arm in uses)),
            "seed": stage.seed,
            "used_by": [{"target": target, "arm": arm} for target, arm in dict.fromkeys(uses)],
            "evaluated_as": self._evaluated_as(stage),
        }

    def renamed(self, stage: Stage, record: dict[str, Any], material: Material) -> dict[str, Any]:
        """A stage's record with the names of this plan's study, whichever study trained it."""
        checks = {name: stage.own_checks(own, material) for name, own in record.items() if name == "dev_checks"}
        return record | self.described(stage) | checks

    def _evaluated_as(self, stage: Stage) -> list[dict[str, str | None]]:
        """The targets and arms to whose results the stage belongs."""
        pairs = dict.fromkeys((cell.target, cell.arm) for cell in self.cells.get(stage.id, ()))
        return [{"target": target, "arm": arm} for target, arm in pairs]

    def label(self, stage: Stage) -> str:
        """The name of a stage in progress lines: "4/9 minilm, target healthver, itt, seed 0"."""
        uses, made = self.uses.get(stage.id, ()), [own.id for own in self.made()]
        targets, arms = (", ".join(dict.fromkeys(names)) for names in (zip(*uses, strict=True) if uses else ((), ())))
        role = f"target {targets}" if stage.kind == "target" else f"{stage.kind} for {targets}"
        parts = [stage.spec.name, *([role, arms] if targets else [stage.kind]), f"seed {stage.seed}"]
        place = f"{made.index(stage.id) + 1}/{len(made)} " if stage.is_made else ""
        return place + ", ".join(parts)

    def skip(self, reason: str) -> None:
        """Note a part of the study for which there is no data."""
        if reason not in self.skipped:
            self.skipped.append(reason)


def study_id(study: Study) -> str:
    """A hash of everything in the study's config."""
    return content_id(study)


def make_plan(study: Study, material: Material) -> Plan:
    """Expand a study; reads its rows and drops training rows whose text is evaluated.

    Raises:
        InputError: an unknown task, operator or language, absent rows, label spaces that do not fit, a checkpoint that
            was trained on evaluation text, or tokens or lengths beyond an encoder's tables.
    """
    check_names(study, material)
    plan = Plan(study)
    for spec in study.encoders:
        if not study.allow_contaminated and material.is_contaminated(spec):
            raise InputError(
                f"encoder {spec.name!r}: its checkpoint has seen {material.seen_rows(spec)} in training (it "
                f"{material.seen(spec).note()}); evaluate on other rows, or set allow_contaminated (the report will "
                "say so)"
            )
        root = stages.root(spec).identified(material)
        plan.stages.setdefault(root.id, root)
        for target in study.running_targets():
            for seed in study.seeds:
                for arm in arms.resolved(study.arms):
                    add_arm(plan, material, spec, root, target, arm, seed)
    check_used(study.attacks, {own.name for own in plan.attacked.values()}, plan.skipped)
    check_fits(study, plan.stages.values(), material)
    return plan


def check_names(study: Study, material: Material) -> None:
    """Check that every name is known and that the tasks of each target fit together.

    Raises:
        InputError: they do not.
    """
    for perturbation in study.perturbations:
        check_perturbation(perturbation)
    for adversary in study.attacks:
        recipe_of(adversary)
    for recipe in recipes(study):
        objectives.named(recipe.objective)
    for target in study.running_targets():
        train = material.task(target.train)
        for name in target.evaluate:
            other = material.task(name)
            if kinds.kind(other.kind).by_vectors:  # needs an encoder but no head
                continue
            if (other.kind, other.label_space, len(other.fields)) != (train.kind, train.label_space, len(train.fields)):
                raise InputError(
                    f"target {target.name!r}: {name!r} ({other.kind}, {other.label_space}) cannot be evaluated with a "
                    f"head trained on {target.train!r} ({train.kind}, {train.label_space})"
                )
            if kinds.kind(other.kind).named_outputs and other.labels != train.labels:
                raise InputError(
                    f"target {target.name!r}: the labels of {name!r} are {', '.join(other.labels)}, those of "
                    f"{target.train!r} {', '.join(train.labels)}; expected the same in the same order"
                )
        for arm in arms.resolved(study.arms):
            lacking = [field for field in arm.needs if not getattr(target, field)]
            if lacking:
                raise InputError(f"target {target.name!r}: arm {arm.name!r} needs {', '.join(lacking)}")


def recipes(study: Study) -> Iterator[Recipe]:
    """The recipes of every stage that the study may have."""
    language_models = [spec.pretraining for spec in study.encoders]
    for target in study.running_targets():
        yield target.recipe
        if target.intermediate_recipe is not None:
            yield target.intermediate_recipe
        language_models.append(target.adaptation)
    yield from (settings.recipe for settings in language_models if settings is not None)


def add_arm(
    plan: Plan, material: Material, spec: EncoderSpec, root: Stage, target: Target, arm: Arm, seed: int
) -> None:
    """Add the stages of one arm, and the cells that evaluate the last of them."""
    try:
        chain = stages.chain(arm.stages, Place(spec, target, arm, seed, root, material))
    except Skipped as reason:
        plan.skip(str(reason))
        return
    for stage in chain:
        plan.stages.setdefault(stage.id, stage)
        plan.uses.setdefault(stage.id, []).append((target.name, arm.name))
    add_cells(plan, material, chain[-1], target, arm)


def add_cells(plan: Plan, material: Material, stage: Stage, target: Target, arm: Arm) -> None:
    """Add the cells that evaluate a stage on a target."""
    study, cells = plan.study, plan.cells.setdefault(stage.id, [])
    signal = plan.signal.setdefault(stage.id, [])
    for name in target.evaluate or (target.train,):
        task = material.task(name)
        for selection in evaluation_selections(study, target, task, material):
            if task not in study.tasks and material.rows(selection).labels is None:
                plan.skip(f"{target.name}: {name} has no labels in {selection.split}/{selection.language}")
                continue
            material.check_labelled(selection)
            evaluated = Evaluated(
                stage=stage.id,
                model=stage.spec.name,
                arm=arm.name,
                target=target.name,
                seed=stage.seed,
                trained_on=material.task(target.train),
                task=task,
                split=selection.split,
                language=selection.language,
                rows=material.digest(selection, uncontaminated=False),
                max_length=study.max_length,
                noise_seed=study.noise_seed,
            )
            variants = variants_of(study.perturbations, selection.language, plan.skip)
            _add(cells, cells_of(evaluated, variants, plan.skip))
            if selection not in plan.attacks:
                rows, settings = material.rows(selection), {"seed": study.noise_seed, "max_length": study.max_length}
                found = attacks_on(study.attacks, task, selection.split, rows, plan.skip, **settings)
                plan.attacks[selection] = list(found)
            for own in plan.attacks[selection]:
                cell = attack_cell(evaluated, own)
                plan.attacked[cell.cell] = own
                _add(cells, [cell])
            dev = signal_selection(target, selection)
            if (checked := material.signal_rows(dev)) is not None:
                digest = digest_rows(kinds.kind(task.kind), checked)
                evaluated = dataclasses.replace(evaluated, split=dev.split, rows=digest)
                _add(signal, cells_of(evaluated, {CLEAN_FORM: None}, plan.skip))


def _add(cells: list[Cell], found: Iterable[Cell]) -> None:
    """Append cells that are not there yet; two targets with the same content share theirs."""
    present = {cell.cell: cell for cell in cells}
    for cell in found:
        twin = present.setdefault(cell.cell, cell)
        if twin.model != cell.model:
            raise InputError(f"encoders {twin.model!r} and {cell.model!r} have the same content; expected one of them")
        if twin is cell:
            cells.append(cell)


def evaluation_selections(study: Study, target: Target, task: Task, material: Material) -> list[Selection]:
    """The evaluation rows of one task: one selection a language, with the same items in each.

    Raises:
        InputError: the task has none of the languages that are asked for.
    """
    wanted = target.languages or study.languages or task.languages
    languages = [language for language in wanted if language in task.languages]
    if not languages:
        raise InputError(
            f"target {target.name!r}: task {task.name!r} has no data in {', '.join(wanted)}; "
            f"it has {', '.join(task.languages)}"
        )
    selections = [Selection(task.name, target.test_split, language, study.evaluation_rows) for language in languages]
    return [selection for selection in selections if material.has(task.name, target.test_split, selection.language)]


def signal_selection(target: Target, selection: Selection) -> Selection:
    """The dev rows that decide whether evaluation rows have signal: of the same task, language and number."""
    return dataclasses.replace(selection, split=target.dev_split)
