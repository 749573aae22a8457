"""Token classification under every operator: each word that is left keeps its tag, its place and its score."""

import dataclasses

import jax
import numpy as np
import pytest

from itt_jax import perturb, tasks
from itt_jax.data import embedded
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.kinds.forms import CLEAN_FORM, LOST
from itt_jax.kinds.token_classification import clean_words, kept, moved_words
from itt_jax.models import make_encoder, make_head
from tests.kinds.operators import every_form, names

TEXTS = ["Anna Weber wohnt in New York .", "", "a", "Zoë sagt : „ nein “"]


def test_clean_words_begin_after_the_spaces():
    assert [starts.tolist() for starts in clean_words(TEXTS[:3]).arrays()] == [[0, 5, 11, 17, 20, 24, 29], [0], [0]]


def test_words_follow_insertions_deletions_and_moves():
    text = "ab cd ef"
    sources = [
        [0, 1, 2, 3, 4, 5, 6, 7],  # as it was
        [-1, 0, -1, 1, 3, 4, 6],  # xaxbcde: inserted, joined, cut short
        [6, 7, 2, 3, 4, 5, 0, 1],  # ef cd ab: moved
        [0, 2, -1, 1, 5, 6, 7],  # a xb ef: split in two, a word dropped
        [0, 1, 0, 1, 2, 3],  # abab c: written twice
        [],
    ]
    moved = moved_words([text] * len(sources), [np.array(own, int) for own in sources])
    found = [starts.tolist() for starts in moved.arrays()]
    assert found == [[0, 3, 6], [1, 4, 6], [6, 3, 0], [0, LOST, 5], [0, 5, LOST], [LOST] * 3]
    assert [own.tolist() for own in kept(moved, moved).arrays()] == [
        [0, 3, 6],
        [1, 4, 6],
        [6, 3, 0],
        [0, 5],
        [0, 5],
        [],
    ]


@pytest.mark.parametrize("language", ["en", "de", "ru"])
def test_a_word_is_where_its_letters_are(language):
    """A word is at the first codepoint that is left of it, under every operator."""
    rows = tasks.load_rows(tasks.get("embedded_entities_general"), "test", language).select(np.arange(60))
    (texts,) = rows.fields.values()
    for name in names(language):
        (found,) = perturb.variants(texts, name, [0.4], language, 0, ids=list(rows.item_ids), align=True)
        for text, sources, starts in zip(texts, found.sources, moved_words(texts, found.sources).arrays(), strict=True):
            spans = clean_words([text])[0]
            for start, stop, place in zip(spans, [*(spans[1:] - 1), len(text)], starts, strict=True):
                inside = np.flatnonzero((sources >= start) & (sources < stop))
                assert place == (inside[0] if len(inside) else LOST), (name, text)


@pytest.fixture(scope="module")
def model():
    texts = [entry[code] for entry in embedded.parallel(300) for code in ("en", "ru")]
    tokenizer = train_tokenizer(texts, "bert", 400)
    sizes = {"layers": 1, "width": 16, "heads": 2, "feed_forward": 16, "max_positions": 40}
    encoder = make_encoder("bert", vocabulary_size=tokenizer.vocabulary_size, pad_id=tokenizer.pad_id, **sizes)
    return tokenizer, encoder


def gold_scores(task, rows, form):
    """One-hot scores of the words that are left."""
    labels = kept(rows.labels, form.words)
    return labels.with_values(np.eye(len(task.labels), dtype=np.float32)[labels.values])


@pytest.mark.parametrize("language", ["en", "ru"])
def test_gold_predictions_score_100_percent_under_every_operator(model, language, monkeypatch):
    tokenizer, _ = model
    task = tasks.get("embedded_entities_general")
    rows = tasks.load_rows(task, "test", language).select(np.arange(40))
    block = row_forms(task, rows, every_form(language, 0.1, 0.7), 0)
    place = (task.name, "test", language)
    evaluator = Evaluator(tokenizer, 24, {place: block})
    inputs = evaluator._blocks[place].inputs
    nothing = {place: np.zeros((len(inputs.examples.anchors), len(task.labels)), np.float32)}
    lost = 0
    for key, form in block.forms.items():
        gold = gold_scores(task, rows, form)
        found = inputs.scores_of_words(nothing[place], key)
        assert found.lengths.tolist() == gold.lengths.tolist(), "one prediction for each word that is left"
        monkeypatch.setattr(type(inputs), "scores_of_words", lambda self, scores, variant, gold=gold: gold)
        for metric in ("entity_f1", "entity_f1_0.0.12", "tag_accuracy"):
            result = evaluator.cell(nothing, place, key, dataclasses.replace(task, metric=metric))
            assert result.figures["value"] == 1.0, key
        monkeypatch.undo()
        figures, columns = result.figures, result.columns
        assert figures["n"] + figures["n_not_applicable"] == len(rows) == len(columns["label"])
        words = sum(map(len, columns["word"]))
        assert words + figures["n_words_lost"] == len(rows.labels.values)
        assert [list(own) for own in columns["prediction"]] == [list(own) for own in columns["label"]]
        for numbers, labels, whole in zip(columns["word"], columns["label"], rows.labels.arrays(), strict=True):
            assert whole[numbers].tolist() == list(labels)
        lost += figures["n_words_lost"]
    assert lost > 0


def test_a_row_that_lost_every_word_does_not_count(model):
    tokenizer, encoder = model
    task = tasks.get("embedded_entities_general")
    rows = tasks.load_rows(task, "test", "en").select(np.arange(12))
    block = row_forms(task, rows, {CLEAN_FORM: None, ("word_drop", 1.0, 0): None}, 0)
    place = (task.name, "test", "en")
    evaluator = Evaluator(tokenizer, 24, {place: block})
    head = make_head(encoder, "token_classification", len(task.labels))
    params = {"encoder": encoder.init(jax.random.key(0))}
    params["head"] = head.init(jax.random.key(1))
    scores = evaluator.predict(encoder, head, params)
    clean, dropped = (evaluator.cell(scores, place, key, task) for key in block.forms)
    assert clean.figures["n"] == 12 and clean.figures["n_words_lost"] == 0
    assert clean.figures["chance"] < 0.5
    punctuation_left = [text != "" for text in block.forms["word_drop", 1.0, 0].fields["text"]]
    assert dropped.columns["applicable"].tolist() == punctuation_left
    assert dropped.figures["n_not_applicable"] == 12 - sum(punctuation_left)
    for own in (clean, dropped):
        for scores_of_row, labels in zip(own.columns["scores"], own.columns["label"], strict=True):
            assert len(scores_of_row) == len(labels) and (np.asarray(scores_of_row) <= 0).all()
