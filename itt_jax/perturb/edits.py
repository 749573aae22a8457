"""Edits, which operators return, and their application to all texts at once."""

import dataclasses

import numpy as np

from itt_jax.perturb import compiled
from itt_jax.ragged import Ragged, ragged_positions


@dataclasses.dataclass(frozen=True)
class Edits:
    """K replacements of codepoint ranges; the ranges are non-empty, disjoint and ascending.

    Attributes:
        start, stop: int64 [K] ranges of the clean codepoints.
        lengths: int64 [K] number of codepoints that replace each range.
        sources: int64 [sum of lengths] the clean codepoint that each replacement comes from; -1 for new ones.
        codepoints: uint32 [sum of lengths] the replacements.
        cost: int64 [K] grapheme edits (insertions, deletions and substitutions of clusters) that each makes.
    """

    start: np.ndarray
    stop: np.ndarray
    lengths: np.ndarray
    sources: np.ndarray
    codepoints: np.ndarray
    cost: np.ndarray


def apply(text: Ragged, edits: Edits) -> tuple[Ragged, np.ndarray]:
    """The perturbed texts, and the source of each of their codepoints (int64 [C'], -1 for new ones)."""
    shifts = np.cumsum(edits.lengths - (edits.stop - edits.start))
    before = np.append(0, shifts)
    total = len(text.values) + int(before[-1])
    offsets = text.offsets + before[np.searchsorted(edits.start, text.offsets)]
    # Between edits k - 1 and k, output place p comes from clean place p - shifts[k - 1]; edits are written afterwards.
    places = edits.start + before[:-1]
    bounds = np.concatenate([[0], places + edits.lengths, [total]])
    sources = np.arange(total)
    if shifts.any():
        sources -= np.repeat(before, np.diff(bounds))
    codepoints = text.values.take(sources, mode="clip")
    written = ragged_positions(places, edits.lengths)
    sources[written] = edits.sources
    codepoints[written] = edits.codepoints
    return Ragged(codepoints, offsets), sources


def counts_by_text(edits: Edits, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int64 [n], int64 [n]: the number of edits in each text, and their total cost."""
    bounds = np.searchsorted(edits.start, offsets)
    return np.diff(bounds), np.diff(np.append(0, np.cumsum(edits.cost))[bounds])


def differing(text: Ragged, output: Ragged) -> np.ndarray:
    """bool [n]: whether each text differs between the two."""
    lengths = np.diff(text.offsets)
    found = lengths != np.diff(output.offsets)
    alike = np.flatnonzero(~found)
    before, after = (one.values[ragged_positions(one.offsets[alike], lengths[alike])] for one in (text, output))
    found[np.repeat(alike, lengths[alike])[before != after]] = True
    return found


def pieces(
    text: Ragged,
    start: np.ndarray,
    stop: np.ndarray,
    parts: np.ndarray,
    cost: np.ndarray,
    new: np.ndarray | None = None,
    place: np.ndarray | None = None,
) -> Edits:
    """Edits that replace each range by pieces of the clean text and at most one new codepoint.

    Args:
        parts: int64 [K, P, 2] (start, stop) of the pieces.
        new: uint32 [K] the new codepoint, 0 for none.
        place: int64 [K] number of codepoints of the pieces that precede it.
    """
    kernels = compiled.kernels()
    if kernels is None:
        lengths, sources, codepoints = plain_pieces(text, parts, new, place)
    else:
        none = np.zeros(0, np.uint32), np.zeros(0, np.int64)
        lengths, sources, codepoints = kernels.pieces(text.values, parts, *(none if new is None else (new, place)))
    return Edits(start, stop, lengths, sources, codepoints, cost)


def plain_pieces(
    text: Ragged, parts: np.ndarray, new: np.ndarray | None, place: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lengths, sources and codepoints of `pieces` in NumPy; the reference for the kernel."""
    kept = (parts[:, :, 1] - parts[:, :, 0]).sum(axis=1)
    picked = ragged_positions(parts[:, :, 0].ravel(), (parts[:, :, 1] - parts[:, :, 0]).ravel())
    if new is None:
        return kept, picked, text.values[picked]
    has_new = new > 0
    lengths = kept + has_new
    sources = np.full(lengths.sum(), -1, np.int64)
    is_new = np.zeros(len(sources), bool)
    is_new[(np.cumsum(lengths) - lengths + place)[has_new]] = True
    sources[~is_new] = picked
    codepoints = np.empty(len(sources), np.uint32)
    codepoints[~is_new] = text.values[picked]
    codepoints[is_new] = new[has_new]
    return lengths, sources, codepoints


def deleted(start: np.ndarray, stop: np.ndarray, cost: np.ndarray) -> Edits:
    """Edits that delete each range."""
    nothing = np.zeros(0, np.int64)
    return Edits(start, stop, np.zeros_like(start), nothing, nothing.astype(np.uint32), cost)


def replaced(start: np.ndarray, codepoints: np.ndarray) -> Edits:
    """Edits that replace single codepoints; the rest of the cluster stays."""
    ones = np.ones_like(start)
    return Edits(start, start + 1, ones, start, codepoints, ones)


def inserted(text: Ragged, start: np.ndarray, stop: np.ndarray, new: np.ndarray, after: np.ndarray) -> Edits:
    """Edits that insert a codepoint (`new`, uint32 [K]) before each range, or after it where `after` (bool [K])."""
    kernels = compiled.kernels()
    if kernels is not None:
        lengths, sources, codepoints = kernels.inserted(text.values, start, stop, new, after)
        return Edits(start, stop, lengths, sources, codepoints, np.ones_like(start))
    return plain_inserted(text, start, stop, new, after)


def plain_inserted(text: Ragged, start: np.ndarray, stop: np.ndarray, new: np.ndarray, after: np.ndarray) -> Edits:
    """`inserted` in NumPy; the reference for the kernel."""
    parts = np.stack([start, stop], axis=1)[:, None]
    return pieces(text, start, stop, parts, np.ones_like(start), new, np.where(after, stop - start, 0))


def changing(text: Ragged, edits: Edits) -> Edits:
    """The edits that change the text; all must preserve the length of their range."""
    if not len(edits.start):
        return edits
    differs = edits.codepoints != text.values[ragged_positions(edits.start, edits.lengths)]
    keep = np.logical_or.reduceat(differs, np.cumsum(edits.lengths) - edits.lengths)
    if keep.all():
        return edits
    inside = np.repeat(keep, edits.lengths)
    return Edits(
        edits.start[keep],
        edits.stop[keep],
        edits.lengths[keep],
        edits.sources[inside],
        edits.codepoints[inside],
        edits.cost[keep],
    )
