"""Queries with their right candidates -> examples, side by side: of item i the query is 2 i, the candidate 2 i + 1."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.ragged import offsets_of, ragged_positions


def pair_examples(
    tokenizer: Tokenizer,
    queries: Sequence[Sequence[str]],
    candidates: Sequence[Sequence[str]],
    max_length: int,
    language: str = "",
) -> Examples:
    """Items of two examples; labels are 0, for a query's right candidate is its neighbour.

    Args:
        queries, candidates: columns of n texts, one or two each.
    """
    sides = [
        assemble(tokenizer, [tokenizer.encode(texts, language) for texts in columns], max_length)
        for columns in (queries, candidates)
    ]
    n = len(sides[0])
    lengths = np.stack([side.lengths for side in sides], axis=1).ravel()
    starts = np.stack([sides[0].offsets[:-1], sides[1].offsets[:-1] + len(sides[0].ids)], axis=1).ravel()
    source = ragged_positions(starts, lengths)
    by_token = ("ids", "token_type_ids", "fields")
    arrays = {name: np.concatenate([getattr(side, name) for side in sides]) for name in by_token}
    return dataclasses.replace(
        sides[0],
        **{name: values[source] for name, values in arrays.items()},
        offsets=offsets_of(lengths),
        summaries=np.stack([side.summaries for side in sides], axis=1).ravel(),
        labels=np.zeros(2 * n, np.int32),
        choices=2,
    )
