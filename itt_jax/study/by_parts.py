"""Work on rows of a task with one checkpoint, part by part, in a folder of its own: attacks and certificates."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from itt_jax import kinds
from itt_jax.attack import Subject, subjects
from itt_jax.attack.subject import field_to_edit
from itt_jax.attack.victim import EncoderVictim
from itt_jax.config import canonical, content_id
from itt_jax.errors import InputError
from itt_jax.models import checkpoint_folder, checkpoint_name
from itt_jax.store.clearing import clear_temporaries
from itt_jax.store.parts import PartsFolder
from itt_jax.store.place import check_place, check_utf8
from itt_jax.study.material import digest_files, digest_rows
from itt_jax.study.predictor import load_predictor
from itt_jax.study.progress import Progress
from itt_jax.study.request import Evaluation, check_unseen, evaluated_length, evaluated_rows, evaluated_task
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import ARITHMETICS, evaluation_arithmetic, keep_precision, slow_precision
from itt_jax.train.provenance import provenance


@contextlib.contextmanager
def set_up(evaluation: Evaluation, out: pathlib.Path, what: str, quiet: bool) -> Iterator[Progress]:
    """Prepare the process for the work; returns its progress.

    Args:
        what: what is done with the checkpoint, for messages.

    Raises:
        InputError: nothing can be written at `out`, or the name of the checkpoint cannot be.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(evaluation.precision)
    check_place(out)
    name = checkpoint_name(evaluation.checkpoint)
    check_utf8(name, "--checkpoint")
    with Progress(quiet) as progress:
        if warning := slow_precision(evaluation.precision):
            progress.say(f"warning: {warning}")
        progress.at(f"{what} {name}", "reading the checkpoint")
        yield progress


class PartedWork:
    """Rows of a task, a victim, and the folder; everything is read and checked before anything is written.

    Args:
        evaluation: checkpoint and rows; its `noise_seed` is the seed of random choices.
        field: the field to edit; None: see `attack.subjects`.
        about: further values that determine the results. name: the work's name in messages.

    Raises:
        InputError: no such checkpoint, task or rows; no head; a folder that belongs to something else.
    """

    def __init__(
        self,
        evaluation: Evaluation,
        field: str | None,
        folder: PartsFolder,
        about: dict[str, Any],
        name: str,
        data_root: pathlib.Path | None,
    ):
        self.folder, self.seed, self.task = folder, evaluation.noise_seed, evaluated_task(evaluation)
        self.field = field_to_edit(self.task, field)
        languages = evaluation.languages or self.task.languages
        checkpoint = checkpoint_folder(evaluation.checkpoint)
        predictor = load_predictor(checkpoint, self.task, evaluation.labels)
        if predictor.head is None:
            raise InputError(f"--checkpoint {evaluation.checkpoint}: no head for {self.task.name!r}; one is needed")
        max_length = evaluated_length(evaluation, predictor)
        self.rows = {own: evaluated_rows(self.task, evaluation, own, data_root) for own in languages}
        if not evaluation.allow_contaminated:
            check_unseen(self.task, evaluation.split, self.rows, predictor)
        kind = kinds.kind(self.task.kind)
        about = {
            "checkpoint": digest_files(checkpoint),
            "labels": list(predictor.chosen),
            "task": self.task.name,
            "split": evaluation.split,
            "rows": {language: digest_rows(kind, rows) for language, rows in self.rows.items()},
            "field": self.field,
            **about,
            "seed": self.seed,
            "max_length": max_length,
        }
        found, noun = folder.existing(), folder.noun
        self._check_same(found, about)
        known = found and found["precision"]
        arithmetic = ARITHMETICS[known or evaluation_arithmetic(predictor.encoder, evaluation.precision).name]
        if known and evaluation.precision not in ("auto", known):
            raise InputError(f"--out {folder.out}: computed in {known} there, found precision {evaluation.precision!r}")
        own = predictor.computing_in(arithmetic)
        assert own.head is not None  # as every kind of task that is attacked needs one
        self.victim = EncoderVictim(self.task, own.tokenizer, own.encoder, own.head, own.params, max_length)
        self.about = {
            f"{noun}_id": content_id(about),
            "name": name,
            "encoder": checkpoint_name(evaluation.checkpoint),
            **about,
            "precision": arithmetic.name,
            "note": predictor.note,
            "contaminated": evaluation.allow_contaminated,
            "provenance": provenance(arithmetic),
        }

    def cases(self, language: str) -> list[Subject]:
        """The rows of a language."""
        return subjects(self.task, self.rows[language], self.field, self.seed)

    def made(
        self,
        language: str,
        cases: Sequence[Subject],
        size: int,
        make: Callable[[int, Sequence[Subject]], Sequence[Any]],
    ) -> Iterator[dict[str, Any]]:
        """The result of `make` for each row of a language; parts that the folder lacks are made and written.

        Args:
            size: number of rows in a part. make: (number of the first row, rows of a part) -> a dataclass for each row.
        """
        self.begin()
        return self.folder.made(language, cases, size, make)

    def begin(self) -> None:
        """Write the description of the request into a new folder; clear what a killed process has left."""
        clear_temporaries(self.folder.out)
        if self.folder.existing() is None:
            self.folder.begin(self.about)

    def _check_same(self, found: dict[str, Any] | None, about: dict[str, Any]) -> None:
        """Raises InputError if the folder holds other work; names what differs."""
        noun = self.folder.noun
        if found is None or found[f"{noun}_id"] == content_id(about):
            return
        other = next((name for name, value in canonical(about).items() if found.get(name) != value), f"{noun}_id")
        raise InputError(
            f"--out {self.folder.out}: holds another {noun} ({other} differs); expected the same, or another --out"
        )
