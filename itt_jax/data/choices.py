"""Items with choices -> examples: one for each choice, an item's side by side."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from itt_jax.data.examples import Examples, assemble
from itt_jax.data.tokenizing import Tokenizer


def choice_examples(
    tokenizer: Tokenizer,
    contexts: Sequence[str],
    choices: Sequence[Sequence[str]],
    max_length: int,
    language: str = "",
    labels: np.ndarray | None = None,
) -> Examples:
    """Pairs (context, choice): of item i the examples i * K ... i * K + K - 1, each with the item's label.

    Args:
        contexts: n texts. choices: K columns of n texts. labels: [n] index of the right choice.
    """
    n, k = len(contexts), len(choices)
    encoded = tokenizer.encode(contexts, language)
    first = encoded[np.repeat(np.arange(n), k)]
    second = tokenizer.encode([text for item in zip(*choices, strict=True) for text in item], language)
    labels = None if labels is None else np.repeat(labels, k)
    examples = assemble(tokenizer, [first, second], max_length, labels)
    return dataclasses.replace(examples, choices=k)
