"""Inputs of language-model stages: the examples of each step, the tokens to predict, and packed batches of both."""

import dataclasses
from collections.abc import Callable

import numpy as np

from itt_jax.batch import Batch
from itt_jax.config import LanguageModel
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.models import Head
from itt_jax.ragged import ragged_positions
from itt_jax.train import masking
from itt_jax.train.corpus import Encoded, step_examples
from itt_jax.train.counters import MASKS, generator
from itt_jax.train.feeds import Feed, row_plan
from itt_jax.train.flops import forward_flops, language_head_flops
from itt_jax.train.objectives import LanguageObjective, named

_SIMULATED = 30  # steps simulated to choose row shapes


def language_feed(
    head: Head, encoded: Encoded, tokenizer: Tokenizer, settings: LanguageModel, seed: int, steps: int, shards: int
) -> Callable[[int], Feed]:
    """A function from the number of a step to its input, which is determined by (seed, number).

    Args:
        steps: total number of steps of the stage. shards: devices that share the rows.
    """
    recipe, encoder = settings.recipe, head.encoder
    objective = named(recipe.objective).wrap(LanguageObjective(encoder, head, recipe.dropout))
    size = recipe.batch_size // recipe.accumulate
    simulated = [step_examples(encoded, tokenizer, settings, seed, n).lengths for n in range(_SIMULATED)]
    plan = row_plan(encoder, np.concatenate(simulated), size, recipe, shards, steps)
    longest = encoded.longest(tokenizer, settings)
    if plan.length < longest:  # it may come in a later step
        plan = row_plan(encoder, np.concatenate([*simulated, [longest]]), size, recipe, shards, steps)

    def feed(step: int) -> Feed:
        """The input of a step; its rows are built when they are needed."""
        examples = step_examples(encoded, tokenizer, settings, seed, step)
        examples.check_fits(encoder.config)
        random = generator(seed, MASKS, step)
        batches = masked_batches(examples, tokenizer, settings, head.kind.name, plan, random, shards)
        predicted = sum(int(batch.by_row["weights"].sum()) for batch in batches)
        flops = forward_flops(encoder, examples.lengths) + language_head_flops(encoder, predicted)

        # Masks are drawn for the whole step, so each process builds all rows and keeps its own.
        def build(rows: slice) -> list[Batch]:
            return [Batch({name: array[rows] for name, array in batch.by_row.items()}, {}) for batch in batches]

        return Feed(objective, batches[0].row_shape[0], build, len(examples.ids), flops)

    return feed


def masked_batches(
    examples: Examples,
    tokenizer: Tokenizer,
    settings: LanguageModel,
    language_model: str,
    plan: packing.RowPlan,
    random: np.random.Generator,
    shards: int = 1,
) -> list[Batch]:
    """The microbatches of a step, all with the same number of rows, a multiple of `shards`.

    Args:
        language_model: kind of head; a key of `masking.HIDE`.

    Returns:
        Batches without per-example arrays; per row the hidden input_ids, token_type_ids, segment_ids int32 [B, T];
        positions, targets int32 [B, P] and weights float32 [B, P] of the predictions; and the arrays that
        `masking.HIDE` adds.
    """
    recipe = settings.recipe
    starts = tokenizer.word_starts(examples.ids) if settings.whole_words else np.ones(len(examples.ids), bool)
    chosen = masking.choose(examples, masking.words(examples, starts), settings.masking, random)
    ids, by_token = masking.HIDE[language_model](examples.ids, chosen, tokenizer, random)
    seen = dataclasses.replace(examples, ids=ids)
    parts = np.array_split(np.arange(len(examples)), recipe.accumulate)
    needed = max(packing.rows_of_step(examples, part, plan) if recipe.packed else len(part) for part in parts)
    rows = slice(0, -(-needed // shards) * shards)
    batches, predicted = [], []
    for part in parts:
        if recipe.packed:
            packed = packing.pack_step(seen, part, plan, len(part), rows)
        else:
            packed = packing.pad_step(seen, part, recipe.max_length, len(part), rows)
        tokens = ragged_positions(examples.offsets[part], examples.lengths[part])
        places, here = masking.token_places(packed), chosen[tokens]
        predicted.append((examples.ids[tokens][here], places[here], packed.row_shape))
        own = {name: packed.by_row[name] for name in ("input_ids", "token_type_ids", "segment_ids")}
        own |= {name: masking.in_rows(values[tokens], places, packed.row_shape) for name, values in by_token.items()}
        batches.append(own)
    # All microbatches have the same number of slots, enough to predict every hidden token.
    needed = max(masking.most_predicted(places, shape) for _, places, shape in predicted)
    most = masking.slots(settings.masking, batches[0]["input_ids"].shape[1], needed)
    return [Batch(own | masking.predictions(*given, most), {}) for own, given in zip(batches, predicted, strict=True)]
