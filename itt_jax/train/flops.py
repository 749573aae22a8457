"""Model FLOPs of a stage, which do not depend on how its rows were packed.

Formulas per family are properties of its Config (after Kaplan et al. 2020, arXiv 2001.08361).
"""

import numpy as np

from itt_jax.models import Encoder

PASSES = 3
"""Cost of a step in forward passes; the backward pass costs two."""


def forward_flops(encoder: Encoder, lengths: np.ndarray) -> float:
    """Model FLOPs of one forward pass over examples of `lengths` real tokens.

    2 N per token for N = `matmul_parameters`, plus `attention_flops` (by default `pair_flops` per pair of tokens). Only
    real tokens count, each attending within its own example, so the figure is a property of the data and the encoder.
    What a head does not read, and the last layer leaves out (`EncoderInputs.places`), counts too.
    """
    lengths = np.asarray(lengths, np.float64)
    config = encoder.config
    return float(2 * config.matmul_parameters * lengths.sum() + config.attention_flops(lengths))


def language_head_flops(encoder: Encoder, predicted: int) -> float:
    """Model FLOPs of scoring `predicted` tokens over the vocabulary, forward."""
    return 2.0 * predicted * encoder.config.language_head_parameters
