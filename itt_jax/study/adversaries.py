"""Adversaries of a study: their attacks, the rows they attack, and everything that determines the outcomes."""

import dataclasses
import functools
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

import numpy as np

from itt_jax import attack, kinds, tasks
from itt_jax.attack import Attack, Goal, subjects
from itt_jax.attack.attack import Case
from itt_jax.attack.subject import field_to_edit, words_of
from itt_jax.config import Adversary, canonical, content_id
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.evaluate.forms import Place
from itt_jax.evaluate.noises import TOKEN_NOISES, operator_of
from itt_jax.perturb import CATALOG, units
from itt_jax.study.material import check_lexicons, digest_rows, lexicon_digest
from itt_jax.tasks import Task

VERSION = 1
"""Raised when the same attack gives different results."""
SETTINGS: tuple[str, ...] = ("budget", "edits", "operators", "severity", "draws", "lexicon", "proposer", "shift")
SETTINGS += ("similarity", "least_similarity")
"""Fields of `config.Adversary` that change a recipe."""
PATHS = ("lexicon", "proposer", "encoder")
"""Fields of candidates and constraints that hold paths."""
ROWS_AT_ONCE = 64
"""Rows searched together for a candidate, after the first row, which nearly always has one."""


@dataclasses.dataclass(frozen=True, eq=False)
class Attacked:
    """Rows of one task in one language, and the attack on them, whatever the model.

    Attributes:
        name: the adversary's. field: the edited field. seed: seed of random choices.
        max_length: maximum tokens of an example.
    """

    name: str
    attack: Attack
    goal: Goal
    task: Task
    split: str
    rows: Rows
    field: str
    seed: int
    max_length: int

    @property
    def place(self) -> Place:
        """Names the rows."""
        return self.task.name, self.split, self.rows.language

    @functools.cached_property
    def digest(self) -> str:
        """A hash of the rows."""
        return digest_rows(kinds.kind(self.task.kind), self.rows)

    @functools.cached_property
    def identity(self) -> dict[str, Any]:
        """Everything that determines the outcomes, except the model."""
        return {
            **attack_identity(self.attack, self.goal, [self.rows.language]),
            "task": self.task.name,
            "rows": self.digest,
            "field": self.field,
            "seed": self.seed,
            "max_length": self.max_length,
        }

    def check_unchanged(self) -> None:
        """Raises InputError if a file of the attack holds something else than when its identity was made."""
        paths = files_of(self.attack, [self.rows.language])
        check_lexicons(dict(zip(paths, self.identity["files"], strict=True)))

    def run(self, stage: str) -> str:
        """Id of the attack on the model of a stage; arms that share a stage share it."""
        return content_id({"stage": stage, **self.identity})

    @property
    def work(self) -> str:
        """Its name in progress lines and estimates."""
        return f"attack {self.name}, {self.task.name} {self.rows.language}"

    @functools.cached_property
    def queries(self) -> float:
        """Estimated number of queries for all rows, as if no row ended early."""
        texts = self.rows.fields[self.field]
        words = sum(map(len, words_of(texts))) / max(1, len(texts))
        clusters = sum(map(len, texts)) / max(1, len(texts))
        return len(texts) * self.attack.expected_queries(words, clusters)


def attack_identity(own: attack.Attack, goal: attack.Goal, languages: Sequence[str]) -> dict[str, Any]:
    """Everything that determines an attack's outcomes, except rows and model. Files count by content, not by path."""
    parts = canonical(dataclasses.replace(own, name="", summary="", reference="", goals=()))
    for part in (parts["candidates"], *parts["constraints"]):
        for name in PATHS:
            part.pop(name, None)
    version = max(own.candidates.version(language) for language in languages)
    changed = {"candidates": version} if version > 1 else {}
    return changed | {
        "attack": parts,
        "goal": canonical(dataclasses.replace(goal, summary="")),
        "files": [lexicon_digest(path) for path in files_of(own, languages)],
        "operators": [operator_of(name).output_version for name in getattr(own.candidates, "operators", ())],
        "version": VERSION,
        "units": units.VERSION,
    }


def files_of(own: attack.Attack, languages: Sequence[str]) -> list[str]:
    """Files and folders of the user's that an attack reads."""
    paths = [path for language in languages for path in own.candidates.paths(language)]
    return paths + [path for constraint in own.constraints for path in constraint.paths()]


def recipe_of(adversary: Adversary) -> attack.Attack:
    """The attack of an adversary.

    Raises:
        InputError: an unknown recipe, a setting that it does not have, or the name of an operator.
    """
    if adversary.name in CATALOG or adversary.name in TOKEN_NOISES:
        raise InputError(f"attack {adversary.name!r}: an operator has this name; choose another, with recipe=...")
    recipe = adversary.name if adversary.recipe is None else adversary.recipe
    if not isinstance(recipe, attack.Attack):
        recipe = attack.get(recipe)
    found = attack.adapted(recipe, **{name: getattr(adversary, name) for name in SETTINGS})
    for constraint in found.constraints:
        constraint.check()
    return dataclasses.replace(found, name=adversary.name)


def check_candidates(own: attack.Attack, goal: Goal, task: Task, rows: Rows, field: str, seed: int) -> None:
    """Check that an attack can change at least one row; otherwise it would fail on all, and show nothing.

    A lexicon for another language gives no candidates, nor do edits inside words if all words are short.

    Raises:
        InputError: it cannot.
    """
    bounds = sorted({0, min(1, len(rows)), *range(ROWS_AT_ONCE, len(rows), ROWS_AT_ONCE), len(rows)})
    for first, stop in itertools.pairwise(bounds):
        part = rows.select(np.arange(first, stop))
        cases = map(own.candidates.cut, subjects(task, part, field, seed))
        if any(Case(own, goal, one, 0.0).has_candidates() for one in cases):
            return
    under = f" under {', '.join(map(str, own.constraints))}" if own.constraints else ""
    raise InputError(
        f"attack {own.name!r} has no candidates in any of {len(rows):,} rows of task {task.name!r} in language "
        f"{rows.language!r}{under}; expected a recipe or a lexicon that fits them"
    )


def attacks_on(
    adversaries: Sequence[Adversary],
    task: Task,
    split: str,
    rows: Rows,
    skip: Callable[[str], None],
    *,
    seed: int,
    max_length: int,
) -> Iterator[Attacked]:
    """The attacks of a study on the rows of a task in one language; calls `skip` with the reason for each that does not
    fit the kind of task, the language or the field.

    Args:
        seed, max_length: as in `Attacked`.
    """
    for adversary in adversaries:
        own = recipe_of(adversary)
        try:
            goal, field = own.goal_for(task), field_to_edit(task, adversary.field)
            own.candidates.check(rows.language)
            limited = tasks.limit(rows, adversary.rows)
            check_candidates(own, goal, task, limited, field, seed)
        except InputError as error:
            skip(f"attack {adversary.name}: {error} ({task.name} {rows.language})")
            continue
        yield Attacked(adversary.name, own, goal, task, split, limited, field, seed, max_length)


def check_used(adversaries: Sequence[Adversary], used: Collection[str], skipped: Sequence[str]) -> None:
    """Raises InputError, with the reason, for an adversary that attacks nothing.

    Args:
        used: names of adversaries that attack something. skipped: what is left out, and why.
    """
    for adversary in adversaries:
        if adversary.name not in used:
            reasons = [reason for reason in skipped if reason.startswith(f"attack {adversary.name}: ")]
            raise InputError("; ".join(reasons) or f"attack {adversary.name!r}: the study has no rows to attack")
