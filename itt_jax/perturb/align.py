"""Where a span of text went, by the clean codepoint that each perturbed one stands for (`Variant.sources`)."""

import numpy as np


def span_after(sources: np.ndarray, start: int, stop: int) -> tuple[int, int] | None:
    """The span of the perturbed text that holds what is left of clean codepoints start ... stop - 1.

    Returns:
        (start, stop), or None if nothing is left or something from outside the span now stands in it; new codepoints
        between those of the span belong to it.
    """
    inside = np.flatnonzero((sources >= start) & (sources < stop))
    if not len(inside):
        return None
    first, last = int(inside[0]), int(inside[-1])
    within = sources[first : last + 1]
    if ((within >= 0) & ((within < start) | (within >= stop))).any():
        return None
    return first, last + 1


def span_before(sources: np.ndarray, start: int, stop: int) -> tuple[int, int] | None:
    """The span of the clean text from the first to the last codepoint that perturbed start ... stop - 1 stand for.

    Returns:
        (start, stop), or None where all of them are new.
    """
    known = sources[start:stop][sources[start:stop] >= 0]
    return (int(known.min()), int(known.max()) + 1) if len(known) else None
