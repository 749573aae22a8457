"""Language-model stages learn and resume in every family; masks are as specified and depend only on the counters."""

import dataclasses
import math
import types

import jax
import numpy as np
import pytest

from itt_jax.config import LanguageModel, Recipe
from itt_jax.data import packing
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.models import make_encoder, make_head
from itt_jax.ragged import Ragged
from itt_jax.train import masking
from itt_jax.train.corpus import CorpusTexts, cut, encode, step_examples
from itt_jax.train.counters import MASKS, generator
from itt_jax.train.language import language_model
from itt_jax.train.language_feeds import language_feed, masked_batches
from itt_jax.train.objectives import LanguageObjective
from tests.train.toy import FAMILIES, QUICK_FAMILIES, same, step_of, toy_examples

SETTINGS = LanguageModel(
    recipe=Recipe(
        steps=40,
        batch_size=16,
        learning_rates=(5e-3,),
        max_length=32,
        warmup=0.0,
        checkpoint_every=15,
        dropout=False,  # compiles in half the time
    ),
    masking=0.2,
    translation_share=0.5,
    initial_embeddings="parallel",
)


@pytest.fixture(scope="module")
def corpus():
    """Parts of a fixed cycle of 12 English words, and the same in German."""
    english = "red cat sat under old tree near wide river with green hat".split()
    german = "rote katze lag unter altem baum am breiten fluss mit hut grün".split()
    random = np.random.default_rng(0)
    tuples = []
    for _ in range(200):
        run = (random.integers(12) + np.arange(random.integers(4, 9))) % 12
        tuples.append({"en": " ".join(english[i] for i in run), "de": " ".join(german[i] for i in run)})
    return CorpusTexts({language: [entry[language] for entry in tuples] for language in ("en", "de")}, tuples)


@pytest.fixture(scope="module", params=FAMILIES)
def made(request, corpus):
    texts = [text for texts in corpus.texts.values() for text in texts]
    tokenizer = train_tokenizer(texts, request.param, 300)
    encoder = make_encoder(
        request.param,
        layers=1,
        width=32,
        heads=2,
        feed_forward=64,
        vocabulary_size=tokenizer.vocabulary_size,
        pad_id=tokenizer.pad_id,
        max_positions=64,
    )
    return tokenizer, encoder, {"encoder": encoder.init(jax.random.key(0))}


@pytest.mark.slow
def test_every_family_learns_and_resumes(made, corpus, tmp_path):
    tokenizer, encoder, params = made
    start = LanguageModel(recipe=dataclasses.replace(SETTINGS.recipe, steps=10), masking=0.2, translation_share=0.5)
    fresh = language_model(encoder, corpus, tokenizer, params, start, seed=0)
    result = language_model(encoder, corpus, tokenizer, params, SETTINGS, 0, directory=tmp_path)
    assert not result.diverged and result.steps == 40
    assert result.losses[-1][1] < fresh.losses[-1][1]
    again = language_model(encoder, corpus, tokenizer, params, SETTINGS, 0, directory=tmp_path)  # from step 30
    assert same(again.params, result.params) and again.losses == result.losses
    further = language_model(encoder, corpus, tokenizer, result.params, start, seed=1)
    assert further.losses[-1][1] < result.losses[-1][1]


def batches(made, corpus, step=0, seed=0, **changes):
    tokenizer = made[0]
    settings = dataclasses.replace(SETTINGS, **changes)
    encoded = encode(corpus, tokenizer, settings.recipe.max_length, 1.0)
    examples = step_examples(encoded, tokenizer, settings, seed, step)
    plan = packing.RowPlan(32, tuple(range(1, 17)), 1.0)
    random = generator(seed, MASKS, step)
    return examples, masked_batches(examples, tokenizer, settings, made[1].language_model, plan, random)


@pytest.mark.parametrize("made", QUICK_FAMILIES, indirect=True)
def test_packed_loss_equals_padded(made, corpus):
    _, encoder, params = made
    head = make_head(encoder, encoder.language_model, encoder.config.vocabulary_size)
    loss = jax.jit(LanguageObjective(encoder, head, dropout=False))
    whole, found, rows = params | {"heads": (head.init(jax.random.key(1)),)}, [], []
    for packed in (True, False):
        _, parts = batches(made, corpus, recipe=dataclasses.replace(SETTINGS.recipe, packed=packed))
        rows.append(parts[0].row_shape[0])
        batch = jax.tree.map(lambda array: array[0], step_of(parts, rows=16))
        found.append(loss(whole, batch, jax.random.key(0)))
    assert rows[0] < rows[1] and found[0][1] == found[1][1] > 0
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=2e-5)


