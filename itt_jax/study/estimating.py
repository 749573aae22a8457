"""A study on accelerators that this machine lacks: each distinct program, compiled for them, and how often it would
run.

All figures are compilers' estimates. They leave out the host, dev evaluations, cells of dev rows, transfers of attacks,
tasks that compare vectors, checkpoints and compiling.
"""

import contextlib
import dataclasses
import math
import pathlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax

from itt_jax import kinds
from itt_jax.accelerators import Report, Topology, compiled_report
from itt_jax.config import EncoderSpec, LanguageModel, Precision, Study
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.evaluate.forms import Place
from itt_jax.models import Encoder, Head
from itt_jax.models.hardware import compiling_for
from itt_jax.store import Store
from itt_jax.study.absent import planned
from itt_jax.study.cells import Cell
from itt_jax.study.cost import groups
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import Plan
from itt_jax.study.precision import computed_as
from itt_jax.study.stages import Adaptation, FineTuning, Pretraining, Stage
from itt_jax.study.stages.given import given_sketch
from itt_jax.study.stages.pretrain import made_encoder
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.tasks.inputs import kept_examples
from itt_jax.train.compiling import Request
from itt_jax.train.corpus import CorpusTexts
from itt_jax.train.described import Typical, prediction, training
from itt_jax.train.jobs import Job
from itt_jax.train.language import language_steps
from itt_jax.train.loop import SHARE_OF_FREE
from itt_jax.train.microbatches import on_chip_tokens
from itt_jax.train.precision import evaluation_arithmetic, keep_precision
from itt_jax.train.predict import SHARE_OF_MEMORY, batch_sizes
from itt_jax.train.sharding import data_shards, stack_mesh
from itt_jax.train.stage import stack_size

Tell = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class Work:
    """A program of a study on a topology, and how often a study runs it.

    Attributes:
        encoder: its name in the study. stage: kind of stage, or "evaluation".
        runs: number of runs or models together. times: number of executions in the study.
        rows, length: of a batch (in training, of a microbatch). microbatches: number in a step, halved ones included.
        examples: per execution, all runs together. padding: share of the positions that hold no token.
        flops: model FLOPs of an execution, all devices together.
        memory: bytes per device. devices: their number. peak: FLOP/s of a device.
    """

    encoder: str
    stage: str
    runs: int
    times: int
    rows: int
    length: int
    microbatches: int
    examples: int
    padding: float
    flops: float
    memory: int
    devices: int
    peak: float
    report: Report

    @property
    def fits(self) -> bool:
        """Whether it fits the memory of a device."""
        return self.report.needed is not None and self.report.needed <= self.memory

    @property
    def utilisation(self) -> float | None:
        """Model FLOPs per second, by the roofline, as a share of the peak."""
        seconds = self.report.seconds
        return self.flops / (seconds * self.devices * self.peak) if seconds else None

    @property
    def hours(self) -> float:
        """Hours of all executions."""
        return self.times * self.report.seconds / 3600


def estimates(
    study: Study,
    there: Topology,
    data_root: str | pathlib.Path | None = None,
    stack: int | None = None,
    tell: Tell = lambda line: None,
) -> list[Work]:
    """Every distinct program of a whole study, stacked as `run` would; writes to no results folder.

    Args:
        stack: maximum number of fine-tunings trained together; None: by the memory that their program takes.
        tell: called with a line before each program is compiled.

    Raises:
        InputError: the study or its data is wrong.
    """
    material, plan = planned(study, data_root)
    with tempfile.TemporaryDirectory() as folder, compiling_for(there.hardware), _precision(study.precision):
        workshop = _Sketch(Store(pathlib.Path(folder) / "none"), material, plan, stack)
        own = _Estimating(plan, workshop, there, tell)
        found = [work for stages in workshop.groups() for work in own.works(stages)]
    return _merged(found)


@contextlib.contextmanager
def _precision(precision: Precision) -> Iterator[None]:
    """Compile products as `run` would (`keep_precision`), and restore JAX's setting."""
    before = jax.config.jax_default_matmul_precision
    keep_precision(precision)
    try:
        yield
    finally:
        jax.config.update("jax_default_matmul_precision", before)


