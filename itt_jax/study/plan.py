"""The plan: the stages and cells that a study expands to, each named by everything that determines its result.

In an id: recipe, rows, parents, versions. Not in it: devices, row shapes, paths, arms' names. So arms share the stages
that they have in common, and a stage or cell that is in the store is never made again.
"""

import dataclasses
import functools
import hashlib
import math
from typing import Any, Literal

from itt_jax import perturb
from itt_jax.config import EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target, content_id
from itt_jax.errors import InputError
from itt_jax.evaluate.grid import CLEAN, Key, Place
from itt_jax.evaluate.token_noise import KINDS, TOKEN_NOISES, operator_of
from itt_jax.perturb.lexicon import lexicon_source
from itt_jax.study.material import Material, Selection, digest_files
from itt_jax.tasks import Task, metrics

STAGE_VERSION = 1
"""Raised when a stage with the same description would give other parameters."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One training run: parent parameters, rows, recipe -> parameters.

    Attributes:
        purpose: "given" is a checkpoint that is there already; "pretraining" makes an encoder.
        parent: the stage whose encoder it starts from, or None.
        training: the rows of each task (several: multi-task); of an "adaptation" their texts alone are read.
        dev: the rows that choose learning rate and checkpoint, or None.
        recipe: with `steps` resolved to a number; None for a language-model stage, which has `settings`.
        shuffle_labels: training labels are permuted (the `shuffled_itt` control).
    """

    id: str
    purpose: Literal["given", "pretraining", "intermediate", "adaptation", "target"]
    model: str
    parent: str | None = None
    training: tuple[Selection, ...] = ()
    dev: Selection | None = None
    recipe: Recipe | None = None
    settings: LanguageModel | None = None
    shuffle_labels: bool = False
    match_tokens_of: tuple[Selection, ...] = ()
    seed: int = 0


WITH_INTERMEDIATE = {"itt", "multitask_itt", "matched", "shuffled_itt"}
"""Arms that need an intermediate task."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One point of the evaluation grid; its fields are the key columns of the results."""

    cell: str
    stage: str
    model: str
    arm: str
    target: str
    task: str
    split: str
    language: str
    domain: str
    perturbation: str
    severity: float
    replicate: int
    seed: int
    adapted: bool
    source_language: bool
    changes_label: bool = False

    @property
    def place(self) -> Place:
        """The rows that it evaluates on."""
        return self.task, self.split, self.language

    @property
    def variant(self) -> Key:
        """The form of the rows."""
        return self.perturbation, self.severity, self.replicate


def cell_row(cell: Cell, figures: dict[str, Any]) -> dict[str, Any]:
    """A cell's row of the results: its key columns and its figures."""
    return {name: value for name, value in dataclasses.asdict(cell).items() if name != "stage"} | figures


@dataclasses.dataclass
class Plan:
    """Stages in an order in which each comes after its parent, and cells grouped by the stage they evaluate."""

    study: Study
    stages: dict[str, Stage]
    cells: dict[str, list[Cell]]
    skipped: list[str]

    def all_cells(self) -> list[Cell]:
        """Every cell, in the order of the stages."""
        return [cell for cells in self.cells.values() for cell in cells]


def study_id(study: Study) -> str:
    """The name of everything in the study's config."""
    return content_id(study)


def make_plan(study: Study, material: Material) -> Plan:
    """Expand a study to its plan; reads the rows, drops contaminated training rows.

    Raises:
        InputError: an unknown task, operator or language, rows that are not there, label spaces that do not fit.
    """
    check_names(study, material)
    planner = _Planner(study, material)
    for spec in study.encoders:
        if not study.allow_seen and material.seen(spec):
            raise InputError(
                f"encoder {spec.name!r}: its checkpoint has seen some of the study's evaluation text in training; "
                "evaluate on other rows, or set allow_seen (the report will say so)"
            )
        root = planner.root(spec)
        for target in study.running_targets():
            for seed in study.seeds:
                for arm in study.arms:
                    planner.arm(spec, root, target, arm, seed)
    return planner.plan


def check_names(study: Study, material: Material) -> None:
    """Raise for a name that no catalogue has and for a target whose tasks do not fit together."""
    for perturbation in study.perturbations:
        operator = operator_of(perturbation.name)
        if perturbation.lexicon and not operator.lexicon:
            raise InputError(f"perturbation {perturbation.name!r} reads no lexicon, found {perturbation.lexicon!r}")
        if perturbation.lexicon and "{language}" not in perturbation.lexicon:
            perturb.read_lexicon(perturbation.lexicon)
    for target in study.running_targets():
        train = material.task(target.train)
        for name in target.evaluate:
            other = material.task(name)
            if other.kind == "retrieval":  # needs an encoder and no head
                continue
            if (other.kind, other.label_space, len(other.fields)) != (train.kind, train.label_space, len(train.fields)):
                raise InputError(
                    f"target {target.name!r}: {name!r} ({other.kind}, {other.label_space}) cannot be evaluated with a "
                    f"head trained on {target.train!r} ({train.kind}, {train.label_space})"
                )
        needs_intermediate = WITH_INTERMEDIATE & set(study.arms)
        if needs_intermediate and not target.intermediate:
            raise InputError(f"target {target.name!r}: arm {min(needs_intermediate)!r} needs an intermediate task")
        if {"dapt", "dapt_control"} & set(study.arms) and not (
            target.domain_text and target.general_text and target.adaptation
        ):
            raise InputError(f"target {target.name!r}: dapt needs domain_text, general_text and adaptation")


