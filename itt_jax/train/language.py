"""Language-model stages: masked (whole words too), translation, and permuted; all packed."""

import dataclasses
import hashlib
import math
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from itt_jax.batch import Batch
from itt_jax.config import LanguageModel, content_id
from itt_jax.data import packing
from itt_jax.data.examples import Examples
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head, make_head
from itt_jax.ragged import ragged_positions
from itt_jax.train import masking, objectives
from itt_jax.train.alignment import blend, parallel_embeddings
from itt_jax.train.checkpoint import Resume
from itt_jax.train.corpus import CorpusTexts, Encoded, encode, step_examples
from itt_jax.train.counters import MASKS, generator
from itt_jax.train.feeds import Feed, row_plan
from itt_jax.train.flops import forward_flops, language_head_flops
from itt_jax.train.jobs import check_accumulation, total_steps
from itt_jax.train.loop import Progress, Run, Stack
from itt_jax.train.objectives import LanguageObjective
from itt_jax.train.optimizer import path_name
from itt_jax.train.result import StageResult
from itt_jax.train.sharding import data_shards, stack_mesh
from itt_jax.train.state import Params

_SIMULATED = 30  # steps drawn to choose row shapes


def language_model(
    encoder: Encoder,
    corpus: CorpusTexts,
    tokenizer: Tokenizer,
    params: Params,
    settings: LanguageModel,
    seed: int,
    directory: str | pathlib.Path | None = None,
    progress: Progress | None = None,
) -> StageResult:
    """Train an encoder on text: masked LM (BERT, RoBERTa) or permuted LM (XLNet), translation LM on pairs.

    Of each step `settings.translation_share` of the examples are two members of a tuple as a pair of fields (Conneau
    and Lample 2019); the others are single texts, long ones in pieces. XLNet predicts `settings.masking` of the tokens
    (its paper: 1/6), the last of a random factorisation order, singly and not in spans.

    Args:
        params: {"encoder": ...}, and "head" to go on with a trained LM head. Not changed.
        seed: fixes the head, order, pairs, masks and dropout. directory, progress: as `fine_tune`.

    Returns:
        params {"encoder", "head"}, the head being the LM head; the rest as `fine_tune`, without a dev history.

    Raises:
        InputError: no text (or tuples) for a share of examples that is not 0, or a directory of another stage.
    """
    # --- Input
    recipe, mesh = settings.recipe, stack_mesh()
    encoded = encode(corpus, tokenizer, recipe.max_length, recipe.temperature)
    _check(encoded, settings)
    steps = total_steps(recipe, len(encoded.order) + len(encoded.tuple_offsets) - 1)

    # --- Parameters
    head_key, step_key = jax.random.split(jax.random.key(seed))
    kind = encoder.language_model
    head = make_head(encoder, kind, encoder.config.vocabulary_size)
    head_params = params["head"] if "head" in params else head.init(head_key)
    encoder_params = params["encoder"]
    if settings.initial_embeddings == "parallel":
        encoder_params = with_parallel_embeddings(encoder, encoder_params, encoded, tokenizer, seed)

    # --- Loop
    run = Run(
        {"encoder": encoder_params, "heads": (head_params,)},
        _feeder(head, encoded, tokenizer, settings, seed, steps, data_shards(mesh)),
        step_key,
        recipe.learning_rates[0],
        steps,
        _resume(directory, encoder, encoded, tokenizer, settings, seed),
    )
    outcome = Stack(encoder.family, [run], recipe, progress=progress, mesh=mesh).train()[0]
    own = {"encoder": outcome.params["encoder"], "head": outcome.params["heads"][0]}
    return StageResult.create(own, {kind: own["head"]}, outcome)


# --- Examples to batches


def _feeder(
    head: Head, encoded: Encoded, tokenizer: Tokenizer, settings: LanguageModel, seed: int, steps: int, shards: int
) -> Callable[[int], Feed]:
    """The input of step n: a function of (seed, n)."""
    recipe, encoder = settings.recipe, head.encoder
    objective = objectives.named(recipe.objective).wrap(LanguageObjective(encoder, head, recipe.dropout))
    size = recipe.batch_size // recipe.accumulate
    simulated = [step_examples(encoded, tokenizer, settings, seed, n).lengths for n in range(_SIMULATED)]
    plan = row_plan(encoder, np.concatenate(simulated), size, recipe, shards, steps)

    def feed(step: int) -> Feed:
        examples = step_examples(encoded, tokenizer, settings, seed, step)
        examples.check_fits(encoder.config)
        permuted = head.kind.name == "permuted_lm"
        masks = generator(seed, MASKS, step)
        batches = masked_batches(examples, tokenizer, settings, plan, masks, shards, permuted=permuted)
        predicted = sum(int(batch.by_row["weights"].sum()) for batch in batches)
        flops = forward_flops(encoder, examples.lengths) + language_head_flops(encoder, predicted)

        # Masks are drawn for the step as a whole: a process builds all of its rows, and keeps its own.
        def build(rows: slice) -> list[Batch]:
            return [Batch({name: array[rows] for name, array in batch.by_row.items()}, {}) for batch in batches]

        return Feed(objective, batches[0].row_shape[0], build, len(examples.ids), flops)

    return feed


