"""Making stages and cells: all processes of a worker compute them together, and the first one writes the results."""

import collections
import time

import jax

from itt_jax.config import Target, canonical
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import Place, RowForms, row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import Encoder, Head
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.study import hosts
from itt_jax.study.attack_runs import Model, store_attack_cells
from itt_jax.study.caching import Caching
from itt_jax.study.cells import Cell, variants_of
from itt_jax.study.inputs import LEXICON
from itt_jax.study.joining import Joined
from itt_jax.study.material import check_lexicons
from itt_jax.study.plan import evaluation_selections, signal_selection
from itt_jax.study.precision import agreed_arithmetic, computed_as
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import EVALUATION, TRAINING, Progress, counted
from itt_jax.study.stages import Stage
from itt_jax.study.stages.dev_check import DevCheck
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.study.storing import store_cells
from itt_jax.study.tracking import Guarded, Tracker
from itt_jax.study.transfer import read_on
from itt_jax.train.ceiling import matmul_rate
from itt_jax.train.loop import HALVED
from itt_jax.train.precision import Arithmetic, training_arithmetic
from itt_jax.train.processes import await_others, first_then_others, is_first
from itt_jax.train.provenance import provenance

Loaded = tuple[Body, Head | None, dict | None]
"""The result of `Stage.load`: encoder with tokenizer, head, and the head's parameters."""


