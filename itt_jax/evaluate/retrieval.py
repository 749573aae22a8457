"""Retrieval by sentence embeddings: vectors of texts, their nearest neighbours, mined pairs of translations.

As XTREME's `evaluate_retrieval.py` and `utils_retrieve.py` (from LASER): a text's vector is the mean of one layer's
hidden states over all of its tokens, special tokens included. Neighbours are found by cosine. Mining scores a pair by
its cosine relative to the mean cosine of both sides' nearest neighbours (margin; Artetxe and Schwenk 2019, arXiv
1811.01136).

Neighbours are searched in blocks on the device, so the matrix of all pairs never exists: beside the vectors, memory
holds `QUERIES_AT_ONCE` x `CANDIDATES_AT_ONCE` cosines (16 MB) and 2 k entries for each query.
"""

import functools
import types
from collections.abc import Iterable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from itt_jax.batch import Batch
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.errors import InputError, unknown
from itt_jax.models import Encoder
from itt_jax.models.sentence_modules import Module, output_width, transformed
from itt_jax.train.predict import stream_shape
from itt_jax.train.state import Params

QUERIES_AT_ONCE = 512
CANDIDATES_AT_ONCE = 8192
NEIGHBOURS = 4
"""Neighbours on each side that the margin averages over, as published for BUCC."""
PUBLISHED_LAYERS = {12: 8, 24: 14}
MARGINS = ("ratio", "distance", "absolute")
Margin = Literal["ratio", "distance", "absolute"]


def retrieval_layer(layers: int) -> int:
    """The layer (0: the embeddings) that Tatoeba and BUCC read in an encoder with so many layers.

    Published are 8 of 12 (mBERT: "layer 7" of a list without the embeddings) and 14 of 24 (XLM-R large: "13"). For
    other sizes it is the layer nearest to two thirds of the way up, like 8 of 12.
    """
    return PUBLISHED_LAYERS.get(layers, max(1, round(layers * 2 / 3)))


def sentence_vectors(
    encoder: Encoder,
    params: Params,
    examples: Examples,
    layer: int,
    pooling: Literal["mean", "cls"] = "mean",
    modules: tuple[Module, ...] = (),
    module_params: Mapping[str, Params] = types.MappingProxyType({}),
) -> np.ndarray:
    """Vectors float32 [n, D] of examples, streamed packed; no dropout.

    Args:
        params: the encoder's own. layer: 0 is the embeddings, k layer k.
        pooling: mean over all of an example's tokens, or the state of its summary token.
        modules: change the pooled vectors. module_params: theirs, as `sentence_modules.read_params`.

    Raises:
        InputError: no such layer or pooling, or examples of a tokenizer that does not belong to the encoder.
    """
    examples.check_fits(encoder.config)
    if pooling not in ("mean", "cls"):
        raise unknown("pooling", pooling, ("mean", "cls"))
    if not 0 <= layer <= encoder.config.layers:
        raise InputError(f"layer {layer}: expected one of 0 (embeddings) to {encoder.config.layers}")
    params = jax.device_put({"encoder": params, "modules": dict(module_params)})
    vectors = np.zeros((len(examples), output_width(modules, encoder.width)), np.float32)
    shape = stream_shape(examples)

    def fill(batches: Iterable[tuple[np.ndarray, Batch]]) -> None:
        for indices, batch in batches:
            found = _vectors(params, batch.inputs, encoder=encoder, layer=layer, pooling=pooling, modules=modules)
            vectors[indices] = np.asarray(found)[: len(indices)]

    fill(packing.stream(examples, *shape))
    if len(alone := packing.to_repeat(~np.isfinite(vectors).all(axis=1)[None])):
        fill(packing.stream_alone(examples, alone, *shape))
    return vectors


@functools.partial(jax.jit, static_argnames=("encoder", "layer", "pooling", "modules"))
def _vectors(
    params: Params, batch: Batch, *, encoder: Encoder, layer: int, pooling: str, modules: tuple[Module, ...]
) -> Float[Array, "E D"]:
    layers = encoder(
        params["encoder"],
        batch.by_row["input_ids"],
        token_type_ids=batch.by_row["token_type_ids"],
        segment_ids=batch.by_row["segment_ids"],
        all_layers=True,
    )
    hidden = layers[layer].astype(jnp.float32)
    if pooling == "cls":
        pooled = hidden[batch.by_example["summary_rows"], batch.by_example["summary_positions"]]
    else:
        pooled = mean_by_example(hidden, batch.by_row["example_ids"], batch.slots)
    return transformed(params["modules"], modules, pooled)


def mean_by_example(hidden: Float[Array, "B T D"], example_ids: Int[Array, "B T"], slots: int) -> Float[Array, "E D"]:
    """The mean of an example's states; 0 for an empty slot."""
    flat, index = hidden.reshape(-1, hidden.shape[-1]), example_ids.reshape(-1)
    total = jax.ops.segment_sum(flat, index, slots + 1)[:slots]
    count = jax.ops.segment_sum(jnp.ones(index.shape, jnp.float32), index, slots + 1)[:slots]
    return total / jnp.maximum(count, 1)[:, None]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors [n, D] of length 1 (zero stays zero), float32; NaN for one that is not finite or whose length is not."""
    with np.errstate(over="ignore", invalid="ignore"):
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        scaled = vectors / np.where(norms == 0, 1, norms)
    return np.where(np.isfinite(norms), scaled, np.nan).astype(np.float32)


def nearest(queries: np.ndarray, candidates: np.ndarray, k: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """The k candidates of highest cosine to each query, best first; equal ones rank by position.

    Args:
        queries: [Q, D]. candidates: [C, D]. k: cut to C.

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
        cosines, indices: what `nearest` returns.
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
