"""Noise on token ids, made on the device.

It is not part of the catalogue of perturbations: encoders read the same perturbed text, but different noisy tokens.
Compare its effects within an encoder, never between encoders with different vocabularies. Special tokens are never
changed. Each token's noise is a function of noise seed, item id, noise, replicate and its place in the example, so it
is independent of batch, order, packing and device. Severity is a threshold: weaker noise is a subset of stronger noise.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt

from itt_jax.batch import Batch
from itt_jax.data.examples import Examples
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.evaluate.noises import DROP, MASK, RANDOM, TOKEN_NOISES, TokenNoise
from itt_jax.kinds.forms import FormKey
from itt_jax.models.attention import segment_starts
from itt_jax.perturb.noise import hash_strings, text_keys
from itt_jax.ragged import ragged_positions
from itt_jax.train.predict import Change

_GOLDEN, _FIRST, _SECOND = np.uint32(0x9E3779B9), np.uint32(0x85EBCA6B), np.uint32(0xC2B2AE35)


def arrays(
    noise: TokenNoise, severity: float, replicate: int, item_ids: Sequence[str], noise_seed: int
) -> dict[str, np.ndarray]:
    """The arrays that `noisy` needs for n examples: noise_kind int32 [n], noise_threshold uint32 [n], noise_key uint32
    [n, 2].

    Args:
        severity: expected share of an example's tokens that are changed; special tokens do not count.
    """
    hashes = hash_strings([str(item) for item in item_ids])
    keys = text_keys(hashes, noise_seed, "tokens", noise.name, noise.version, replicate)
    halves = np.stack([keys >> np.uint64(32), keys & np.uint64(0xFFFFFFFF)], axis=1).astype(np.uint32)
    n = len(halves)
    threshold = np.full(n, round(severity * 2**31), np.uint32)
    return {"noise_kind": np.full(n, noise.kind, np.int32), "noise_threshold": threshold, "noise_key": halves}


def draws(keys: UInt[Array, "... 2"], places: UInt[Array, "..."], number: int) -> UInt[Array, "..."]:
    """31-bit draw `number` of each place: MurmurHash3's finaliser (Appleby, public domain) over key, place, number."""
    state = _mixed(keys[..., 0] ^ (places * _GOLDEN))
    return _mixed(keys[..., 1] ^ (state + np.uint32(number) * _FIRST)) >> np.uint32(1)


def _mixed(x: UInt[Array, "..."]) -> UInt[Array, "..."]:
    x = (x ^ (x >> np.uint32(16))) * _FIRST
    x = (x ^ (x >> np.uint32(13))) * _SECOND
    return x ^ (x >> np.uint32(16))


def noisy(batch: Batch, shared: dict[str, Any]) -> Batch:
    """A packed batch with noise on the tokens of its examples; pure, for use inside a jitted step.

    Args:
        batch: as data.packing builds it, with the arrays of `arrays` by example.
        shared: noise_tokens int32 [V'], the ids from which random tokens are drawn, and noise_mask int32 [], the
            id of the mask token.
    """
    rows = batch.by_row
    example, positions = rows["example_ids"], jnp.arange(batch.row_shape[1], dtype=jnp.int32)[None]
    places = (positions - segment_starts(rows["segment_ids"])).astype(jnp.uint32)

    def by_token(name: str) -> jax.Array:  # padding has slot E, and no noise
        values = batch.by_example[name]
        return jnp.pad(values, [(0, 1)] + [(0, 0)] * (values.ndim - 1))[example]

    kind, keys = by_token("noise_kind"), by_token("noise_key")
    hit = (rows["field_ids"] > 0) & (draws(keys, places, 0) < by_token("noise_threshold"))
    ids = jnp.where(hit & (kind == MASK), shared["noise_mask"], rows["input_ids"])
    ids = jnp.where(hit & (kind == RANDOM), _other(ids, draws(keys, places, 1), shared["noise_tokens"]), ids)
    return _without(Batch(rows | {"input_ids": ids}, batch.by_example), hit & (kind == DROP))


def _other(ids: jax.Array, drawn: jax.Array, ordinary: jax.Array) -> jax.Array:
    """A random ordinary id in place of each, never the same."""
    index = (drawn % np.uint32(len(ordinary))).astype(jnp.int32)
    same = ordinary[index] == ids
    return ordinary[(index + same) % len(ordinary)]


def _without(batch: Batch, dropped: jax.Array) -> Batch:
    """The rows without some tokens: the others move up, and padding fills the end."""
    order = jnp.argsort(dropped, axis=1, stable=True)
    gone = {"segment_ids": 0, "example_ids": batch.slots, "field_ids": 0}
    moved = {
        name: jnp.take_along_axis(jnp.where(dropped, gone.get(name, array), array), order, axis=1)
        for name, array in batch.by_row.items()
    }
    rows, positions = (batch.by_example[name] for name in ("summary_rows", "summary_positions"))
    before = jnp.cumsum(dropped, axis=1)[rows, positions]
    return Batch(moved, batch.by_example | {"summary_positions": positions - before})


@dataclasses.dataclass(frozen=True)
class NoisyInputs:
    """Rows under each of F token noises, one form after another.

    Attributes:
        examples: F * n clean examples. change: makes them noisy. hits: for each form int64 [n], the changed tokens of
            each row.
    """

    examples: Examples
    change: Change
    hits: list[np.ndarray]


def noisy_inputs(
    tokenizer: Tokenizer,
    examples: Examples,
    rows: np.ndarray,
    forms: Sequence[FormKey],
    item_ids: Sequence[str],
    noise_seed: int,
) -> NoisyInputs:
    """The inputs of `predict` for noise on the clean examples of n rows.

    Args:
        rows: int64 [n], the example of each row. forms: keys of the forms to make. item_ids: [n].
    """
    parts = [arrays(TOKEN_NOISES[name], level, number, item_ids, noise_seed) for name, level, number in forms]
    special = {tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.unk_id}
    ordinary = np.setdiff1d(np.arange(tokenizer.vocabulary_size), [own for own in special if own is not None])
    change = Change(
        noisy,
        {name: np.concatenate([part[name] for part in parts]) for name in parts[0]},
        {"noise_tokens": ordinary.astype(np.int32), "noise_mask": np.array(tokenizer.mask_id, np.int32)},
    )
    return NoisyInputs(_taken(examples, np.tile(rows, len(forms))), change, [_hits(examples, rows, p) for p in parts])


def _taken(examples: Examples, rows: np.ndarray) -> Examples:
    """The examples at `rows`, in that order, repeated where `rows` repeats."""
    lengths = examples.lengths[rows]
    places = ragged_positions(examples.offsets[rows], lengths)
    return dataclasses.replace(
        examples,
        ids=examples.ids[places],
        token_type_ids=examples.token_type_ids[places],
        fields=examples.fields[places],
        offsets=np.append(0, np.cumsum(lengths)),
        summaries=examples.summaries[rows],
    )


def _hits(examples: Examples, rows: np.ndarray, noise: dict[str, np.ndarray]) -> np.ndarray:
    """int64 [n]: the changed tokens of each row, by the same draws on the host."""
    lengths = examples.lengths[rows]
    owner = np.repeat(np.arange(len(rows)), lengths)
    places = ragged_positions(np.zeros_like(lengths), lengths).astype(np.uint32)
    ordinary = examples.fields[ragged_positions(examples.offsets[rows], lengths)] > 0
    hit = ordinary & (draws(noise["noise_key"][owner], places, 0) < noise["noise_threshold"][owner])
    return np.bincount(owner[hit], minlength=len(rows))
