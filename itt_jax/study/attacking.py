"""Attacks on one checkpoint: rows of a task, part by part, in a folder of their own."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

from itt_jax.attack import Attack, Subject, attack_rows
from itt_jax.attack.csv_files import write_csv
from itt_jax.attack.lockstep import alphabet
from itt_jax.attack.outcomes import Outcome, outcome, summaries
from itt_jax.config import canonical
from itt_jax.perturb.lexicon import lexicon_source
from itt_jax.store.parts import PartsFolder
from itt_jax.study.by_parts import PartedWork, set_up
from itt_jax.study.material import digest_files
from itt_jax.study.progress import Progress
from itt_jax.study.request import Evaluation, evaluated_task

PART = 128
"""Rows of a part, which is what an interruption loses at most. Parts are attacked one after the other, so that a
continued attack computes the same streams as one that was not interrupted."""
VERSION = 1
"""Raised when the same request gives other results."""


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
    """One attack: everything that it needs is read and checked before anything is written."""

    def __init__(self, request: AttackRequest, folder: PartsFolder, progress: Progress, data_root: pathlib.Path | None):
        evaluation, self.attack, self.progress = request.evaluation, request.attack, progress
        task = evaluated_task(evaluation)
        self.goal = self.attack.goal_for(task.kind)
        languages = evaluation.languages or task.languages
        for language in languages:
            self.attack.candidates.check(language)
        about = {
            "attack": canonical(dataclasses.replace(self.attack, summary="", reference="", goals=())),
            "goal": canonical(dataclasses.replace(self.goal, summary="")),
            "files": {path: _digest(path) for own in languages for path in self.attack.candidates.paths(own)},
            "version": VERSION,
        }
        self.work = PartedWork(evaluation, request.field, folder, about, self.attack.name, data_root)

    def all(self) -> list[Outcome]:
        """Make the parts that are missing; write what follows from all."""
        found = [row for language in self.work.rows for row in self._language(language)]
        write_csv(self.work.folder.results, found)
        self.work.folder.write_summary(summaries(found))
        return found

    def _language(self, language: str) -> Iterator[Outcome]:
        cases = self.work.cases(language)
        units = alphabet(self.attack, cases)

        def make(first: int, part: Sequence[Subject]) -> list[Outcome]:
            self.progress.at(f"attack {self.attack.name}, {self.work.task.name} {language}", f"from row {first + 1}")
            heard = self._counter(first, len(cases))
            made = attack_rows(self.attack, self.goal, part, self.work.victim, units, progress=heard)
            return [outcome(attempt, self.goal) for attempt in made]

        return (Outcome(**row) for row in self.work.made(language, cases, PART, make))

    def _counter(self, first: int, total: int) -> Any:
        def heard(finished: int, queries: int) -> None:
            self.progress.tell(f"{first + finished:,} of {total:,} rows, {queries:,} queries in this part")

        return heard


def _digest(path: str) -> str:
    """A hash of the content of a file or folder that candidates are taken from."""
    source, _ = lexicon_source(path)
    return digest_files(source) if source.is_dir() else hashlib.sha256(source.read_bytes()).hexdigest()[:16]
