"""The rows of a task in every perturbed form."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from itt_jax import kinds, perturb
from itt_jax.data.rows import Rows
from itt_jax.evaluate.noises import TOKEN_NOISES
from itt_jax.kinds.forms import CLEAN_FORM, Form, FormKey
from itt_jax.perturb.engine import LexiconFile
from itt_jax.tasks import Task

Place = tuple[str, str, str]
"""Names rows: task, split (or slice of one), language."""


@dataclasses.dataclass(frozen=True)
class RowForms:
    """The rows of one task in one language, in every form; forms of token noises are made later, by a tokenizer."""

    task: Task
    rows: Rows
    forms: dict[FormKey, Form]
    token_noises: tuple[FormKey, ...] = ()
    noise_seed: int = 0


def row_forms(task: Task, rows: Rows, wanted: Mapping[FormKey, LexiconFile], noise_seed: int) -> RowForms:
    """Every wanted form of `rows`; only the task's editable fields are perturbed.

    Args:
        wanted: form -> lexicon or None. For each operator, every severity comes with every replicate.
    """
    kind = kinds.kind(task.kind)
    clean = kind.follow(task, rows, rows.fields, {}, np.zeros(len(rows), bool), 0.0)
    forms = {CLEAN_FORM: clean}
    lexicons = {name: lexicon for (name, _, _), lexicon in wanted.items() if name != CLEAN_FORM[0]}
    for name, lexicon in lexicons.items():
        if name not in TOKEN_NOISES:
            severities = sorted({severity for other, severity, _ in wanted if other == name})
            replicates = sorted({replicate for other, _, replicate in wanted if other == name})
            forms |= _perturbed(task, rows, name, severities, replicates, lexicon, noise_seed)
    token_noises = [key for key in wanted if key[0] in TOKEN_NOISES and kind.token_noise]
    return RowForms(task, rows, forms, tuple(token_noises), noise_seed)


def _perturbed(
    task: Task,
    rows: Rows,
    name: str,
    severities: list[float],
    replicates: list[int],
    lexicon: LexiconFile,
    noise_seed: int,
) -> dict[FormKey, Form]:
    """The forms of one operator."""
    kind = kinds.kind(task.kind)
    aligned = kind.aligned_fields(task)
    made = [
        perturb.variants(
            rows.fields[field],
            name,
            severities,
            rows.language,
            noise_seed,
            ids=list(rows.item_ids),
            field=field,
            replicates=replicates,
            lexicon=lexicon,
            align=field in aligned,
            editable=kind.editable(rows, field),
        )
        for field in task.editable_fields
    ]
    forms = {}
    for by_field in zip(*made, strict=True):
        named = dict(zip(task.editable_fields, by_field, strict=True))
        fields = rows.fields | {field: variant.texts for field, variant in named.items()}
        edits, clusters = (sum(int(getattr(v, what).sum()) for v in by_field) for what in ("edits", "clusters"))
        changed = np.logical_or.reduce([variant.changed for variant in by_field])
        sources = {field: variant.sources for field, variant in named.items() if field in aligned}
        key = (name, by_field[0].severity, by_field[0].replicate)
        forms[key] = kind.follow(task, rows, fields, sources, changed, edits / max(1, clusters))
    return forms
