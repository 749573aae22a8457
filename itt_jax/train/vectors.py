"""Vectors of texts as XTREME makes them: the mean of one layer's hidden states over all tokens, special ones too."""

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
from itt_jax.models.embedder import Embedder
from itt_jax.models.sentence_modules import Module, output_width, transformed
from itt_jax.train.predict import stream_shape
from itt_jax.train.state import Params

PUBLISHED_LAYERS = {12: 8, 24: 14}


def xtreme_embedder(encoder: Encoder) -> Embedder:
    """The mean of the layer that XTREME reads (`retrieval_layer`)."""
    return Embedder("mean", retrieval_layer(encoder.config.layers))


def retrieval_layer(layers: int) -> int:
    """The layer (0: the embeddings) that Tatoeba and BUCC read in an encoder with this many layers.

    The published layers are 8 of 12 (mBERT: "layer 7" of a list without the embeddings) and 14 of 24 (XLM-R large:
    "13"). For other sizes it is the layer nearest to two thirds of the way up, like 8 of 12.
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
    if len(alone := packing.to_repeat(np.logical_not(np.isfinite(vectors).all(axis=1))[None])):
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
