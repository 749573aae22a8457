"""Attacks on one model: rows part by part in a folder of their own, and the cells of the model under attack."""

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax import kinds
from itt_jax.attack import Attack, Goal, Subject, attack_rows, subjects
from itt_jax.attack.asking import Victim
from itt_jax.attack.csv_files import write_csv
from itt_jax.attack.outcomes import Outcome, outcomes_of, summaries, summary
from itt_jax.attack.victim import EncoderVictim
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError, NotFiniteError
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import RowForms
from itt_jax.kinds.forms import CLEAN_FORM, Form
from itt_jax.models import Encoder, Head
from itt_jax.store import Store
from itt_jax.store.parts import PartsFolder
from itt_jax.study.adversaries import Attacked
from itt_jax.study.cells import Cell
from itt_jax.study.progress import Progress
from itt_jax.study.storing import Made, made_cells
from itt_jax.tasks import Task
from itt_jax.train.precision import arithmetic_of
from itt_jax.train.processes import await_others, is_first
from itt_jax.train.provenance import provenance

PART = 128
"""Rows in a part, the most that an interruption can lose. Parts are attacked one after the other, so a continued attack
computes the same streams as an uninterrupted one."""
FIGURES = ("attacked", "success_rate", "queries", "edits", "words_changed", "similarity")
"""Figures of `attack.outcomes.summary` that are columns of the results."""


@dataclasses.dataclass(frozen=True)
class Model:
    """A model under attack, computing as it is evaluated."""

    tokenizer: Tokenizer
    encoder: Encoder
    head: Head
    params: dict[str, Any]


def outcomes_in_parts(
    folder: PartsFolder,
    attack: Attack,
    goal: Goal,
    cases: Sequence[Subject],
    victim: Victim,
    tell: Callable,
    expected: float = math.inf,
    check: Callable[[], None] = lambda: None,
) -> list[Outcome]:
    """The outcomes for rows of one language: parts that the folder has are read, the others are made and written.

    Args:
        tell: called with a line on finished rows, and with the share of the work that is done.
        expected: number of queries of a row. Most rows of a part end at about the same time, so a part's progress is
            the share of its rows or of its queries, whichever is larger.
        check: called before a part is written; raises if the files that the attack reads have changed.
    """
    units, total = functools.cache(lambda: attack.candidates.units(cases, goal, victim)), len(cases)

    def make(first: int, part: Sequence[Subject]) -> list[Outcome]:
        def heard(finished: int, queries: int) -> None:
            share = (first + min(len(part), max(finished, queries / expected))) / total
            tell(f"{first + finished:,} of {total:,} rows, {queries:,} queries in this part", share)

        found = outcomes_of(attack_rows(attack, goal, part, victim, units(), progress=heard), attack, goal)
        check()
        return found

    return [Outcome(**row) for row in folder.made(cases[0].language, cases, PART, make)]


def write_outcomes(folder: PartsFolder, outcomes: Sequence[Outcome]) -> None:
    """Write the table of all rows and their figures."""
    write_csv(folder.results, outcomes)
    folder.write_summary(summaries(outcomes))


def clean_form(task: Task, rows: Rows) -> Form:
    """The rows as they are."""
    return kinds.kind(task.kind).follow(task, rows, rows.fields, {}, np.zeros(len(rows), bool), 0.0)


def attacked_form(task: Task, rows: Rows, field: str, outcomes: Sequence[Outcome]) -> Form:
    """The rows with the final texts of an attack."""
    texts = [own.text for own in outcomes]
    fields = rows.fields | {field: texts}
    changed = np.array([a != b for a, b in zip(rows.fields[field], texts, strict=True)])
    rate = sum(own.edits for own in outcomes) / max(1, sum(own.clusters for own in outcomes))
    form = kinds.kind(task.kind).follow(task, dataclasses.replace(rows, fields=fields), fields, {}, changed, rate)
    figures = summary(outcomes)
    columns = {
        "text": texts,
        "result": [own.result for own in outcomes],
        "succeeded": np.array([own.result == "succeeded" for own in outcomes]),
        **{
            name: [getattr(own, name) for own in outcomes]
            for name in ("queries", "edits", "words_changed", "similarity")
        },
    }
    return dataclasses.replace(form, figures={name: figures[name] for name in FIGURES}, columns=columns)


