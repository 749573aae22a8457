"""XLNet without a reference: packed rows, pure functions, configs."""

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.families.xlnet import XlnetConfig
from itt_jax.models.encoder import make_encoder

SIZES = {"layers": 2, "width": 32, "heads": 4, "feed_forward": 64, "vocabulary_size": 50}
LENGTHS = ((5, 9), (9, 5))  # tokens of the examples packed in each of two rows
ROW = 16


def draw_params(encoder, key=0):
    """Parameters at a scale that makes attention uneven."""
    leaves, tree = jax.tree.flatten(encoder.shapes())
    keys = jax.random.split(jax.random.key(key), len(leaves))
    return tree.unflatten([0.4 * jax.random.normal(key, leaf.shape) for key, leaf in zip(keys, leaves, strict=True)])


def draw_examples(seed=0):
    """[(row, start, {input_ids, token_type_ids, perm_mask}, position predicted)]; some positions see no other."""
    random = np.random.default_rng(seed)
    examples = []
    for row, lengths in enumerate(LENGTHS):
        for start, length in zip(np.cumsum((0, *lengths)), lengths, strict=False):
            rank = random.permutation(length)
            example = {
                "input_ids": random.integers(0, 50, (1, length)),
                "token_type_ids": np.sort(random.integers(0, 3, (1, length))),
                "perm_mask": (rank[None, :, None] <= rank[None, None]).astype(np.float32),
            }
            examples.append((row, int(start), example, int(np.argmin(rank) if start else np.argmax(rank))))
    return examples


def pack(examples):
    """Rows packed with the examples, with segment ids and one prediction per example."""
    batch = {name: np.zeros((2, ROW), np.int32) for name in ("input_ids", "token_type_ids", "segment_ids")}
    batch["perm_mask"] = np.zeros((2, ROW, ROW), np.float32)
    target_mapping = np.zeros((2, 2, ROW), np.float32)
    for row, start, example, place in examples:
        segment = batch["segment_ids"][row].max() + 1
        inside = slice(start, start + example["input_ids"].shape[1])
        batch["segment_ids"][row, inside] = segment
        batch["input_ids"][row, inside] = example["input_ids"]
        batch["token_type_ids"][row, inside] = example["token_type_ids"]
        batch["perm_mask"][row, inside, inside] = example["perm_mask"]
        target_mapping[row, segment - 1, start + place] = 1
    return batch, target_mapping


@pytest.mark.slow
@pytest.mark.parametrize("attention_type", ["bi", "uni"])
@pytest.mark.parametrize("clamp_length", [None, 3])
@pytest.mark.parametrize("permuted", [False, True])
def test_packed_examples_equal_separate_ones(attention_type, clamp_length, permuted):
    encoder = make_encoder("xlnet", attention_type=attention_type, clamp_length=clamp_length, **SIZES)
    params, examples = draw_params(encoder), draw_examples()
    batch, target_mapping = pack(examples)
    if not permuted:
        batch.pop("perm_mask")
    packed, predicted = encoder(params, **batch), encoder(params, **batch, target_mapping=target_mapping)
    assert np.all(np.isfinite(packed))
    for row, start, example, place in examples:
        segment = batch["segment_ids"][row, start]
        if not permuted:
            example.pop("perm_mask")
        length = example["input_ids"].shape[1]
        alone = encoder(params, **example)
        np.testing.assert_allclose(packed[row, start : start + length], alone[0], atol=5e-6)
        mapping = np.eye(length, dtype=np.float32)[None, place : place + 1]
        alone = encoder(params, **example, target_mapping=mapping)
        np.testing.assert_allclose(predicted[row, segment - 1], alone[0, 0], atol=5e-6)


@pytest.mark.slow
def test_gradient_of_packed_examples_is_the_sum_of_separate_ones():
    encoder = make_encoder("xlnet", **SIZES | {"layers": 1})
    params, examples = draw_params(encoder), draw_examples()
    batch, _ = pack(examples)
    weights = jax.random.normal(jax.random.key(1), (ROW, encoder.width))
    real = jnp.asarray(batch["segment_ids"] > 0)[..., None]

    def packed_loss(params):
        return jnp.sum(jnp.where(real, encoder(params, **batch) * weights, 0))

    @jax.jit
    @jax.grad
    def separate_gradient(params, example, weights):
        return jnp.sum(encoder(params, **example)[0] * weights)

    separate = [
        separate_gradient(params, example, weights[start : start + example["input_ids"].shape[1]])
        for _, start, example, _ in examples
    ]
    separate = flax.traverse_util.flatten_dict(jax.tree.map(lambda *parts: sum(parts), *separate))
    packed = flax.traverse_util.flatten_dict(jax.jit(jax.grad(packed_loss))(params))
    for path, found in packed.items():
        np.testing.assert_allclose(found, separate[path], atol=2e-5 * (1 + np.max(np.abs(separate[path]))))


@pytest.mark.slow
def test_jit_and_vmap_over_stacked_parameters_equal_plain_calls():
    encoder = make_encoder("xlnet", **SIZES)
    batch, target_mapping = pack(draw_examples())
    runs = [draw_params(encoder, key) for key in range(2)]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *runs)
    run = jax.jit(jax.vmap(lambda params: encoder(params, **batch, target_mapping=target_mapping)))
    for found, params in zip(run(stacked), runs, strict=True):
        np.testing.assert_allclose(found, encoder(params, **batch, target_mapping=target_mapping), atol=1e-5)


@pytest.mark.slow
def test_memories_carry_no_gradient():
    encoder = make_encoder("xlnet", **SIZES)
    params, tokens = draw_params(encoder), jnp.arange(6)[None]

    def loss(params):
        return sum(jnp.sum(memory) for memory in encoder.with_memories(params, tokens)[1])

    assert all(not np.any(leaf) for leaf in jax.tree.leaves(jax.jit(jax.grad(loss))(params)))


