"""Tagged texts: one token for each word, no word lost, ids of the whole text, labels in place in packed batches."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax import tasks
from itt_jax.data import embedded, packing
from itt_jax.data.tagging import tagging_examples, word_starts
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.ragged import Ragged

WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"], exclude_characters=" \0"), min_size=1, max_size=8),
    min_size=1,
    max_size=30,
)


@pytest.fixture(scope="module")
def tokenizers():
    texts = [entry[code] for entry in embedded.parallel(400) for code in embedded.LANGUAGES]
    return {family: train_tokenizer(texts, family, 600) for family in ("bert", "roberta", "xlnet")}


def starts_of(texts):
    return Ragged.of(map(word_starts, texts), np.int64)


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(WORDS, min_size=1, max_size=6), max_length=st.integers(4, 40))
def test_no_label_is_lost_and_no_two_words_share_a_token(tokenizers, family, rows, max_length):
    tokenizer, texts = tokenizers[family], [" ".join(words) for words in rows]
    classes = iter(range(10_000))
    labels = Ragged.of([[next(classes) for _ in words] for words in rows], np.int32)
    examples, parts = tagging_examples(tokenizer, texts, starts_of(texts), max_length, "en", labels)
    assert examples.lengths.max() <= max_length and parts[-1] == len(examples)
    # a word that ends in other white space shares a chunk, and perhaps a token, with the next
    plain = all(word == word.strip() for words in rows for word in words)
    if plain:
        assert len(set(examples.anchors.tolist())) == len(labels.values)
        assert examples.labels[examples.anchors].tolist() == labels.values.tolist()
        assert (examples.labels >= 0).sum() == len(labels.values)
    for i in range(len(texts)):
        own = examples.anchors[labels.offsets[i] : labels.offsets[i + 1]]
        assert (examples.offsets[parts[i]] <= own).all() and (own < examples.offsets[parts[i + 1]]).all()
        assert not plain or (np.diff(own) > 0).all()
    assert (examples.fields[examples.anchors] == 1).all()


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_ids_equal_those_of_the_whole_text_and_words_begin_where_their_tokens_do(tokenizers, family):
    tokenizer = tokenizers[family]
    texts = ["Der Film ist unfassbar gut .", "Это не очень справедливо", "a", "l'hôtel – 12 %"]
    examples, parts = tagging_examples(tokenizer, texts, starts_of(texts), 64)
    assert parts.tolist() == [0, 1, 2, 3, 4]
    whole = tokenizer.encode_whole(texts)
    for i, text in enumerate(texts):
        own = slice(examples.offsets[i], examples.offsets[i + 1])
        assert examples.ids[own][examples.fields[own] == 1].tolist() == whole[i].tolist()
        before = [tokenizer.encode_whole([text[:start].rstrip()]).lengths[0] for start in word_starts(text)]
        first = np.flatnonzero(examples.fields[own] == 1)[0] + examples.offsets[i]
        anchors = examples.anchors[starts_of(texts).offsets[i] : starts_of(texts).offsets[i + 1]]
        assert (anchors - first).tolist() == before


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_long_texts_are_cut_between_words(tokenizers, family):
    tokenizer = tokenizers[family]
    text = " ".join(["unfassbar", "gut"] * 40)
    examples, parts = tagging_examples(tokenizer, ["kurz", text, "kurz"], starts_of(["kurz", text, "kurz"]), 24)
    assert parts.tolist()[:2] == [0, 1] and parts[2] > 5 and parts[3] == parts[2] + 1
    ids = examples.ids[examples.fields == 1]
    assert ids.tolist() == np.concatenate([tokenizer.encode_whole([t]).values for t in ("kurz", text, "kurz")]).tolist()
    first = np.append(examples.anchors, 0)[1:81]
    inside = first - examples.offsets[np.searchsorted(examples.offsets, first, side="right") - 1]
    assert (inside == (0 if family == "xlnet" else 1)).sum() >= parts[2] - parts[1]  # parts begin with a word


def test_words_joined_by_a_perturbation_have_tokens_of_their_own(tokenizers):
    for tokenizer in tokenizers.values():
        starts = Ragged.of([[0, 4], [4, 0], []], np.int64)
        examples, _ = tagging_examples(tokenizer, ["Film gut".replace(" ", ""), "Filmgut", ""], starts, 32)
        first, second, other, one = examples.anchors
        before = tokenizer.encode_whole(["Film"]).lengths[0]
        length = tokenizer.encode_whole(["Filmgut"]).lengths[0]
        assert second - first == min(before, length - 1) and other - one == second - first


def test_a_word_without_tokens_gets_the_unknown_token(tokenizers):
    tokenizer = tokenizers["bert"]
    text = "gut \u200b gut"
    examples, _ = tagging_examples(tokenizer, [text], starts_of([text]), 16)
    assert tokenizer.encode_whole(["\u200b"]).lengths[0] == 0
    assert examples.ids[examples.anchors[1]] == tokenizer.unk_id and len(set(examples.anchors.tolist())) == 3


def test_packed_and_padded_batches_hold_each_label_at_its_token(tokenizers):
    rows = tasks.load_rows(tasks.get("embedded_entities_general"), "train", "ru").select(np.arange(40))
    (texts,) = rows.fields.values()
    examples, _ = tagging_examples(tokenizers["xlnet"], texts, starts_of(texts), 20, "ru", rows.labels)
    indices = np.arange(len(examples))
    plan = packing.plan_rows(examples.lengths, len(indices), 20)
    for batch in (
        packing.pack_step(examples, indices, plan, len(indices)),
        packing.pad_step(examples, indices, 20, len(indices)),
    ):
        batch = batch.by_row
        for e in indices:
            at = batch["example_ids"] == e
            own = slice(examples.offsets[e], examples.offsets[e + 1])
            assert batch["labels"][at].tolist() == examples.labels[own].tolist()
        assert (batch["labels"][batch["segment_ids"] == 0] == -1).all()
        assert (batch["labels"] >= 0).sum() == len(rows.labels.values)


def test_ragged_arrays():
    rows = Ragged.of([[1, 2], [], [3]], np.int32)
    assert len(rows) == 3 and rows.values.dtype == np.int32 and rows.lengths.tolist() == [2, 0, 1]
    assert rows[0].tolist() == [1, 2] and [array.tolist() for array in rows.arrays()] == [[1, 2], [], [3]]
    picked = rows[np.array([2, 0, 2])]
    assert [array.tolist() for array in picked.arrays()] == [[3], [1, 2], [3]]
    assert [array.tolist() for array in rows[np.array([True, False, True])].arrays()] == [[1, 2], [3]]
    assert [a.tolist() for a in Ragged.joined([rows, picked]).arrays()] == [[1, 2], [], [3], [3], [1, 2], [3]]
    assert Ragged.of([], np.int32).arrays() == []
