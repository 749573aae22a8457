"""The first process of a worker: decides which stages to claim and when to wait for others, and writes results."""

import contextlib
import itertools
import time
import traceback

from itt_jax.config import canonical
from itt_jax.errors import StageError
from itt_jax.study import hosts
from itt_jax.study.clustering import plan_clusters
from itt_jax.study.distances import compared, distances_id, domain_distances
from itt_jax.study.joining import Joined
from itt_jax.study.keeping import Keeping
from itt_jax.study.making import Maker
from itt_jax.study.prices import expected_speed, widest
from itt_jax.study.progress import Estimate, counted
from itt_jax.study.publishing import Publisher
from itt_jax.study.stages import Stage
from itt_jax.study.texts import keep_plan_texts
from itt_jax.study.transfer import claim_on, missing_transfers
from itt_jax.train.precision import slow_precision
from itt_jax.train.processes import are_several
from itt_jax.train.resume import interrupted_at

POLL_SECONDS = 2
"""Seconds between two looks at the folder while other workers hold everything that is left."""


class Leader:
    """Drains a plan: claims missing work that can be done now, has it done, and waits for other workers.

    Args:
        maker: does the work, with all processes. own: the study with its plan. publisher: writes plan and results.
    """

    def __init__(self, maker: Maker, own: Joined, publisher: Publisher):
        self.maker, self.own, self.publisher = maker, own, publisher
        self.plan, self.material = own.plan, own.material
        self.store, self.progress, self.caching = maker.store, maker.progress, maker.caching
        self.keeping = Keeping(self.plan, self.store)
        self.worked: set[str] = set()
        self.broken: set[str] = set()
        self.failures: list[str] = []
        self.held: dict[str, Stage] = {}  # by other workers, when last looked
        self.waiting = ""

    def lead(self) -> tuple[int, list[str]]:
        """Write the plan, make what is missing and write the results.

        Returns:
            the number of cells made, and lines on those that could not be made.

        Raises:
            StageError: some stages could not be made; the rest is made and written.
        """
        self.begin()
        made = self.all()
        while self.publisher.holds() and self.others_made_again():
            made += self.all()
        self.finish()
        if self.failures:
            raise StageError(
                f"{counted(len(self.broken), 'stage')} failed, and the rest is done: {self.failures[0]}; log.jsonl has "
                "tracebacks, and the next run tries again"
            )
        hosts.end(made, self.maker.failed)
        return made, self.maker.failed

    def all(self) -> int:
        """Make every missing stage and cell, or wait for the worker that does; returns the number of cells made."""
        made = 0
        while pending := [stage for stage in self.plan.stages.values() if self.needed(stage)]:
            self.progress.estimate.keep([stage.id for stage in pending])
            done: set[str] = set()
            for number, stage in enumerate(pending):
                if stage.id not in done and self.needed(stage):
                    with contextlib.ExitStack() as claims:
                        together = self.claimed([stage, *self.companions(stage, pending[number + 1 :])], claims)
                        if together:
                            self.share_estimate()
                        made += self.tried([own for own in together if self.needed(own)])
                        self.publisher.publish()
                    done |= {own.id for own in together}
                    self.store.sync(again=False)
                self.progress.estimate.drop([] if self.needed(stage) else [stage.id])
            if not done:
                self.await_workers([stage.id for stage in pending])
        return made

    def tried(self, stages: list[Stage]) -> int:
        """As `work`. A stage that fails is noted and left out, with those that start from it; the rest goes on.

        Raises:
            OSError: from the disk or a shared folder, which are the same for every stage. With several processes any
                error ends all, as the others are in the middle of the same program.
        """
        try:
            return self.work(stages)
        except Exception as error:
            if isinstance(error, OSError) or are_several():
                raise
            reason = " ".join(f"{type(error).__name__}: {error!s:.500}".split())
            trace = "".join(traceback.format_exception(error))
            for stage in stages:
                self.store.log("failed", stage=stage.id, error=reason, trace=trace)
            self.progress.say(f"{self.maker.label(stages)}: failed ({reason}); the rest goes on")
            self.broken |= {stage.id for stage in stages}
            self.worked |= self.broken
            self.failures.append(f"stage {stages[0].id} ({reason})")
            cause: BaseException | None = error
            while cause is not None:
                traceback.clear_frames(cause.__traceback__)  # which hold parameters
                cause = cause.__cause__ or cause.__context__
            return 0

    def work(self, stages: list[Stage]) -> int:
        """Make those of the stages that are missing, then their missing cells; returns the number of cells."""
        missing = [stage for stage in stages if self.keeping.must_make(stage) and not self.maker.take(stage)]
        if missing:
            self.maker.train(missing)
            stages = self.still_ours(stages)
        cells = {stage.id: self.keeping.missing_cells(stage) for stage in stages}
        size, made = self.maker.workshop.most_together, 0
        for first in range(0, len(stages), size):
            if lacking := [stage for stage in stages[first : first + size] if cells[stage.id]]:
                made += self.maker.evaluate(lacking, cells)
        stages = self.still_ours(stages)
        self.worked |= {stage.id for stage in stages}
        self.keeping.clear(stages)
        return made

    def still_ours(self, stages: list[Stage]) -> list[Stage]:
        """The stages that no other worker has taken over; prints which are left to another."""
        for stage in stages:
            if self.store.is_lost(stage.id):
                self.progress.say(
                    f"{self.plan.label(stage)}: another worker has taken it over while this one was suspended; "
                    "it is left to that worker"
                )
        return [stage for stage in stages if not self.store.is_lost(stage.id)]

    # --- Which stages

    def companions(self, stage: Stage, later: list[Stage]) -> list[Stage]:
        """Later stages that may train together with this one."""
        key = stage.stack_key(self.material)
        if key is None:
            return []
        same = (other for other in later if other.stack_key(self.material) == key)
        ready = (other for other in same if self.needed(other) and self.parent_ready(other))
        return list(itertools.islice(ready, self.maker.workshop.most_together - 1))

    def claimed(self, stages: list[Stage], claims: contextlib.ExitStack) -> list[Stage]:
        """The missing stages whose parents are done and that no other worker holds; ours until `claims` closes."""
        found = []
        for stage in stages:
            if not (
                self.needed(stage)
                and self.parent_ready(stage)
                and self.taken(stage, claims)
                and self.parent_ready(stage)
            ):
                continue
            self.has_parameters(stage)
            if not self.keeping.must_make(stage) or claims.enter_context(self.caching.claim(stage)):
                found.append(stage)
        return found

    def taken(self, stage: Stage, claims: contextlib.ExitStack) -> bool:
        """Take the claim on a stage, unless another worker holds it."""
        if claims.enter_context(self.store.claim(stage.id)):
            return True
        self.held[stage.id] = stage
        return False

    def needed(self, stage: Stage) -> bool:
        """Whether the stage, or a cell of it that this run has not tried to make, is missing."""
        return not self.is_blocked(stage) and (
            self.keeping.must_make(stage) or (stage.id not in self.worked and bool(self.keeping.missing_cells(stage)))
        )

    def is_blocked(self, stage: Stage) -> bool:
        """Whether this run failed to make the stage or one of its ancestors, and nobody else has made that since."""
        own: Stage | None = stage
        while self.broken and own is not None:
            if own.id in self.broken and not (own.is_done(self.store) and own.has_parameters(self.store)):
                return True
            own = own.parent
        return False

    def has_parameters(self, stage: Stage) -> bool:
        """Whether the stage's parameters are there; fetches them if only a shared folder has them."""
        if stage.is_done(self.store) and not stage.has_parameters(self.store):
            self.store.fetch_checkpoint(stage.id)
        return stage.has_parameters(self.store)

    def parent_ready(self, stage: Stage) -> bool:
        """Whether the parameters that the stage starts from are there; another worker may still be making them."""
        parent = stage.parent
        return parent is None or (parent.is_done(self.store) and parent.has_parameters(self.store))

    # --- Other workers

    def share_estimate(self) -> None:
        """Exclude the work of others from the time left, and count the workers."""
        self.progress.estimate.drop([name for name, stage in self.held.items() if not self.needed(stage)])
        self.held = {name: stage for name, stage in self.held.items() if self.needed(stage)}
        self.progress.estimate.workers = 1 + len(self.store.claims.holders(self.held))

    def others_made_again(self) -> bool:
        """Fetch the work of other machines; returns whether something must be made or fetched because of it."""
        before = {name: self.store.record(name) for name in self.plan.stages} if self.store.sharing else {}
        self.store.sync(records=True)
        again = {name for name, record in before.items() if self.store.record(name) != record}
        self.worked -= again
        return any(self.needed(self.plan.stages[name]) for name in again)

    def await_workers(self, pending: list[str]) -> None:
        """Wait a little for the workers that hold these claims, and print who they are."""
        holders = self.store.claims.holders(pending)
        self.progress.estimate.workers = max(1, len(holders))
        holders += self.caching.holders(pending)
        waiting = f"for {counted(len(pending), 'stage')}: {'; '.join(holders) or 'other workers hold them'}"
        if waiting != self.waiting:
            self.waiting = waiting
            self.progress.say(f"waiting {waiting}")
        self.progress.at("waiting", waiting)
        time.sleep(POLL_SECONDS)
        self.store.sync(again=False)

    # --- The beginning

    def begin(self) -> None:
        """Write the plan, and print what was found and what is left to do."""
        if warning := slow_precision(self.plan.study.precision):
            self.progress.say(f"warning: {warning}")
        self.mend()
        for line in self.own.changes:
            self.progress.say(f"changed: {line}")
        if self.own.changes:
            self.publisher.take_over(self.own.changes)
        self.publisher.write_plan()
        if self.store.sharing:
            self.store.sharing.say = self.progress.say
            self.progress.say(f"shared folder: {self.store.sharing.shared.url}")
            self.store.sync()
        if any(map(self.needed, self.plan.stages.values())):  # a run that has nothing to do leaves no trace
            self.progress.log_to(self.store.log)
        finished = [record for record in map(self.store.record, self.plan.stages) if record]
        self.maker.trackers.begin(finished, canonical(self.plan.study))
        self.store.tables.write_clusters(plan_clusters(self.plan, self.material))
        for entry in self.material.contamination.values():
            if warning := entry.warning():
                self.progress.say(f"warning: {warning}")
            elif entry.dropped or entry.whole_inputs:
                self.progress.say(f"contamination: {entry.summary()}")
        for line in self.own.given():
            self.progress.say(line)
        self.caching.begin()
        self.say_what_is_left()

    def mend(self) -> None:
        """Set aside damaged files, to be made again; remove what killed workers have left."""
        self.store.clear()
        for line in self.store.set_aside():
            self.progress.say(f"warning: {line}")
        for stage in reversed(self.plan.stages.values()):  # parents last, as children that are made again need them
            if self.keeping.needs_parameters(stage) and (line := self.store.set_aside_checkpoint(stage.id)):
                self.progress.say(f"warning: {line}")

    def say_what_is_left(self) -> None:
        """Print how much there is to do, about how long it takes, and where an interrupted run continues."""
        cost = self.own.cost
        self.progress.estimate = Estimate(cost.work, self.speed(), cost.at_most)
        stages, found = len(self.plan.made()), len(cost.cached)
        done = f"{stages - len(cost.training) - found} of {stages} stages done"
        done += f", {found} in the cache" if found else ""
        parts = [f"{done}, {counted(cost.cells, 'cell')} to make"]
        if cost.flops:
            parts[0] += f", {self.progress.estimate.text()}"
            if cost.at_most:
                parts.append("attacks count as if no row ended early until one is measured")
            parts.append(f"disk: {cost.disk}")
        for stage in self.plan.stages.values():
            step = interrupted_at(self.store.stage(stage.id)) if stage.id in cost.training else None
            if step is not None:
                parts.append(f"continuing after an interruption at step {step} of {self.plan.label(stage)}")
        self.progress.say("; ".join(parts))

    def speed(self) -> float:
        """The FLOP/s to expect."""
        records = [record for record in map(self.store.record, self.plan.stages) if record]
        return expected_speed(records, self.maker.arithmetic, widest(self.plan.study))

    # --- The end

    def finish(self) -> None:
        """Write results, texts, distances between domains and the plan."""
        self.store.clear()
        if not self.publisher.holds():
            other = "was given another version of the study meanwhile, which its results describe"
            self.progress.say(f"warning: {self.store.out} {other}")
            return
        self.publisher.write_results()
        keep_plan_texts(self.store, self.plan, self.material, self.maker.lexicons)
        if self.failures:  # everything else that is written here needs all stages
            return self.publisher.write_plan()
        self.read_across()
        if self.store.sharing:  # checkpoints whose children other machines have made
            self.keeping.clear(list(self.plan.stages.values()))
        distances = distances_id(self.plan, self.material)
        if not self.store.tables.has_distances(distances):
            self.progress.at("distances between domains", "working")
            parents = [stage.parent for stage, *_ in compared(self.plan, self.material) if stage.parent is not None]
            for parent in {parent.id: parent for parent in parents}.values():
                self.has_parameters(parent)
            hosts.tell("distances")
            found = domain_distances(self.plan, self.material, self.maker.workshop)
            self.store.tables.write_distances(found, distances)
        self.publisher.write_plan()

    def read_across(self) -> None:
        """Run models on texts that attacks made on other models of the target, where the folder lacks the scores."""
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
                        self.maker.transfer([stage])
                    else:
                        absent += 1
            tried |= left - held
            if held and self.store.sharing is None:
                break  # their holder writes to the same folder
            if held == left:
                self.await_workers([claim_on(name) for name in left])
        if absent:
            lost = f"{counted(absent, 'checkpoint')} removed (save_checkpoints)"
            self.progress.say(f"transfer of attacks: {lost}; nothing more is read on these models")
