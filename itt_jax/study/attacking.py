"""Attacks on one checkpoint: rows of a task, part by part, in a folder of their own."""

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator
from typing import Any

import jax.numpy as jnp

from itt_jax import kinds
from itt_jax.attack import Attack, attack_rows, subjects
from itt_jax.attack.csv_files import write_csv
from itt_jax.attack.lockstep import alphabet
from itt_jax.attack.outcomes import Outcome, outcome, summaries
from itt_jax.attack.subject import field_to_edit
from itt_jax.attack.victim import EncoderVictim
from itt_jax.config import canonical, content_id
from itt_jax.errors import InputError
from itt_jax.models import checkpoint_folder, checkpoint_name
from itt_jax.perturb.lexicon import lexicon_source
from itt_jax.store.attacks import AttackFolder
from itt_jax.store.place import check_place, check_utf8
from itt_jax.study.material import digest_files, digest_rows
from itt_jax.study.predictor import load_predictor
from itt_jax.study.progress import Progress
from itt_jax.study.provenance import provenance
from itt_jax.study.request import Evaluation, check_unseen, evaluated_length, evaluated_rows, evaluated_task
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import DTYPES, evaluation_dtype, keep_precision

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
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(request.evaluation.precision)
    check_place(out)
    check_utf8(checkpoint_name(request.evaluation.checkpoint), "--checkpoint")
    with Progress(quiet) as progress:
        name = checkpoint_name(request.evaluation.checkpoint)
        progress.at(f"attack {request.attack.name} on {name}", "reading the checkpoint")
        attacking = _Attacking(request, AttackFolder(out), progress, data_root)
        return attacking.all()


class _Attacking:
    """One attack: everything that it needs is read and checked before anything is written."""

    def __init__(
        self, request: AttackRequest, folder: AttackFolder, progress: Progress, data_root: pathlib.Path | None
    ):
        evaluation, self.attack, self.folder, self.progress = request.evaluation, request.attack, folder, progress
        self.task = evaluated_task(evaluation)
        self.goal = self.attack.goal_for(self.task.kind)
        self.field = field_to_edit(self.task, request.field)
        languages = evaluation.languages or self.task.languages
        for language in languages:
            self.attack.candidates.check(language)
        checkpoint = checkpoint_folder(evaluation.checkpoint)
        predictor = load_predictor(checkpoint, self.task, evaluation.labels)
        if predictor.head is None:
            raise InputError(
                f"--checkpoint {evaluation.checkpoint}: no head for {self.task.name!r}; an attack needs one"
            )
        self.max_length = evaluated_length(evaluation, predictor)
        self.rows = {own: evaluated_rows(self.task, evaluation, own, data_root) for own in languages}
        if not evaluation.allow_contaminated:
            check_unseen(self.task, evaluation.split, self.rows, predictor)
        self.seed = evaluation.noise_seed
        kind = kinds.kind(self.task.kind)
        about = {
            "checkpoint": digest_files(checkpoint),
            "labels": list(predictor.chosen),
            "task": self.task.name,
            "split": evaluation.split,
            "rows": {language: digest_rows(kind, rows) for language, rows in self.rows.items()},
            "field": self.field,
            "attack": canonical(dataclasses.replace(self.attack, summary="", reference="", goals=())),
            "goal": canonical(dataclasses.replace(self.goal, summary="")),
            "files": {path: _digest(path) for own in languages for path in self.attack.candidates.paths(own)},
            "seed": self.seed,
            "max_length": self.max_length,
            "version": VERSION,
        }
        found = folder.existing()
        self._check_same(found, about)
        dtype = DTYPES[found["dtype"]] if found else evaluation_dtype(predictor.encoder, evaluation.precision)
        if found and evaluation.precision not in ("auto", found["dtype"]):
            raise InputError(
                f"--out {folder.out}: attacked in {found['dtype']} there, found precision {evaluation.precision!r}"
            )
        predictor = predictor.in_dtype(dtype)
        self.victim = EncoderVictim(
            self.task, predictor.tokenizer, predictor.encoder, predictor.head, predictor.params, self.max_length
        )
        self.about = {
            "attack_id": content_id(about),
            "name": self.attack.name,
            "encoder": checkpoint_name(evaluation.checkpoint),
            **about,
            "dtype": jnp.dtype(dtype).name,
            "note": predictor.note,
            "contaminated": evaluation.allow_contaminated,
            "provenance": provenance(dtype),
        }

    def all(self) -> list[Outcome]:
        """Make the parts that are missing; write what follows from all."""
        if self.folder.existing() is None:
            self.folder.begin(self.about)
        found = [row for language in self.rows for row in self._language(language)]
        write_csv(self.folder.results, found)
        self.folder.write_summary(summaries(found))
        return found

    def _language(self, language: str) -> Iterator[Outcome]:
        cases = subjects(self.task, self.rows[language], self.field, self.seed)
        units, parts = alphabet(self.attack, cases), range(0, len(cases), PART)
        for number, first in enumerate(parts):
            rows = self.folder.part(language, number)
            if rows is None:
                self.progress.at(f"attack {self.attack.name}, {self.task.name} {language}", f"from row {first + 1}")
                heard = self._counter(first, len(cases))
                made = attack_rows(
                    self.attack, self.goal, cases[first : first + PART], self.victim, units, progress=heard
                )
                own = [outcome(attempt, self.goal) for attempt in made]
                self.folder.write_part(language, number, [dataclasses.asdict(row) for row in own])
                yield from own
            else:
                yield from (Outcome(**row) for row in rows)

    def _counter(self, first: int, total: int) -> Any:
        def heard(finished: int, queries: int) -> None:
            self.progress.tell(f"{first + finished:,} of {total:,} rows, {queries:,} queries in this part")

        return heard

    def _check_same(self, found: dict[str, Any] | None, about: dict[str, Any]) -> None:
        """Raises InputError if the folder holds another attack; names what differs."""
        if found is None or found["attack_id"] == content_id(about):
            return
        other = next((name for name, value in canonical(about).items() if found.get(name) != value), "attack_id")
        raise InputError(
            f"--out {self.folder.out}: holds another attack ({other} differs); expected the same, or another --out"
        )


def _digest(path: str) -> str:
    """A hash of the content of a file or folder that candidates are taken from."""
    source, _ = lexicon_source(path)
    return digest_files(source) if source.is_dir() else hashlib.sha256(source.read_bytes()).hexdigest()[:16]
