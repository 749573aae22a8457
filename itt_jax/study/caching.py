"""Stages of one run that other studies have trained, or will train, through a cache that they share."""

import contextlib
import pathlib
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager

from itt_jax.config import Study
from itt_jax.store import Store
from itt_jax.store.cache import StageCache
from itt_jax.study.joining import Joined
from itt_jax.study.stages import Stage
from itt_jax.train.precision import training_arithmetic
from itt_jax.train.resume import forget_resume


def stage_cache(folder: str | pathlib.Path | None, study: Study) -> StageCache | None:
    """The cache in a folder, with stages in the precision that a study trains in on this machine; None without a
    folder."""
    return None if folder is None else StageCache(pathlib.Path(folder), training_arithmetic(study.precision).name)


class Caching:
    """Takes stages from a cache and adds stages to it; does nothing without one.

    Args:
        own: the study with its plan. say: called with each line to print.
    """

    def __init__(self, cache: StageCache | None, own: Joined, store: Store, say: Callable[[str], None]):
        self.cache, self.store, self.say = cache, store, say
        self.plan, self.material = own.plan, own.material

    def begin(self) -> None:
        """From now on, report failures of the cache."""
        if self.cache is not None:
            self.cache.say = self.say
            if self.cache.is_read_only:
                self.say(f"warning: --cache {self.cache.folder}: read-only; stages are taken from it, none is added")

    def claim(self, stage: Stage) -> AbstractContextManager[bool]:
        """Hold a stage that is to be made against other studies; yields False if one of them holds it."""
        return contextlib.nullcontext(True) if self.cache is None else self.cache.claim(stage.id)

    def holders(self, stage_ids: Iterable[str]) -> list[str]:
        """Who is on these stages in any study, a line for each worker."""
        return [] if self.cache is None else self.cache.holders(stage_ids)

    def take(self, stage: Stage) -> dict | None:
        """Put a stage's parameters into the results folder; returns its record, or None if the cache lacks it.

        The record has the names of the present study, whichever study trained the stage.
        """
        if self.cache is None or self.store.is_lost(stage.id):
            return None
        record = self.cache.take(stage.id, self.store.checkpoint(stage.id))
        if record is not None:
            folder = self.store.stage(stage.id)
            for own in (folder, *folder.glob("rate-*")):  # states of an interrupted training
                forget_resume(own)
            record = self.plan.renamed(stage, record, self.material)
        return record

    def add(self, stage: Stage, record: dict) -> None:
        """Add a stage that was trained here."""
        if self.cache is not None:
            self.cache.add(stage.id, record, self.store.checkpoint(stage.id))
