"""Encoders and heads: tokens in, hidden states and logits out, on plain dict parameters."""

from itt_jax.models.checkpoint_files import checkpoint_folder, checkpoint_name, local_folder
from itt_jax.models.checkpoints import export, from_pretrained, load_model, pretrained_encoder
from itt_jax.models.encoder import Encoder, make_encoder
from itt_jax.models.heads import Head, apply_model, embed, make_head

__all__ = [
    "Encoder",
    "Head",
    "apply_model",
    "checkpoint_folder",
    "checkpoint_name",
    "embed",
    "export",
    "from_pretrained",
    "load_model",
    "local_folder",
    "make_encoder",
    "make_head",
    "pretrained_encoder",
]
