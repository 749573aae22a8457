"""Stages: one class each. A new one is a class in a file of its own and a line in STAGES.

A stage says what determines its result (`identity`), how it is made (`make_all`), and how a study's description of it
(`itt_jax.study.arms`) is filled in (`planned`).
"""

from itt_jax.config import EncoderSpec
from itt_jax.errors import InputError
from itt_jax.study.arms import Description
from itt_jax.study.stages.adapt import Adaptation
from itt_jax.study.stages.fine_tune import FineTuning
from itt_jax.study.stages.given import Given
from itt_jax.study.stages.pretrain import Pretraining
from itt_jax.study.stages.stage import Place, Stage

STAGES: tuple[type[Stage], ...] = (Given, Pretraining, Adaptation, FineTuning)

__all__ = ["STAGES", "Adaptation", "FineTuning", "Given", "Place", "Pretraining", "Stage", "planned", "root"]


def root(spec: EncoderSpec) -> Stage:
    """The stage that every arm of an encoder starts from."""
    return Pretraining(spec=spec, seed=spec.seed) if spec.checkpoint is None else Given(spec=spec)


def planned(description: Description, place: Place) -> Stage:
    """The stage that a description means in a place.

    Raises:
        Skipped: the data cannot give what it asks for.
    """
    for one in STAGES:
        if one.description is type(description):
            return one.planned(description, place)
    raise InputError(f"arm {place.arm.name!r}: no stage is described by {type(description).__name__}")
