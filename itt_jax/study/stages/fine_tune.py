"""Fine-tuning: the encoder with a new head on labelled rows, with each learning rate of a grid."""

import dataclasses
import math
import pathlib
from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np

from itt_jax import kinds, metrics
from itt_jax.config import Recipe
from itt_jax.data import contamination
from itt_jax.data.contamination import Digests
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.models import make_head
from itt_jax.models.heads import head_kind
from itt_jax.study.arms import Description, FineTune
from itt_jax.study.hardening import Attacked, Drawn, Hardening
from itt_jax.study.material import CHANGED, Material, Selection, lexicon_digest, mean_tokens
from itt_jax.study.stages.attacked import AttackedRows
from itt_jax.study.stages.dev_check import DevCheck, check_scores, matching
from itt_jax.study.stages.hardened import DrawnForms, check_hardening, drawn_lexicons, hardening_identity
from itt_jax.study.stages.stage import Place, Skipped, Stage, digests, resumable, summary
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.study.versions import changed_versions, kind_versions
from itt_jax.tasks import Task
from itt_jax.train import objectives
from itt_jax.train.flops import PASSES
from itt_jax.train.jobs import Job, TaskData
from itt_jax.train.loop import Progress
from itt_jax.train.predict import predict
from itt_jax.train.result import StageResult
from itt_jax.train.resume import forget_resume
from itt_jax.train.stage import fine_tune_stack, stack_size
from itt_jax.train.task_feeds import passes_of, run_flops


