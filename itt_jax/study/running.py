"""Running a plan: whatever the results folder lacks is made."""

import collections
import contextlib
import dataclasses
import itertools
import pathlib
import time
from typing import Any

import jax

from itt_jax.config import Study, Target, canonical
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import Place, RowForms, row_forms
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import Encoder, Head
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.store.place import check_place
from itt_jax.store.results import read_results
from itt_jax.store.shared_folders import check_apart, shared_folder
from itt_jax.store.sharing import Sharing, check_shared
from itt_jax.study import hosts
from itt_jax.study.attack_runs import Model, store_attack_cells
from itt_jax.study.caching import Caching, stage_cache
from itt_jax.study.cells import Cell, variants_of
from itt_jax.study.clustering import plan_clusters
from itt_jax.study.cost import Cost
from itt_jax.study.declaring import content, declared
from itt_jax.study.distances import compared, distances_id, domain_distances
from itt_jax.study.joining import Joined, joined
from itt_jax.study.keeping import Keeping
from itt_jax.study.plan import evaluation_selections, signal_selection
from itt_jax.study.prices import expected_speed
from itt_jax.study.profiling import Profile
from itt_jax.study.progress import Estimate, Progress, counted, duration
from itt_jax.study.provenance import agreed_arithmetic, provenance
from itt_jax.study.publishing import Publisher
from itt_jax.study.stages import Stage
from itt_jax.study.stages.dev_check import DevCheck
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.study.storing import check_stored, store_cells
from itt_jax.study.texts import keep_plan_texts
from itt_jax.study.tracking import UNTRACKED, Guarded, Tracker, Tracking
from itt_jax.study.transfer import claim_on, missing_transfers, read_on
from itt_jax.train.ceiling import matmul_rate
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.loop import HALVED
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import Arithmetic, computing_in, keep_precision, training_arithmetic
from itt_jax.train.processes import await_others, first_then_others, is_first
from itt_jax.train.resume import interrupted_at

