"""Versions of the code that makes results, as parts of the ids of stages and cells."""

from itt_jax import families, kinds
from itt_jax.models.heads import head_kind
from itt_jax.tasks import Task


def kind_versions(task: Task) -> tuple[int, int]:
    """Versions of a task's kind and of its head."""
    kind = kinds.kind(task.kind)
    return kind.version, head_kind(kind.head).version


def language_model_version(family: str) -> list[tuple]:
    """The version of a family's language model, as a part of an id; empty while it is 1."""
    return [
        ("language_model", *own) for own in changed_versions(head_kind(families.family(family).language_model).version)
    ]


def changed_versions(*versions: int) -> list[tuple[int, ...]]:
    """The versions as a part of an id; empty while all are 1, so that ids from before a change stay valid."""
    return [versions] if set(versions) - {1} else []