class _Planner:
    """Builds a plan; a stage or cell that stands in it already is not added again."""

    def __init__(self, study: Study, material: Material):
        self.study = study
        self.material = material
        self.plan = Plan(study, {}, {}, [])

    def add(self, purpose: str, model: str, identity: Any, **fields: Any) -> Stage:
        """Add the stage whose id is made of `identity`, the parent and the stage's own fields."""
        named = {key: value for key, value in fields.items() if key not in ("training", "dev", "match_tokens_of")}
        rows = {
            "training": [self.material.digest(selection, training=True) for selection in fields.get("training", ())],
            "match": [
                self.material.digest(selection, training=True) for selection in fields.get("match_tokens_of", ())
            ],
            "dev": self.material.digest(fields["dev"], training=False) if fields.get("dev") else None,
        }
        # "intermediate" and "target" are roles: the same training run has the same name in either.
        kind = "fine_tuning" if fields.get("recipe") else purpose
        stage_id = content_id([STAGE_VERSION, kind, identity, named, rows])
        return self.plan.stages.setdefault(stage_id, Stage(id=stage_id, purpose=purpose, model=model, **fields))

    def root(self, spec: EncoderSpec) -> Stage:
        """The encoder before any arm: a given checkpoint, or one made and pretrained here."""
        rates = [] if spec.attention_dropout is None else [{"attention_dropout": spec.attention_dropout}]
        if spec.checkpoint is not None:
            identity = [self.material.checkpoint_digest(spec.checkpoint), self.material.tokenizer_digest(spec)]
            return self.add("given", spec.name, identity + rates)
        made = {
            name: getattr(spec, name)
            for name in ("family", "layers", "width", "heads", "feed_forward", "vocabulary_size", "max_positions")
        }
        corpus = [self.material.corpus_digest(corpus) for corpus in spec.corpus]
        identity = [made, corpus, self.material.tokenizer_digest(spec)]
        return self.add("pretraining", spec.name, identity + rates, settings=spec.pretraining, seed=spec.seed)

    def arm(self, spec: EncoderSpec, root: Stage, target: Target, arm: str, seed: int) -> None:
        """Add the stages of one arm and the cells that evaluate its last one."""
        task = self.material.task(target.train)
        languages = (task.source_language,)
        if arm == "translate_train":
            languages = tuple(lang for lang in task.languages if self.material.has(task.name, target.train_split, lang))
            if len(languages) < 2:
                self.skip(f"{target.name}: no parallel training rows for translate_train")
                return
        training = tuple(Selection(task.name, target.train_split, lang, target.train_rows) for lang in languages)
        dev = Selection(task.name, target.dev_split, task.source_language, target.dev_rows)
        recipe = self.resolved(target.recipe, training[:1])
        parent = self.before(spec, root, target, arm, seed, training, dev)
        stage = self.fine_tuning("target", spec, parent, training, dev, recipe, seed)
        self.cells(stage, spec, target, arm, seed)

    def before(self, spec: EncoderSpec, root: Stage, target: Target, arm: str, seed: int, training, dev) -> Stage:
        """The stage that the target stage starts from."""
        if arm in ("direct", "translate_train"):
            return root
        if arm in ("dapt", "dapt_control"):
            texts = target.domain_text if arm == "dapt" else target.general_text
            return self.add(
                "adaptation",
                spec.name,
                ["adaptation"],
                parent=root.id,
                training=tuple(self.text_of(name) for name in texts),
                match_tokens_of=() if arm == "dapt" else tuple(self.text_of(name) for name in target.domain_text),
                settings=target.adaptation,
                seed=seed,
            )
        sources = tuple(
            Selection(
                name, target.intermediate_split, self.material.task(name).source_language, target.intermediate_rows
            )
            for name in (target.intermediate if arm == "multitask_itt" else target.intermediate[:1])
        )
        # Every arm's intermediate stage has as many steps as plain ITT's.
        first = Selection(
            target.intermediate[0],
            target.intermediate_split,
            self.material.task(target.intermediate[0]).source_language,
            target.intermediate_rows,
        )
        recipe = self.resolved(target.intermediate_recipe, (first,))
        if arm == "matched":
            return self.fine_tuning("intermediate", spec, root, training, dev, recipe, seed)
        dev = dataclasses.replace(first, split=target.intermediate_dev_split, limit=target.dev_rows)
        return self.fine_tuning(
            "intermediate", spec, root, sources, dev, recipe, seed, shuffle_labels=arm == "shuffled_itt"
        )

    def text_of(self, name: str) -> Selection:
        """The training rows of a task, whose texts an adaptation reads."""
        return Selection(name, "train", self.material.task(name).source_language, None)

    def fine_tuning(self, purpose, spec, parent, training, dev, recipe, seed, shuffle_labels: bool = False) -> Stage:
        """Add a fine-tuning stage; its head is made anew."""
        described = [
            (task.kind, task.labels, task.fields, task.score_range, task.metric)
            for task in (self.material.task(selection.task) for selection in (*training, dev))
        ]
        identity = [described, spec.pooling, spec.pair_features, metrics.VERSION]
        fields = {"training": training, "dev": dev, "recipe": recipe, "seed": seed, "parent": parent.id}
        return self.add(purpose, spec.name, identity, shuffle_labels=shuffle_labels, **fields)

    def resolved(self, recipe: Recipe, training: tuple[Selection, ...]) -> Recipe:
        """The recipe with its number of steps."""
        if recipe.steps is not None:
            return recipe
        rows = sum(len(self.material.training_rows(selection)) for selection in training)
        return dataclasses.replace(recipe, steps=max(1, math.ceil(recipe.epochs * rows / recipe.batch_size)))

    def skip(self, reason: str) -> None:
        """Note something that the study asks for and the data cannot give."""
        if reason not in self.plan.skipped:
            self.plan.skipped.append(reason)

    def cells(self, stage: Stage, spec: EncoderSpec, target: Target, arm: str, seed: int) -> None:
        """Add the cells that evaluate a target stage."""
        train = self.material.task(target.train)
        cells = self.plan.cells.setdefault(stage.id, [])
        present = {cell.cell for cell in cells}
        for name in target.evaluate or (target.train,):
            task = self.material.task(name)
            for selection in evaluation_selections(self.study, target, task, self.material):
                digest = self.material.digest(selection, training=False)
                for variant, lexicon in variants(self.study.perturbations, selection.language, self.skip).items():
                    operator = None if variant == CLEAN else operator_of(variant[0])
                    if variant[0] in TOKEN_NOISES and task.kind not in KINDS:
                        self.skip(f"{variant[0]}: not for {task.kind} ({name})")
                        continue
                    identity = [stage.id, digest, variant, self.study.max_length, metrics.VERSION, task.metric]
                    if operator is not None:
                        identity += [self.study.noise_seed, operator.version, task.editable_fields]
                        identity += [] if lexicon is None else [lexicon_digest(lexicon)]
                    # The arm stands in the id because two arms may share their last stage and are reported apart.
                    cell_id = content_id([*identity, arm, target.name])
                    if cell_id in present:
                        continue
                    cells.append(
                        Cell(
                            cell=cell_id,
                            stage=stage.id,
                            model=spec.name,
                            arm=arm,
                            target=target.name,
                            task=name,
                            split=selection.split,
                            language=selection.language,
                            domain=task.domain,
                            seed=seed,
                            adapted=task.domain == train.domain,
                            source_language=selection.language == train.source_language,
                            perturbation=variant[0],
                            severity=variant[1],
                            replicate=variant[2],
                            changes_label=operator is not None and operator.changes_label,
                        )
                    )