@dataclasses.dataclass(frozen=True, kw_only=True)
class FineTuning(Stage):
    """Fine-tunes with every learning rate of the recipe and keeps the best on dev rows.

    Attributes:
        training: the rows of each task (several: multi-task).
        dev: the rows on which learning rate and checkpoint are chosen.
        other_dev: dev rows of the other tasks; nothing is chosen on them, but the stage is checked on them too.
        recipe: with a number of steps.
        labels: "shuffled" permutes the training labels.
        hardening: how the training is hardened, if at all.
        role: "target" for the stage that is evaluated. The same training run has the same id in either role.
    """

    training: tuple[Selection, ...]
    dev: Selection
    recipe: Recipe
    other_dev: tuple[Selection, ...] = ()
    labels: Literal["own", "shuffled"] = "own"
    role: Literal["intermediate", "target"] = "target"
    hardening: Hardening | None = None

    description: ClassVar[type] = FineTune

    @classmethod
    def planned(cls, description: Description, place: Place) -> Self:
        """The rows and the recipe of the target or of its intermediate tasks."""
        assert isinstance(description, FineTune)
        target, rows = place.target, _target_rows if description.on == "target" else _intermediate_rows
        training, dev, other_dev = rows(description, place)
        for selection in (*training, dev, *other_dev):
            place.material.check_labelled(selection)
        if description.hardening is not None:
            check_hardening(description.hardening, training, place)
        own = "target" if description.on == "target" else "intermediate"
        if (own if description.recipe == "own" else description.recipe) == "target":
            recipe, first = target.recipe, _first_target(place)
        else:
            assert target.intermediate_recipe is not None  # as the description requires it
            recipe, first = target.intermediate_recipe, _first_intermediate(place)
        return cls(
            spec=place.spec,
            parent=place.parent,
            seed=place.seed,
            training=training,
            dev=dev,
            other_dev=other_dev,
            recipe=steps_resolved(recipe, first, place.material),
            labels=description.labels,
            hardening=description.hardening,
            role="target" if place.is_last else "intermediate",
        )

    @property
    def kind(self) -> str:
        """Its name in plans, records and reports."""
        return self.role

    def identity(self, material: Material) -> list[Any]:
        """Parent, tasks, head, rows, recipe and seed."""
        tasks = [
            (task.kind, task.labels, task.fields, task.score_range, task.metric)
            for task in (material.task(selection.task) for selection in (*self.training, self.dev))
        ]
        head = [self.spec.pooling, self.spec.pair_features]
        rows = [digests(self.training, material), material.digest(self.dev, uncontaminated=True), self.labels]
        selected_by = metrics.metric(material.task(self.dev.task).metric)
        made_by = [version for own in self.training for version in kind_versions(material.task(own.task))]
        task = material.task(self.training[0].task)
        identity = ["fine_tuning", self.origin.id, tasks, head, selected_by.version, rows, self.recipe, self.seed]
        identity += changed_versions(*made_by, objectives.named(self.recipe.objective).version)
        return identity + ([] if self.hardening is None else [hardening_identity(self.hardening, self.training, task)])

    @property
    def selections(self) -> dict[str, tuple[Selection, ...]]:
        """Rows to train on, and dev rows."""
        return {"training": self.training, "dev": (self.dev,)}

    @property
    def longest(self) -> int:
        """Its recipe's."""
        return self.recipe.max_length

    @property
    def runs(self) -> int:
        """One for each learning rate."""
        return len(self.recipe.learning_rates)

    @property
    def steps(self) -> int:
        """The recipe's number, which is resolved when the stage is planned."""
        assert self.recipe.steps is not None
        return self.recipe.steps

    def training_tokens(self, material: Material) -> float:
        """Tokens of mean rows over all steps of all learning rates; more if hardening takes more compute."""
        lengths = [mean_tokens(material.uncontaminated_rows(selection)) for selection in self.training]
        mean = min(sum(lengths) / len(lengths), self.recipe.max_length)
        return self.steps * self.recipe.batch_size * mean * self.runs * passes_of(self.hardening) / PASSES

    def flops(self, workshop: Workshop, body: Body) -> float:
        """Model FLOPs of one run, from the token lengths of its rows."""
        tasks = [self.examples(workshop, body, own) for own in self.by_task()]
        forms = [
            self.forms(workshop.material, body, own, self.rows(workshop.material, own), examples)
            for own, examples in zip(self.by_task(), tasks, strict=True)
        ]
        return run_flops(body.encoder, tasks, self.recipe, self.seed, self.hardening, forms)

    @property
    def resumable_runs(self) -> int:
        """One for each learning rate, if they are long."""
        return resumable(self.recipe)

    def stack_key(self, material: Material) -> tuple | None:
        """Fine-tunings with the same task, encoder, form of recipe and head may train together."""
        if len({selection.task for selection in self.training}) != 1:
            return None
        task = material.task(self.training[0].task)
        recipe = dataclasses.replace(self.recipe, steps=None, epochs=0.0, learning_rates=())
        return self.spec.name, task.kind, kinds.kind(task.kind).outputs(task), task.fields, recipe, self.hardening

    @classmethod
    def make_all(cls, stages: Sequence[Self], workshop: Workshop) -> list[dict[str, Any]]:
        """Fine-tune several stages together, as many as fit."""
        starts = [(stage.start(workshop), stage.jobs(workshop)) for stage in stages]
        encoder = starts[0][0].encoder
        together = [job for _, jobs in starts for job in jobs]
        results: list[StageResult] = []
        while len(results) < len(together):
            first = len(results)
            own = together[first : first + stack_size(encoder, together[first:], workshop.stack)]
            progress = _part(workshop.progress, first, len(own), len(together))
            results += fine_tune_stack(encoder, own, progress)
        recorded = []
        for stage, (body, jobs) in zip(stages, starts, strict=True):
            mine, results = results[: len(jobs)], results[len(jobs) :]
            recorded.append(stage.keep_best(workshop, body, jobs, mine))
        return recorded

    def jobs(self, workshop: Workshop) -> list[Job]:
        """A fine-tuning for each learning rate."""
        body, material = self.start(workshop), workshop.material
        training = [self.training_data(workshop, own) for own in self.by_task()]
        dev = self.data(workshop, (self.dev,))
        metric, params = metrics.metric(material.task(self.dev.task).metric), {"encoder": body.params}
        return [
            Job(
                training,
                dev,
                params,
                self.recipe,
                rate,
                self.seed,
                directory=self.rate_folder(workshop, rate),
                metric=metric,
                hardening=self.hardening,
                is_lost=self.is_lost(workshop),
            )
            for rate in self.recipe.learning_rates
        ]

    def rate_folder(self, workshop: Workshop, rate: float) -> pathlib.Path:
        """Where the fine-tuning at a learning rate saves its resumable state."""
        return workshop.store.stage(self.id) / f"rate-{rate:g}"

    def by_task(self) -> list[tuple[Selection, ...]]:
        """The training rows of each task."""
        found: dict[str, list[Selection]] = {}
        for selection in self.training:
            found.setdefault(selection.task, []).append(selection)
        return [tuple(own) for own in found.values()]

    def keep_best(
        self, workshop: Workshop, body: Body, jobs: Sequence[Job], results: Sequence[StageResult]
    ) -> dict[str, Any]:
        """Save the best of the fine-tunings (the first of equals); returns what to record."""
        best = max(range(len(jobs)), key=lambda index: (best_score(results[index]), -index))
        material, result = workshop.material, results[best]
        saved = self.save(
            workshop,
            dataclasses.replace(body, params=result.params["encoder"]),
            Digests.join([contamination.digests(material.identifying(selection)) for selection in self.training]),
            head=jobs[best].tasks[0].head,
            head_params=result.params["head"],
            task=material.task(self.dev.task),
        )
        for job in jobs if saved else ():
            forget_resume(self.rate_folder(workshop, job.learning_rate))
        return summary(result) | {
            "dev_checks": [check.as_record() for check in self.checks(workshop, body, jobs[best], results, best)],
            "labels": self.labels,
            "learning_rate": jobs[best].learning_rate,
            "tried": [
                {"learning_rate": job.learning_rate, "dev": best_score(result)}
                for job, result in zip(jobs, results, strict=True)
            ],
            "flops_of_grid": sum(result.flops for result in results),
        }

    def checks(
        self, workshop: Workshop, body: Body, job: Job, results: Sequence[StageResult], best: int
    ) -> list[DevCheck]:
        """The dev scores of the kept parameters, compared with chance: on the task of selection, then the others."""
        result, found = results[best], []
        for selection in (self.dev, *self.other_dev):
            is_selected = selection is self.dev
            dev = job.dev_task if is_selected else self.data(workshop, (selection,))
            params = {"encoder": result.params["encoder"], "head": result.heads[dev.name]}
            looks = sum(len(own.dev_history) for own in results) if is_selected else 1
            measure = metrics.metric(workshop.material.task(selection.task).metric)
            check = check_scores(dev, measure, predict(body.encoder, dev.head, params, dev.examples), looks)
            digest = workshop.material.digest(selection, uncontaminated=True)
            found.append(dataclasses.replace(check, digest=digest))
        return found

    def own_checks(self, found: Sequence[dict[str, Any]], material: Material) -> list[dict[str, Any]]:
        """The first check, whose rows are part of the id, and those on the same rows of the other tasks."""
        first, others = [own | {"task": self.dev.task} for own in found[:1]], found[1:]
        rows = self.other_dev if others else ()
        return first + matching(others, [(own.task, material.digest(own, uncontaminated=True)) for own in rows])

    def data(self, workshop: Workshop, selections: tuple[Selection, ...]) -> TaskData:
        """Dev rows of one task, several languages as one set."""
        material = workshop.material

        def make() -> TaskData:
            return self.prepared(workshop, material.task(selections[0].task), joined_rows(material, selections))

        return workshop.data((selections, self.spec, self.recipe.max_length), make)

    def training_data(self, workshop: Workshop, selections: tuple[Selection, ...]) -> TaskData:
        """Training rows of one task, several languages as one set, and the function that draws their forms."""
        material = workshop.material
        shuffle = self.seed if self.labels == "shuffled" else None

        def make() -> TaskData:
            """Called if the workshop does not have them yet."""
            rows = self.rows(material, selections)
            made = self.prepared(workshop, material.task(selections[0].task), rows)
            forms = self.forms(material, self.start(workshop), selections, rows, made.examples)
            attacks = self.attacks(workshop, selections, rows, made)
            return dataclasses.replace(made, forms=forms, attacks=attacks)

        drawn = (self.hardening, self.seed) if isinstance(self.hardening, Drawn | Attacked) else None
        return workshop.data((selections, shuffle, drawn, self.spec, self.recipe.max_length), make)

    def rows(self, material: Material, selections: tuple[Selection, ...]) -> Rows:
        """Training rows of one task, with the labels that are trained on."""
        task, rows = material.task(selections[0].task), joined_rows(material, selections)
        return kinds.kind(task.kind).shuffle(task, rows, self.seed) if self.labels == "shuffled" else rows

    def forms(
        self, material: Material, body: Body, selections: tuple[Selection, ...], rows: Rows, examples: Examples
    ) -> DrawnForms | None:
        """The function that draws the forms of training rows; None if they are trained on unchanged.

        Args:
            rows, examples: of the selections.

        Raises:
            InputError: a lexicon of the hardening has changed since the study was planned.
        """
        if not isinstance(self.hardening, Drawn):
            return None
        languages = [[own.language] * len(material.uncontaminated_rows(own)) for own in selections]
        task, length = material.task(selections[0].task), self.recipe.max_length
        paths = dict.fromkeys(filter(None, drawn_lexicons(self.hardening, self.training)))
        lexicons = {path: lexicon_digest(path) for path in paths}
        if self.identified(material).id != self.id:
            raise InputError(f"{' or '.join(paths)}: {CHANGED}")
        return DrawnForms(
            task, body.tokenizer, rows, np.concatenate(languages), examples, self.hardening, self.seed, length, lexicons
        )

    def attacks(
        self, workshop: Workshop, selections: tuple[Selection, ...], rows: Rows, made: TaskData
    ) -> AttackedRows | None:
        """Training rows in the form for an attack; None if they are not attacked.

        Args:
            rows, made: those of the selections.
        """
        if not isinstance(self.hardening, Attacked):
            return None
        task, tokenizer = workshop.material.task(selections[0].task), self.start(workshop).tokenizer
        settings = (self.hardening, self.seed, self.recipe.max_length)
        return AttackedRows(task, tokenizer, made.head, rows, made.examples, *settings)

    def examples(self, workshop: Workshop, body: Body, selections: tuple[Selection, ...]) -> Examples:
        """The examples of training rows, as the tokenizer of `body` encodes them."""
        task, rows = workshop.material.task(selections[0].task), self.rows(workshop.material, selections)
        return workshop.examples(task, body.tokenizer, rows, self.recipe.max_length)

    def prepared(self, workshop: Workshop, task: Task, rows: Rows) -> TaskData:
        """A task's rows with a head for it."""
        body, spec = self.start(workshop), self.spec
        kind = kinds.kind(task.kind)
        outputs = head_kind(kind.head).fixed_outputs(body.encoder) or kind.outputs(task)
        if kind.pools:
            pair = spec.pair_features and kind.reads_pairs(task)
            head = make_head(body.encoder, kind.head, outputs, spec.pooling, pair)
        else:
            head = make_head(body.encoder, kind.head, outputs)
        examples = workshop.examples(task, body.tokenizer, rows, self.recipe.max_length)
        gold = kind.gold(task, rows, examples)
        return TaskData(task.name, head, examples, kind, kind.classes(task), gold)


