"""Transfer of attacks: texts chosen against one model are read by the other models of the same encoder and target."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from itt_jax import metrics
from itt_jax.config import content_id
from itt_jax.evaluate.evaluator import CellResult, Evaluator, Tell
from itt_jax.evaluate.forms import RowForms
from itt_jax.kinds.forms import CLEAN_FORM, FormKey
from itt_jax.store import Store
from itt_jax.store.claims import ACROSS
from itt_jax.study.adversaries import Attacked
from itt_jax.study.attack_runs import Model, attacked_form, clean_form, read_outcomes
from itt_jax.study.cells import Cell
from itt_jax.study.plan import Plan
from itt_jax.train.processes import is_first


@dataclasses.dataclass(frozen=True)
class Transfer:
    """Texts of one attack on some rows, made on each of several models, and the model that reads them.

    Attributes:
        id: a hash of everything that determines the scores. reader: its cell under the attack.
        sources: the cells of the models on which texts were made, the reader's own among them.
    """

    id: str
    reader: Cell
    sources: tuple[Cell, ...]
    attacked: Attacked


def transfers(plan: Plan) -> list[Transfer]:
    """Every transfer of a plan: for each cell under attack, the texts of all models of its encoder and target."""
    cells = [cell for cell in plan.all_cells() if cell.attack]
    groups: dict[tuple, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(_group(cell), []).append(cell)
    found = []
    for reader in cells:
        sources, attacked = tuple(groups[_group(reader)]), plan.attacked[reader.cell]
        made = [(attacked.run(source.stage), source.arm, source.seed) for source in sources]
        if len(sources) > 1:
            found.append(Transfer(content_id(["transfer", reader.cell, made]), reader, sources, attacked))
    return found


def _group(cell: Cell) -> tuple:
    return cell.model, cell.target, cell.perturbation, cell.place


def missing_transfers(plan: Plan, store: Store) -> list[Transfer]:
    """Those that the folder lacks."""
    there = store.transfer_ids()
    return [own for own in transfers(plan) if own.id not in there]


def claim_on(stage: str) -> str:
    """The name of the claim for reading texts on the model of a stage."""
    return f"{ACROSS}{stage}"


def read_on(plan: Plan, store: Store, stage: str, model: Model, tell: Tell) -> None:
    """Read the texts of all models with the model of a stage, unless the folder has the scores.

    A model whose outputs are not finite has no cell under attack: it reads nothing, and its texts are not read.
    """
    for own in [own for own in missing_transfers(plan, store) if own.reader.stage == stage]:
        sources = tuple(source for source in own.sources if store.has_cell(source.cell))
        outcomes = [read_outcomes(store, source.stage, own.attacked) for source in sources]
        if store.has_cell(own.reader.cell) and None not in outcomes:
            rows = _rows(dataclasses.replace(own, sources=sources), model, outcomes, tell)
            if is_first() and not store.is_lost(claim_on(stage)):
                store.write_transfer(own.id, rows)


def _rows(own: Transfer, model: Model, outcomes: Sequence[Any], tell: Tell) -> list[dict[str, Any]]:
    """A row for each source: the reader's score on its texts and on the clean text of the same rows."""
    attacked, place = own.attacked, own.reader.place
    task, rows = attacked.task, attacked.rows
    forms = {CLEAN_FORM: clean_form(task, rows)}
    keys: list[FormKey] = [(source.cell, 0.0, 0) for source in own.sources]
    for key, found in zip(keys, outcomes, strict=True):
        forms[key] = attacked_form(task, rows, attacked.field, found)
    evaluator = Evaluator(model.tokenizer, attacked.max_length, {place: RowForms(task, rows, forms)}, tell=tell)
    scores = evaluator.predict(model.encoder, model.head, model.params)
    clean = evaluator.cell(scores, place, CLEAN_FORM, task)
    about = {name: getattr(own.reader, name) for name in ("model", "target", "task", "split", "language", "domain")}
    about |= {"metric": task.metric, "perturbation": own.reader.perturbation}
    about |= {"arm": own.reader.arm, "seed": own.reader.seed, "stage": own.reader.stage}
    made = []
    for source, key in zip(own.sources, keys, strict=True):
        read = evaluator.cell(scores, place, key, task)
        made.append(
            about
            | {"made_on_arm": source.arm, "made_on_seed": source.seed, "made_on_stage": source.stage}
            | {"score": read.figures["value"], "clean": clean.figures["value"], "n": read.figures["n"]}
            | {"transferred": _transferred(task.metric, clean, read)}
        )
    return made


def _transferred(metric: str, clean: CellResult, read: CellResult) -> float | None:
    """Among rows on which the attack succeeded and the reader is right on clean text, the share on which it is wrong on
    the attack's text; None without such rows, or if the metric does not count right answers."""
    measure = metrics.metric(metric)
    if not measure.right_or_wrong:
        return None
    before, after = (np.asarray(_statistic(measure, own)) == 1 for own in (clean, read))
    open_rows = before & read.columns["succeeded"] & read.columns["applicable"]
    return float((open_rows & ~after).sum() / open_rows.sum()) if open_rows.any() else None


def _statistic(measure: metrics.Metric, cell: CellResult) -> np.ndarray:
    return measure.read({name: np.asarray(cell.columns[name], np.float64) for name in measure.columns})
