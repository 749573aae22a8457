"""ModernBERT and mmBERT equal Hugging Face's: windows, rotary positions, gates, heads, both spellings of configs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.families.modernbert import ModernBertConfig
from itt_jax.models import make_encoder, make_head
from tests.models.parity import check_gradients, check_head, check_packing, check_states, sharpened

# Rows of 20 tokens reach beyond a window of 4 on either side.
SMALL = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "local_attention": 8,
    "pad_token_id": 0,
    "rope_parameters": {
        "full_attention": {"rope_type": "default", "rope_theta": 160000.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
    },
}
BIASES = dict.fromkeys(("attention_bias", "mlp_bias", "norm_bias", "classifier_bias"), True)


@pytest.mark.parametrize("changes", [{}, BIASES], ids=["plain", "biases"])
def test_every_state_equals_hugging_face(changes, reference, padded, close, torch, tmp_path):
    model = reference("ModernBertModel", SMALL | changes | {"attn_implementation": "eager"})
    assert check_states(sharpened(model, torch, ("Wqkv.weight",)), padded, close, torch, tmp_path) == 5


@pytest.mark.slow
def test_whole_model_at_base_size(reference, padded, close, torch, tmp_path):
    """22 layers, 768 wide; rows of 150 tokens reach beyond the window of 64."""
    sizes = {"vocab_size": 5000, "pad_token_id": 0, "attn_implementation": "eager"}
    # 22 layers of attention as sharp as the fixture's double every rounding error.
    model = sharpened(reference("ModernBertModel", sizes), torch, ("Wqkv.weight",), 0.4)
    assert check_states(model, padded, close, torch, tmp_path, length=150) == 23


HEADS = [
    ("classification", "ForSequenceClassification", {"num_labels": 3}),
    ("regression", "ForSequenceClassification", {"num_labels": 1}),
    ("classification", "ForSequenceClassification", {"num_labels": 3, "classifier_pooling": "mean"} | BIASES),
    ("token_classification", "ForTokenClassification", {"num_labels": 5}),
    ("question_answering", "ForQuestionAnswering", {}),
    ("multiple_choice", "ForMultipleChoice", {}),
    ("multiple_choice", "ForMultipleChoice", {"classifier_pooling": "mean"}),
    ("masked_lm", "ForMaskedLM", {}),
    ("masked_lm", "ForMaskedLM", {"decoder_bias": False, "classifier_bias": True, "norm_bias": True}),
]


@pytest.mark.parametrize(("kind", "suffix", "changes"), HEADS)
def test_heads_equal_hugging_face(kind, suffix, changes, reference, padded, close, torch, tmp_path):
    model = reference(f"ModernBert{suffix}", SMALL | {"num_hidden_layers": 1} | changes)
    check_head(model, kind, padded, close, torch, tmp_path)


@pytest.mark.slow
def test_gradients(reference, padded, gradients_close, torch, tmp_path):
    changes = {"num_labels": 3, "classifier_pooling": "mean", "num_hidden_layers": 2}
    model = reference("ModernBertForSequenceClassification", SMALL | changes)
    check_gradients(model, padded, gradients_close, torch, tmp_path)


SIZES = {"layers": 8, "width": 16, "heads": 2, "vocabulary_size": 40, "pad_id": 0, "local_attention": 8}


@pytest.mark.slow
def test_windows_hold_inside_packed_rows(randomised):
    encoder = make_encoder("modernbert", **SIZES | {"layers": 3})
    params, ids = randomised(encoder.shapes()), np.random.default_rng(0).integers(6, 40, (1, 40))
    check_packing(encoder, params)
    wide = dataclasses.replace(encoder, config=dataclasses.replace(encoder.config, local_attention=80))
    assert np.abs(jax.jit(encoder)(params, ids) - jax.jit(wide)(params, ids)).max() > 0.1


@pytest.mark.slow
@pytest.mark.parametrize("way", [{"scan_layers": True}, {"scan_layers": True, "remat": True}])
def test_scanned_layers_of_several_kinds_equal_plain_ones(way, randomised):
    plain = make_encoder("modernbert", **SIZES, mlp_dropout=0.2)
    params, ids = randomised(plain.shapes()), np.random.default_rng(0).integers(6, 40, (2, 24))
    key = jax.random.key(0)

    def loss(params, encoder):
        states = encoder(params, ids, key=key, all_layers=True)
        return sum(jnp.sum(jnp.sin(state)) for state in states), states

    run = jax.jit(jax.value_and_grad(loss, has_aux=True), static_argnums=1)
    (_, expected), gradients = run(params, plain)
    (_, states), found = run(params, dataclasses.replace(plain, **way))
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(gradients))
    assert len(states) == len(expected) == 9
    for ours, theirs in zip(states, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, atol=1e-4 * largest), found, gradients)

    def products(encoder):
        shapes = jax.ShapeDtypeStruct(ids.shape, jnp.int32)
        return jax.jit(encoder).lower(encoder.shapes(), shapes).as_text().count("dot_general")

    # The first layer has no norm; one period of three and one layer more are left of the other seven.
    assert products(dataclasses.replace(plain, scan_layers=True)) * 8 == products(plain) * 5


@pytest.mark.slow
def test_init_follows_hugging_face():
    encoder = make_encoder("modernbert", **SIZES | {"width": 64, "layers": 2, "initializer_range": 0.3})
    layer = jax.jit(encoder.init)(jax.random.key(0))["layers"]["1"]
    head = jax.jit(make_head(encoder, "classification", 50).init)(jax.random.key(0))
    truncated = 0.8796  # standard deviation of a normal variable cut off at two
    for kernel, deviation in (
        (layer["mlp_in"], 0.3),
        (layer["mlp_out"], 0.15),
        (head["dense"], 0.15),
        (head["output"], 64**-0.5),
    ):
        values = kernel["kernel"]
        assert abs(float(values.std()) / (truncated * deviation) - 1) < 4 / np.sqrt(2 * values.size)
        assert np.abs(values).max() <= 2 * deviation


def test_windows_count_in_flops():
    config = make_encoder("modernbert", **SIZES | {"layers": 3}).config
    lengths = np.array([3.0, 12.0, 1.0, 0.0])
    pairs = sum(sum(abs(q - k) <= 4 for q in range(int(n)) for k in range(int(n))) for n in lengths)
    assert config.attention_flops(lengths) == 4 * 16 * (np.square(lengths).sum() + 2 * pairs)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, (160_000, 10_000, 3)),
        ({"global_rope_theta": 9.0, "local_rope_theta": 8.0, "global_attn_every_n_layers": 2}, (9, 8, 2)),
        ({"global_rope_theta": 9.0, "local_rope_theta": None}, (9, 9, 3)),
        ({"rope_parameters": {"full_attention": {"rope_theta": 7.0}}, "global_rope_theta": 9.0}, (7, 10_000, 3)),
        (
            {"rope_parameters": {"sliding_attention": {"rope_type": "default"}}, "local_rope_theta": 6.0},
            (160_000, 6, 3),
        ),
        ({"layer_types": ["full_attention", "sliding_attention"] * 2, "num_hidden_layers": 4}, (160_000, 10_000, 2)),
    ],
)
def test_both_spellings_of_a_config_are_read(values, expected):
    config = ModernBertConfig.from_huggingface({"model_type": "modernbert"} | values)
    assert (config.global_theta, config.local_theta, config.global_every) == expected
    assert ModernBertConfig.from_huggingface(config.to_huggingface()) == config


def test_hugging_face_reads_the_same_values():
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    values = {"global_rope_theta": 9.0, "local_rope_theta": 8.0, "global_attn_every_n_layers": 2, "local_attention": 12}
    theirs = transformers.ModernBertConfig(**values)
    ours = ModernBertConfig.from_huggingface({"model_type": "modernbert"} | values)
    again = ModernBertConfig.from_huggingface(theirs.to_dict())
    assert again == ours and theirs.sliding_window == ours.window
    assert transformers.ModernBertConfig(**ours.to_huggingface()).layer_types == theirs.layer_types


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope_parameters", {"full_attention": {"rope_type": "yarn"}}),
        ("rope_parameters", {"sliding_attention": {"type": "linear"}}),
        ("rope_scaling", {"type": "dynamic"}),
        ("layer_types", ["sliding_attention"] * 22),
        ("tie_word_embeddings", False),
        ("hidden_activation", "none"),
        ("classifier_activation", "none"),
        ("classifier_pooling", "max"),
        ("attention_bias", "yes"),
        ("global_attn_every_n_layers", 0),
        ("local_rope_theta", 0),
        ("num_attention_heads", 256),
        ("pad_token_id", 60000),
    ],
)
def test_unsupported_config_values_are_named(key, value):
    with pytest.raises(InputError, match=key):
        ModernBertConfig.from_huggingface({"model_type": "modernbert", key: value})