def _first_target(place: Place) -> Selection:
    """The target's training rows in its source language, which set the target recipe's number of steps."""
    target = place.target
    language = place.material.task(target.train).source_language
    return Selection(target.train, target.train_split, language, target.train_rows)


def _first_intermediate(place: Place) -> Selection:
    """The first intermediate task's training rows, which set the intermediate recipe's number of steps."""
    target, name = place.target, place.target.intermediate[0]
    language = place.material.task(name).source_language
    return Selection(name, target.intermediate_split, language, target.intermediate_rows)


def _target_rows(description: FineTune, place: Place) -> tuple[tuple[Selection, ...], Selection, tuple[Selection, ...]]:
    """Training and dev rows on the target."""
    first, target = _first_target(place), place.target
    dev = dataclasses.replace(first, split=target.dev_split, limit=target.dev_rows)
    return _in_languages([first], description, place), dev, ()


def _intermediate_rows(
    description: FineTune, place: Place
) -> tuple[tuple[Selection, ...], Selection, tuple[Selection, ...]]:
    """Training rows of one or all intermediate tasks, dev rows of the first, and those of the others, if any."""
    first, target = _first_intermediate(place), place.target
    names = target.intermediate if description.on == "all_intermediate" else target.intermediate[:1]
    selections = [
        dataclasses.replace(first, task=name, language=place.material.task(name).source_language) for name in names
    ]
    dev, *others = (
        dataclasses.replace(own, split=target.intermediate_dev_split, limit=target.dev_rows) for own in selections
    )
    present = tuple(own for own in others if place.material.has(own.task, own.split, own.language))
    return _in_languages(selections, description, place), dev, present


