"""Retrieval by sentence embeddings: vectors of texts, their nearest neighbours, mined pairs of translations.

Follows XTREME's `evaluate_retrieval.py` and `utils_retrieve.py` (from LASER), on vectors of `train.vectors`. Neighbours
are found by cosine. Mining scores a pair by its cosine relative to the mean cosine of both sides' nearest neighbours
(margin; Artetxe and Schwenk 2019, arXiv 1811.01136).

Neighbours are searched in blocks on the device, so the matrix of all pairs never exists: besides the vectors, memory
holds `QUERIES_AT_ONCE` x `CANDIDATES_AT_ONCE` cosines (16 MB) and 2 k entries for each query.
"""

import functools
from collections.abc import Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from itt_jax.errors import InputError, unknown

QUERIES_AT_ONCE = 512
CANDIDATES_AT_ONCE = 8192
NEIGHBOURS = 4
"""Neighbours on each side that the margin averages over, as published for BUCC."""
MARGINS = ("ratio", "distance", "absolute")
Margin = Literal["ratio", "distance", "absolute"]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, D] of length 1 (zero stays zero), float32; NaN for one that is not finite or whose length is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        scaled = vectors / np.where(norms == 0, 1, norms)
    return np.where(np.isfinite(norms), scaled, np.nan).astype(np.float32)


