"""Multilabel checkpoints: Hugging Face's problem_type and loss, and the same bytes after export and import."""

import json

import jax
import numpy as np
import pytest

from itt_jax.models import apply_model, export, load_model, make_encoder, make_head
from tests.batches import as_batch

SIZES = {"layers": 1, "width": 16, "heads": 2, "vocabulary_size": 40, "max_positions": 12}


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_problem_type_goes_both_ways(family, randomised, tmp_path):
    encoder = make_encoder(family, **SIZES)
    head = make_head(encoder, "multilabel", 4)
    params = {"encoder": randomised(encoder.shapes()), "head": randomised(head.shapes(), 1)}
    labels = ("a", "b", "c", "d")
    export(tmp_path, encoder, params, head, labels)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["problem_type"] == "multi_label_classification"
    assert config["architectures"][0].endswith("ForSequenceClassification")
    encoder_again, head_again, params_again, labels_again = load_model(tmp_path)
    assert (encoder_again, head_again, labels_again) == (encoder, head, labels)
    assert jax.tree.all(jax.tree.map(np.array_equal, params_again, params))
    # With one label it is still multilabel, not regression.
    export(tmp_path, encoder, params | {"head": randomised(make_head(encoder, "multilabel", 1).shapes())},
           make_head(encoder, "multilabel", 1), ("a",))  # fmt: skip
    assert load_model(tmp_path)[1].kind.name == "multilabel"
    other = make_head(encoder, "classification", 4)
    assert jax.tree.structure(other.shapes()) == jax.tree.structure(head.shapes())


@pytest.mark.slow
@pytest.mark.parametrize("class_name", ["BertForSequenceClassification", "XLNetForSequenceClassification"])
def test_the_loss_equals_that_of_transformers(class_name, reference, torch, tmp_path):
    sizes = {"num_hidden_layers": 1, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 48}
    if class_name.startswith("XLNet"):
        sizes = {"n_layer": 1, "d_model": 32, "n_head": 4, "d_inner": 48}
    model = reference(
        class_name, {"vocab_size": 60, "num_labels": 3, "problem_type": "multi_label_classification", **sizes}
    )
    model.save_pretrained(tmp_path)
    encoder, head, params, labels = load_model(tmp_path)
    assert head.kind.name == "multilabel" and labels is None
    ids = np.arange(10, 34, dtype=np.int32).reshape(2, 12)
    gold = np.array([[True, False, True], [False, False, False]])
    with torch.no_grad():
        expected = model(torch.tensor(ids.astype(np.int64)), labels=torch.tensor(gold.astype(np.float32))).loss.item()
    last = class_name.startswith("XLNet")
    batch = {
        "input_ids": ids,
        "segment_ids": np.ones_like(ids),
        "token_type_ids": np.zeros_like(ids),
        "example_ids": np.repeat(np.arange(2, dtype=np.int32)[:, None], 12, 1),
        "field_ids": np.ones(ids.shape, np.int8),
        "summary_rows": np.arange(2, dtype=np.int32),
        "summary_positions": np.full(2, 11 if last else 0, np.int32),
        "labels": gold,
        "weights": np.ones(2, np.float32),
    }
    batch = as_batch(batch)
    total, weight = head.loss(params, apply_model(encoder, head, params, batch), batch)
    assert float(total / weight) == pytest.approx(expected, abs=1e-5)
