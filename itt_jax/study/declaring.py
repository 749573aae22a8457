"""What a study declares before its first result: its questions, everything that determines the answers, the stopping
rule."""

import dataclasses
import itertools
import time
from collections.abc import Mapping
from typing import Any

from itt_jax.config import EncoderSpec, Study, canonical, content_id
from itt_jax.errors import InputError
from itt_jax.store import Store
from itt_jax.study import arms
from itt_jax.study.growth import value_changes
from itt_jax.study.material import Material
from itt_jax.study.plan import Plan

SETTINGS = ("languages", "evaluation_rows", "max_length", "noise_seed", "contamination", "precision")
"""Fields of a study that are declared unchanged, in addition to those named in `content`."""


def content(plan: Plan, material: Material, looks: tuple[int, ...]) -> dict[str, Any]:
    """Everything that determines the questions, their answers, and when they are answered.

    Encoders, lexicons and rows count by content, wherever they are. `cells` is a hash of the ids of one seed's cells,
    which depend on the versions of operators and metrics as well.

    Args:
        looks: the numbers of seeds at which the study is looked at; empty for a study of a fixed number of seeds.
    """
    study = plan.study
    noises = [dataclasses.replace(own, lexicon=None if own.lexicon is None else "read") for own in study.perturbations]
    cells = [cell for cell in (*plan.all_cells(), *plan.signal_cells()) if cell.seed == study.seeds[0]]
    stopping = {"looks": looks} if looks else {"seeds": len(study.seeds)}
    seeds = with_seeds(study, looks[-1]).seeds if looks else study.seeds
    return canonical(
        {
            "encoders": [_by_content(spec, material) for spec in study.encoders],
            "arms": [
                {"name": arm.name, "role": arm.role, "baseline": arm.baseline, "stages": arm.stages}
                for arm in arms.resolved(study.arms)
            ],
            "targets": study.running_targets(),
            "perturbations": noises,
            **{name: getattr(study, name) for name in SETTINGS},
            "cells": content_id(sorted(cell.cell for cell in cells)),
            "smallest_effect": study.smallest_effect,
            "claims": study.claims,
            "seeds": seeds,
            "stopping": {"anytime": True} if study.stopping.anytime else stopping,
        }
    )


def _by_content(spec: EncoderSpec, material: Material) -> EncoderSpec:
    """An encoder with digests in place of its files."""
    return dataclasses.replace(
        spec,
        checkpoint=None if spec.checkpoint is None else material.checkpoint_digest(spec.checkpoint),
        tokenizer=None if spec.tokenizer is None else material.tokenizer_digest(spec),
    )


def with_seeds(study: Study, number: int) -> Study:
    """The study with `number` seeds: its first ones, then the smallest unused ones."""
    more = (seed for seed in itertools.count() if seed not in study.seeds)
    return dataclasses.replace(study, seeds=tuple(itertools.islice(itertools.chain(study.seeds, more), number)))


def content_hash(own: Mapping[str, Any]) -> str:
    """The hash of a declaration; seeds that may be added at any time are not part of it."""
    return content_id(
        {name: value for name, value in own.items() if name != "seeds" or "anytime" not in own["stopping"]}
    )


def declared(store: Store, own: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration for plan.json; a new folder continues that of its shared folder.

    It is valid from the moment it is first written. It may be replaced as long as the folder has no finished target
    stage, of this plan or an earlier one; later changes are recorded, each with its time, the number of finished target
    stages and the stopping rule that it replaces. If seeds may be added at any time, leaving one out again is a change.

    Args:
        own: the study's `content`.

    Raises:
        InputError: the folder's study was looked at already, and another declaration would begin its looks anew.
    """
    return store.agreed.declare(_declared(store, own)) | {"content": own}


def _declared(store: Store, own: Mapping[str, Any]) -> dict[str, Any]:
    """The declaration that this worker would make; another worker may have been first."""
    new = {"hash": content_hash(own), "time": time.time(), "target_stages": 0, "content": own, "changes": []}
    found = (store.existing_plan() or {}).get("declared") or _latest(store)
    done = sum(record.get("kind") == "target" for record in store.records())
    if found is None:
        return new | {"target_stages": done}
    if found["hash"] == new["hash"] and not set(found["content"].get("seeds", ())) - set(own["seeds"]):
        return found
    fields = value_changes(found["content"], own)
    if store.agreed.looks(found["hash"]):
        raise InputError(
            f"--out {store.out}: its study was looked at already, and a look is valid only for what was declared then "
            f"({'; '.join(fields)}); continue it with --until-decided as declared, or choose another --out"
            f"{' and --share' if store.agreed.declarations() else ''}"
        )
    if not (done or found["target_stages"] or found["changes"]):
        return new
    change = {"time": new["time"], "target_stages": done, "before": found["hash"], "hash": new["hash"]}
    change["stopping_before"] = found["content"]["stopping"]
    return found | {"hash": new["hash"], "content": own, "changes": [*found["changes"], change | {"fields": fields}]}


def _latest(store: Store) -> dict[str, Any] | None:
    """The last declaration of workers on the shared folder, or the one that was looked at, which nothing replaces."""
    found = store.agreed.declarations()
    looked = {one["hash"] for one in found if store.agreed.looks(one["hash"])}
    return max(found, key=lambda one: (one["hash"] in looked, len(one["changes"]), one["time"]), default=None)
