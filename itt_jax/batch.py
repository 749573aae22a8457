"""A batch of packed or padded rows: the one type that data builds, training places and models read."""

from typing import Any, NamedTuple


class Batch(NamedTuple):
    """Arrays of one batch, numpy or JAX. As a named tuple it is a pytree of JAX without being registered.

    Attributes:
        by_row: arrays [..., B, T], or [..., B, P] for P predicted tokens a row; split over devices along B.
        by_example: arrays [..., E] or [..., E, classes]; every device holds them whole. Empty in language models.
    """

    by_row: dict[str, Any]
    by_example: dict[str, Any]

    @property
    def row_shape(self) -> tuple[int, ...]:
        """Shape [..., B, T] of the rows."""
        return self.by_row["input_ids"].shape

    @property
    def slots(self) -> int:
        """Number of example slots E, empty ones included."""
        return self.by_example["summary_rows"].shape[-1]

    @property
    def inputs(self) -> "Batch":
        """The batch without labels and weights, which only training reads."""
        return Batch(*({name: part[name] for name in part if name not in ("labels", "weights")} for part in self))
