"""Stages: one class for each kind. A new kind is a class in its own file and a line in STAGES.

A stage defines what determines its result (`identity`), how it is made (`make_all`), and how a study's description of
it (`itt_jax.study.arms`) is completed (`planned`).
"""

import dataclasses
from collections.abc import Sequence

from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.study.arms import Description
from itt_jax.study.stages.adapt import Adaptation
from itt_jax.study.stages.fine_tune import FineTuning
from itt_jax.study.stages.given import Given
from itt_jax.study.stages.match_compute import MatchedFineTuning
from itt_jax.study.stages.pretrain import Pretraining
from itt_jax.study.stages.stage import Place, Stage

STAGES: tuple[type[Stage], ...] = (Given, Pretraining, Adaptation, FineTuning, MatchedFineTuning)

__all__ = ["STAGES", "Adaptation", "FineTuning", "Given", "MatchedFineTuning", "Place", "Pretraining", "Stage"]
__all__ += ["chain", "planned", "root"]


def root(spec: EncoderSpec) -> Stage:
    """The stage that every arm of an encoder starts from."""
    return Pretraining(spec=spec, seed=spec.seed) if spec.checkpoint is None else Given(spec=spec)


def chain(descriptions: Sequence[Description], place: Place) -> list[Stage]:
    """The stages of an arm, each with its id.

    Args:
        place: the arm's place; its parent is the stage that the arm starts from.

    Raises:
        Skipped: there is no data for a description.
    """
    found: list[Stage] = []
    for number, description in enumerate(descriptions, 1):
        own = dataclasses.replace(
            place,
            parent=found[-1] if found else place.parent,
            is_last=number == len(descriptions),
            matched=tuple(chain(description.matched, place)),
        )
        found.append(planned(description, own).identified(place.material))
    return found


def planned(description: Description, place: Place) -> Stage:
    """The stage that a description stands for at a place.

    Raises:
        Skipped: there is no data for it.
    """
    for one in STAGES:
        if one.description is type(description):
            return one.planned(description, place)
    raise InputError(f"arm {place.arm.name!r}: no stage is described by {type(description).__name__}")
