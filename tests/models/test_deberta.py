"""DeBERTa-v3 equals Hugging Face's: disentangled positions in logarithmic buckets, heads, configs."""

import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.families.deberta import DebertaConfig
from itt_jax.models import export, from_pretrained, make_encoder
from itt_jax.models.deberta import buckets
from tests.models.parity import check_gradients, check_head, check_packing, check_states, sharpened

V3 = {
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": "p2c|c2p",
    "position_biased_input": False,
}
# Rows of 20 tokens reach beyond the middle of 8 buckets and the longest distance.
SMALL = V3 | {
    "vocab_size": 90,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "position_buckets": 8,
    "max_relative_positions": 12,
}


@pytest.mark.parametrize("changes", [{}, {"position_buckets": -1}], ids=["buckets", "distances"])
def test_every_state_equals_hugging_face(changes, reference, padded, close, torch, tmp_path):
    model = sharpened(reference("DebertaV2Model", SMALL | changes), torch, ("query_proj.weight", "key_proj.weight"))
    assert check_states(model, padded, close, torch, tmp_path) == 3


@pytest.mark.slow
def test_whole_model_at_base_size(reference, padded, close, torch, tmp_path):
    """12 layers, 768 wide; rows of 150 tokens reach beyond the middle of 256 buckets."""
    sizes = {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12, "intermediate_size": 3072}
    model = reference("DebertaV2Model", V3 | sizes | {"vocab_size": 5000})
    model = sharpened(model, torch, ("query_proj.weight", "key_proj.weight"), 0.4)
    assert check_states(model, padded, close, torch, tmp_path, length=150) == 13


def test_buckets_equal_hugging_face(torch):
    from transformers.models.deberta_v2.modeling_deberta_v2 import make_log_bucket_position

    distances = np.arange(-3000, 3001)
    for count, largest in ((256, 512), (8, 12), (64, 300)):
        config = DebertaConfig(position_buckets=count, max_relative_positions=largest)
        theirs = make_log_bucket_position(torch.from_numpy(distances), count, largest).long() + count
        np.testing.assert_array_equal(buckets(distances, config), theirs.clamp(0, 2 * count - 1).numpy())


@pytest.mark.parametrize(
    ("kind", "suffix", "changes"),
    [
        ("classification", "ForSequenceClassification", {"num_labels": 3}),
        ("regression", "ForSequenceClassification", {"num_labels": 1, "pooler_hidden_act": "tanh"}),
        ("token_classification", "ForTokenClassification", {"num_labels": 5}),
        ("question_answering", "ForQuestionAnswering", {}),
        ("multiple_choice", "ForMultipleChoice", {}),
        ("masked_lm", "ForMaskedLM", {}),
    ],
)
def test_heads_equal_hugging_face(kind, suffix, changes, reference, padded, close, torch, tmp_path):
    model = reference(f"DebertaV2{suffix}", SMALL | {"num_hidden_layers": 1} | changes)
    check_head(model, kind, padded, close, torch, tmp_path)


@pytest.mark.slow
def test_gradients(reference, padded, gradients_close, torch, tmp_path):
    model = reference("DebertaV2ForSequenceClassification", SMALL | {"num_labels": 3})
    check_gradients(model, padded, gradients_close, torch, tmp_path)


def test_packed_rows_equal_separate_ones_and_positions_are_refused(randomised):
    sizes = {"layers": 2, "width": 16, "heads": 2, "vocabulary_size": 40, "position_buckets": 8}
    encoder = make_encoder("deberta", max_positions=30, **sizes)
    params = randomised(encoder.shapes())
    check_packing(encoder, params)
    with pytest.raises(InputError, match="position_ids: deberta does not read it"):
        encoder(params, np.ones((1, 4), int), position_ids=np.ones((1, 4), int))


def test_heads_of_pretraining_beside_a_bare_encoder_are_left_out(randomised, tmp_path):
    """The authors' files name no class and hold lm_predictions and mask_predictions."""
    import json

    from safetensors.numpy import load_file, save_file

    encoder = make_encoder("deberta", layers=1, width=8, heads=2, vocabulary_size=20)
    export(tmp_path, encoder, randomised(encoder.shapes()))
    tensors = load_file(tmp_path / "model.safetensors")
    tensors = {f"deberta.{name}": value for name, value in tensors.items()}
    extra = {f"{name}.dense.weight": np.zeros((8, 8), np.float32) for name in ("lm_predictions", "mask_predictions")}
    save_file(tensors | extra, tmp_path / "model.safetensors")
    config = json.loads((tmp_path / "config.json").read_text())
    del config["architectures"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert from_pretrained(tmp_path)[0] == encoder


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("relative_attention", False),
        ("position_biased_input", True),
        ("share_att_key", False),
        ("norm_rel_ebd", "none"),
        ("type_vocab_size", 2),
        ("conv_kernel_size", 3),
        ("pos_att_type", "c2p"),
        ("pos_att_type", None),
        ("legacy", False),
        ("embedding_size", 64),
        ("attention_head_size", 65),
        ("hidden_act", "none"),
        ("pooler_hidden_act", "none"),
    ],
)
def test_unsupported_config_values_are_named(key, value):
    with pytest.raises(InputError, match=key):
        DebertaConfig.from_huggingface({"model_type": "deberta-v2"} | V3 | {key: value})
    with pytest.raises(InputError, match="relative_attention"):
        DebertaConfig.from_huggingface({"model_type": "deberta-v2"})
