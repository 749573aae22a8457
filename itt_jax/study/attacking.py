"""Attacks on one checkpoint: rows of a task, part by part, in a folder of their own."""

import dataclasses
import pathlib

from itt_jax.attack import Attack
from itt_jax.attack.outcomes import Outcome
from itt_jax.store.parts import PartsFolder
from itt_jax.study.adversaries import attack_identity, check_candidates
from itt_jax.study.attack_runs import outcomes_in_parts, write_outcomes
from itt_jax.study.by_parts import PartedWork, set_up
from itt_jax.study.progress import Progress
from itt_jax.study.request import Evaluation, evaluated_task


@dataclasses.dataclass(frozen=True)
class AttackRequest:
    """A checkpoint, rows, and an attack on them.

    Attributes:
        evaluation: checkpoint and rows; its `noise_seed` is the seed of random choices. It has no perturbations.
        attack: the recipe.
        field: the field to edit; None: see `attack.subjects`.
    """

    evaluation: Evaluation
    attack: Attack
    field: str | None = None


def attack_checkpoint(
    request: AttackRequest, out: pathlib.Path, data_root: pathlib.Path | None = None, quiet: bool = False
) -> list[Outcome]:
    """Attack the rows that the folder `out` lacks; returns all outcomes, and writes the CSV and the summary.

    A stopped attack continues after its last finished part, with the same bytes.

    Raises:
        InputError: no such checkpoint or task; an attack that does not fit the kind, the language or the model; an
            `out` that belongs to something else. Nothing is written then.
        NotFiniteError: an output of the model is not finite; finished parts stay.
    """
    with set_up(request.evaluation, out, f"attack {request.attack.name} on", quiet) as progress:
        return _Attacking(request, PartsFolder(out, "attack"), progress, data_root).all()


class _Attacking:
    """One attack; all its inputs are read and checked before anything is written."""

    def __init__(self, request: AttackRequest, folder: PartsFolder, progress: Progress, data_root: pathlib.Path | None):
        evaluation, self.attack, self.progress = request.evaluation, request.attack, progress
        task = evaluated_task(evaluation)
        self.goal = self.attack.goal_for(task)
        languages = evaluation.languages or task.languages
        for language in languages:
            self.attack.candidates.check(language)
        for constraint in self.attack.constraints:
            constraint.check()
        about = attack_identity(self.attack, self.goal, languages)
        self.work = work = PartedWork(evaluation, request.field, folder, about, self.attack.name, data_root)
        for rows in work.rows.values():
            check_candidates(self.attack, self.goal, work.task, rows, work.field, work.seed)

    def all(self) -> list[Outcome]:
        """Make the missing parts; write the table and figures of all."""
        work, found = self.work, []
        work.begin()
        for language in work.rows:
            self.progress.at(f"attack {self.attack.name}, {work.task.name} {language}", "reading its rows")
            cases, tell = work.cases(language), self.progress.tell
            found += outcomes_in_parts(work.folder, self.attack, self.goal, cases, work.victim, tell)
        write_outcomes(work.folder, found)
        return found
