"""Parallel embeddings put the translations of a word near it."""

import numpy as np

from itt_jax.ragged import Ragged
from itt_jax.train.alignment import blend, occurrences, parallel_embeddings, positive_mutual_information

WORDS = 40  # ids from 10 in one language and from 50 in the other; 90 is in every text


def toy_tuples(count=400):
    random = np.random.default_rng(0)
    texts, owner = [], []
    for number in range(count):
        chosen = random.choice(WORDS, 5, replace=False)
        for first in (10, 10 + WORDS):
            texts.append(np.append(random.permutation(chosen) + first, 90))
            owner.append(number)
    lengths = [len(text) for text in texts]
    return Ragged(np.concatenate(texts).astype(np.int32), np.append(0, np.cumsum(lengths))), np.array(owner)


def test_the_nearest_neighbour_of_a_word_is_its_translation():
    tuples, owner = toy_tuples()
    table = parallel_embeddings(tuples, owner, 100, 32, seed=0, scale=0.02)
    unit = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9)
    likeness = unit[10:50] @ unit[50:90].T
    assert np.mean(likeness.argmax(1) == np.arange(WORDS)) == 1.0
    assert table.dtype == np.float32 and table.shape == (100, 32)
    np.testing.assert_allclose(table[10:90].std(1), 0.02, rtol=1e-4)
    assert not table[:10].any() and not table[90:].any()
    assert np.array_equal(table, parallel_embeddings(tuples, owner, 100, 32, seed=0, scale=0.02))


def test_information_is_as_defined():
    tuples, owner = toy_tuples(50)
    found = occurrences(tuples, owner, 100)
    matrix = positive_mutual_information(found).toarray()
    dense = found.toarray()
    together = np.sum(dense[:, 12] * dense[:, 52])
    expected = np.log(together * 50 / (dense[:, 12].sum() * dense[:, 52].sum()))
    assert np.isclose(matrix[12, 52], expected) and expected > 0
    assert not matrix[90].any()  # a token in every tuple carries no information


def test_special_and_unseen_rows_keep_their_values():
    aligned = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 4.0]])
    table = np.full((3, 2), 9.0)
    assert blend(table, aligned, [1]).tolist() == [[9.0, 9.0], [9.0, 9.0], [3.0, 4.0]]
