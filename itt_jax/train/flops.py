"""What a stage computed, independent of how its rows were packed."""

import functools
import re

import jax
import numpy as np

from itt_jax.models import Encoder
from itt_jax.train.optimizer import path_name

# Tables are looked up, biases and norms (scale) are added or multiplied once a token, poolers see one token an example.
_NOT_MULTIPLIED = re.compile(r"embedding|bias|scale|pooler")


@functools.lru_cache(maxsize=64)  # every step asks, and the answer takes milliseconds
def matmul_parameters(encoder: Encoder) -> int:
    """Parameters of the encoder that every token is multiplied with."""
    return sum(
        int(np.prod(leaf.shape))
        for path, leaf in jax.tree.leaves_with_path(encoder.shapes())
        if not _NOT_MULTIPLIED.search(re.sub(r"^embeddings/", "", path_name(path)))
    )


def forward_flops(encoder: Encoder, lengths: np.ndarray) -> float:
    """Model FLOPs of one forward pass over examples of `lengths` real tokens.

    2 N per token for N = `matmul_parameters`, and 4 L D per token and position it may attend to (scores and mixing;
    6 L D for XLNet, whose relative positions add scores; its kernel for them is counted once a token). Only real
    tokens count, each attending within its own example, so the figure is a property of the data and the encoder
    (after Kaplan et al. 2020, arXiv 2001.08361).
    """
    lengths = np.asarray(lengths, np.float64)
    per_pair = (6 if encoder.family == "xlnet" else 4) * encoder.config.layers * encoder.width
    return float(2 * matmul_parameters(encoder) * lengths.sum() + per_pair * np.square(lengths).sum())


def language_head_flops(encoder: Encoder, predicted: int) -> float:
    """Model FLOPs of scoring `predicted` tokens over the vocabulary, forward.

    BERT's transform counts D D a token; XLNet has none, but its query stream passes each predicted token through all
    layers once more.
    """
    width = encoder.width
    more = matmul_parameters(encoder) if encoder.family == "xlnet" else width * width
    return 2.0 * predicted * (width * encoder.config.vocabulary_size + more)
