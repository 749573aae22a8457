"""Retrieval: vectors are independent of packing; neighbours and mined pairs equal those of plain numpy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.evaluate import retrieval
from itt_jax.metrics.ranking import pair_scores, pair_threshold, pairs_above
from itt_jax.models import make_encoder
from itt_jax.models.heads import embed
from itt_jax.train import vectors as vectors_module
from tests.ranking import rankings_of, retrieval_accuracy

FAMILIES = ["bert", "roberta", "xlnet"]
TEXTS = [
    f"{who} {does} {what}"
    for who in ("Ada", "Omar", "Mei")
    for does in ("reads", "wrote a long")
    for what in ("letters", "notes on it")
]


@pytest.fixture(
    scope="module", params=[FAMILIES[0], *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES[1:])]
)
def encoded(request):
    tokenizer = train_tokenizer(TEXTS * 10, request.param, 300 if request.param == "roberta" else 100)
    sizes = {"layers": 3, "width": 32, "heads": 2, "feed_forward": 64, "vocabulary_size": tokenizer.vocabulary_size}
    if request.param != "xlnet":
        sizes["max_positions"] = 66
    encoder = make_encoder(request.param, pad_id=tokenizer.pad_id, **sizes)
    params = jax.tree.map(lambda leaf: leaf * 5, encoder.init(jax.random.key(0)))
    return encoder, params, assemble(tokenizer, [tokenizer.encode(TEXTS)], 64)


@pytest.fixture(scope="module")
def single(encoded):
    """Index -> layers of a text encoded alone, for texts of four lengths, since each length is compiled."""
    encoder, params, examples = encoded
    layers_of = jax.jit(lambda *inputs: encoder(params, *inputs, all_layers=True))
    found = {}
    for i in np.unique(examples.lengths, return_index=True)[1][:4].tolist():
        own = slice(examples.offsets[i], examples.offsets[i + 1])
        ids, types = (jnp.asarray(values[own], jnp.int32)[None] for values in (examples.ids, examples.token_type_ids))
        found[i] = layers_of(ids, jnp.ones_like(ids), types)
    return found


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_vectors_equal_those_of_single_texts(encoded, single, layer, pooling):
    encoder, params, examples = encoded
    vectors = vectors_module.sentence_vectors(encoder, params, examples, layer, pooling)
    for i, hidden in single.items():
        mask = jnp.ones(hidden[0].shape[:2], jnp.int32)
        alone = embed(hidden, mask, layer=layer, pooling=pooling, positions=jnp.asarray(examples.summaries[i : i + 1]))
        np.testing.assert_allclose(vectors[i], alone[0], atol=2e-5)


def test_unknown_layers_and_poolings_are_refused(encoded):
    encoder, params, examples = encoded
    with pytest.raises(InputError, match="layer 4: expected one of 0"):
        vectors_module.sentence_vectors(encoder, params, examples, 4)
    with pytest.raises(InputError, match="unknown pooling 'max'"):
        vectors_module.sentence_vectors(encoder, params, examples, 1, "max")


def test_copies_are_found(encoded):
    encoder, params, examples = encoded
    vectors = vectors_module.sentence_vectors(encoder, params, examples, vectors_module.retrieval_layer(3))
    order = np.random.default_rng(0).permutation(len(vectors))
    _, found = retrieval.nearest(vectors, vectors[order], 1)
    assert (order[found[:, 0]] == np.arange(len(vectors))).all()


def test_published_layers():
    assert [vectors_module.retrieval_layer(n) for n in (1, 2, 4, 12, 24)] == [1, 1, 3, 8, 14]


@pytest.mark.parametrize(("queries", "candidates", "k"), [(7, 5, 20), (70, 300, 20), (33, 257, 1), (1, 128, 128)])
def test_neighbours_in_blocks_equal_those_of_the_whole_matrix(monkeypatch, queries, candidates, k):
    monkeypatch.setattr(retrieval, "QUERIES_AT_ONCE", 16)
    monkeypatch.setattr(retrieval, "CANDIDATES_AT_ONCE", 64)
    generator = np.random.default_rng(queries)
    first, second = (generator.normal(size=(n, 8)).astype(np.float32) for n in (queries, candidates))
    cosines, indices = retrieval.nearest(first, second, k)
    whole = retrieval.unit(first) @ retrieval.unit(second).T
    np.testing.assert_array_equal(indices, rankings_of(whole, k))
    np.testing.assert_allclose(cosines, np.take_along_axis(whole, indices, 1), atol=1e-6)
    found = retrieval.nearest(first, second[: len(first)], 1)[1][:, 0]
    assert retrieval_accuracy(first, second[: len(first)]) == np.mean(found == np.arange(len(first)))


def test_the_first_of_equal_candidates_is_nearest(monkeypatch):
    monkeypatch.setattr(retrieval, "CANDIDATES_AT_ONCE", 128)
    candidates = np.tile(np.eye(2, dtype=np.float32), (200, 1))
    _, indices = retrieval.nearest(np.array([[0.0, 3.0], [0.0, 0.0]], np.float32), candidates, 3)
    np.testing.assert_array_equal(indices, [[1, 3, 5], [0, 1, 2]])
    with pytest.raises(InputError, match="no candidates"):
        retrieval.nearest(candidates, candidates[:0])


def reference_mining(x: np.ndarray, y: np.ndarray, k: int, margin) -> dict[tuple[int, int], float]:
    """LASER's mining ("max"), pair by pair."""
    cosine = x @ y.T
    there, back = np.argsort(-cosine, 1, kind="stable")[:, :k], np.argsort(-cosine.T, 1, kind="stable")[:, :k]
    there_mean = np.array([np.mean(cosine[i, own]) for i, own in enumerate(there)])
    back_mean = np.array([np.mean(cosine[own, j]) for j, own in enumerate(back)])

    def score(i: int, j: int) -> float:
        return margin(cosine[i, j], (there_mean[i] + back_mean[j]) / 2)

    candidates = [max((score(i, j), i, j) for j in own) for i, own in enumerate(there)]
    candidates += [max((score(i, j), i, j) for i in own) for j, own in enumerate(back)]
    found, seen_first, seen_second = {}, set(), set()
    for value, i, j in sorted(candidates, reverse=True):
        if i not in seen_first and j not in seen_second:
            seen_first.add(i), seen_second.add(j)
            found[i, j] = value
    return found


