"""What a stage computed, independent of how its rows were packed."""

import re

import jax
import numpy as np

from itt_jax.models import Encoder
from itt_jax.train.optimizer import EMBEDDINGS, path_name


def matmul_parameters(encoder: Encoder) -> int:
    """Parameters of the encoder that every token is multiplied with: kernels, not tables, biases or norms."""
    return sum(
        int(np.prod(leaf.shape))
        for path, leaf in jax.tree.leaves_with_path(encoder.shapes())
        if re.search(r"kernel", path_name(path)) and not EMBEDDINGS.search("encoder/" + path_name(path))
    )


def forward_flops(encoder: Encoder, lengths: np.ndarray) -> float:
    """Model FLOPs of one forward pass over examples of `lengths` real tokens.

    2 N per token for N = `matmul_parameters`, and 4 L D per token and position it may attend to (scores and mixing;
    6 L D for XLNet, whose relative positions add scores). Only real tokens count, each attending within its own
    example, so the figure is a property of the data and the encoder (after Kaplan et al. 2020, arXiv 2001.08361).
    """
    lengths = np.asarray(lengths, np.float64)
    per_pair = (6 if encoder.family == "xlnet" else 4) * layers(encoder) * encoder.width
    return float(2 * matmul_parameters(encoder) * lengths.sum() + per_pair * np.square(lengths).sum())


def layers(encoder: Encoder) -> int:
    """The number of layers, whatever the family's configuration calls it."""
    return encoder.config.layers
