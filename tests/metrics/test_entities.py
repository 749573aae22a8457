"""Entity scores equal those of both versions of seqeval, on tags of entities, parts of speech and odd ones."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score

from itt_jax.errors import InputError
from itt_jax.metrics import entities, metric
from itt_jax.ragged import Ragged

TAGS = "O B-PER I-PER E-PER S-PER B-LOC I-LOC I-A-B NOUN X _ INTJ SYM PUNCT . ADP DP B I BX".split()
SENTENCES = st.lists(
    st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS), st.booleans()), min_size=1, max_size=8),
    min_size=1,
    max_size=4,
)


def both_sides(sentences) -> tuple[list[list[str]], list[list[str]]]:
    """Labels, and predictions that agree with them about half of the time."""
    labels = [[tag for tag, _, _ in sentence] for sentence in sentences]
    return labels, [[tag if agree else other for tag, other, agree in sentence] for sentence in sentences]


def entities_of_2019(sentences: list[list[str]]) -> set[tuple[str, int, int]]:
    """Entities as in seqeval 0.0.12, tag by tag; a tag's type is the part after its last hyphen."""
    found, start, before, kind_before = set(), 0, "O", ""
    flat = [tag for sentence in sentences for tag in [*sentence, "O"]] + ["O"]
    for i, tag in enumerate(flat):
        prefix, kind = tag[0], tag.split("-")[-1]
        changes = kind != kind_before
        if before in "ES" or (before in "BI" and prefix in "BSO") or (before not in "O." and changes):
            found.add((kind_before, start, i - 1))
        if prefix in "BS" or (before in "ESO" and prefix in "EI") or (prefix not in "O." and changes):
            start = i
        before, kind_before = prefix, kind
    return found


@settings(max_examples=300, deadline=None)
@given(SENTENCES)
def test_the_current_convention_equals_the_library(sentences):
    labels, predictions = both_sides(sentences)
    with warnings.catch_warnings():
        # seqeval warns of every tag that names no entity.
        warnings.simplefilter("ignore")
        expected = [score(labels, predictions) for score in (precision_score, recall_score, f1_score)]
    found = entities.entity_scores(labels, predictions)
    assert list(found.values()) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=300, deadline=None)
@given(SENTENCES)
def test_the_convention_of_2019_equals_the_plain_reading(sentences):
    labels, predictions = both_sides(sentences)
    actual, predicted = entities_of_2019(labels), entities_of_2019(predictions)
    right = len(actual & predicted)
    found = entities.entity_scores(labels, predictions, "seqeval-0.0.12")
    assert found["precision"] == pytest.approx(right / len(predicted) if predicted else 0.0)
    assert found["recall"] == pytest.approx(right / len(actual) if actual else 0.0)
    assert found["f1"] == pytest.approx(2 * right / (len(predicted) + len(actual)) if right else 0.0)


def test_conventions_differ_on_one_letter_tags_only():
    """In the current version the second X, between Os, is no entity, so none is missed."""
    labels, predictions = [["X", "NOUN"], ["X"]], [["X", "NOUN"], ["VERB"]]
    assert entities.entity_scores(labels, predictions)["recall"] == 1.0
    assert entities.entity_scores(labels, predictions, "seqeval-0.0.12")["recall"] == pytest.approx(2 / 3)
    labels, predictions = [["B-PER", "I-PER", "O", "B-LOC"]], [["B-PER", "O", "O", "B-LOC"]]
    current, old = (entities.entity_scores(labels, predictions, name) for name in entities.CONVENTIONS)
    assert current == old == {"precision": 0.5, "recall": 0.5, "f1": 0.5}


