"""Configs: a study as frozen dataclasses, read from a Python file, checked, and named by its content."""

from itt_jax.config.ids import canonical, content_id
from itt_jax.config.loading import load, load_attacks, load_tasks, override_field, settings
from itt_jax.config.study import (
    Adversary,
    Claim,
    Corpus,
    EncoderSpec,
    LanguageModel,
    Perturbation,
    Precision,
    Recipe,
    StandIn,
    Stopping,
    Study,
    Target,
)
from itt_jax.config.validation import validate

__all__ = [
    "Adversary",
    "Claim",
    "Corpus",
    "EncoderSpec",
    "LanguageModel",
    "Perturbation",
    "Precision",
    "Recipe",
    "StandIn",
    "Stopping",
    "Study",
    "Target",
    "canonical",
    "content_id",
    "load",
    "load_attacks",
    "load_tasks",
    "override_field",
    "settings",
    "validate",
]