def nearest(queries: np.ndarray, candidates: np.ndarray, k: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates of highest cosine to each query, best first; equal ones rank by position.

    Args:
        queries: [Q, D]. candidates: [C, D]. k: at most C are returned.

    Returns:
        cosines float32 [Q, k] and indices int64 [Q, k].

    Raises:
        InputError: no candidates.
    """
    if not len(candidates):
        raise InputError("retrieval: there are no candidates")
    k = min(k, len(candidates))
    size = min(CANDIDATES_AT_ONCE, -(-len(candidates) // 128) * 128)
    blocks = -(-len(candidates) // size)
    padded = np.zeros((blocks * size, candidates.shape[1]), np.float32)
    padded[: len(candidates)] = unit(candidates)
    on_device = jax.device_put(padded.reshape(blocks, size, -1))
    cosines = np.empty((len(queries), k), np.float32)
    indices = np.empty((len(queries), k), np.int64)
    queries = unit(queries)
    for start in range(0, len(queries), QUERIES_AT_ONCE):
        own = queries[start : start + QUERIES_AT_ONCE]
        block = np.zeros((QUERIES_AT_ONCE, own.shape[1]), np.float32)
        block[: len(own)] = own
        found = _top_k(block, on_device, np.int32(len(candidates)), k=k)
        cosines[start : start + len(own)] = np.asarray(found[0])[: len(own)]
        indices[start : start + len(own)] = np.asarray(found[1])[: len(own)]
    return cosines, indices


@functools.partial(jax.jit, static_argnames="k")
def _top_k(
    queries: Float[Array, "Q D"], blocks: Float[Array, "G C D"], count: Int[Array, ""], *, k: int
) -> tuple[Float[Array, "Q K"], Int[Array, "Q K"]]:
    """The best k of all candidates: each block's own best merged with the best so far, which precede equal ones."""
    size = blocks.shape[1]

    def merge(best: tuple[Array, Array], numbered: tuple[Array, Array]) -> tuple[tuple[Array, Array], None]:
        """The best k of those so far and of one more block, whose last candidates may be padding."""
        number, block = numbered
        scores = jnp.einsum("QD,CD->QC", queries, block, precision=jax.lax.Precision.HIGHEST)
        indices = number * size + jnp.arange(size)
        scores, places = jax.lax.top_k(jnp.where(indices < count, scores, -jnp.inf), min(k, size))
        scores = jnp.concatenate([best[0], scores], axis=1)
        indices = jnp.concatenate([best[1], indices[places]], axis=1)
        scores, places = jax.lax.top_k(scores, k)
        return (scores, jnp.take_along_axis(indices, places, axis=1)), None

    nothing = jnp.full((queries.shape[0], k), -jnp.inf), jnp.zeros((queries.shape[0], k), jnp.int32)
    return jax.lax.scan(merge, nothing, (jnp.arange(blocks.shape[0]), blocks))[0]


def margin_scores(
    cosines: np.ndarray, indices: np.ndarray, own_means: np.ndarray, other_means: np.ndarray, margin: Margin = "ratio"
) -> np.ndarray:
    """Scores [Q, k] of neighbours: the cosine relative to the mean cosine of both texts to their own neighbours.

    Args:
        cosines, indices: as `nearest` returns them.
        own_means: [Q], other_means: [C]: mean cosines to a text's neighbours.
        margin: "ratio" (BUCC's) or "distance" (half of CSLS, arXiv 1710.04087) of the two, or the "absolute" cosine.
    """
    if margin not in MARGINS:
        raise unknown("margin", margin, MARGINS)
    expected = (own_means[:, None] + other_means[indices]) / 2
    return {"ratio": cosines / expected, "distance": cosines - expected, "absolute": cosines}[margin]


def mined_pairs(
    first: np.ndarray, second: np.ndarray, neighbours: int = NEIGHBOURS, margin: Margin = "ratio"
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of translations between two sets of distinct texts, best first; each text is in at most one pair.

    Every text of either side proposes its best neighbour. Proposals are accepted by falling score while both texts are
    free ("max" in the published code).

    Args:
        first: [n, D]; second: [m, D].

    Returns:
        int64 [pairs, 2], indices into first and second, and float32 [pairs], their scores.
    """
    there_cosines, there = nearest(first, second, neighbours)
    back_cosines, back = nearest(second, first, neighbours)
    there_means, back_means = there_cosines.mean(axis=1), back_cosines.mean(axis=1)
    there_scores = margin_scores(there_cosines, there, there_means, back_means, margin)
    back_scores = margin_scores(back_cosines, back, back_means, there_means, margin)
    best_there, best_back = there_scores.argmax(axis=1), back_scores.argmax(axis=1)
    n, m = np.arange(len(first)), np.arange(len(second))
    pairs = np.concatenate([np.stack([n, there[n, best_there]], 1), np.stack([back[m, best_back], m], 1)])
    scores = np.concatenate([there_scores.max(axis=1), back_scores.max(axis=1)])
    free_first, free_second = np.ones(len(first), bool), np.ones(len(second), bool)
    kept = []
    for place in np.argsort(-scores, kind="stable").tolist():
        a, b = pairs[place]
        if free_first[a] and free_second[b]:
            free_first[a] = free_second[b] = False
            kept.append(place)
    return pairs[kept], scores[kept].astype(np.float32)


def scored_pairs(
    first: Mapping[str, str],
    second: Mapping[str, str],
    vectors: tuple[np.ndarray, np.ndarray],
    margin: Margin = "ratio",
) -> dict[tuple[str, str], float]:
    """Mined pairs of ids with their scores (BUCC), as `pair_threshold` and `pairs_above` take them.

    A text that occurs several times takes part once, with the vector of its last occurrence, and its pair is dropped
    because it has no unique id, as in the published code.

    Args:
        first, second: id -> text. vectors: [n, D] and [m, D], in the order of the ids.
    """
    sides = []
    for texts, own in zip((first, second), vectors, strict=True):
        last = {text: i for i, text in enumerate(texts.values())}
        ids = list(texts)
        times: dict[str, int] = {}
        for text in texts.values():
            times[text] = times.get(text, 0) + 1
        rows = np.fromiter(last.values(), np.int64, len(last))
        sides.append((own[rows], [ids[i] if times[text] == 1 else None for text, i in last.items()]))
    pairs, scores = mined_pairs(sides[0][0], sides[1][0], margin=margin)
    found = {}
    for (a, b), score in zip(pairs.tolist(), scores.tolist(), strict=True):
        pair = sides[0][1][a], sides[1][1][b]
        if None not in pair:
            found[pair] = score
    return found