class _Sketch(Workshop):
    """A workshop where encoders have shapes in place of parameters."""

    def __init__(self, store: Store, material: Material, plan: Plan, stack: int | None):
        super().__init__(store, material, lambda done, steps, values: None, stack)
        self.plan = plan
        self._made: dict[str, Body] = {}
        self._specs = {stage.id: stage for stage in plan.stages.values()}

    def body(self, stage_id: str, load: Callable[[], Body]) -> Body:
        """The encoder of a stage's spec, which all stages of an arm share, as it is trained."""
        return self.spec_body(self._specs[stage_id].spec)

    def spec_body(self, spec: EncoderSpec) -> Body:
        """The encoder and tokenizer of a spec."""
        if spec.name not in self._made:
            if spec.checkpoint is not None:
                encoder, tokenizer = given_sketch(spec)
            else:
                _, tokenizer = Pretraining(spec=spec, seed=spec.seed).beginning(self.material)
                encoder = made_encoder(spec, tokenizer)
            self._made[spec.name] = Body(self.trained(encoder), {}, tokenizer)
        return self._made[spec.name]

    def groups(self) -> list[list[Stage]]:
        """The stages as they would train together."""
        return groups(self.plan.made(), self.material, self.most_together)


class _Estimating:
    """Finds and compiles the programs of stages."""

    def __init__(self, plan: Plan, workshop: _Sketch, there: Topology, tell: Tell):
        self.plan, self.workshop, self.there, self.tell = plan, workshop, there, tell
        self._reports: dict[Any, Report] = {}

    def works(self, stages: Sequence[Stage]) -> Iterator[Work]:
        """What stages of one group run, training first."""
        fine_tunings = [stage for stage in stages if isinstance(stage, FineTuning)]
        if fine_tunings:  # then all are
            yield from self.fine_tuning(fine_tunings)
            yield from self.evaluation(fine_tunings)
        for stage in stages:
            if isinstance(stage, Adaptation):
                yield from self.language_model(stage, stage.corpus(self.workshop.material), stage.settings)
            elif isinstance(stage, Pretraining) and stage.spec.pretraining is not None:
                corpus = stage.beginning(self.workshop.material)[0]
                yield from self.language_model(stage, corpus, stage.spec.pretraining)

    # --- Training

    def fine_tuning(self, stages: Sequence[FineTuning]) -> Iterator[Work]:
        """The stacks of fine-tunings."""
        first, jobs = stages[0], [job for stage in stages for job in stage.jobs(self.workshop)]
        encoder = self.workshop.spec_body(first.spec).encoder
        while jobs:
            size = stack_size(encoder, jobs, self.workshop.stack, lambda request: self.needed(first, request))
            own, jobs = jobs[:size], jobs[size:]

            def programs(halvings: int, own: Sequence[Job] = own) -> list[Typical]:
                return training(encoder, own, stack_mesh(len(own)), halvings)

            yield from self.trained(first, programs, size, max(job.steps for job in own))

    def language_model(self, stage: Stage, corpus: CorpusTexts, settings: LanguageModel) -> Iterator[Work]:
        """The steps of one language-model stage."""
        body = self.workshop.spec_body(stage.spec)

        def programs(halvings: int) -> list[Typical]:
            found, _ = language_steps(body.encoder, corpus, body.tokenizer, settings, stage.seed, halvings)
            return found

        _, total = language_steps(body.encoder, corpus, body.tokenizer, settings, stage.seed)
        yield from self.trained(stage, programs, 1, total)

    def trained(self, stage: Stage, programs: Callable[[int], list[Typical]], runs: int, steps: int) -> Iterator[Work]:
        """Training programs, with microbatches halved as often as the loop would halve them."""
        halvings, made = 0, programs(0)
        found = [self.report(stage, one.request) for one in made]
        shards = data_shards(stack_mesh(runs))
        can_halve = all(one.choices == 1 for one in made)
        while can_halve and not all(map(self.fits_free, found)) and all(one.row_shape[2] > shards for one in made):
            halvings += 1
            made = programs(halvings)
            found = [self.report(stage, one.request) for one in made]
        for one, report in zip(made, found, strict=True):
            yield self.work(stage.spec.name, stage.kind, one, report, runs, math.ceil(one.share * steps))

    def fits_free(self, report: Report) -> bool:
        """Whether the training loop would take the program as it is."""
        if report.needed is None:
            return False
        return report.needed - report.arguments <= SHARE_OF_FREE * (self.there.bytes - report.arguments)

    # --- Evaluation

    def evaluation(self, stages: Sequence[FineTuning]) -> Iterator[Work]:
        """The prediction of the cells of stages, which are predicted together; empty for tasks that compare vectors."""
        evaluated = [stage for stage in stages if self.plan.cells.get(stage.id)]
        cells = [self.plan.cells[stage.id] for stage in evaluated]
        for target in dict.fromkeys(cell.target for own in cells for cell in own):
            models = [stage for stage, own in zip(evaluated, cells, strict=True) if target in {c.target for c in own}]
            asked = [cell for cell in self.plan.cells[models[0].id] if cell.target == target]
            places = dict.fromkeys(cell.place for cell in asked)
            examples = {place: found for place in places if (found := self.examples(models[0], place)) is not None}
            if not examples:
                continue
            head = models[0].jobs(self.workshop)[0].tasks[0].head
            encoder = self.workshop.spec_body(models[0].spec).encoder
            own = evaluation_arithmetic(encoder, self.plan.study.precision)
            how = self.plan.study, own
            encoder, head = computed_as(encoder, *how), computed_as(head, *how)
            total = math.ceil(sum(self.tokens(cell, examples[cell.place]) for cell in asked if cell.place in examples))
            typical = max(examples.values(), key=lambda own: len(own.ids))
            yield self.predicted(models, encoder, head, typical, total)

    def tokens(self, cell: Cell, clean: Examples) -> float:
        """Tokens that a model reads for a cell: those of the clean rows, or of an attack's expected queries."""
        if not cell.attack:
            return len(clean.ids)
        return self.plan.attacked[cell.cell].queries * len(clean.ids) / len(self.rows(cell.place))

    def predicted(self, models: Sequence[Stage], encoder: Encoder, head: Head, typical: Examples, total: int) -> Work:
        """The prediction of `total` tokens by each model, in batches as large as fit."""
        mesh, size = stack_mesh(len(models)), len(models)
        for tokens in batch_sizes(total, most=on_chip_tokens(encoder, size, mesh)):
            one = prediction(encoder, head, typical, size, tokens, mesh)
            report = self.report(models[0], one.request)
            needed = None if report.needed is None else report.needed - report.arguments
            if needed is not None and needed <= SHARE_OF_MEMORY * (self.there.bytes - report.arguments):
                break
        times = math.ceil(total * size / one.tokens)
        return self.work(models[0].spec.name, "evaluation", one, report, size, times)

    def examples(self, stage: Stage, place: Place) -> Examples | None:
        """The clean rows of a place as the stage's encoder reads them; None for tasks that compare vectors."""
        task = self.workshop.material.task(place[0])
        if kinds.kind(task.kind).by_vectors:
            return None
        tokenizer = self.workshop.spec_body(stage.spec).tokenizer
        rows, max_length = self.rows(place), self.plan.study.max_length
        return kept_examples(self.workshop.store.tokens, task, tokenizer, rows, max_length)

    def rows(self, place: Place) -> Rows:
        """The clean rows of a place."""
        return self.workshop.material.rows(Selection(*place, self.plan.study.evaluation_rows))

    # --- Programs

    def needed(self, stage: Stage, request: Request) -> int | None:
        """Memory of a program on each device; more than the device has if the compiler finds no room."""
        found = self.report(stage, request).needed
        return 2 * self.there.bytes if found is None else found

    def report(self, stage: Stage, request: Request) -> Report:
        """The report of a program."""
        key = request.key
        if key not in self._reports:
            self.tell(f"{stage.spec.name}, {stage.kind}: compiling for {self.there.name}")
            self._reports[key] = compiled_report(request, self.there)
        return self._reports[key]

    def work(self, encoder: str, stage: str, one: Typical, report: Report, runs: int, times: int) -> Work:
        """A program with its figures."""
        *leading, rows, length = one.row_shape
        copies = 1 if len(leading) == 2 else runs  # all models read the same batch
        return Work(
            encoder=encoder,
            stage=stage,
            runs=runs,
            times=times,
            rows=rows,
            length=length,
            microbatches=leading[1] if len(leading) == 2 else 1,
            examples=one.examples,
            padding=1 - one.tokens / (copies * math.prod(one.row_shape)),
            flops=one.flops,
            memory=self.there.bytes,
            devices=self.there.count,
            peak=self.there.accelerator.peak,
            report=report,
        )


def _merged(works: Iterable[Work]) -> list[Work]:
    """One entry for each program of an encoder and kind of stage, in the order of their first use."""
    found: dict[Any, Work] = {}
    for work in works:
        key = work.encoder, work.stage, work.runs, id(work.report)  # equal programs share the object
        before = found[key].times if key in found else 0
        found[key] = dataclasses.replace(found.get(key, work), times=before + work.times)
    return [*found.values()]
