"""Hardened fine-tuning: training rows in forms that are drawn anew in each epoch, and all that determines them."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax import kinds, perturb
from itt_jax.data.examples import Examples
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate.forms import row_forms
from itt_jax.models.heads import HeadKind, head_kind
from itt_jax.perturb.noise import below, hash_strings, later_draws, text_keys, under
from itt_jax.study.hardening import SMART, Attacked, Drawn, Hardening
from itt_jax.study.material import Selection, check_lexicons, lexicon_digest
from itt_jax.study.stages.attacked import attacked_identity, check_attacked
from itt_jax.study.stages.stage import Place
from itt_jax.tasks import Task

CLEAN = -1


@dataclasses.dataclass(frozen=True)
class DrawnForms:
    """Draws the forms of training examples (`train.jobs.DrawForms`).

    Every choice is a function of (seed, item id, epoch, draw): whether a row is perturbed, by which operator, and how.
    An example that is part k of a long row becomes part k of the row's form.

    Attributes:
        rows: those of all languages. languages: the language of each row. examples: those of the clean rows.
        lexicons: path -> hash of each lexicon that is read. One with another hash is refused, so that no state of the
            training holds forms made with it.
    """

    task: Task
    tokenizer: Tokenizer
    rows: Rows
    languages: np.ndarray
    examples: Examples
    hardening: Drawn
    seed: int
    max_length: int
    lexicons: Mapping[str, str]

    def __call__(self, indices: np.ndarray, epochs: np.ndarray) -> list[Examples]:
        """The K forms of the examples `indices`, each in its epoch."""
        parts = kinds.kind(self.task.kind).parts(self.rows, self.examples)
        rows = np.searchsorted(parts, indices, side="right") - 1
        places = indices - parts[rows]
        return [self._draw(indices, rows, places, epochs, number) for number in range(self.hardening.draws)]

    def _draw(
        self, indices: np.ndarray, rows: np.ndarray, places: np.ndarray, epochs: np.ndarray, number: int
    ) -> Examples:
        """One form of each example."""
        replicates = epochs * self.hardening.draws + number
        found, order = [], []
        for replicate in np.unique(replicates).tolist():
            here = np.flatnonzero(replicates == replicate)
            choices = self._choices(rows[here], replicate)
            languages = self.languages[rows[here]]
            for choice in np.unique(choices).tolist():
                for language in np.unique(languages[choices == choice]).tolist():
                    mine = here[(choices == choice) & (languages == language)]
                    order.append(mine)
                    found.append(
                        self.examples.select(indices[mine])
                        if choice == CLEAN
                        else self._perturbed(rows[mine], places[mine], choice, replicate, language)
                    )
        return Examples.joined(found).select(np.argsort(np.concatenate(order)))

    def _choices(self, rows: np.ndarray, replicate: int) -> np.ndarray:
        """For each row CLEAN, or the number of an operator and a severity."""
        operators, severities = self.hardening.operators, self.hardening.severities
        keys = text_keys(hash_strings(self.rows.item_ids[rows].tolist()), self.seed, "hardening", replicate)
        chosen = below(later_draws(keys, 1), len(operators) * len(severities))
        return np.where(under(keys, self.hardening.share), chosen, CLEAN)

    def _perturbed(self, rows: np.ndarray, places: np.ndarray, choice: int, replicate: int, language: str) -> Examples:
        """The examples at `places` of the rows, in one form."""
        kind, hardening = kinds.kind(self.task.kind), self.hardening
        operator, severity = divmod(choice, len(hardening.severities))
        name = hardening.operators[operator]
        key = (name, hardening.severities[severity], replicate)
        distinct, which = np.unique(rows, return_inverse=True)
        own = dataclasses.replace(self.rows.select(distinct), language=language)
        lexicon = hardening.lexicon_of(name, language)
        form = row_forms(self.task, own, {key: lexicon}, self.seed).forms[key]
        if lexicon is not None:
            check_lexicons({lexicon: self.lexicons[lexicon]})
        own = dataclasses.replace(own, language=self.rows.language)  # like the clean rows
        examples, parts = kind.encode_form(self.task, self.tokenizer, own, form, self.max_length)
        return examples.select(parts[which] + np.minimum(places, np.diff(parts)[which] - 1))


def check_hardening(hardening: Hardening, training: Sequence[Selection], place: Place) -> None:
    """Check that a hardening fits its training rows.

    Raises:
        InputError: an operator or a dictionary does not fit a language, or the head has no divergence of outputs.
    """
    where = f"arm {place.arm.name!r}: hardening"
    if isinstance(hardening, Attacked):
        tasks = [place.material.task(selection.task) for selection in training]
        check_attacked(hardening, training, tasks, place.material.uncontaminated_rows, where)
    for selection in training:
        hardening.check_language(selection.language, where)
        task = place.material.task(selection.task)
        head = head_kind(kinds.kind(task.kind).head)
        if isinstance(hardening, SMART) and type(head).divergence is HeadKind.divergence:
            raise InputError(f"{where}: SMART compares predictions, and {task.kind} ({task.name}) has none to compare")


def drawn_lexicons(hardening: Drawn, training: Sequence[Selection]) -> list[str | None]:
    """The lexicon that each operator reads for each selection."""
    return [hardening.lexicon_of(name, own.language) for own in training for name in hardening.operators]


def hardening_identity(hardening: Hardening, training: Sequence[Selection], task: Task) -> list[Any]:
    """Everything about a hardening that determines a result, including versions of operators and content of
    dictionaries.

    Args:
        task: of the rows.
    """
    if isinstance(hardening, Attacked):
        return ["hardening", *attacked_identity(hardening, training, task)]
    if not isinstance(hardening, Drawn):
        return ["hardening", hardening]
    versions = [perturb.get(name).output_version for name in hardening.operators]
    paths = drawn_lexicons(hardening, training)
    lexicons = [None if path is None else lexicon_digest(path) for path in paths]
    return ["hardening", dataclasses.replace(hardening, lexicon=None), versions, lexicons]