def test_targets_are_the_true_tokens_and_specials_are_never_predicted(made, corpus):
    tokenizer, encoder, _ = made
    examples, (batch,) = batches(made, corpus)
    plain = packing.pack_step(
        examples, np.arange(16), packing.RowPlan(batch.row_shape[1], (batch.row_shape[0],), 1.0), 16
    )
    plain, batch = plain.by_row, batch.by_row
    rows, places = np.nonzero(batch["weights"])
    positions = batch["positions"][rows, places]
    assert np.array_equal(batch["targets"][rows, places], plain["input_ids"][rows, positions])
    assert np.all(plain["field_ids"][rows, positions] > 0)
    words = np.sum(examples.fields > 0)
    assert abs(len(rows) / words - 0.2) < 0.05
    changed = batch["input_ids"] != plain["input_ids"]
    if encoder.family == "xlnet":
        assert not changed.any()
        assert np.all((batch["ranks"] >= 0).sum() == len(rows)) and np.all(batch["ranks"][rows, positions] >= 0)
    else:
        assert changed.sum() <= len(rows) and (batch["input_ids"] == tokenizer.mask_id).sum() > 0.5 * len(rows)
        assert set(zip(*np.nonzero(changed), strict=True)) <= set(zip(rows, positions, strict=True))


def predicted(batch):
    return batch.by_row["targets"][batch.by_row["weights"] > 0]


def test_masks_depend_only_on_seed_and_step(made, corpus):
    first, second = batches(made, corpus)[1], batches(made, corpus)[1]
    assert same(first, second)
    assert not np.array_equal(batches(made, corpus, step=1)[1][0].by_row["targets"], first[0].by_row["targets"])
    # two microbatches see the same masks
    halves = batches(made, corpus, recipe=dataclasses.replace(SETTINGS.recipe, accumulate=2))[1]
    count = sum(np.bincount(predicted(half), minlength=400) for half in halves)
    assert np.array_equal(count, np.bincount(predicted(first[0]), minlength=400))


def test_whole_words_are_predicted_whole(made, corpus):
    tokenizer = made[0]
    encoded = encode(corpus, tokenizer, 32, 1.0)
    examples = step_examples(encoded, tokenizer, SETTINGS, 0, 0)
    units = masking.words(examples, tokenizer.word_starts(examples.ids))
    chosen = masking.choose(examples, units, 0.3, np.random.default_rng(0))
    assert chosen.any()
    for unit in np.unique(units[chosen]):
        assert chosen[units == unit].all()


@pytest.mark.parametrize("packed", [True, False])
def test_every_chosen_token_is_predicted(packed):
    """Also where a row has more of them than its share, as long words bring about: here of eight tokens."""
    tokenizer = types.SimpleNamespace(
        mask_id=4, vocabulary_size=60, word_starts=lambda ids: np.arange(len(ids)) % 8 == 0
    )
    recipe = Recipe(batch_size=40, accumulate=2, max_length=32, packed=packed)
    settings = LanguageModel(recipe=recipe, masking=0.15, whole_words=True)
    examples, plan = toy_examples("bert", 40, longest=30), packing.RowPlan(32, tuple(range(1, 41)), 1.0)
    for step in range(5):
        found = masked_batches(examples, tokenizer, settings, "masked_lm", plan, generator(0, MASKS, step))
        units = masking.words(examples, tokenizer.word_starts(examples.ids))
        chosen = masking.choose(examples, units, 0.15, generator(0, MASKS, step))
        targets = np.concatenate([predicted(batch) for batch in found])
        assert np.array_equal(np.sort(targets), np.sort(examples.ids[chosen]))
        most = max(int(batch.by_row["weights"].sum(axis=1).max()) for batch in found)
        assert most > math.ceil(0.15 * 32) + 2
        assert {batch.by_row["weights"].shape[1] for batch in found} == {masking.slots(0.15, 32, most)}


@pytest.mark.parametrize(("needed", "slots"), [(0, 22), (22, 22), (23, 30), (30, 30), (31, 38), (126, 126), (128, 128)])
def test_there_are_few_numbers_of_slots(needed, slots):
    assert masking.slots(0.15, 128, needed) == slots