def evaluation_selections(study: Study, target: Target, task: Task, material: Material) -> list[Selection]:
    """The evaluation rows of one task: one selection a language, the same items in each."""
    wanted = target.languages or study.languages or task.languages
    languages = [lang for lang in wanted if lang in task.languages]
    if not languages:
        raise InputError(
            f"target {target.name!r}: task {task.name!r} has no data in {', '.join(wanted)}; "
            f"it has {', '.join(task.languages)}"
        )
    selections = [Selection(task.name, target.test_split, lang, study.evaluation_rows) for lang in languages]
    return [selection for selection in selections if material.has(task.name, target.test_split, selection.language)]


def variants(perturbations: tuple[Perturbation, ...], language: str, skip=lambda reason: None) -> dict[Key, str | None]:
    """The clean text and every operator x severity x replicate that exists for a language, each with its lexicon."""
    found: dict[Key, str | None] = {CLEAN: None}
    for perturbation in perturbations:
        lexicon = perturbation.lexicon_of(language)
        if lexicon is None and language not in operator_of(perturbation.name).languages:
            skip(f"{perturbation.name}: has no table for {language!r}")
            continue
        if lexicon is not None and not lexicon_source(lexicon)[0].exists():
            skip(f"{perturbation.name}: no lexicon {lexicon} for {language!r}")
            continue
        for severity in perturbation.severities:
            for replicate in range(perturbation.replicates):
                found[perturbation.name, severity, replicate] = lexicon
    return found


@functools.cache
def lexicon_digest(lexicon: str) -> str:
    """A name for what a lexicon holds: the content of its file or folder, and which way round it is read."""
    path, inverse = lexicon_source(lexicon)
    content = digest_files(path) if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    return content + "-inverse" * inverse
