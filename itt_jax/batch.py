"""A batch of packed or padded rows: the one type that data builds, training places and models read."""

from typing import Any, NamedTuple


def most_examples(length: int) -> int:
    """Maximum number of examples in a row of `length` tokens.

    A head that reads one token of each example has a place for so many in each row: a multiple of eight, about one for
    every five tokens. With one for every eight, steps of SST-2 (13 tokens on average) would pack 4 points worse. Rows
    of more than 640 tokens have 128: all places of a row are computed, and their scores stored, whether used or not.
    """
    return min(length, 128, max(8, 8 * round(length / 40)))


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
