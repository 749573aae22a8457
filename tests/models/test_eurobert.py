"""EuroBERT equals Hugging Face's: shared heads of keys and values, rotary positions, gates, heads, configs."""

import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.families.eurobert import EuroBertConfig
from itt_jax.models import make_encoder, make_head
from tests.models.parity import check_gradients, check_head, check_packing, check_states, sharpened

SMALL = {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "pad_token_id": 0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500.0},
}
BIASES = {"attention_bias": True, "mlp_bias": True}


@pytest.mark.parametrize("changes", [{}, BIASES | {"num_key_value_heads": 4}], ids=["plain", "biases"])
def test_every_state_equals_hugging_face(changes, reference, padded, close, torch, tmp_path):
    model = reference("EuroBertModel", SMALL | changes | {"attn_implementation": "eager"})
    model = sharpened(model, torch, ("q_proj.weight", "k_proj.weight"))
    assert check_states(model, padded, close, torch, tmp_path) == 3


@pytest.mark.slow
def test_whole_model_at_base_size(reference, padded, close, torch, tmp_path):
    """12 layers, 768 wide, as EuroBERT-210m."""
    sizes = {"vocab_size": 5000, "pad_token_id": 0, "attn_implementation": "eager"}
    model = sharpened(reference("EuroBertModel", sizes), torch, ("q_proj.weight", "k_proj.weight"), 0.4)
    assert check_states(model, padded, close, torch, tmp_path) == 13


@pytest.mark.parametrize(
    ("kind", "suffix", "changes"),
    [
        ("classification", "ForSequenceClassification", {"num_labels": 3}),
        ("classification", "ForSequenceClassification", {"num_labels": 3, "classifier_pooling": "mean"}),
        ("regression", "ForSequenceClassification", {"num_labels": 1, "classifier_pooling": "bos"}),
        ("token_classification", "ForTokenClassification", {"num_labels": 5}),
        ("masked_lm", "ForMaskedLM", {}),
        ("masked_lm", "ForMaskedLM", {"tie_word_embeddings": True} | BIASES),
    ],
)
def test_heads_equal_hugging_face(kind, suffix, changes, reference, padded, close, torch, tmp_path):
    model = reference(f"EuroBert{suffix}", SMALL | {"num_hidden_layers": 1} | changes)
    check_head(model, kind, padded, close, torch, tmp_path)


def test_gradients(reference, padded, gradients_close, torch, tmp_path):
    model = reference("EuroBertForSequenceClassification", SMALL | {"num_labels": 3})
    check_gradients(model, padded, gradients_close, torch, tmp_path)


def test_packed_rows_equal_separate_ones(randomised):
    sizes = {"layers": 2, "width": 16, "heads": 4, "key_value_heads": 2, "vocabulary_size": 40, "pad_id": 0}
    encoder = make_encoder("eurobert", **sizes)
    check_packing(encoder, randomised(encoder.shapes()))
    with pytest.raises(InputError, match="multiple_choice head with pooling 'pretrained': eurobert has none"):
        make_head(encoder, "multiple_choice", 1)


@pytest.mark.parametrize(
    ("values", "theta"),
    [({}, 10_000), ({"rope_theta": 5.0}, 5), ({"rope_theta": 5.0, "rope_parameters": {"rope_theta": 6.0}}, 6)],
)
def test_both_spellings_of_a_config_are_read(values, theta):
    config = EuroBertConfig.from_huggingface({"model_type": "eurobert"} | values)
    assert np.isclose(config.theta, theta)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("rope_parameters", {"rope_type": "llama3"}),
        ("rope_scaling", {"type": "linear"}),
        ("head_dim", 32),
        ("num_key_value_heads", 5),
        ("num_key_value_heads", 0),
        ("classifier_pooling", "cls"),
        ("hidden_act", "none"),
        ("tie_word_embeddings", "no"),
        ("rope_theta", 0),
    ],
)
def test_unsupported_config_values_are_named(key, value):
    with pytest.raises(InputError, match=key):
        EuroBertConfig.from_huggingface({"model_type": "eurobert", key: value})
