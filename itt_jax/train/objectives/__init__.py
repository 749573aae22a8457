"""The losses that stages minimise: one file per objective, and a line in OBJECTIVES for those that a recipe names."""

from itt_jax.errors import unknown
from itt_jax.train.objectives.hardened import hardened
from itt_jax.train.objectives.language_model import LanguageObjective
from itt_jax.train.objectives.objective import PLAIN, NamedObjective, Objective
from itt_jax.train.objectives.task import TaskObjective

__all__ = ["OBJECTIVES", "LanguageObjective", "NamedObjective", "Objective", "TaskObjective", "hardened", "named"]

OBJECTIVES: tuple[NamedObjective, ...] = (PLAIN,)


def named(name: str) -> NamedObjective:
    """The objective with this name.

    Raises:
        InputError: there is none.
    """
    found = next((objective for objective in OBJECTIVES if objective.name == name), None)
    if found is None:
        raise unknown("objective", name, [objective.name for objective in OBJECTIVES])
    return found
