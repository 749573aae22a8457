"""The interface of every encoder: pure, hashable, works under jit and vmap; packed rows equal separate ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.errors import InputError
from itt_jax.models import make_encoder

SIZES = {"layers": 1, "width": 16, "heads": 2, "vocabulary_size": 40, "max_positions": 12, "initializer_range": 0.3}
SIZES |= {"pad_id": 1}
OWN = {"modernbert": {"mlp_dropout": 0.1}}
FAMILIES = ("bert", "roberta", "xlnet", pytest.param("modernbert", marks=pytest.mark.slow))
ROUNDING = 3e-6  # between two programs of one function, for hidden states of unit size
IDS = np.random.default_rng(0).integers(6, 40, (2, 10))


@pytest.fixture(scope="module", params=FAMILIES)
def model(request, randomised):
    encoder = make_encoder(request.param, **SIZES | OWN.get(request.param, {}))
    return encoder, randomised(encoder.shapes())


def test_an_encoder_is_rebuilt_from_its_config(model):
    encoder, _ = model
    again = make_encoder(encoder.family, **dataclasses.asdict(encoder.config))
    assert again == encoder and hash(again) == hash(encoder)
    assert encoder.max_positions == (None if encoder.family == "xlnet" else 12)


@pytest.mark.parametrize("family", [family.name for family in families.FAMILIES])
def test_shapes_are_those_of_every_layer(family):
    encoder = make_encoder(family, **{**SIZES, "layers": 3})
    assert jax.eval_shape(encoder.init, jax.random.key(0)) == encoder.shapes()


def test_a_small_vocabulary_has_a_padding_token():
    assert make_encoder("modernbert", vocabulary_size=40).config.pad_id == 0
    assert make_encoder("xlnet", vocabulary_size=40).config.pad_id == 5


def test_init_follows_hugging_face(model):
    encoder, _ = model
    if encoder.config.initializer_cutoff:
        return  # its own test
    params = encoder.init(jax.random.key(0))
    shapes = jax.tree.map(lambda x: (x.shape, x.dtype), encoder.shapes())
    assert shapes == jax.tree.map(lambda x: (x.shape, x.dtype), params)
    for path, value in jax.tree.leaves_with_path(params):
        name = path[-1].key
        if name in ("bias", "scale"):
            assert (value == (name == "scale")).all(), path
        elif value.size > 200:
            # Four standard errors of the standard deviation of n draws.
            assert abs(float(value.std()) / 0.3 - 1) < 4 / np.sqrt(2 * value.size), path
    assert all(isinstance(key.key, str) for path, _ in jax.tree.leaves_with_path(params) for key in path)


def test_padding_rows_of_the_tables_start_at_zero():
    for family in ("bert", "roberta"):
        encoder = make_encoder(family, **SIZES)
        tables = encoder.init(jax.random.key(0))["embeddings"]
        assert (encoder.word_embeddings({"embeddings": tables})[encoder.config.pad_id] == 0).all()
        assert (tables["position"]["embedding"][1] == 0).all() == (family == "roberta")


@pytest.mark.slow
def test_rows_may_have_more_padding_than_the_table_has_positions(model):
    """Rows of packed examples are often longer than the longest example, and some are left empty."""
    encoder, params = model
    ids = np.full((3, 30), encoder.config.pad_id)
    ids[0, :10], ids[1, :20] = IDS[0], IDS.ravel()
    segments = np.zeros((3, 30), int)
    segments[0, :10], segments[1, :20] = 1, np.repeat([1, 2], 10)
    real = jnp.asarray(segments > 0)[..., None]

    def total(params):
        return jnp.sum(jnp.where(real, encoder(params, ids, segment_ids=segments), 0) ** 2)

    hidden = encoder(params, ids, segment_ids=segments)
    assert np.isfinite(hidden).all()
    np.testing.assert_allclose(hidden[0, :10], encoder(params, IDS[:1])[0], atol=2e-5)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(jax.grad(total)(params)))


def test_packed_rows_equal_separate_rows(model):
    encoder, params = model
    segments = np.array([[1, 1, 1, 1, 2, 2, 2, 3, 3, 0], [1, 1, 1, 1, 1, 1, 1, 2, 2, 2]])
    run = jax.jit(encoder)
    packed = run(params, IDS, segment_ids=segments)
    for row, segment in [(0, 1), (0, 2), (0, 3), (1, 1), (1, 2)]:
        chosen = segments[row] == segment
        ids = np.full((1, 10), 6)
        ids[0, : chosen.sum()] = IDS[row, chosen]
        mask = (np.arange(10) < chosen.sum()).astype(np.int32)[None]
        alone = run(params, ids, mask)[0, : chosen.sum()]
        np.testing.assert_allclose(packed[row, chosen], alone, atol=ROUNDING)
    assert np.isfinite(packed).all()


def test_rows_without_a_token_are_finite(model):
    encoder, params = model
    empty = np.zeros((2, 10), np.int32)
    value, gradient = jax.jit(jax.value_and_grad(lambda p: encoder(p, IDS, segment_ids=empty).sum()))(params)
    assert np.isfinite(value) and all(np.isfinite(x).all() for x in jax.tree.leaves(gradient))


def test_vmap_over_a_stack_equals_single_runs(model, randomised):
    encoder, params = model
    other = randomised(encoder.shapes(), 1)
    stack = jax.tree.map(lambda *x: np.stack(x), params, other)
    stacked = jax.jit(jax.vmap(encoder, (0, None)))(stack, IDS)
    single = jax.jit(encoder)
    for i, tree in enumerate((params, other)):
        np.testing.assert_allclose(stacked[i], single(tree, IDS), atol=ROUNDING)


def test_dropout_is_a_function_of_its_key(model):
    encoder, params = model
    run = jax.jit(lambda key: encoder(params, IDS, key=key))
    one, again, other = (run(jax.random.key(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one - other).max() > 0.01 and np.abs(one - run(None)).max() > 0.01


def test_all_layers_end_with_the_last(model):
    encoder, params = model
    layers = jax.jit(lambda: encoder(params, IDS, all_layers=True))()
    assert len(layers) == 2
    np.testing.assert_allclose(layers[-1], jax.jit(encoder)(params, IDS), atol=ROUNDING)


def test_bfloat16_activations_follow_float32(model):
    encoder, params = model
    half = dataclasses.replace(encoder, dtype=jnp.bfloat16)
    hidden = jax.jit(half)(params, IDS)
    assert hidden.dtype == jnp.bfloat16
    assert np.abs(hidden.astype(jnp.float32) - jax.jit(encoder)(params, IDS)).mean() < 0.05


def test_bert_refuses_memories_and_permutations(randomised):
    encoder = make_encoder("bert", **SIZES)
    params = randomised(encoder.shapes())
    with pytest.raises(InputError, match="bert has none"):
        encoder.with_memories(params, IDS)
    with pytest.raises(InputError, match="perm_mask: bert does not read it"):
        encoder(params, IDS, perm_mask=np.zeros((2, 10, 10)))


@pytest.mark.parametrize(
    ("family", "sizes", "message"),
    [
        ("brt", {}, "unknown encoder family 'brt'; did you mean 'bert'"),
        ("bert", {"layer": 2}, "unknown size of bert 'layer'; did you mean 'layers'"),
        ("bert", {"width": 10, "heads": 3}, "hidden_size 10 is not a multiple of num_attention_heads 3"),
        ("roberta", {"layers": 0}, "num_hidden_layers: expected a count of at least 1, found 0"),
        ("bert", {"dropout": 1.0}, "hidden_dropout_prob"),
    ],
)
def test_sizes_that_make_no_encoder(family, sizes, message):
    with pytest.raises(InputError, match=message):
        make_encoder(family, **sizes)


@pytest.mark.parametrize(
    ("family", "inputs", "message"),
    [
        ("bert", {"input_ids": 20}, r"input_ids: found 20, expected 0 to 19 \(vocab_size 20\)"),
        ("bert", {"input_ids": -1}, "input_ids: found -1"),
        ("bert", {"token_type_ids": 2}, "token_type_ids: found 2"),
        ("roberta", {"position_ids": 10}, "position_ids: found 10"),
        ("xlnet", {"input_ids": 20}, "input_ids: found 20"),
    ],
)
def test_ids_beyond_a_table_are_refused_outside_of_jit(family, inputs, message):
    encoder = make_encoder(family, layers=1, width=8, heads=2, vocabulary_size=20, max_positions=8)
    params = encoder.init(jax.random.key(0))
    given = {"input_ids": jnp.ones((2, 3), jnp.int32)}
    for name, value in inputs.items():
        given[name] = jnp.ones((2, 3), jnp.int32).at[1, 2].set(value)
    with pytest.raises(InputError, match=message):
        encoder(params, **given)