def test_inputs_that_exclude_each_other_are_refused():
    encoder = make_encoder("xlnet", **SIZES)
    params, tokens = draw_params(encoder), jnp.arange(6)[None]
    _, memories = encoder.with_memories(params, tokens)
    with pytest.raises(InputError, match="segment_ids"):
        encoder.with_memories(params, tokens, segment_ids=jnp.ones_like(tokens), mems=memories)
    with pytest.raises(InputError, match="found 1 arrays, expected one for each of 2 layers"):
        encoder.with_memories(params, tokens, mems=memories[:1])
    with pytest.raises(InputError, match=r"layer 1 has shape \(1, 5, 32\), expected \(1, 6, 32\)"):
        encoder.with_memories(params, tokens, mems=[memories[0], memories[1][:, 1:]])
    with pytest.raises(InputError, match=r"layer 0 has shape \(1, 6, 32\), expected \(2, 6, 32\)"):
        encoder.with_memories(params, jnp.repeat(tokens, 2, axis=0), mems=memories)
    with pytest.raises(InputError, match="position_ids"):
        encoder(params, tokens, position_ids=tokens)


def test_dropout_follows_its_key():
    encoder = make_encoder("xlnet", dropout=0.2, **SIZES | {"layers": 1})
    params, tokens = draw_params(encoder), jnp.arange(6)[None]
    run = jax.jit(lambda key: encoder(params, tokens, target_mapping=jnp.eye(6)[None, :2], key=key))
    first, again, other = (run(jax.random.key(key)) for key in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.mean(first != other) > 0.5
    assert 0.05 < np.mean(np.asarray(first) == 0) < 0.5  # the output goes through dropout last
    np.testing.assert_array_equal(encoder(params, tokens), encoder(params, tokens, key=None))


@pytest.mark.slow
def test_half_precision_stays_near_full_precision():
    sizes = SIZES | {"layers": 1}
    full, half = make_encoder("xlnet", **sizes), make_encoder("xlnet", dtype=jnp.bfloat16, **sizes)
    params, (batch, target_mapping) = draw_params(full), pack(draw_examples())
    for options in ({}, {"target_mapping": target_mapping}):
        found, expected = half(params, **batch, **options), full(params, **batch, **options)
        assert found.dtype == jnp.bfloat16
        real = (batch["segment_ids"] > 0) if not options else target_mapping.any(-1)
        assert np.max(np.abs(found.astype(jnp.float32) - expected)[real]) < 0.1


def test_input_embeddings_take_the_place_of_words():
    encoder = make_encoder("xlnet", **SIZES)
    params, tokens = draw_params(encoder), jnp.arange(6)[None]
    words = encoder.word_embeddings(params)[tokens]
    np.testing.assert_array_equal(encoder(params, tokens, input_embeddings=words), encoder(params, tokens))


def test_initial_parameters_are_hugging_faces():
    params = flax.traverse_util.flatten_dict(make_encoder("xlnet", **SIZES).init(jax.random.key(0)), sep=".")
    for path, leaf in params.items():
        if path.endswith("scale"):
            assert np.all(leaf == 1), path
        elif path.endswith((".bias",)):
            assert np.all(leaf == 0), path
        else:
            assert np.std(leaf) == pytest.approx(0.02, rel=0.4), path


def test_configs_survive_the_round_trip():
    config = XlnetConfig(attention_type="uni", clamp_length=7, memory_length=None, dropout=0.3)
    assert XlnetConfig.from_huggingface(config.to_huggingface()) == config
    other_names = {"model_type": "xlnet", "n_token": 11, "hidden_size": 8, "num_attention_heads": 2}
    config = XlnetConfig.from_huggingface(other_names)
    assert (config.vocabulary_size, config.width, config.heads, config.layers) == (11, 8, 2, 24)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attn_type": "both"}, "attn_type 'both'"),
        ({"bi_data": True}, "bi_data: True"),
        ({"ff_activation": "prelu"}, "ff_activation 'prelu'"),
        ({"summary_type": "cls_index"}, "summary_type: 'cls_index'"),
        ({"d_head": 32}, "d_head: 32"),
        ({"d_model": 1000}, "d_model 1000 is not a multiple of n_head 16"),
        ({"d_model": 15, "n_head": 3}, "d_model 15 is odd"),
        ({"mem_len": -1}, "mem_len: expected at least 0, found -1"),
        ({"untie_r": "no"}, "untie_r: expected true or false, found 'no'"),
        ({"n_layer": "12"}, "n_layer: expected int, found '12'"),
        ({"tie_word_embeddings": False}, "tie_word_embeddings: False"),
    ],
)
def test_unsupported_values_are_named(values, message):
    with pytest.raises(InputError, match=message):
        XlnetConfig.from_huggingface({"model_type": "xlnet"} | values)


@pytest.mark.slow
def test_tokens_of_one_type_are_as_without_types():
    """The tokenizers of transformers 5 give XLNet no token types, for which examples here have zeros."""
    encoder = make_encoder("xlnet", **SIZES | {"layers": 1})
    params = draw_params(encoder)
    ids = np.random.default_rng(0).integers(0, 50, (2, ROW))
    mask = np.ones_like(ids)
    mask[1, :5] = 0
    states = jax.jit(lambda types: encoder(params, ids, mask, types))
    without, zeros = states(None), states(np.zeros_like(ids))
    np.testing.assert_allclose(zeros[mask == 1], without[mask == 1], atol=1e-5)
    assert np.abs(states(ids % 2) - without).max() > 0.01
