"""RoBERTa and XLM-R equal Hugging Face's: BERT's layers (see test_bert.py), with other positions and names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.models import checkpoints, from_pretrained, load_model, make_encoder
from itt_jax.models.roberta import positions
from tests.batches import as_batch


@pytest.mark.slow
def test_whole_model_at_base_size(base_config, reference, padded, close, torch, tmp_path):
    model = reference("RobertaModel", base_config("roberta-base"))
    model.save_pretrained(tmp_path)
    encoder, params = from_pretrained(tmp_path)
    ids, mask, _ = padded(encoder.config.vocabulary_size, 1)
    with torch.no_grad():
        theirs = model(torch.from_numpy(ids), torch.from_numpy(mask), output_hidden_states=True)
    for state, expected in zip(encoder(params, ids, mask, all_layers=True), theirs.hidden_states, strict=True):
        close(state, expected, mask)


@pytest.fixture(scope="module")
def xlm_roberta(base_config, reference, tmp_path_factory):
    """A two-layer xlm-roberta-base classifier; 250,002 word vectors would be 0.8 GB, so 5,000 of them."""
    directory = tmp_path_factory.mktemp("xlm-roberta")
    config = base_config("xlm-roberta-base", num_hidden_layers=2, vocab_size=5000, num_labels=3)
    model = reference("XLMRobertaForSequenceClassification", config)
    model.save_pretrained(directory)
    return model, *load_model(directory)[:3]


def test_gradients(xlm_roberta, padded, gradients_close, torch):
    model, encoder, head, params = xlm_roberta
    ids, mask, _ = padded(5000, 1)
    # Hugging Face reads the first position, so the left-padded row is left out.
    ids, mask, labels = ids[[0, 2]], mask[[0, 2]], np.array([0, 2])

    def loss(params):
        hidden = encoder(params["encoder"], ids, mask)
        where = {"summary_rows": jnp.arange(2), "summary_positions": jnp.zeros(2, jnp.int32)}
        logits = head(params, hidden, as_batch(where))
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    model.zero_grad()
    theirs = model(torch.from_numpy(ids), torch.from_numpy(mask), labels=torch.from_numpy(labels)).loss
    theirs.backward()
    assert abs(float(value) - theirs.item()) <= 1e-4
    gradients_close(checkpoints.model_tensors(encoder, gradients, head), model)


def test_the_padding_token_inside_a_text_keeps_its_position(xlm_roberta, close, torch):
    model, encoder, _, params = xlm_roberta
    ids = np.array([[20, 21, 1, 22, 23, 1]], np.int32)
    with torch.no_grad():
        theirs = model.roberta(torch.from_numpy(ids)).last_hidden_state
    close(encoder(params["encoder"], ids), theirs)


def test_positions_restart_at_each_segment():
    config = make_encoder("roberta", layers=1, width=8, heads=2, vocabulary_size=50, max_positions=8).config
    assert config.position_rows == 10 and config.max_positions == 8
    ids = np.array([[9, 9, 9, 9, 1, 9, 1, 1]], np.int32)
    segments = np.array([[1, 1, 2, 2, 2, 2, 0, 0]], np.int32)
    np.testing.assert_array_equal(positions(ids, segments, config), [[2, 3, 2, 3, 1, 4, 1, 1]])
    np.testing.assert_array_equal(positions(ids, None, config), [[2, 3, 4, 5, 1, 6, 1, 1]])


@pytest.mark.slow
def test_padding_with_another_token_stays_within_the_table(randomised):
    """A tokenizer's padding token may differ from the config's; NaN in padding would reach every token of the row."""
    encoder = make_encoder("roberta", layers=1, width=8, heads=2, vocabulary_size=50, max_positions=4, pad_id=3)
    ids = np.array([[9, 8, 7, 6] + [1] * 12], np.int32)
    segments = np.array([[1] * 4 + [0] * 12], np.int32)
    assert positions(ids, segments, encoder.config).tolist() == [[4, 5, 6, 7] + [3] * 12]
    params = randomised(encoder.shapes())
    packed, alone = encoder(params, ids, segment_ids=segments), encoder(params, ids[:, :4])
    np.testing.assert_allclose(packed[:, :4], alone, rtol=0, atol=1e-5)


def test_too_long_a_row_is_an_error(randomised):
    encoder = make_encoder("roberta", layers=1, width=8, heads=2, vocabulary_size=50, max_positions=8)
    params = randomised(encoder.shapes())
    assert np.isfinite(encoder(params, jnp.full((1, 8), 9))).all()
    with pytest.raises(InputError, match=r"9 tokens.*allows 8"):
        encoder(params, jnp.full((1, 9), 9))
