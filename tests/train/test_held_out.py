"""The held-out loss of a language model, beside guessing by frequency."""

import dataclasses
import math

import jax
import numpy as np
import pytest

from itt_jax.config import LanguageModel, Recipe
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.models import make_encoder, make_head
from itt_jax.train.corpus import CorpusTexts
from itt_jax.train.held_out import held_out_loss

TEXTS = ["the cat sat on the mat", "the dog sat on the log", "a bird sang in the tree", "the sun shone on the sea"] * 6
SETTINGS = LanguageModel(recipe=Recipe(steps=1, batch_size=8, learning_rates=(1e-3,), max_length=32), masking=0.3)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "xlnet"])
def test_the_loss_is_that_of_a_uniform_guess_where_all_logits_are_equal(family):
    tokenizer = train_tokenizer(TEXTS, family, 60)
    sizes = {"layers": 1, "width": 8, "heads": 2, "feed_forward": 16, "pad_id": tokenizer.pad_id}
    encoder = make_encoder(family, vocabulary_size=tokenizer.vocabulary_size, **sizes)
    head = make_head(encoder, encoder.language_model, tokenizer.vocabulary_size)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    flat = jax.tree.map(np.zeros_like, params)
    corpus, settings = CorpusTexts({"en": TEXTS}, []), dataclasses.replace(SETTINGS, whole_words=False)
    found = held_out_loss(encoder, flat, corpus, corpus, tokenizer, settings)
    assert found.loss == pytest.approx(math.log(tokenizer.vocabulary_size), rel=1e-5)
    assert found.pieces == len(TEXTS) and 0 < found.chance < found.loss and 0 < found.error < 1
    alone = held_out_loss(encoder, flat, corpus, CorpusTexts({"en": TEXTS[:1]}, []), tokenizer, settings)
    assert alone.pieces == 1 and math.isnan(alone.error)
