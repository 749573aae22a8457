"""Certificates of one checkpoint: rows of a task, part by part, in a folder of their own."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Sequence

from itt_jax import files
from itt_jax.attack import Subject
from itt_jax.attack.outcomes import Outcome
from itt_jax.certify import KINDS, NOT_CERTIFIED, Certificate, Smoothing, certify_rows, check_attack, summaries
from itt_jax.config import canonical
from itt_jax.errors import InputError
from itt_jax.models import checkpoint_name
from itt_jax.perturb import units
from itt_jax.store.parts import PartsFolder
from itt_jax.study.by_parts import PartedWork, set_up
from itt_jax.study.request import Evaluation, evaluated_task

PART = 16
"""Rows in a part, the most that an interruption can lose."""
VERSION = 1
"""Raised when the same request gives different results."""


@dataclasses.dataclass(frozen=True)
class CertifyRequest:
    """A checkpoint, rows, and how their predictions are certified.

    Attributes:
        evaluation: checkpoint and rows; its `noise_seed` is the seed of the samples. It has no perturbations.
        smoothing: mechanism, numbers of samples, confidence.
        field: the field whose edits are certified; None: the one that an attack edits, see `attack.subjects`.
    """

    evaluation: Evaluation
    smoothing: Smoothing
    field: str | None = None


def certify_checkpoint(
    request: CertifyRequest,
    out: pathlib.Path,
    data_root: pathlib.Path | None = None,
    quiet: bool = False,
    outcomes: Sequence[Outcome] | None = None,
    attacked: str | None = None,
) -> list[Certificate]:
    """Certify the rows that the folder `out` lacks; returns all certificates, and writes their CSV and the summary.

    Stopped work continues after its last finished part, with the same bytes.

    Args:
        outcomes: those of an attack to show beside the certificates; the summary has them until the next call.
        attacked: digest of the attacked checkpoint; None if unknown.

    Raises:
        InputError: no such checkpoint or task, a kind without certificates, an `out` that belongs to something else, an
            attack on another checkpoint, other rows or another field. Nothing is written then.
        NotFiniteError: an output of the model is not finite; finished parts stay.
    """
    evaluation, smoothing = request.evaluation, request.smoothing
    with set_up(evaluation, out, "certify", quiet) as progress:
        if (kind := evaluated_task(evaluation).kind) not in KINDS:
            reason = NOT_CERTIFIED[kind]
            raise InputError(f"certify does not fit tasks of kind {kind!r}: {reason}; expected {', '.join(KINDS)}")
        about = {"smoothing": canonical(smoothing), "version": VERSION, "units": units.VERSION}
        name = f"deletion of {smoothing.deletion.unit}s at {smoothing.deletion.rate}"
        work = PartedWork(evaluation, request.field, PartsFolder(out, "certificate"), about, name, data_root)
        if attacked not in (None, work.about["checkpoint"]):
            name = checkpoint_name(evaluation.checkpoint)
            raise InputError(f"--attack: it was on another checkpoint than {name}; expected an attack on the same one")
        if outcomes is not None:
            check_attack(outcomes, [own for language in work.rows for own in work.cases(language)])

        def make(first: int, part: Sequence[Subject]) -> list[Certificate]:
            language = part[0].language
            progress.at(f"certify {work.task.name} {language}", f"from row {first + 1}")
            total = len(work.rows[language])
            heard = lambda done: progress.tell(f"{first + done:,} of {total:,} rows")  # noqa: E731
            return certify_rows(smoothing, part, work.victim, heard)

        rows = [row for language in work.rows for row in work.made(language, work.cases(language), PART, make)]
        found = [Certificate(**row) for row in rows]
        write_csv(work.folder.results, found)
        work.folder.write_summary(summaries(found, smoothing, outcomes))
        return found


def attacked_checkpoint(results: pathlib.Path) -> str | None:
    """Digest of an attacked checkpoint, from the attack.json beside the attack's results; None without one."""
    folder = PartsFolder(results.parent, "attack")
    about = folder.existing() if folder.is_begun else None
    return None if about is None else about.get("checkpoint")  # an attack of a study names its stage instead


def write_csv(path: pathlib.Path, found: Sequence[Certificate]) -> None:
    """Write certificates, one a line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in dataclasses.fields(Certificate)])
    writer.writerows(dataclasses.astuple(own) for own in found)
    files.write_text(path, text.getvalue())
