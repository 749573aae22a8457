"""Training rows that are attacked with the model in training, and everything that determines them."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from itt_jax import kinds
from itt_jax.attack import Attack, attack_rows, get, subjects
from itt_jax.attack.subject import field_to_edit
from itt_jax.attack.victim import EncoderVictim
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Head
from itt_jax.perturb.noise import hash_strings, text_keys, under
from itt_jax.study.adversaries import attack_identity, check_candidates
from itt_jax.study.hardening import Attacked
from itt_jax.study.material import Selection
from itt_jax.tasks import Task
from itt_jax.train.flops import forward_flops
from itt_jax.train.state import Params

KINDS = ("classification", "regression")
"""Kinds of task whose labels are the same for any text of a row."""


@dataclasses.dataclass(frozen=True)
class AttackedRows:
    """The rows of one task in one language and an attack on them (`train.jobs.RowsUnderAttack`).

    Attributes:
        examples: those of the clean rows. seed: the job's; with item and round it decides whether a row is attacked.
    """

    task: Task
    tokenizer: Tokenizer
    head: Head
    rows: Rows
    examples: Examples
    hardening: Attacked
    seed: int
    max_length: int

    @functools.cached_property
    def own(self) -> Attack:
        """The attack, with its budget."""
        return recipe_of(self.hardening)

    @functools.cached_property
    def parts(self) -> np.ndarray:
        """int64 [rows + 1]: the examples of each row."""
        return kinds.kind(self.task.kind).parts(self.rows, self.examples)

    def attack(self, params: Params, indices: np.ndarray, number: int) -> tuple[dict[int, str], float]:
        """See `train.jobs.RowsUnderAttack.attack`. A query counts as a forward pass over the clean row."""
        distinct = np.unique(np.searchsorted(self.parts, indices, side="right") - 1)
        keys = text_keys(hash_strings(self.rows.item_ids[distinct].tolist()), self.seed, "attacked", number)
        chosen = distinct[under(keys, self.hardening.share)]
        if not len(chosen):
            return {}, 0.0
        encoder, goal = self.head.encoder, self.own.goal_for(self.task)
        victim = EncoderVictim(self.task, self.tokenizer, encoder, self.head, params, self.max_length)
        cases = subjects(self.task, self.rows.select(chosen), None, self.seed)
        attempts = attack_rows(self.own, goal, cases, victim)
        found = list(zip(chosen.tolist(), attempts, strict=True))
        lengths = [self.examples.lengths[self.parts[row] : self.parts[row + 1]] for row, _ in found]
        flops = sum(
            own.queries * forward_flops(encoder, length) for (_, own), length in zip(found, lengths, strict=True)
        )
        return {row: own.text for row, own in found if own.result == "succeeded"}, float(flops)

    def reader(self, texts: dict[int, str]) -> Callable[[np.ndarray], Examples]:
        """See `train.jobs.RowsUnderAttack.reader`."""
        if not texts:
            return self.examples.select
        kind, changed = kinds.kind(self.task.kind), np.array(sorted(texts))
        rows = self.rows.select(changed)
        field = self.task.editable_fields[-1]
        fields = rows.fields | {field: [texts[row] for row in changed.tolist()]}
        rows = dataclasses.replace(rows, fields=fields)
        form = kind.follow(self.task, rows, fields, {}, np.ones(len(rows), bool), 0.0)
        under_attack, parts = kind.encode_form(self.task, self.tokenizer, rows, form, self.max_length)
        joined = Examples.joined([self.examples, under_attack])
        place = np.arange(len(self.examples))
        for number, row in enumerate(changed.tolist()):
            mine = np.arange(self.parts[row], self.parts[row + 1])
            own = parts[number] + np.minimum(np.arange(len(mine)), parts[number + 1] - parts[number] - 1)
            place[mine] = len(self.examples) + own
        return lambda indices: joined.select(place[indices])


def recipe_of(hardening: Attacked) -> Attack:
    """The attack of a hardening, with its budget."""
    return dataclasses.replace(get(hardening.recipe), budget=hardening.budget)


def check_attacked(
    hardening: Attacked,
    training: Sequence[Selection],
    tasks: Sequence[Task],
    rows_of: Callable[[Selection], Rows],
    where: str,
) -> None:
    """Check that rows can be attacked.

    Args:
        rows_of: a function that reads training rows.

    Raises:
        InputError: several processes, tasks or languages, another kind of task, or a recipe that is unknown, needs more
            than queries, or has no candidates for the language or the rows.
    """
    if jax.process_count() > 1:
        raise InputError(f"{where}: Attacked trains in one process, found {jax.process_count()}")
    if len(training) > 1:
        raise InputError(f"{where}: Attacked takes rows of one task in one language, found {len(training)} such sets")
    (selection,), (task,) = training, tasks
    if task.kind not in KINDS:
        raise InputError(
            f"{where}: Attacked fits {' and '.join(KINDS)}, whose labels are the same for any text; "
            f"{task.name} is of kind {task.kind}"
        )
    own = recipe_of(hardening)
    if own.search.takes in ("tokens", "triggers") or hasattr(own.candidates, "proposer"):
        raise InputError(f"{where}.recipe: {own.name!r} needs gradients or a masked LM; expected one that only queries")
    try:
        goal = own.goal_for(task)
        own.candidates.check(selection.language)
        check_candidates(own, goal, task, rows_of(selection), field_to_edit(task, None), seed=0)
    except InputError as error:
        raise InputError(f"{where}.recipe: {error}") from error


def attacked_identity(hardening: Attacked, training: Sequence[Selection], task: Task) -> list[Any]:
    """Everything about the attacks that determines a result."""
    own = recipe_of(hardening)
    languages = [selection.language for selection in training]
    return [hardening, attack_identity(own, own.goal_for(task), languages)]