@pytest.mark.parametrize(
    ("name", "margin"),
    [("ratio", lambda a, b: a / b), ("distance", lambda a, b: a - b), ("absolute", lambda a, b: a)],
)
def test_mining_equals_lasers(name, margin):
    generator = np.random.default_rng(3)
    first = retrieval.unit(generator.normal(size=(40, 6)) + 0.8)
    second = retrieval.unit(np.concatenate([first[:25] + generator.normal(size=(25, 6)) * 0.2, first[30:36] * -1]))
    pairs, scores = retrieval.mined_pairs(first, second, 4, name)
    expected = reference_mining(first, second, 4, margin)
    assert {tuple(pair) for pair in pairs.tolist()} == set(expected)
    np.testing.assert_allclose(scores, [expected[tuple(pair)] for pair in pairs.tolist()], rtol=1e-5)
    assert (np.diff(scores) <= 0).all()
    with pytest.raises(InputError, match="unknown margin"):
        retrieval.mined_pairs(first, second, margin="csls")


def test_bucc_end_to_end():
    """Translations are noisy copies; repeated texts form no pair; the threshold from dev finds the pairs of test."""
    generator = np.random.default_rng(4)
    meaning = generator.normal(size=(60, 16))
    first = {f"de-{i}": f"satz {i % 58}" for i in range(60)}
    second = {f"en-{i}": f"sentence {i}" for i in range(50)}
    vectors = np.array([meaning[i % 58] for i in range(60)]), meaning[10:60] + generator.normal(size=(50, 16)) * 0.05
    gold = {(f"de-{i}", f"en-{i - 10}") for i in range(10, 58)}
    found = retrieval.scored_pairs(first, second, vectors)
    threshold = pair_threshold(found, gold)
    assert pair_scores(pairs_above(found, threshold), gold)["f1"] == 1
    assert not {pair[0] for pair in found} & {"de-0", "de-1", "de-58", "de-59"}
