"""The loss of a language model on held-out text, compared with guessing tokens by their frequency."""

import dataclasses

import jax
import numpy as np

from itt_jax.config import LanguageModel
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.models import Encoder, make_head
from itt_jax.train.corpus import CorpusTexts, encode
from itt_jax.train.language_feeds import language_feed
from itt_jax.train.objectives import LanguageObjective
from itt_jax.train.state import Params

BATCHES = 8, 32
"""Minimum and maximum number of batches, over which the standard error is computed."""


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Mean losses per predicted token, in nats.

    Attributes:
        loss: the model's. chance: that of the token frequencies of the training text, each count raised by one.
        error: standard error of their difference, over batches; NaN for fewer than two. pieces: number of texts read.
    """

    loss: float
    chance: float
    error: float
    pieces: int


def held_out_loss(
    encoder: Encoder,
    params: Params,
    training: CorpusTexts,
    text: CorpusTexts,
    tokenizer: Tokenizer,
    settings: LanguageModel,
) -> HeldOut:
    """The loss of `params` ({"encoder", "head"}, without a leading axis) on texts; tokens are hidden as in training.

    Raises:
        InputError: there is no text.
    """
    length = settings.recipe.max_length
    counts = 1 + np.bincount(
        encode(training, tokenizer, length, 1.0).pieces.values, minlength=tokenizer.vocabulary_size
    )
    surprise = np.log(counts.sum()) - np.log(counts)
    encoded = encode(text, tokenizer, length, 1.0)
    pieces = len(encoded.order)
    size = max(1, min(settings.recipe.batch_size, pieces // BATCHES[0]))
    recipe = dataclasses.replace(
        settings.recipe, batch_size=size, accumulate=1, dropout=False, temperature=1.0, objective="plain"
    )
    settings = dataclasses.replace(settings, recipe=recipe, translation_share=0.0)
    head = make_head(encoder, encoder.language_model, encoder.config.vocabulary_size)
    steps = max(1, min(BATCHES[1], pieces // size))
    feed = language_feed(head, encoded, tokenizer, settings, 0, steps, shards=1)
    feeds = [feed(step) for step in range(steps)]
    rows, loss = slice(0, max(own.rows for own in feeds)), jax.jit(LanguageObjective(encoder, head, dropout=False))
    own, losses = jax.device_put({"encoder": params["encoder"], "heads": (params["head"],)}), []
    for given in feeds:
        (batch,) = given.build(rows)
        weights = batch.by_row["weights"]
        guessed = float((weights * surprise[batch.by_row["targets"]]).sum())
        losses.append((float(loss(own, batch, jax.random.key(0))[0]), guessed, float(weights.sum())))
    model, guess, weight = np.array(losses).T
    left = model - guess - weight * (model - guess).sum() / weight.sum()
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(np.square(left).sum() * np.divide(steps, steps - 1)) / weight.sum()
    return HeldOut(model.sum() / weight.sum(), guess.sum() / weight.sum(), float(error), pieces)
