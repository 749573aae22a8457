"""The description of an embedded task."""

import dataclasses

from itt_jax.data.embedded.tables import LANGUAGES


@dataclasses.dataclass(frozen=True)
class EmbeddedTask:
    """An embedded task.

    Attributes:
        kind: the kind of task.
        labels: names of its classes, or of the fields to choose from; None for a score from 0 to 5.
    """

    name: str
    kind: str
    fields: tuple[str, ...]
    labels: tuple[str, ...] | None
    domain: str
    splits: tuple[str, ...]
    languages: tuple[str, ...] = LANGUAGES
