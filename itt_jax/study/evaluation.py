"""Evaluation of one checkpoint: cells in a results folder, without a study and without training."""

import dataclasses
import functools
import itertools
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from itt_jax import kinds, metrics, tasks
from itt_jax.config import canonical, content_id
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.models import checkpoint_folder, checkpoint_name
from itt_jax.store import Store
from itt_jax.store.place import check_place, check_utf8
from itt_jax.store.results import ALONE, CLEAN_TEXT, read_results
from itt_jax.study import arms, growth
from itt_jax.study.adversaries import Attacked, attacks_on, check_used
from itt_jax.study.attack_runs import Model, store_attack_cells
from itt_jax.study.cells import Cell, Evaluated, attack_cell, cells_of, check_perturbation, variants_of
from itt_jax.study.clustering import task_clusters
from itt_jax.study.inputs import changed_inputs, rows_input
from itt_jax.study.material import check_lexicons, digest_files, digest_rows, lexicon_digest, mean_tokens
from itt_jax.study.perturbations import DEFAULT_LINE, DEFAULT_PERTURBATIONS
from itt_jax.study.precision import agreed_arithmetic, check_precision
from itt_jax.study.predictor import load_predictor
from itt_jax.study.prices import expected_speed
from itt_jax.study.progress import EVALUATION, Estimate, Progress
from itt_jax.study.request import (
    Evaluation,
    check_noises,
    check_unseen,
    evaluated_length,
    evaluated_rows,
    evaluated_task,
)
from itt_jax.study.storing import check_stored, store_cells
from itt_jax.study.texts import keep_texts
from itt_jax.train.compiling import keep_compiled_programs
from itt_jax.train.memory import keep_freed_memory
from itt_jax.train.precision import Arithmetic, keep_precision, slow_precision
from itt_jax.train.provenance import provenance

ARM = "direct"
"""The arm in the ids of a checkpoint's cells; their rows have none, since nobody knows how it was trained."""
AS_GIVEN = dataclasses.replace(
    arms.arm(ARM), name=str(ALONE["arm"]), summary="the checkpoint as it was given, whatever it was trained on"
)
"""The arm of the report."""
FORMS_PER_STREAM = 5
"""Minimum number of forms of a text that are predicted together, besides its clean form. More forms lose more at an
interruption; fewer repeat the prediction of the clean form (and of a pool) more often."""
FAR_BELOW, LEAST_BELOW = 4, 0.05
"""A score this many standard errors and at least this much below guessing suggests that labels are in another order."""
MOST_SAID = 20
"""Maximum number of printed lines about what is left out; plan.json lists everything."""
TEXTS_PER_STREAM = 1000
"""Minimum number of texts that are predicted together; fewer would leave batches unfilled."""


def evaluate_checkpoint(
    evaluation: Evaluation,
    out: pathlib.Path,
    data_root: pathlib.Path | None = None,
    quiet: bool = False,
    said: Sequence[str] = (),
) -> None:
    """Predict the task's rows, clean and perturbed, and store the cells that the results folder `out` lacks.

    Cells are stored as they are made. The folder may hold another evaluation of the checkpoint on the task, with other
    operators, languages or rows: shared cells stay valid, and plan and results describe the latest evaluation.

    Args:
        quiet: print nothing. said: lines to print once everything is checked.

    Raises:
        InputError: no such checkpoint or task, a head that does not fit the task, text that the checkpoint was trained
            on (unless allowed), or an `out` that belongs to something else; nothing is written then.
        NotFiniteError: cells with a score that is not finite; the others are stored.
    """
    keep_compiled_programs()
    keep_freed_memory()
    keep_precision(evaluation.precision)
    check_place(out)
    check_utf8(checkpoint_name(evaluation.checkpoint), "--checkpoint")
    with Progress(quiet) as progress:
        progress.at(f"evaluation of {checkpoint_name(evaluation.checkpoint)}", "reading the checkpoint")
        evaluator = _Evaluating(evaluation, Store(out), progress, data_root)
        evaluator.store.clear()
        for line in filter(None, (*evaluator.store.set_aside(), slow_precision(evaluation.precision))):
            progress.say(f"warning: {line}")
        evaluator.write_plan()
        progress.log_to(evaluator.store.log)
        for line in said:
            progress.say(line)
        evaluator.all()
    check_stored(evaluator.failed, out)


