"""Language-model stages: masked or permuted, on single texts and on pairs of translations."""

import hashlib
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from itt_jax.config import LanguageModel, content_id
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.models import Encoder, make_head
from itt_jax.train import described
from itt_jax.train.alignment import blend, parallel_embeddings
from itt_jax.train.corpus import CorpusTexts, Encoded, encode
from itt_jax.train.described import Typical
from itt_jax.train.flops import PASSES
from itt_jax.train.jobs import check_accumulation, total_steps
from itt_jax.train.language_feeds import language_feed
from itt_jax.train.loop import Progress, Run, Stack
from itt_jax.train.optimizer import path_name
from itt_jax.train.result import StageResult
from itt_jax.train.resume import Resume
from itt_jax.train.sharding import data_shards, stack_mesh
from itt_jax.train.state import Params


def language_model(
    encoder: Encoder,
    corpus: CorpusTexts,
    tokenizer: Tokenizer,
    params: Params,
    settings: LanguageModel,
    seed: int,
    directory: str | pathlib.Path | None = None,
    progress: Progress | None = None,
    is_lost: Callable[[], bool] = lambda: False,
) -> StageResult:
    """Train an encoder on text with its family's language model: masked (BERT, RoBERTa) or permuted (XLNet).

    In each step, `settings.translation_share` of the examples are pairs: two texts of one parallel tuple (Conneau and
    Lample 2019). The others are single texts, long ones in pieces. A permuted LM predicts `settings.masking` of the
    tokens (1/6 in XLNet's paper), the last ones of a random factorisation order, as single tokens rather than spans.

    Args:
        params: {"encoder": ...}, with "head" to continue with a trained language-model head. Not changed.
        seed: determines a new head, order, pairs, masks and dropout.
        directory, progress: as in `fine_tune`. is_lost: as in `Job`.

    Returns:
        As `fine_tune`, without a dev history; params are {"encoder", "head"} with the language-model head.

    Raises:
        InputError: the corpus lacks text or tuples that the settings need, or the directory belongs to another stage.
    """
    # --- Input
    recipe, mesh = settings.recipe, stack_mesh()
    encoded = encode(corpus, tokenizer, recipe.max_length, recipe.temperature)
    _check(encoded, settings)
    steps = _steps(encoded, settings)

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
        language_feed(head, encoded, tokenizer, settings, seed, steps, data_shards(mesh)),
        step_key,
        recipe.learning_rates[0],
        steps,
        _resume(directory, encoder, encoded, tokenizer, settings, seed, is_lost),
    )
    outcome = Stack(encoder, [run], recipe, progress=progress, mesh=mesh).train()[0]
    own = {"encoder": outcome.params["encoder"], "head": outcome.params["heads"][0]}
    return StageResult.create(own, {kind: own["head"]}, outcome)


def language_steps(
    encoder: Encoder,
    corpus: CorpusTexts,
    tokenizer: Tokenizer,
    settings: LanguageModel,
    seed: int,
    halvings: int = 0,
) -> tuple[list[Typical], int]:
    """The programs of `language_model` with these arguments, and its number of steps; trains nothing.

    Args:
        halvings: how often microbatches are halved.
    """
    recipe, mesh = settings.recipe, stack_mesh()
    encoded = encode(corpus, tokenizer, recipe.max_length, recipe.temperature)
    head = make_head(encoder, encoder.language_model, encoder.config.vocabulary_size)
    total = _steps(encoded, settings)
    feed = language_feed(head, encoded, tokenizer, settings, seed, total, data_shards(mesh))
    params = {"encoder": encoder.shapes(), "heads": (head.shapes(),)}
    return described.steps(encoder, [feed], params, recipe, total, mesh, halvings), total


def language_flops(
    encoder: Encoder, corpus: CorpusTexts, tokenizer: Tokenizer, settings: LanguageModel, seed: int
) -> float:
    """Model FLOPs of `language_model` with these arguments, forward and backward, known before any training."""
    encoded = encode(corpus, tokenizer, settings.recipe.max_length, settings.recipe.temperature)
    head = make_head(encoder, encoder.language_model, encoder.config.vocabulary_size)
    steps = _steps(encoded, settings)
    feed = language_feed(head, encoded, tokenizer, settings, seed, steps, shards=1)
    return PASSES * sum(feed(number).flops for number in range(steps))


def _steps(encoded: Encoded, settings: LanguageModel) -> int:
    return total_steps(settings.recipe, len(encoded.order) + len(encoded.tuple_offsets) - 1)


# --- Parameters


def with_parallel_embeddings(
    encoder: Encoder, params: Params, encoded: Encoded, tokenizer: Tokenizer, seed: int
) -> Params:
    """Encoder parameters with word embeddings from co-occurrence in the tuples; special tokens keep theirs."""
    table = np.asarray(encoder.word_embeddings(params))
    tuple_of = np.repeat(np.arange(len(encoded.tuple_offsets) - 1), np.diff(encoded.tuple_offsets))
    rows, width = table.shape
    aligned = parallel_embeddings(encoded.members, tuple_of, rows, width, seed, encoder.config.initializer_range)
    special = {getattr(tokenizer, f"{name}_id") for name in ("pad", "cls", "sep", "mask", "unk")} - {None}
    table = blend(table, aligned, sorted(special))
    return jax.tree_util.tree_map_with_path(
        lambda path, leaf: table if path_name(path).endswith("word/embedding") else leaf, params
    )


def _check(encoded: Encoded, settings: LanguageModel) -> None:
    pairs = round(settings.translation_share * settings.recipe.batch_size)
    if pairs and len(encoded.tuple_offsets) < 2:
        raise InputError(f"translation_share {settings.translation_share}: the corpus has no parallel tuples")
    if pairs and np.diff(encoded.tuple_offsets).min() < 2:
        raise InputError("a parallel tuple has fewer than two languages")
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
    is_lost: Callable[[], bool],
) -> Resume | None:
    if directory is None:
        return None
    found = hashlib.sha256(tokenizer.fingerprint.encode())
    for array in (encoded.pieces.values, encoded.order, encoded.members.values, encoded.tuple_offsets):
        found.update(np.ascontiguousarray(array).data)
    return Resume(
        pathlib.Path(directory), content_id([repr(encoder.plain), found.hexdigest(), settings, seed]), is_lost
    )
