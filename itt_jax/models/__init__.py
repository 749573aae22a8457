"""Encoders and heads: tokens in, hidden states and logits out, on plain dict parameters."""

from itt_jax.models.encoder import Encoder, make_encoder

__all__ = ["Encoder", "make_encoder"]
