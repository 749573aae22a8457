"""How far the domains of a study's targets are apart, to read beside the gains kept under the shift."""

import numpy as np
import pandas as pd

from itt_jax.config import EncoderSpec, Target
from itt_jax.data.examples import assemble
from itt_jax.data.rows import Rows
from itt_jax.evaluate.distance import FOLDS, proxy_a_distance, vocabulary_divergence
from itt_jax.evaluate.retrieval import retrieval_layer, sentence_vectors
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan, evaluation_selections
from itt_jax.study.stages.workshop import Body, Workshop

COLUMNS = ["model", "target", "domain", "task", "language", "vocabulary_divergence", "proxy_a_distance", "rows"]


def domain_distances(plan: Plan, material: Material, workshop: Workshop) -> pd.DataFrame:
    """One row per encoder, target, task in a shifted domain, and language that the training domain has too.

    Compares the evaluation rows of both domains in one language: divergence of their words, and proxy A-distance of the
    encoder before any fine-tuning. Each row is one text; `rows` is the size of the smaller side. The A-distance is NaN
    where there are too few rows, or vectors that are not finite.
    """
    rows = []
    for spec in plan.study.encoders:
        body = None
        for target in plan.study.running_targets():
            for home, away in shifted(plan, material, target):
                body = body or root_body(plan, workshop, spec)
                sides = [texts_of(own) for own in (home, away)]
                size = min(map(len, sides))
                divergence = vocabulary_divergence(*sides, away.language)
                vectors = [embedded(body, texts, away.language, plan.study.max_length) for texts in sides]
                known = size >= 2 * FOLDS and all(np.isfinite(own).all() for own in vectors)
                distance = proxy_a_distance(*vectors) if known else np.nan
                about = [spec.name, target.name, away.domain, away.task, away.language]
                rows.append([*about, divergence, distance, size])
    return pd.DataFrame(rows, columns=COLUMNS)


def shifted(plan: Plan, material: Material, target: Target) -> list[tuple[Rows, Rows]]:
    """(rows in the training domain, rows in another one) of a target, for each task and language that has both."""
    domain = material.task(target.train).domain
    home, found = {}, []
    for name in target.evaluate or (target.train,):
        task = material.task(name)
        for selection in evaluation_selections(plan.study, target, task, material):
            own = material.rows(selection)
            if task.domain == domain:
                home.setdefault(selection.language, own)
            elif selection.language in home:
                found.append((home[selection.language], own))
    return found


def texts_of(rows: Rows) -> list[str]:
    """The fields of each row as one text."""
    return [" ".join(texts) for texts in zip(*rows.fields.values(), strict=True)]


def root_body(plan: Plan, workshop: Workshop, spec: EncoderSpec) -> Body:
    """An encoder as every arm starts from it."""
    stage = next(stage for stage in plan.stages.values() if stage.spec.name == spec.name and stage.parent is not None)
    while stage.parent.parent is not None:
        stage = stage.parent
    return stage.start(workshop)


def embedded(body: Body, texts: list[str], language: str, max_length: int) -> np.ndarray:
    """Mean hidden states of the layer that retrieval reads: float32 [n, D]."""
    examples = assemble(body.tokenizer, [body.tokenizer.encode(texts, language)], max_length)
    return sentence_vectors(body.encoder, body.params, examples, retrieval_layer(body.encoder.config.layers))