def test_the_share_is_met_on_average():
    examples = toy_examples("bert", 2000)
    chosen = masking.choose(examples, np.arange(len(examples.ids)), 0.15, np.random.default_rng(0))
    assert chosen.sum() / (examples.fields > 0).sum() == pytest.approx(0.15, abs=0.003)
    tokenizer = types.SimpleNamespace(mask_id=4, vocabulary_size=60)
    corrupted, _ = masking.HIDE["masked_lm"](examples.ids, chosen, tokenizer, np.random.default_rng(1))
    assert np.array_equal(corrupted[~chosen], examples.ids[~chosen])
    assert np.mean(corrupted[chosen] == 4) == pytest.approx(0.8, abs=0.03)
    assert np.mean(corrupted[chosen] == examples.ids[chosen]) == pytest.approx(0.1, abs=0.02)


def test_pairs_are_two_languages_of_one_tuple(made, corpus):
    tokenizer = made[0]
    recipe = dataclasses.replace(SETTINGS.recipe, max_length=64)  # nothing is truncated
    encoded = encode(corpus, tokenizer, recipe.max_length, 1.0)
    settings = dataclasses.replace(SETTINGS, translation_share=1.0, recipe=recipe)
    examples = step_examples(encoded, tokenizer, settings, 0, 0)
    known = {(tuple(encoded.members[i]), tuple(encoded.members[i + 1])) for i in range(0, 400, 2)}
    for i in range(16):
        part = slice(examples.offsets[i], examples.offsets[i + 1])
        one, two = (tuple(examples.ids[part][examples.fields[part] == field]) for field in (1, 2))
        assert (one, two) in known or (two, one) in known


def test_long_texts_are_cut_and_empty_ones_dropped():
    tokens = Ragged(np.arange(12, dtype=np.int32), np.array([0, 5, 5, 12]))
    assert [cut(tokens, 3)[i].tolist() for i in range(5)] == [[0, 1, 2], [3, 4], [5, 6, 7], [8, 9, 10], [11]]


def test_temperature_repeats_small_languages(corpus):
    tokenizer = train_tokenizer(corpus.texts["en"], "bert", 300)
    uneven = CorpusTexts({"en": corpus.texts["en"] * 2, "de": corpus.texts["de"][:100]}, [])
    assert len(encode(uneven, tokenizer, 32, 1.0).order) == 500
    order = encode(uneven, tokenizer, 32, 2.0).order
    assert np.sum(order < 400) == 400 and np.sum(order >= 400) == 200  # 2 to 1 instead of 4 to 1


@pytest.mark.parametrize(
    ("texts", "tuples", "message"),
    [
        ({}, [], "no parallel tuples"),
        ({}, [{"en": "a", "de": "b"}], "no text"),
        ({"en": ["a"]}, [{"en": "a"}], "fewer than two languages"),
    ],
)
def test_what_a_corpus_lacks_is_one_line(corpus, texts, tuples, message):
    tokenizer = train_tokenizer(corpus.texts["en"], "bert", 300)
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=tokenizer.vocabulary_size)
    with pytest.raises(InputError, match=message):
        language_model(encoder, CorpusTexts(texts, tuples), tokenizer, {"encoder": {}}, SETTINGS, 0)


def test_rows_have_room_for_the_longest_example_of_a_later_step():
    """The longest text and pair are in none of the steps that are simulated to plan rows."""
    texts = ["red cat"] * 400 + ["red cat sat under old tree near wide river with green hat " * 3]
    tuples = [{"en": "red cat", "de": "rote katze"}] * 400 + [{"en": texts[-1], "de": texts[-1], "fr": "red"}]
    tokenizer = train_tokenizer(texts[-2:], "bert", 300)
    encoder = make_encoder(
        "bert", layers=1, width=32, heads=2, feed_forward=64, vocabulary_size=tokenizer.vocabulary_size,
        pad_id=tokenizer.pad_id, max_positions=128,
    )  # fmt: skip
    head = make_head(encoder, encoder.language_model, tokenizer.vocabulary_size)
    recipe = Recipe(steps=200, batch_size=4, max_length=128)
    for share, most in ((0.0, 36 + 2), (1.0, 72 + 3)):
        settings = LanguageModel(recipe=recipe, masking=0.2, translation_share=share)
        encoded = encode(CorpusTexts({"en": texts}, tuples), tokenizer, 128, 1.0)
        assert encoded.longest(tokenizer, settings) == most
        last = next(n for n in range(999) if step_examples(encoded, tokenizer, settings, 1, n).lengths.max() == most)
        assert last >= 30
        (batch,) = language_feed(head, encoded, tokenizer, settings, 1, 200, 1)(last).build(slice(0, 4))
        assert batch.row_shape[1] >= most
