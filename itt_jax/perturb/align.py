"""Maps spans between clean and perturbed text, given the alignment in `PerturbedTexts.sources`."""

import numpy as np


def span_after(sources: np.ndarray, start: int, stop: int) -> tuple[int, int] | None:
    """The perturbed span that holds what remains of the clean codepoints start ... stop - 1.

    Args:
        sources: int64 [codepoints of the perturbed text] the clean codepoint behind each, -1 for new ones.

    Returns:
        (start, stop), including new codepoints in between; None if nothing remains or the span would enclose
        codepoints from outside.
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
    """The smallest clean span that covers the sources of the perturbed codepoints start ... stop - 1.

    Args:
        sources: int64 [codepoints of the perturbed text] the clean codepoint behind each, -1 for new ones.

    Returns:
        (start, stop), or None if all of them are new.
    """
    known = sources[start:stop][sources[start:stop] >= 0]
    return (int(known.min()), int(known.max()) + 1) if len(known) else None