def masked_batches(
    examples: Examples,
    tokenizer: Tokenizer,
    settings: LanguageModel,
    plan: packing.RowPlan,
    random: np.random.Generator,
    shards: int = 1,
    *,
    permuted: bool,
) -> list[Batch]:
    """The microbatches of a step, of one row count, a multiple of `shards`: input_ids (corrupted), token_type_ids,
    segment_ids, ranks (XLNet) int32 [B, T]; positions, targets int32 and weights float32 [B, P]."""
    starts = tokenizer.word_starts(examples.ids) if settings.whole_words else np.ones(len(examples.ids), bool)
    chosen = masking.choose(examples, masking.words(examples, starts), settings.masking, random)
    if permuted:
        ranks, seen = masking.factorisation(chosen, random), examples
    else:
        corrupted = masking.corrupt(examples.ids, chosen, tokenizer.mask_id, tokenizer.vocabulary_size, random)
        seen = dataclasses.replace(examples, ids=corrupted)
    batches, parts = [], np.array_split(np.arange(len(examples)), settings.recipe.accumulate)
    if settings.recipe.packed:
        rows = max(packing.rows_of_step(examples, part, plan) for part in parts)
    else:
        rows = max(map(len, parts))
    rows = -(-rows // shards) * shards
    for part in parts:
        size = len(part)
        if settings.recipe.packed:
            packed = packing.pack_step(seen, part, plan, size, slice(0, rows))
        else:
            packed = packing.pad_step(seen, part, settings.recipe.max_length, size, slice(0, rows))
        length = packed.row_shape[1]
        tokens = ragged_positions(examples.offsets[part], examples.lengths[part])
        places = masking.token_places(packed)
        predicted = chosen[tokens]
        most = math.ceil(settings.masking * length) + 2
        own = {name: packed.by_row[name] for name in ("input_ids", "token_type_ids", "segment_ids")}
        own |= masking.predictions(examples.ids[tokens][predicted], places[predicted], rows, length, most)
        if permuted:
            own["ranks"] = np.full((rows, length), masking.KEPT_AS_CONTEXT, np.int32)
            own["ranks"].ravel()[places] = ranks[tokens]
        batches.append(Batch(own, {}))
    return batches


# --- Parameters


def with_parallel_embeddings(
    encoder: Encoder, params: Params, encoded: Encoded, tokenizer: Tokenizer, seed: int
) -> Params:
    """Encoder parameters whose word embeddings come from co-occurrence in the tuples; special tokens keep theirs."""
    table = np.asarray(encoder.word_embeddings(params))
    tuple_of = np.repeat(np.arange(len(encoded.tuple_offsets) - 1), np.diff(encoded.tuple_offsets))
    aligned = parallel_embeddings(encoded.members, tuple_of, *table.shape, seed, encoder.config.initializer_range)
    special = {getattr(tokenizer, f"{name}_id") for name in ("pad", "cls", "sep", "mask", "unk")}
    table = blend(table, aligned, sorted(special))
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: table if path_name(path).endswith("word/embedding") else leaf, params
    )


def _check(encoded: Encoded, settings: LanguageModel) -> None:
    pairs = round(settings.translation_share * settings.recipe.batch_size)
    if pairs and len(encoded.tuple_offsets) < 2:
        raise InputError(f"translation_share {settings.translation_share}: the corpus has no parallel tuples")
    if pairs and np.diff(encoded.tuple_offsets).min() < 2:
        raise InputError("a parallel tuple holds fewer than two languages")
    if pairs < settings.recipe.batch_size and not len(encoded.order):
        raise InputError("the corpus has no text for a language-model stage")
    if settings.initial_embeddings == "parallel" and len(encoded.tuple_offsets) < 2:
        raise InputError("initial_embeddings 'parallel': the corpus has no parallel tuples")
    check_accumulation(settings.recipe)


def _resume(
    directory: str | pathlib.Path | None,
    encoder: Encoder,
    encoded: Encoded,
    tokenizer: Tokenizer,
    settings: LanguageModel,
    seed: int,
) -> Resume | None:
    if directory is None:
        return None
    found = hashlib.sha256(tokenizer.fingerprint.encode())
    for array in (encoded.pieces.values, encoded.order, encoded.members.values, encoded.tuple_offsets):
        found.update(np.ascontiguousarray(array))
    return Resume(pathlib.Path(directory), content_id([repr(encoder), found.hexdigest(), settings, seed]))