POLL_SECONDS = 2
"""Time between two looks at the folder while other workers hold everything that is left."""


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
    looks: tuple[int, ...] = (),
    tracking: Tracking = UNTRACKED,
    cache: str | pathlib.Path | None = None,
    share: str | None = None,
) -> Results:
    """Train and evaluate whatever the results folder `out` lacks of the study.

    Several workers may run the same study on one folder; each claims the stages that it works on. A worker is one
    process, or several that `jax.distributed` has joined, on one file system (see `hosts`). The study may have changed
    since the folder was written: stages and cells that it shares with the former one stay valid, and plan and results
    describe the study of the latest run.

    Args:
        stack: maximum number of fine-tunings of one shape that are trained and evaluated together; None lets the memory
            decide (1 on a CPU). It changes results by rounding and by the draws of dropout alone.
        profile: write a trace of a few steps of the first stage to OUT/profile.
        looks: the numbers of seeds at which a study that grows by seeds is looked at; see `deciding`.
        tracking: where training curves go, beside the folder's records; a failure there is a warning.
        cache: a folder of finished stages that studies share: those that are there are not trained, others are added.
        share: the URL or path of a folder that workers with other results folders share with this one (see
            `store.sharing`); None where all of them use `out`.

    Raises:
        SharingError: the shared folder was lost while the study ran; what is done is kept.
        InputError: the study or its data is wrong, `out` holds something else, or `cache` or `share` cannot be one;
            nothing is written then.
        NotFiniteError: cells with a score that is not finite; everything else is done and stored.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(study.precision)
    check_place(pathlib.Path(out))
    stages = stage_cache(cache, study)
    store = opened(out, share)
    trackers = tracking.trackers(store, study.name) if is_first() else ()
    with Progress(quiet or not is_first()) as progress:
        progress.at(f"study {study.name}", "reading its data")
        hosts.check_same(hosts.installation(stack, looks))
        own = joined(study, store, data_root, stack, stages)
        declaration = declared(store, content(own.plan, own.material, looks))
        hosts.check_same(hosts.described(own.plan, own.inputs))
        traced = store.profile if profile and is_first() else None
        runner = _Runner(store, own, declaration, progress, stack, Profile(traced), trackers, stages)
        made, failed = runner.lead(own) if is_first() else hosts.follow(runner)
    check_stored(failed, store.out)
    return Results(store.out, len(own.plan.all_cells()), made)


def opened(out: str | pathlib.Path, share: str | None) -> Store:
    """The results folder, which the first process of a worker keeps in step with the shared folder.

    Raises:
        InputError: the shared folder cannot be used, lies in the results folder or around it, or is not the one that
            the results folder shares.
    """
    path = pathlib.Path(out)
    if not is_first():
        return Store(path)
    if share is None:
        check_shared(path, None)
        return Store(path)
    check_apart(share, path)
    sharing = Sharing(path, shared_folder(share))
    check_shared(path, sharing.shared.url)
    return Store(path, sharing)


class _Runner:
    """One worker on a plan; keeps the evaluators of one encoder at a time."""

    def __init__(
        self,
        store: Store,
        own: Joined,
        declaration: dict[str, Any],
        progress: Progress,
        stack: int | None,
        profile: Profile,
        trackers: tuple[Tracker, ...] = (),
        cache: StageCache | None = None,
    ):
        self.store = store
        self.plan, self.material, self.progress, self.profile = own.plan, own.material, progress, profile
        self.trackers, self.training = Guarded(trackers, progress.say), ""
        self.publisher = Publisher(store, own, declaration)
        self.workshop = Workshop(store, self.material, self.heard, stack)
        self.keeping = Keeping(self.plan, store)
        self.caching = Caching(cache, own, store, progress.say)
        self.arithmetic = training_arithmetic(self.plan.study.precision)
        self.values: dict[str, float] = {}
        self.worked: set[str] = set()
        self.failed: list[str] = []
        self.waiting = ""
        self._evaluators: dict[tuple[str, str], Evaluator] = {}
        self._forms: dict[str, dict[Place, RowForms]] = {}

    def lead(self, own: Joined) -> tuple[int, list[str]]:
        """Write the plan, make what is missing and write the results, in the one process that does.

        Returns:
            how many cells were made, and what is said of those that could not be.
        """
        for line in self.store.set_aside():
            self.progress.say(f"warning: {line}")
        for line in own.changes:
            self.progress.say(f"changed: {line}")
        if own.changes:
            self.publisher.take_over(own.changes)
        self.publisher.write_plan()
        if self.store.sharing:
            self.store.sharing.say = self.progress.say
            self.progress.say(f"shared folder: {self.store.sharing.shared.url}")
            self.store.sync()
        if any(map(self.needed, self.plan.stages.values())):  # a run that has nothing to do leaves no trace
            self.progress.log_to(self.store.log)
        finished = [record for record in map(self.store.record, self.plan.stages) if record]
        self.trackers.begin(finished, canonical(self.plan.study))
        self.store.tables.write_clusters(plan_clusters(self.plan, self.material))
        for entry in self.material.contamination.values():
            if warning := entry.warning():
                self.progress.say(f"warning: {warning}")
            elif entry.dropped or entry.whole_inputs:
                self.progress.say(f"contamination: {entry.summary()}")
        for line in own.given():
            self.progress.say(line)
        self.caching.begin()
        self.say_what_is_left(own.cost)
        made = self.all()
        while self.publisher.holds() and self.others_made_again():
            made += self.all()
        self.finish()
        hosts.end(made, self.failed)
        return made, self.failed

    def all(self) -> int:
        """Make every missing stage and cell, or wait for the worker that does; returns how many cells were made."""
        made = 0
        while pending := [stage for stage in self.plan.stages.values() if self.needed(stage)]:
            self.progress.estimate.keep([stage.id for stage in pending])
            done: set[str] = set()
            for number, stage in enumerate(pending):
                if stage.id not in done and self.needed(stage):
                    with contextlib.ExitStack() as claims:
                        together = self.claimed([stage, *self.companions(stage, pending[number + 1 :])], claims)
                        made += self.work([own for own in together if self.needed(own)])
                    done |= {own.id for own in together}
                    self.store.sync(again=False)
            if not done:
                self.await_workers([stage.id for stage in pending])
        return made

    def others_made_again(self) -> bool:
        """Fetch all that other machines have done; returns whether something is to be made or fetched for it."""
        before = {name: self.store.record(name) for name in self.plan.stages} if self.store.sharing else {}
        self.store.sync(records=True)
        again = {name for name, record in before.items() if self.store.record(name) != record}
        self.worked -= again
        return any(self.needed(self.plan.stages[name]) for name in again)

    def await_workers(self, pending: list[str]) -> None:
        """Wait a little for the workers that hold these claims, and say who they are."""
        holders = self.store.claims.holders(pending) + self.caching.holders(pending)
        waiting = f"for {counted(len(pending), 'stage')}: {'; '.join(holders) or 'other workers are on them'}"
        if waiting != self.waiting:
            self.waiting = waiting
            self.progress.say(f"waiting {waiting}")
        self.progress.at("waiting", waiting)
        time.sleep(POLL_SECONDS)
        self.store.sync(again=False)

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
        found = []
        for stage in stages:
            if not (
                self.needed(stage)
                and self.parent_ready(stage)
                and claims.enter_context(self.store.claim(stage.id))
                and self.parent_ready(stage)
            ):
                continue
            self.has_parameters(stage)
            if not self.keeping.must_make(stage) or claims.enter_context(self.caching.claim(stage)):
                found.append(stage)
        return found

    def needed(self, stage: Stage) -> bool:
        """Whether the stage, or a cell of it that this run has not tried to make, is missing."""
        return self.keeping.must_make(stage) or (
            stage.id not in self.worked and bool(self.keeping.missing_cells(stage))
        )

    def has_parameters(self, stage: Stage) -> bool:
        """Whether the stage's parameters are there, or in a shared folder, from which they are then fetched."""
        if stage.is_done(self.store) and not stage.has_parameters(self.store):
            self.store.fetch_checkpoint(stage.id)
        return stage.has_parameters(self.store)

    def parent_ready(self, stage: Stage) -> bool:
        """Whether the parameters that the stage starts from are there; another worker may still be making them."""
        parent = stage.parent
        return parent is None or (parent.is_done(self.store) and parent.has_parameters(self.store))

    def work(self, stages: list[Stage]) -> int:
        """Make the missing ones of the stages, then their missing cells; returns the number of cells."""
        missing = [stage for stage in stages if self.keeping.must_make(stage) and not self.taken(stage)]
        if missing:
            self.train(missing)
            stages = self.still_ours(stages)
        cells = {stage.id: self.keeping.missing_cells(stage) for stage in stages}
        size, made = self.workshop.most_together, 0
        for first in range(0, len(stages), size):
            if lacking := [stage for stage in stages[first : first + size] if cells[stage.id]]:
                made += self.evaluate(lacking, cells)
        stages = self.still_ours(stages)
        self.worked |= {stage.id for stage in stages}
        self.keeping.clear(stages)
        self.publisher.publish()
        return made

    def still_ours(self, stages: list[Stage]) -> list[Stage]:
        """The stages that no other worker has taken over; says which are left to another."""
        for stage in stages:
            if self.store.is_lost(stage.id):
                self.progress.say(
                    f"{self.plan.label(stage)}: another worker has taken it over while this one was suspended; "
                    "it is left to that worker"
                )
        return [stage for stage in stages if not self.store.is_lost(stage.id)]

    def taken(self, stage: Stage) -> bool:
        """Take a stage from the cache; returns whether it was there."""
        began = time.time()
        record = self.caching.take(stage)
        if record is not None:
            self.recorded(stage, record, round(time.time() - began, 2))
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
        self.progress.estimate.begin("training", ids)
        made = type(stages[0]).make_all(stages, self.workshop)
        self.progress.estimate.end(ids)
        self.profile.stop()
        seconds = round((time.time() - began) / len(stages), 2)
        for stage, recorded in zip(stages, made, strict=True) if is_first() else ():
            if not self.store.is_lost(stage.id):
                self.record(stage, recorded, seconds)

    def record(self, stage: Stage, made: dict, seconds: float) -> None:
        """Record a stage, with its cost and provenance, which makes it done."""
        record = self.plan.described(stage) | made | {"wall_seconds": seconds} | provenance(self.arithmetic)
        self.caching.add(stage, record)  # before it counts as done, so that no kill in between keeps it from the others
        self.recorded(stage, record, seconds)
        compiling = (
            f", {made['compile_seconds']:.0f} s of them compiling" if made.get("compile_seconds", 0) >= 1 else ""
        )
        learned = "".join(f"; {DevCheck(**check)}" for check in made.get("dev_checks", ()))
        self.progress.say(f"{self.plan.label(stage)}: {made['steps']} steps in {seconds:.0f} s{compiling}{learned}")

    def recorded(self, stage: Stage, record: dict, seconds: float) -> None:
        """Write the record of a stage, trained or taken, which makes it done."""
        self.store.write_record(stage.id, record)
        self.trackers.finished(self.store.record(stage.id) or record, canonical(self.plan.study))
        described, checks = self.plan.described(stage), record.get("dev_checks", [])
        self.store.log("stage", **described, seconds=seconds, dev_checks=checks)

    # --- Cells

    def evaluate(self, stages: list[Stage], cells: dict[str, list[Cell]]) -> int:
        """Predict the stages' missing cells, from one stream of distinct inputs a target, and store them; then attack.

        Returns the number of cells stored; what is said of the others goes to `failed`.
        """
        hosts.tell("evaluate", stages, {stage.id: cells[stage.id] for stage in stages})
        began, ids = time.time(), [stage.id for stage in stages]
        self.progress.at(f"{self.label(stages)}, evaluation", "reading the checkpoint")
        self.progress.estimate.begin("evaluation", ids)
        loaded = {stage.id: stage.load(self.store) for stage in stages}
        stored: collections.Counter[str] = collections.Counter()
        plain = {stage.id: [cell for cell in cells[stage.id] if not cell.attack] for stage in stages}
        # Two targets that train alike share a stage.
        for target in dict.fromkeys(cell.target for stage in stages for cell in plain[stage.id]):
            own = {name: [cell for cell in plain[name] if cell.target == target] for name in loaded}
            own = {name: found for name, found in own.items() if found}
            (body, head, _), first = loaded[next(iter(own))], next(iter(own.values()))[0]
            evaluator, used = self.evaluator(body.tokenizer, first), self.arithmetic_of(first.model, body.encoder)
            encoder, head = computing_in(body.encoder, used), head and computing_in(head, used)
            models = [{"encoder": loaded[name][0].params, "head": loaded[name][2]} for name in own]
            predicted = evaluator.predict_stack(encoder, head, models)
            for name, params, scores in zip(own, models, predicted, strict=True) if is_first() else ():
                self.progress.tell(f"storing {len(own[name]):,} cells", 1.0)
                diverged = bool((self.store.record(name) or {}).get("diverged"))
                failed = store_cells(self.store, evaluator, scores, own[name], self.material.task, params, diverged)
                self.failed += failed
            await_others()  # here, and not on their devices, while this one stores
        for stage in stages:
            self.attack(loaded[stage.id], [cell for cell in cells[stage.id] if cell.attack])
            results = {cell.cell for cell in self.plan.cells[stage.id]}.intersection(
                own.cell for own in cells[stage.id]
            )
            stored[stage.id] = sum(map(self.store.has_cell, results))  # without dev rows, which are no results
        self.progress.estimate.end(ids)
        seconds = round((time.time() - began) / len(stages), 2)
        for stage in stages if is_first() else ():
            if self.store.is_lost(stage.id):
                continue
            named = self.plan.described(stage)
            self.store.log("cells", stage=named.pop("id"), **named, cells=stored[stage.id], seconds=seconds)
            self.progress.say(f"{self.plan.label(stage)}: {counted(stored[stage.id], 'cell')} in {seconds:.0f} s")
        return stored.total()

    def attack(self, loaded: tuple[Body, Head | None, dict | None], cells: list[Cell]) -> None:
        """Attack the model of a stage, and store its missing cells under attack."""
        if cells:
            model, tell = self.model(loaded, cells[0].model), self.progress.tell
            diverged = bool((self.store.record(cells[0].stage) or {}).get("diverged"))
            self.failed += store_attack_cells(self.store, model, cells, self.plan.attacked, tell, diverged)

    def model(self, loaded: tuple[Body, Head | None, dict | None], name: str) -> Model:
        """What a stage made, computing as its encoder is evaluated."""
        body, head, params = loaded
        assert head is not None  # as for every kind of task that is attacked
        arithmetic, own = self.arithmetic_of(name, body.encoder), {"encoder": body.params, "head": params}
        return Model(body.tokenizer, computing_in(body.encoder, arithmetic), computing_in(head, arithmetic), own)

    def arithmetic_of(self, model: str, encoder: Encoder) -> Arithmetic:
        """What a model is evaluated in."""
        precision = self.plan.study.precision
        return first_then_others(lambda: agreed_arithmetic(self.store, model, encoder, precision))

    def read_across(self) -> None:
        """Read the texts that attacks made on one model on the others of its target, as far as the folder lacks it."""
        absent = 0
        tried: set[str] = set()
        while left := {own.reader.stage for own in missing_transfers(self.plan, self.store)} - tried:
            held = set()
            for stage in [own for name, own in self.plan.stages.items() if name in left]:
                with self.store.claim(claim_on(stage.id)) as ours:
                    if ours is None:
                        held.add(stage.id)
                        continue
                    if stage.id not in {own.reader.stage for own in missing_transfers(self.plan, self.store)}:
                        continue  # another worker has just done it
                    if self.has_parameters(stage):
                        self.transfer([stage])
                    else:
                        absent += 1
            tried |= left - held
            if held and self.store.sharing is None:
                break  # who holds them writes to the same folder
            if held == left:
                self.await_workers([claim_on(name) for name in left])
        if absent:
            lost = f"{counted(absent, 'checkpoint')} removed (save_checkpoints)"
            self.progress.say(f"transfer of attacks: {lost}; nothing more is read on these models")

    def transfer(self, stages: list[Stage]) -> None:
        """Read the texts that were made on other models on those of the stages."""
        hosts.tell("transfer", stages)
        for stage in stages:
            self.progress.at(f"{self.plan.label(stage)}, texts made on other models", "reading the checkpoint")
            model = self.model(stage.load(self.store), stage.spec.name)
            read_on(self.plan, self.store, stage.id, model, self.progress.tell)

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
        """The perturbed rows of a target's evaluation tasks, made once for all encoders."""
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
            self._forms[target.name] = found
        return self._forms[target.name]

    # --- The end

    def finish(self) -> None:
        """Write results, texts, distances between domains and the plan."""
        if not self.publisher.holds():
            other = "was given another version of the study meanwhile, which its results describe"
            self.progress.say(f"warning: {self.store.out} {other}")
            return
        self.publisher.write_results()
        keep_plan_texts(self.store, self.plan, self.material)
        self.read_across()
        if self.store.sharing:  # those whose children other machines have made
            self.keeping.clear(list(self.plan.stages.values()))
        distances = distances_id(self.plan, self.material)
        if not self.store.tables.has_distances(distances):
            self.progress.at("distances between domains", "working")
            parents = [stage.parent for stage, *_ in compared(self.plan, self.material) if stage.parent is not None]
            for parent in {parent.id: parent for parent in parents}.values():
                self.has_parameters(parent)
            hosts.tell("distances")
            self.store.tables.write_distances(domain_distances(self.plan, self.material, self.workshop), distances)
        self.publisher.write_plan()

    # --- Progress

    def label(self, stages: list[Stage]) -> str:
        """How a line names stages that are made together."""
        return self.plan.label(stages[0]) + (f" and {len(stages) - 1} more" if len(stages) > 1 else "")

    def say_what_is_left(self, cost: Cost) -> None:
        """Say how much there is to do, about how long it takes, and where an interrupted run continues."""
        self.progress.estimate = Estimate({"training": cost.training, "evaluation": cost.evaluation}, self.speed())
        stages, found = len(self.plan.made()), len(cost.cached)
        done = f"{stages - len(cost.training) - found} of {stages} stages done"
        done += f", {found} in the cache" if found else ""
        parts = [f"{done}, {counted(cost.cells, 'cell')} to make"]
        if cost.flops:
            parts[0] += f", about {duration(self.progress.estimate.seconds())} left"
            parts.append(f"disk: {cost.disk}")
        for stage in self.plan.stages.values():
            step = interrupted_at(self.store.stage(stage.id)) if stage.id in cost.training else None
            if step is not None:
                parts.append(f"continuing after an interruption at step {step} of {self.plan.label(stage)}")
        self.progress.say("; ".join(parts))

    def speed(self) -> float:
        """The FLOP/s to expect."""
        records = [record for record in map(self.store.record, self.plan.stages) if record]
        return expected_speed(records, self.arithmetic)

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
