"""Rounds of attacks during fine-tuning: rows are trained on as edited by an attack on the present weights."""

import bisect
import math
from collections.abc import Callable

import jax
import numpy as np

from itt_jax.data.examples import Examples
from itt_jax.errors import InputError, NotFiniteError
from itt_jax.study.hardening import Attacked
from itt_jax.train.counters import derived_seed
from itt_jax.train.jobs import Job
from itt_jax.train.resume import Resume
from itt_jax.train.state import Params
from itt_jax.train.task_feeds import step_examples


class Rounds:
    """The rounds of one run. A step is built only after `begin` was called with it or an earlier one of its part.

    Texts are kept with the resumable states, if there are any, so that a run resumed within a part reads the same.

    Raises:
        InputError: there are several processes.
    """

    def __init__(self, job: Job, resume: Resume | None):
        (task,), hardening = job.tasks, job.hardening
        assert isinstance(hardening, Attacked) and task.attacks is not None
        if jax.process_count() > 1:
            raise InputError(f"hardening Attacked trains in one process, found {jax.process_count()}")
        self.attacks, self.resume, self.steps = task.attacks, resume, job.steps
        self.indices = lambda step: step_examples(task.examples, job.recipe, derived_seed(job.seed, 0), step)
        parts = hardening.rounds + 1
        self.starts = sorted({math.ceil(job.steps * part / parts) for part in range(1, parts)} - {job.steps})
        self.current = 0
        self.read: Callable[[np.ndarray], Examples] = task.examples.select

    @classmethod
    def of(cls, job: Job, resume: Resume | None) -> "Rounds | None":
        """The rounds of a job; None if its hardening has none."""
        return cls(job, resume) if isinstance(job.hardening, Attacked) else None

    def drawn(self, step: int) -> list[Examples]:
        """The examples of a step."""
        return [self.read(self.indices(step))]

    def end(self, step: int) -> int:
        """The first step after the part of `step`."""
        number = self._number(step)
        return self.starts[number] if number < len(self.starts) else self.steps

    def begin(self, step: int, params: Params | None) -> float:
        """Attack the rows of the part that contains `step`, or read the saved texts; returns FLOPs not yet counted.

        Args:
            params: {"encoder", "head"} at the step; None if they are not finite; nothing changes then.
        """
        number = self._number(step)
        if number == self.current or params is None:
            return 0.0
        start = self.starts[number - 1]
        saved = self.resume.round(number) if self.resume else None
        if saved is None:
            if step > start:
                raise InputError(
                    f"the texts of round {number} of an interrupted stage are gone or damaged; remove its states"
                )
            indices = np.concatenate([self.indices(own) for own in range(start, self.end(step))])
            try:
                texts, flops = self.attacks.attack(params, indices, number)
            except NotFiniteError:  # the run diverges, as it may in any arm; queries made so far are not counted
                texts, flops = {}, 0.0
            saved = {"texts": [[row, text] for row, text in texts.items()], "flops": flops}
            if self.resume:
                self.resume.save_round(number, saved)
        self.current, self.read = number, self.attacks.reader({row: text for row, text in saved["texts"]})
        return saved["flops"] if step == start else 0.0

    def _number(self, step: int) -> int:
        return bisect.bisect_right(self.starts, step)