def store_attack_cells(
    store: Store,
    model: Model,
    cells: Sequence[Cell],
    attacked: Mapping[str, Attacked],
    progress: Progress,
    diverged: bool = False,
) -> list[str]:
    """Attack one model and store its cells; a stopped attack continues after its last finished part.

    Cells on rows of one task, split and language are written together, after the last attack on them: the parts of each
    are kept, so a killed run attacks nothing twice, and only predicts the final texts again.

    Args:
        attacked: id of a cell -> the attack and its rows. diverged: whether the model's training diverged.

    Returns:
        as `store_cells`.
    """
    failed: list[str] = []
    for place in dict.fromkeys(cell.place for cell in cells):
        made: list[Made] = []
        for cell in (cell for cell in cells if cell.place == place):
            own = attacked[cell.cell]
            with progress.estimate.during(own.work, [cell.stage]):
                found, lacking = _cell_under_attack(store, model, cell, own, progress, diverged)
            made, failed = made + found, failed + lacking
        if is_first() and not store.is_lost(cells[0].stage):
            store.cells.write(made, provenance(arithmetic_of(model.encoder)))
    return failed


def _cell_under_attack(
    store: Store, model: Model, cell: Cell, own: Attacked, progress: Progress, diverged: bool
) -> tuple[list[Made], list[str]]:
    """Attack one model; returns its cell, or the reason why there is none, as `made_cells` does."""
    rows, task = own.rows, own.task
    try:
        outcomes = _outcomes(store, model, cell.stage, own, progress)
    except NotFiniteError as error:
        about = f"{cell.model}, {cell.arm}, {cell.target}, seed {cell.seed}"
        return [], [f"stage {cell.stage} ({about}), {own.work}: {error}"]
    forms = {CLEAN_FORM: clean_form(task, rows), cell.variant: attacked_form(task, rows, own.field, outcomes)}
    blocks = {cell.place: RowForms(task, rows, forms)}
    evaluator = Evaluator(model.tokenizer, own.max_length, blocks, tell=progress.tell)
    scores = evaluator.predict(model.encoder, model.head, model.params)
    return made_cells(store, evaluator, scores, [cell], task, model.params, diverged) if is_first() else ([], [])


def read_outcomes(store: Store, stage: str, own: Attacked) -> list[Outcome] | None:
    """The outcomes of an attack in the folder; None if it is not finished."""
    folder, language = store.attack(own.run(stage)), own.rows.language
    if not folder.results.is_file():
        return None
    parts = [folder.part(language, number) for number in range(-(-len(own.rows) // PART))]
    return None if None in parts else [Outcome(**row) for part in parts for row in part or ()]


def queries_asked(store: Store, stage: str, own: Attacked) -> float | None:
    """The number of queries that an attack took; None if the folder has no finished one."""
    with contextlib.suppress(InputError):  # estimates do without attacks that are damaged or not finished
        (found,) = store.attack(own.run(stage)).summary()
        return (found["queries"] or 0.0) * found["attacked"] + found["skipped"]  # the mean is over attacked rows
    return None


def _outcomes(store: Store, model: Model, stage: str, own: Attacked, progress: Progress) -> list[Outcome]:
    """The outcomes of an attack on a stage's model; the folder may have some parts already."""
    folder = dataclasses.replace(store.attack(own.run(stage)), writes=lambda: is_first() and not store.is_lost(stage))
    arithmetic = arithmetic_of(model.encoder)
    if folder.writes() and folder.existing() is None:
        about = {"attack_id": own.run(stage), "name": own.name, "stage": stage, **own.identity}
        folder.begin(about | {"precision": arithmetic.name, "provenance": provenance(arithmetic)})
    await_others()
    own.check_unchanged()
    victim = EncoderVictim(own.task, model.tokenizer, model.encoder, model.head, model.params, own.max_length)
    cases = subjects(own.task, own.rows, own.field, own.seed)

    def tell(doing: str, share: float) -> None:
        progress.tell(f"{own.work}: {doing}", share)

    expected = own.queries / len(own.rows)
    found = outcomes_in_parts(folder, own.attack, own.goal, cases, victim, tell, expected, own.check_unchanged)
    if folder.writes():
        write_outcomes(folder, found)
    return found
