"""Keeps texts of some evaluated rows in the results folder, to be read in the report."""

from collections.abc import Mapping

from itt_jax import kinds, tasks
from itt_jax.config import content_id
from itt_jax.data.rows import Rows
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.noises import operator_of
from itt_jax.kinds.forms import CLEAN_FORM, FormKey
from itt_jax.store import Store
from itt_jax.store.texts import Texts, texts_id, write_texts
from itt_jax.study.cells import variants_of
from itt_jax.study.material import Material, Selection, check_lexicons, digest_rows
from itt_jax.study.plan import Plan
from itt_jax.tasks import Task

ROWS = 100
"""Rows of each task, split and language whose texts are kept; attacks on at most as many rows are on some of these."""


def keep_plan_texts(store: Store, plan: Plan, material: Material, lexicons: Mapping[str, str]) -> None:
    """Keep those texts of a plan's evaluation rows that the folder lacks. Arguments and errors as in `keep_texts`."""
    for place in dict.fromkeys(cell.place for cell in plan.all_cells()):
        rows = material.rows(Selection(*place, plan.study.evaluation_rows))
        wanted = variants_of(plan.study.perturbations, rows.language, lambda reason: None)
        keep_texts(store, material.task(place[0]), place[1], rows, wanted, plan.study.noise_seed, lexicons)


def keep_texts(
    store: Store,
    task: Task,
    split: str,
    rows: Rows,
    wanted: Mapping[FormKey, str | None],
    noise_seed: int,
    lexicons: Mapping[str, str],
) -> None:
    """Keep texts of some rows in every form, unless the folder has them.

    Args:
        wanted: form -> lexicon or None. Noises on token ids have no texts.
        lexicons: path -> hash of each lexicon when it was planned.

    Raises:
        InputError: a lexicon has changed since then.
    """
    place, some = (task.name, split, rows.language), tasks.limit(rows, ROWS)
    made_of = {"rows": digest_rows(kinds.kind(task.kind), some), "seed": noise_seed, "fields": task.editable_fields}
    made_of["forms"] = [
        [*form, "" if form == CLEAN_FORM else operator_of(form[0]).output_version, lexicon and lexicons[lexicon]]
        for form, lexicon in wanted.items()
    ]
    own_id = content_id(made_of)
    if texts_id(store, place) == own_id:
        return
    found = row_forms(task, some, wanted, noise_seed).forms
    check_lexicons({lexicon: lexicons[lexicon] for lexicon in wanted.values() if lexicon is not None})
    clean, *others = (_texts(found[form].fields) for form in found)
    items = [str(item) for item in some.item_ids]
    changed = {
        form: {item: after for item, before, after in zip(items, clean, own, strict=True) if before != after}
        for form, own in zip(list(found)[1:], others, strict=True)
    }
    write_texts(store, place, Texts(own_id, task.kind, task.labels, tuple(some.fields), items, clean, changed))


def _texts(fields: Mapping[str, list[str]]) -> list[list[str]]:
    """The texts of each row."""
    return [list(own) for own in zip(*fields.values(), strict=True)]
