"""A task with a given source."""

from itt_jax.data.sources import Source
from itt_jax.tasks import Task


def own_task(source: Source, **changes) -> Task:
    """A classification task "mine" with labels bad and good."""
    settings = {"kind": "classification", "fields": ("text",), "labels": ("bad", "good")} | changes
    return Task("mine", sources=(source,), **settings)