@dataclasses.dataclass(frozen=True)
class _Stream:
    """Cells of one language that are predicted together, even if some of them exist already.

    A continued evaluation therefore predicts the same streams as an uninterrupted one, with bitwise equal scores.
    """

    language: str
    number: int
    cells: list[Cell]


class _Evaluating:
    """One evaluation; all its inputs are read and checked before anything is written."""

    def __init__(self, evaluation: Evaluation, store: Store, progress: Progress, data_root: pathlib.Path | None):
        self.store, self.progress = store, progress
        self.failed: list[str] = []
        self.name = checkpoint_name(evaluation.checkpoint)
        self.task = evaluated_task(evaluation)
        for perturbation in evaluation.perturbations:
            check_perturbation(perturbation)
        folder = checkpoint_folder(evaluation.checkpoint)
        self.predictor = load_predictor(folder, self.task, evaluation.labels, evaluation.pooling, evaluation.prefix)
        self.max_length = evaluated_length(evaluation, self.predictor)
        self.asked = dataclasses.replace(
            evaluation,
            checkpoint=pathlib.Path(digest_files(folder)),
            tasks=tuple(task for task in evaluation.tasks if task.name == self.task.name),
            max_length=self.max_length,
        )
        check_noises(evaluation, self.task, self.predictor)
        if evaluation.attacks and self.predictor.head is None:
            raise InputError(f"--attacks: {self.name} has no head for {self.task.name!r}; an attack needs one")
        self._check_folder()
        check_precision(store, evaluation.precision, [self.name, *store.plan().get("encoders", ())])
        progress.tell(f"reading rows of {self.task.name}")
        self.rows: dict[str, Rows] = {}
        self.inputs: dict[str, Any] = {}
        for language in evaluation.languages or self.task.languages:
            rows = evaluated_rows(self.task, dataclasses.replace(evaluation, rows=None), language, data_root)
            self.inputs |= rows_input(self.task, evaluation.split, language, rows, data_root)
            self.rows[language] = tasks.limit(rows, evaluation.rows)
        self.changed = self._changes()
        if not evaluation.allow_contaminated:
            check_unseen(self.task, evaluation.split, self.rows, self.predictor)
        self.skipped: list[str] = []
        self.wanted = {own: variants_of(evaluation.perturbations, own, self._skip) for own in self.rows}
        lexicons = {path for wanted in self.wanted.values() for path in wanted.values() if path is not None}
        self.lexicons = {path: lexicon_digest(path) for path in lexicons}
        self.attacked: dict[str, Attacked] = {}
        self.streams = [stream for language in self.rows for stream in self._streams(language)]
        check_used(evaluation.attacks, {own.name for own in self.attacked.values()}, self.skipped)
        self.arithmetic = self._agreed_arithmetic()
        self.predictor = self.predictor.computing_in(self.arithmetic)

    def all(self) -> None:
        """Make the missing cells; write the results after each language."""
        self.say_what_is_left()
        for language, streams in itertools.groupby(self.streams, key=lambda stream: stream.language):
            own = list(streams)
            for stream in own:
                if any(self._is_missing(cell) for cell in stream.cells):
                    self.progress.at(
                        f"{self.name}, {self.task.name} {language}, part {stream.number} of {len(own)}", "making forms"
                    )
                    self.make(stream)
            self.write_results()
            if self._is_latest():
                rows, wanted = self.rows[language], self.wanted[language]
                keep_texts(self.store, self.task, self.asked.split, rows, wanted, self.asked.noise_seed, self.lexicons)
        if warning := self._order_warning():
            self.progress.say(f"warning: {warning}")
            self.write_plan(warning)
        if not self._is_latest():
            self.progress.say(
                f"warning: {self.store.out} was given another evaluation meanwhile, which it now describes"
            )

    def make(self, stream: _Stream) -> None:
        """Make the missing cells of a stream, by prediction or by an attack."""
        if stream.cells[0].attack:
            own = self.predictor
            assert own.head is not None  # as an attack needs one
            model = Model(own.tokenizer, own.encoder, own.head, own.params)
            self.failed += store_attack_cells(self.store, model, stream.cells, self.attacked, self.progress)
        else:
            with self.progress.estimate.during(EVALUATION, [_key(stream)]):
                self.predict(stream)

    def predict(self, stream: _Stream) -> None:
        """Predict a stream and store its missing cells."""
        task, rows, predictor, asked = self.task, self.rows[stream.language], self.predictor, self.asked
        wanted = {cell.variant: self.wanted[stream.language][cell.variant] for cell in stream.cells}
        forms = {(task.name, asked.split, stream.language): row_forms(task, rows, wanted, asked.noise_seed)}
        check_lexicons(self.lexicons)
        evaluator = Evaluator(predictor.tokenizer, self.max_length, forms, predictor.embedder, self.progress.tell)
        scores = evaluator.predict(predictor.encoder, predictor.head, predictor.params)
        missing = [cell for cell in stream.cells if self._is_missing(cell)]
        params, made_with = predictor.params, provenance(self.arithmetic)
        self.failed += store_cells(self.store, evaluator, scores, missing, lambda name: task, params, made_with)

    def say_what_is_left(self) -> None:
        """Print what has changed and what is left out, how much there is to do, and about how long it takes."""
        if self.asked.perturbations == DEFAULT_PERTURBATIONS:
            self.progress.say(DEFAULT_LINE)
        for line in self.changed:
            self.progress.say(f"changed: {line}")
        for reason in self.skipped[:MOST_SAID]:
            self.progress.say(f"left out: {reason}")
        if (more := len(self.skipped) - MOST_SAID) > 0:
            self.progress.say(f"left out: {more} more, see skipped in {self.store.out / 'plan.json'}")
        size, missing = self.predictor.encoder.config.matmul_parameters, 0
        work: dict[str, dict[str, float]] = {EVALUATION: {}}
        for stream in self.streams:
            if lacking := sum(map(self._is_missing, stream.cells)):
                rows = self.rows[stream.language]
                tokens, first = mean_tokens(rows), stream.cells[0]
                if first.attack:
                    own = self.attacked[first.cell]
                    work[own.work] = {first.stage: 2 * size * own.queries * tokens}
                else:
                    work[EVALUATION][_key(stream)] = 2 * size * len(stream.cells) * len(rows) * tokens
                missing += lacking
        rate = expected_speed((), self.arithmetic, self.predictor.encoder.width)
        self.progress.estimate = Estimate(work, rate, at_most=work.keys() - {EVALUATION})
        count = sum(len(stream.cells) for stream in self.streams)
        parts = [f"{count - missing:,} of {count:,} cells done, {missing:,} to make", self.progress.estimate.text()]
        self.progress.say(", ".join(filter(None, parts)))

    def write_plan(self, warning: str = "") -> None:
        """Write the plan, and reduce the folder's results to the requested cells.

        Args:
            warning: a sentence for the readers of the results.
        """
        cells = [cell.cell for stream in self.streams for cell in stream.cells]
        asked, what = self.asked, f"Robustness of {self.name} on {self.task.name}, without training."
        seen = f"The checkpoint {self.predictor.seen.note()}."
        self.store.write_plan(
            {
                "study_id": content_id(asked),
                "name": f"evaluation of {self.name}",
                "description": " ".join(filter(None, (what, self.predictor.note, self.task.note, seen, warning))),
                "evaluation": canonical(asked),
                "encoders": [self.name],
                "arms": [arms.as_row(AS_GIVEN)],
                "targets": [self.task.name],
                "seeds": [0],
                "cells": len(cells),
                "cell_ids": cells,
                "contaminated": [self.name] if asked.allow_contaminated else [],
                "precision": {"asked": asked.precision, "evaluation": self.store.agreed.precisions([self.name])},
                "inputs": self.inputs,
                "skipped": self.skipped,
                "provenance": provenance(self.arithmetic),
            }
        )
        self.store.tables.write_clusters(task_clusters(self.task, list(self.rows.values())))
        if self.changed:
            self.store.log("changed", fields=self.changed)
            self.write_results()

    def write_results(self) -> None:
        """Write the rows of the cells that are there, unless another command has requested others meanwhile."""
        if self._is_latest():
            self.store.write_results(cell.row({}) for stream in self.streams for cell in stream.cells)

    def _order_warning(self) -> str:
        """A warning if outputs without names, which are read by position, score far below chance on clean text."""
        if not self.predictor.unnamed or not self._is_latest():
            return ""
        results = read_results(self.store.out)
        for row in results[results["perturbation"] == CLEAN_TEXT].itertuples():
            far = max(FAR_BELOW * np.sqrt(row.chance * (1 - row.chance) / row.n), LEAST_BELOW)
            if metrics.metric(row.metric).higher_is_better and row.value < row.chance - far:
                return (
                    f"Clean {row.metric} ({row.language}) is {row.value:.3f}, far below the {row.chance:.3f} of "
                    "guessing. The checkpoint's outputs have no names and are read in the order of the task's labels; "
                    f"they may be in another order, which --labels 0={self.task.labels[-1]},... would say."
                )
        return ""

    def _is_latest(self) -> bool:
        return self.store.holds(content_id(self.asked))

    def _is_missing(self, cell: Cell) -> bool:
        return not self.store.has_cell(cell.cell)

    def _skip(self, reason: str) -> None:
        if reason not in self.skipped:
            self.skipped.append(reason)

    def _check_folder(self) -> None:
        """Raises InputError if the folder holds something else than an evaluation of the checkpoint on the task."""
        found = self.store.existing_plan()
        if found is None:
            return
        own, before = canonical(self.asked), found.get("evaluation", {})
        if any(before.get(field) != own[field] for field in ("checkpoint", "task")):
            raise InputError(
                f"--out {self.store.out}: holds {found.get('description') or found['name']!r}, expected an evaluation "
                f"of this checkpoint on {self.task.name!r}; choose another --out"
            )
        self.store.check()

    def _changes(self) -> list[str]:
        """How the evaluation and its rows differ from those in the folder, one line for each difference."""
        found = self.store.plan()
        if not found:
            return []
        fields = growth.study_changes(found["evaluation"], self.asked)
        return fields + changed_inputs(found.get("inputs", {}), self.inputs)

    def _agreed_arithmetic(self) -> Arithmetic:
        """The arithmetic of the scores in the folder, whatever the checkpoint was called then."""
        for precision in self.store.agreed.precisions(self.store.plan().get("encoders", ())).values():
            self.store.agreed.precision(self.name, functools.partial(str, precision))
        return agreed_arithmetic(self.store, self.name, self.predictor.encoder, self.asked.precision)

    def _streams(self, language: str) -> Iterator[_Stream]:
        """The streams of one language in the order in which they are made; an operator's cells stay together."""
        rows, checkpoint, chosen = self.rows[language], str(self.asked.checkpoint), self.predictor.chosen
        evaluated = Evaluated(
            stage=content_id([checkpoint, *chosen]) if chosen else checkpoint,
            model=self.name,
            arm=ARM,
            target=self.task.name,
            seed=0,
            trained_on=self.task,
            task=self.task,
            split=self.asked.split,
            language=language,
            rows=digest_rows(kinds.kind(self.task.kind), rows),
            max_length=self.max_length,
            noise_seed=self.asked.noise_seed,
        )
        pool = 0 if rows.pool is None else len(rows.pool)
        forms = max(FORMS_PER_STREAM * (1 + pool / len(rows)), TEXTS_PER_STREAM / len(rows))
        cells: list[Cell] = []
        number = 1
        found = cells_of(evaluated, self.wanted[language], self._skip)
        unknown: dict[str, Any] = {"arm": None, "seed": None, "in_domain": None}  # how the checkpoint was trained
        for _, own in itertools.groupby((dataclasses.replace(cell, **unknown) for cell in found), _operator):
            if len(cells) >= forms:
                yield _Stream(language, number, cells)
                cells, number = [], number + 1
            cells += own
        yield _Stream(language, number, cells)
        seed, split = self.asked.noise_seed, self.asked.split
        for attacked in attacks_on(
            self.asked.attacks, self.task, split, rows, self._skip, seed=seed, max_length=self.max_length
        ):
            cell, number = dataclasses.replace(attack_cell(evaluated, attacked), **unknown), number + 1
            self.attacked[cell.cell] = attacked
            yield _Stream(language, number, [cell])


def _key(stream: _Stream) -> str:
    return f"{stream.language} {stream.number}"


def _operator(cell: Cell) -> str:
    return cell.perturbation