def _in_languages(selections: list[Selection], description: FineTune, place: Place) -> tuple[Selection, ...]:
    """The selections, or the corresponding ones in every language that has such rows."""
    if description.languages == "source":
        return tuple(selections)
    material = place.material
    found = tuple(
        dataclasses.replace(selection, language=language)
        for selection in selections
        for language in material.task(selection.task).languages
        if material.has(selection.task, selection.split, language)
    )
    if len(found) <= len(selections):
        raise Skipped(f"{place.target.name}: no parallel training rows for {place.arm.name}")
    return found


def steps_resolved(recipe: Recipe, training: Selection, material: Material) -> Recipe:
    """The recipe with a number of steps."""
    if recipe.steps is not None:
        return recipe
    steps = math.ceil(recipe.epochs * len(material.uncontaminated_rows(training)) / recipe.batch_size)
    return dataclasses.replace(recipe, steps=max(1, steps))


def joined_rows(material: Material, selections: Sequence[Selection]) -> Rows:
    """Training or dev rows of one task, several languages as one set."""
    kind = kinds.kind(material.task(selections[0].task).kind)
    return join(kind, [material.uncontaminated_rows(own) for own in selections])


def join(kind: kinds.Kind, parts: list[Rows]) -> Rows:
    """Rows of several languages as one training set."""
    first = parts[0]
    return dataclasses.replace(
        first,
        item_ids=np.concatenate([part.item_ids for part in parts]),
        fields={name: [text for part in parts for text in part.fields[name]] for name in first.fields},
        labels=kind.join([part.labels for part in parts]),
    )


def _part(progress: Progress, first: int, size: int, jobs: int) -> Progress:
    """Progress of a stack of `size` fine-tunings from number `first`, which adds "share", of all `jobs`."""

    def heard(done: int, steps: int, values: dict[str, float]) -> None:
        progress(done, steps, values | {"share": (first + size * done / steps) / jobs})

    return heard


def best_score(result: StageResult) -> float:
    """The best dev score of a stage; a diverged one loses against any other."""
    scores = [score for _, score in result.dev_history if np.isfinite(score)]
    return -np.inf if result.diverged or not scores else max(scores)