class Maker:
    """Trains the stages of a plan and predicts their cells; keeps the evaluators of one encoder at a time.

    Args:
        own: the study with its plan. stack: as in `running.run`. cache: of finished stages, or None.

    Attributes:
        failed: a line on each cell that could not be made.
    """

    def __init__(
        self,
        store: Store,
        own: Joined,
        progress: Progress,
        stack: int | None,
        profile: Profile,
        trackers: tuple[Tracker, ...] = (),
        cache: StageCache | None = None,
    ):
        self.store = store
        self.plan, self.material, self.progress, self.profile = own.plan, own.material, progress, profile
        self.trackers, self.training = Guarded(trackers, progress.say), ""
        self.workshop = Workshop(store, self.material, self.heard, stack)
        self.caching = Caching(cache, own, store, progress.say)
        self.arithmetic = training_arithmetic(self.plan.study.precision)
        self.values: dict[str, float] = {}
        read = {name: found["digest"] for name, found in own.inputs.items() if name.startswith(LEXICON)}
        self.lexicons = {name.removeprefix(LEXICON): digest for name, digest in read.items()}
        self.failed: list[str] = []
        self._evaluators: dict[tuple[str, str], Evaluator] = {}
        self._forms: dict[str, dict[Place, RowForms]] = {}

    # --- Stages

    def take(self, stage: Stage) -> bool:
        """Take a stage from the cache; returns whether it was there."""
        began = time.time()
        record = self.caching.take(stage)
        if record is not None:
            self.write_record(stage, record, round(time.time() - began, 2))
            self.progress.say(f"{self.plan.label(stage)}: taken from the cache")
        return record is not None

    def train(self, stages: list[Stage]) -> None:
        """Make stages of one shape together."""
        hosts.tell("train", stages)
        began, ids, self.values = time.time(), [stage.id for stage in stages], {}
        for stage in stages:
            if stage.is_done(self.store):
                self.progress.say(f"{self.plan.label(stage)}: made again, because its checkpoint was removed")
        self.training = self.label(stages)
        self.progress.at(self.training, "reading rows and compiling")
        with self.progress.estimate.during(TRAINING, ids):
            made = type(stages[0]).make_all(stages, self.workshop)
        self.profile.stop()
        seconds = round((time.time() - began) / len(stages), 2)
        for stage, recorded in zip(stages, made, strict=True) if is_first() else ():
            if not self.store.is_lost(stage.id):
                self.record(stage, recorded, seconds)

    def record(self, stage: Stage, made: dict, seconds: float) -> None:
        """Record a stage, with its cost and provenance, which makes it done."""
        record = self.plan.described(stage) | made | {"wall_seconds": seconds} | provenance(self.arithmetic)
        self.caching.add(stage, record)  # before it counts as done, so that no kill in between keeps it from the others
        self.write_record(stage, record, seconds)
        compiling = (
            f", {made['compile_seconds']:.0f} s of them compiling" if made.get("compile_seconds", 0) >= 1 else ""
        )
        learned = "".join(f"; {DevCheck(**check)}" for check in made.get("dev_checks", ()))
        self.progress.say(f"{self.plan.label(stage)}: {made['steps']} steps in {seconds:.0f} s{compiling}{learned}")

    def write_record(self, stage: Stage, record: dict, seconds: float) -> None:
        """Write the record of a stage, trained or taken, which makes it done."""
        self.store.write_record(stage.id, record)
        self.trackers.finished(self.store.record(stage.id) or record, canonical(self.plan.study))
        described, checks = self.plan.described(stage), record.get("dev_checks", [])
        self.store.log("stage", **described, seconds=seconds, dev_checks=checks)

    def heard(self, done: int, steps: int, values: dict[str, float]) -> None:
        """Show how far training is."""
        self.profile.progress(values)
        self.values |= values
        self.trackers.live(self.training, done, values)
        known = self.values
        speed: dict[str, float] = {}
        parts = [f"step {done}/{steps}", *(f"{name} {known[name]:.3f}" for name in ("loss", "dev") if name in known)]
        if "tokens/s" in known:
            share = known["flops/s"] / (matmul_rate(self.arithmetic.factor) * jax.device_count())
            parts += [f"{known['tokens/s']:,.0f} tokens/s", f"packing efficiency {known['packing efficiency']:.0%}"]
            parts += [f"{share:.0%} of the matmul rate"]
            speed = {"tokens_per_second": round(known["tokens/s"], 1), "utilisation": round(share, 4)}
        self.progress.tell(", ".join(parts), values.get("share", done / steps), speed)
        if HALVED in values:
            halved = f"microbatches halved {values[HALVED]} times to fit the memory"
            self.progress.say(f"{self.progress.line()}; {halved}")

    def label(self, stages: list[Stage]) -> str:
        """The name, in a line, of stages that are made together."""
        return self.plan.label(stages[0]) + (f" and {len(stages) - 1} more" if len(stages) > 1 else "")

    # --- Cells

    def evaluate(self, stages: list[Stage], cells: dict[str, list[Cell]]) -> int:
        """Predict the stages' missing cells, from one stream of distinct inputs a target, and store them; then attack.

        Returns the number of cells stored; lines on the others go to `failed`.
        """
        hosts.tell("evaluate", stages, {stage.id: cells[stage.id] for stage in stages})
        began, ids = time.time(), [stage.id for stage in stages]
        self.progress.at(f"{self.label(stages)}, evaluation", "reading the checkpoint")
        stored: collections.Counter[str] = collections.Counter()
        with self.progress.estimate.during(EVALUATION, ids):
            loaded = {stage.id: stage.load(self.store) for stage in stages}
            self.predict(loaded, {name: [cell for cell in cells[name] if not cell.attack] for name in ids})
        for stage in stages:
            self.attack(loaded[stage.id], [cell for cell in cells[stage.id] if cell.attack])
            results = {cell.cell for cell in self.plan.cells[stage.id]}.intersection(
                own.cell for own in cells[stage.id]
            )
            stored[stage.id] = sum(map(self.store.has_cell, results))  # without dev rows, which are not results
        seconds = round((time.time() - began) / len(stages), 2)
        for stage in stages if is_first() else ():
            if self.store.is_lost(stage.id):
                continue
            named = self.plan.described(stage)
            self.store.log("cells", stage=named.pop("id"), **named, cells=stored[stage.id], seconds=seconds)
            self.progress.say(f"{self.plan.label(stage)}: {counted(stored[stage.id], 'cell')} in {seconds:.0f} s")
        return stored.total()

    def predict(self, loaded: dict[str, Loaded], plain: dict[str, list[Cell]]) -> None:
        """Predict cells that need no attack, and store them.

        Args:
            loaded: id of a stage -> its model. plain: id of a stage -> its cells.
        """
        # Two targets that train alike share a stage.
        for target in dict.fromkeys(cell.target for own in plain.values() for cell in own):
            own = {name: [cell for cell in plain[name] if cell.target == target] for name in loaded}
            own = {name: found for name, found in own.items() if found}
            (body, head, _), first = loaded[next(iter(own))], next(iter(own.values()))[0]
            evaluator, used = self.evaluator(body.tokenizer, first), self.arithmetic_of(first.model, body.encoder)
            study = self.plan.study
            encoder, head = computed_as(body.encoder, study, used), head and computed_as(head, study, used)
            models = [{"encoder": loaded[name][0].params, "head": loaded[name][2]} for name in own]
            predicted = evaluator.predict_stack(encoder, head, models)
            for name, params, scores in zip(own, models, predicted, strict=True) if is_first() else ():
                self.progress.tell(f"storing {len(own[name]):,} cells", 1.0)
                diverged = bool((self.store.record(name) or {}).get("diverged"))
                made, made_with = (scores, own[name], self.material.task, params), provenance(used)
                self.failed += store_cells(self.store, evaluator, *made, made_with, diverged)
            await_others()  # wait here rather than on their devices while this one stores

    def attack(self, loaded: Loaded, cells: list[Cell]) -> None:
        """Attack the model of a stage, and store its missing cells under attack."""
        if cells:
            model = self.model(loaded, cells[0].model)
            diverged = bool((self.store.record(cells[0].stage) or {}).get("diverged"))
            self.failed += store_attack_cells(self.store, model, cells, self.plan.attacked, self.progress, diverged)

    def transfer(self, stages: list[Stage]) -> None:
        """Run the stages' models on texts that were made on other models."""
        hosts.tell("transfer", stages)
        for stage in stages:
            self.progress.at(f"{self.plan.label(stage)}, texts made on other models", "reading the checkpoint")
            model = self.model(stage.load(self.store), stage.spec.name)
            read_on(self.plan, self.store, stage.id, model, self.progress.tell)

    def model(self, loaded: Loaded, name: str) -> Model:
        """The model of a stage, as its encoder is evaluated."""
        body, head, params = loaded
        assert head is not None  # as for every kind of task that is attacked
        how = self.plan.study, self.arithmetic_of(name, body.encoder)
        own = {"encoder": body.params, "head": params}
        return Model(body.tokenizer, computed_as(body.encoder, *how), computed_as(head, *how), own)

    def arithmetic_of(self, model: str, encoder: Encoder) -> Arithmetic:
        """The arithmetic in which a model is evaluated."""
        precision = self.plan.study.precision
        return first_then_others(lambda: agreed_arithmetic(self.store, model, encoder, precision))

    def evaluator(self, tokenizer: Tokenizer, cell: Cell) -> Evaluator:
        """The evaluation inputs of one target for one tokenizer; kept while the same encoder is evaluated."""
        key = (cell.model, cell.target)
        if key not in self._evaluators:
            self._evaluators = {other: own for other, own in self._evaluators.items() if other[0] == cell.model}
            target = next(target for target in self.plan.study.targets if target.name == cell.target)
            forms, tell = self.forms(target), self.progress.tell
            self._evaluators[key] = Evaluator(tokenizer, self.plan.study.max_length, forms, tell=tell)
        return self._evaluators[key]

    def forms(self, target: Target) -> dict[Place, RowForms]:
        """The perturbed rows of a target's evaluation tasks, made once for all encoders.

        Raises:
            InputError: a lexicon has changed since the study was planned.
        """
        if target.name not in self._forms:
            study, found = self.plan.study, {}
            for name in target.evaluate or (target.train,):
                task = self.material.task(name)
                for selection in evaluation_selections(study, target, task, self.material):
                    wanted = variants_of(study.perturbations, selection.language, self.plan.skip)
                    self.progress.tell(f"making {len(wanted):,} forms of {name} {selection.language}")
                    forms = row_forms(task, self.material.rows(selection), wanted, study.noise_seed)
                    found[name, selection.split, selection.language] = forms
                    dev = signal_selection(target, selection)
                    if (rows := self.material.signal_rows(dev)) is not None:
                        found[name, dev.split, dev.language] = row_forms(task, rows, {CLEAN_FORM: None}, 0)
            check_lexicons(self.lexicons)
            self._forms[target.name] = found
        return self._forms[target.name]
