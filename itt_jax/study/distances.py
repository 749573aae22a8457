"""Distances between the domains of a study's targets, to compare with the gains kept under the shift."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from itt_jax.config import Target, content_id
from itt_jax.data.examples import assemble
from itt_jax.data.rows import Rows
from itt_jax.evaluate.distance import FOLDS, proxy_a_distance, vocabulary_divergence
from itt_jax.study.material import Material, Selection
from itt_jax.study.plan import Plan, evaluation_selections
from itt_jax.study.stages import Stage
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.train.vectors import retrieval_layer, sentence_vectors

COLUMNS = ["model", "target", "domain", "task", "language", "vocabulary_divergence", "proxy_a_distance", "rows"]


def domain_distances(plan: Plan, material: Material, workshop: Workshop) -> pd.DataFrame:
    """One row per encoder, target, task in a shifted domain, and language that exists in the training domain too.

    Compares the evaluation rows of both domains in one language: divergence of their words, and proxy A-distance of the
    encoder before any fine-tuning. Each row is one text; `rows` is the size of the smaller side. The A-distance is NaN
    if there are too few rows, or vectors that are not finite.
    """
    rows = []
    bodies: dict[str, Body] = {}
    for stage, target, *selections in compared(plan, material):
        body = bodies.get(stage.id) or bodies.setdefault(stage.id, stage.start(workshop))
        home, away = (material.rows(selection) for selection in selections)
        near, far = texts_of(home), texts_of(away)
        size = min(len(near), len(far))
        divergence = vocabulary_divergence(near, far, away.language)
        first, second = (embedded(body, texts, away.language, plan.study.max_length) for texts in (near, far))
        known = size >= 2 * FOLDS and bool(np.isfinite(first).all() and np.isfinite(second).all())
        distance = proxy_a_distance(first, second) if known else np.nan
        about = [stage.spec.name, target.name, away.domain, away.task, away.language]
        rows.append([*about, divergence, distance, size])
    return pd.DataFrame(rows, columns=COLUMNS)


def distances_id(plan: Plan, material: Material) -> str:
    """A hash of everything that determines the distances: the encoders, and the rows of both domains."""
    found = [
        [stage.spec.name, stage.origin.id, target.name, away.task, material.task(away.task).domain, away.language]
        + [material.digest(selection, uncontaminated=False) for selection in (home, away)]
        for stage, target, home, away in compared(plan, material)
    ]
    return content_id([plan.study.max_length, found])


def compared(plan: Plan, material: Material) -> Iterator[tuple[Stage, Target, Selection, Selection]]:
    """(first trained stage, target, rows at home, rows away) of each encoder; the stage starts from that encoder."""
    first: dict[str, Stage] = {}
    for stage in plan.stages.values():
        if stage.parent is not None and stage.parent.parent is None:
            first.setdefault(stage.spec.name, stage)
    for spec in plan.study.encoders:
        for target in plan.study.running_targets() if spec.name in first else ():
            for home, away in shifted(plan, material, target):
                yield first[spec.name], target, home, away


def shifted(plan: Plan, material: Material, target: Target) -> list[tuple[Selection, Selection]]:
    """(rows in the training domain, rows in another one) of a target, for each task and language that has both."""
    domain = material.task(target.train).domain
    home: dict[str, Selection] = {}
    found = []
    for name in target.evaluate or (target.train,):
        task = material.task(name)
        for selection in evaluation_selections(plan.study, target, task, material):
            if task.domain == domain:
                home.setdefault(selection.language, selection)
            elif selection.language in home:
                found.append((home[selection.language], selection))
    return found


def texts_of(rows: Rows) -> list[str]:
    """The fields of each row, joined into one text."""
    return [" ".join(texts) for texts in zip(*rows.fields.values(), strict=True)]


def embedded(body: Body, texts: list[str], language: str, max_length: int) -> np.ndarray:
    """Mean hidden states of the layer that retrieval reads: float32 [n, D]."""
    examples = assemble(body.tokenizer, [body.tokenizer.encode(texts, language)], max_length)
    return sentence_vectors(body.encoder, body.params, examples, retrieval_layer(body.encoder.config.layers))