def test_counts_of_a_sentence_are_independent_of_others():
    random = np.random.default_rng(0)
    tags = ("O", "B-PER", "I-PER", "B-LOC")
    offsets = np.concatenate([[0], np.cumsum(random.integers(0, 9, 40))])
    labels = random.integers(0, 4, offsets[-1])
    predictions = np.where(random.random(len(labels)) < 0.7, labels, random.integers(0, 4, len(labels)))
    counts = entities.entity_counts(labels, predictions, offsets, tags)
    for i, (start, end) in enumerate(itertools.pairwise(offsets)):
        alone = entities.entity_counts(labels[start:end], predictions[start:end], np.array([0, end - start]), tags)
        np.testing.assert_array_equal(counts[i], alone[0])
    assert (counts.sum(0) > 0).all() and (counts[:, 0] <= counts[:, 1:].min(1)).all()


@pytest.mark.parametrize(
    ("labels", "predictions", "convention", "message"),
    [
        ([["O"]], [["O"], ["O"]], "seqeval", "found 2 predicted sentences, expected 1"),
        ([["O"], ["O", "O"]], [["O"], ["O"]], "seqeval", "sentence 2: found 1 predicted tags, expected 2"),
        ([["O"]], [["O"]], "seqeval-1", "did you mean 'seqeval'"),
        ([["O"]], [[""]], "seqeval", "a tag is empty"),
    ],
)
def test_errors(labels, predictions, convention, message):
    with pytest.raises(InputError, match=message):
        entities.entity_scores(labels, predictions, convention)


NAMES = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")


def drawn_tags(seed: int, n: int = 60) -> tuple[Ragged, Ragged]:
    """Predictions and labels of n items, some without words."""
    random = np.random.default_rng(seed)
    lengths = random.integers(0, 12, n)
    labels = Ragged.of([random.integers(0, 5, length) for length in lengths], np.int32)
    keep = random.random(len(labels.values)) < 0.7
    return labels.with_values(np.where(keep, labels.values, random.integers(0, 5, len(keep)))), labels


@pytest.mark.parametrize("name", ["entity_f1", "entity_f1_0.0.12"])
def test_counts_of_items_sum_to_the_metric_of_all(name):
    predictions, labels = drawn_tags(0)
    measure = metric(name)
    counts = measure.statistic(predictions, labels, NAMES)
    named = [[[NAMES[tag] for tag in row] for row in rows.arrays()] for rows in (labels, predictions)]
    expected = entities.entity_scores(*named, measure.convention)["f1"]
    assert measure.value(counts) == pytest.approx(expected, abs=1e-12) and 0.2 < expected < 0.9
    for i in (0, 7, 59):  # an item's counts are those of the item alone
        one = measure.statistic(predictions[np.array([i])], labels[np.array([i])], NAMES)
        assert one[0].tolist() == counts[i].tolist()
    assert measure.applicable(labels).tolist() == (labels.lengths > 0).tolist()


def test_tag_accuracy_is_the_share_of_right_words():
    predictions, labels = drawn_tags(1)
    found = metric("tag_accuracy").score(predictions, labels, NAMES)
    assert found == pytest.approx(np.mean(predictions.values == labels.values))


@pytest.mark.parametrize("name", ["entity_f1", "tag_accuracy"])
def test_chance_is_the_best_single_tag(name):
    _, labels = drawn_tags(2)
    constant = [labels.with_values(np.full_like(labels.values, tag)) for tag in range(len(NAMES))]
    scores = [metric(name).score(own, labels, NAMES) for own in constant]
    assert metric(name).chance(labels, NAMES) == max(scores) < 0.5


def test_macro_f1_is_that_of_seqevals_strict_mode():
    """As called by LEXTREME's code: macro average, mode strict, scheme IOB2."""
    from seqeval.metrics import f1_score
    from seqeval.scheme import IOB2

    random, tags = np.random.default_rng(0), ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-ORG"]
    for _ in range(60):
        lengths = random.integers(1, 9, 5)
        gold = [random.choice(tags[:6], n).tolist() for n in lengths]
        guess = [[tag if random.random() < 0.7 else str(random.choice(tags)) for tag in own] for own in gold]
        expected = f1_score(guess, gold, average="macro", mode="strict", scheme=IOB2, zero_division=0)
        assert entities.entity_macro_f1(gold, guess) == pytest.approx(expected)
    assert entities.entity_macro_f1([["O", "O"]], [["O", "I-PER"]]) == 0
