"""Similarity of texts under a given encoder: the cosine of their vectors."""

import functools
import pathlib
from collections.abc import Sequence

import jax
import numpy as np

from itt_jax import files
from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import checkpoint_folder, from_pretrained
from itt_jax.models.embedder import read_sentence_model
from itt_jax.models.sentence_modules import read_params
from itt_jax.train.checkpoint import is_ours, load_checkpoint
from itt_jax.train.vectors import sentence_vectors, xtreme_embedder

LENGTH = 128
"""Maximum tokens of a text, unless the checkpoint states it."""


class SentenceEncoder:
    """An encoder that gives vectors as the files of sentence-transformers say, otherwise as in XTREME.

    Args:
        folder: a checkpoint directory, ours or Hugging Face's.

    Raises:
        InputError: no such checkpoint.
    """

    def __init__(self, folder: pathlib.Path):
        if not folder.is_dir():
            raise InputError(f"similarity: {folder}: no such directory; expected a checkpoint of an encoder")
        folder = checkpoint_folder(folder)
        if is_ours(folder):
            saved = load_checkpoint(folder)
            if saved.tokenizer is None:
                raise InputError(f"similarity: {folder}: holds no tokenizer")
            self.tokenizer, self.encoder = saved.tokenizer, saved.encoder
            self.params = jax.device_put(saved.params["encoder"])
        else:
            self.tokenizer = load_tokenizer(folder)
            self.encoder, self.params = from_pretrained(folder)
        sentence = read_sentence_model(folder)
        embedder = sentence.embedder if sentence else xtreme_embedder(self.encoder)
        self.embedder, self.layer = embedder, embedder.layer_of(self.encoder.config.layers)
        self.modules = read_params(folder, self.embedder.modules, self.encoder.width)
        length = (sentence.max_length if sentence else None) or LENGTH
        self.length = min(length, self.encoder.max_positions or length)

    def vectors(self, texts: Sequence[str], language: str) -> np.ndarray:
        """Vectors of length one, float32 [n, D]."""
        encoded = self.tokenizer.encode([self.embedder.prefix + text for text in texts], language)
        examples, own = assemble(self.tokenizer, [encoded], self.length), self.embedder
        found = sentence_vectors(
            self.encoder, self.params, examples, self.layer, own.pooling, own.modules, self.modules
        )
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    def cosines(self, clean: str, texts: Sequence[str], language: str) -> np.ndarray:
        """Cosines of texts with the clean one: float32 [n]."""
        distinct = list(dict.fromkeys([clean, *texts]))
        vectors = dict(zip(distinct, self.vectors(distinct, language), strict=True))
        return np.array([vectors[text] @ vectors[clean] for text in texts], np.float32)


def sentence_encoder(folder: str) -> SentenceEncoder:
    """The encoder in a directory, read again only if its files change."""
    return _read(folder, tuple(files.stamps(folder)))


@functools.lru_cache(maxsize=2)
def _read(folder: str, stamps: tuple[tuple[str, int, int], ...]) -> SentenceEncoder:
    """The encoder in a directory; the stamps of its files are part of the cache key."""
    return SentenceEncoder(pathlib.Path(folder))
