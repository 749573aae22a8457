"""BERT equals Hugging Face's, module by module and as a whole."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax.errors import InputError
from itt_jax.families.bert import BertConfig
from itt_jax.models import bert, checkpoints, load_model, make_encoder
from itt_jax.models.attention import AttentionMask
from itt_jax.models.inputs import EncoderInputs
from tests.batches import as_batch

NAME = "bert-base-uncased"


@pytest.fixture(scope="module")
def two_layers(base_config, reference, tmp_path_factory):
    """A two-layer bert-base classifier and its import: (reference, encoder, head, params)."""
    directory = tmp_path_factory.mktemp("bert")
    model = reference("BertForSequenceClassification", base_config(NAME, num_hidden_layers=2, num_labels=3))
    model.save_pretrained(directory)
    encoder, head, params, _ = load_model(directory)
    return model, encoder, head, params


def parts(encoder, params):
    """The bound NNX module of an encoder, to call its parts."""
    from itt_jax.models.encoder import _split, nnx

    return nnx.merge(_split(encoder.config, encoder.dtype, None)[0], params)


def test_embeddings(two_layers, padded, close, torch):
    model, encoder, _, params = two_layers
    ids, _, types = padded(encoder.config.vocabulary_size, 0)
    inputs = EncoderInputs(ids, token_type_ids=types)
    ours = parts(encoder, params["encoder"]).embeddings(inputs, bert.positions(ids, None, 512), None)
    close(ours, model.bert.embeddings(torch.from_numpy(ids), torch.from_numpy(types)))


def test_layer(two_layers, padded, close, torch):
    model, encoder, _, params = two_layers
    _, mask, _ = padded(encoder.config.vocabulary_size, 0)
    x = np.random.default_rng(1).standard_normal((*mask.shape, 768), np.float32)
    ours = parts(encoder, params["encoder"]).layers["1"](x, AttentionMask.of(mask, None), None)
    hidden = torch.where(torch.from_numpy(mask)[:, None, None] > 0, 0.0, torch.finfo(torch.float32).min)
    close(ours, model.bert.encoder.layer[1](torch.from_numpy(x), hidden), mask)


def test_pooler(two_layers, close, torch):
    model, encoder, _, params = two_layers
    x = np.random.default_rng(1).standard_normal((3, 5, 768), np.float32)
    close(jnp.tanh(parts(encoder, params["encoder"]).pooler(x[:, 0])), model.bert.pooler(torch.from_numpy(x)))


@pytest.mark.slow
def test_whole_model_at_base_size(base_config, reference, padded, close, torch, tmp_path):
    model = reference("BertModel", base_config(NAME, attn_implementation="eager"))
    model.save_pretrained(tmp_path)
    encoder, params = checkpoints.from_pretrained(tmp_path)
    ids, mask, types = padded(encoder.config.vocabulary_size, 0)
    with torch.no_grad():
        theirs = model(
            *(torch.from_numpy(x) for x in (ids, mask, types)), output_hidden_states=True, output_attentions=True
        )
    # Uniform attention would be 1 / 20 and would hide errors.
    assert min(layer.max(-1).values.mean() for layer in theirs.attentions) > 0.3
    ours = encoder(params, ids, mask, types, all_layers=True)
    assert len(ours) == 13
    for state, expected in zip(ours, theirs.hidden_states, strict=True):
        close(state, expected, mask)


def test_gradients(two_layers, padded, gradients_close, torch):
    model, encoder, head, params = two_layers
    ids, mask, types = padded(encoder.config.vocabulary_size, 0)
    # Hugging Face reads the first position, so the left-padded row is left out.
    ids, mask, types, labels = ids[[0, 2]], mask[[0, 2]], types[[0, 2]], np.array([0, 2])

    def loss(params):
        hidden = encoder(params["encoder"], ids, mask, types)
        where = {"summary_rows": jnp.arange(2), "summary_positions": jnp.zeros(2, jnp.int32)}
        logits = head(params, hidden, as_batch(where))
        return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

    value, gradients = jax.jit(jax.value_and_grad(loss))(params)
    model.zero_grad()
    theirs = model(*(torch.from_numpy(x) for x in (ids, mask, types)), labels=torch.from_numpy(labels)).loss
    theirs.backward()
    assert abs(float(value) - theirs.item()) <= 1e-4
    gradients_close(checkpoints.model_tensors(encoder, gradients, head), model)


def test_given_positions_have_hugging_faces_meaning(two_layers, close, torch):
    model, encoder, _, params = two_layers
    ids = np.arange(20, 30, dtype=np.int32)[None]
    positions = np.array([[5, 4, 3, 2, 1, 0, 100, 200, 300, 511]], np.int32)
    with torch.no_grad():
        theirs = model.bert(torch.from_numpy(ids), position_ids=torch.from_numpy(positions)).last_hidden_state
    close(encoder(params["encoder"], ids, position_ids=positions), theirs)


def test_input_embeddings_take_the_place_of_the_table(two_layers):
    _, encoder, _, params = two_layers
    ids = np.arange(20, 30, dtype=np.int32)[None]
    vectors = encoder.word_embeddings(params["encoder"])[ids]
    expected = encoder(params["encoder"], ids)
    np.testing.assert_array_equal(encoder(params["encoder"], ids * 0, input_embeddings=vectors), expected)


def test_too_long_a_row_is_an_error(randomised):
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=20, max_positions=4)
    params = randomised(encoder.shapes())
    with pytest.raises(InputError, match=r"5 tokens.*holds 4"):
        encoder(params, jnp.ones((1, 5), jnp.int32))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("position_embedding_type", "relative_key"),
        ("is_decoder", True),
        ("add_cross_attention", True),
        ("tie_word_embeddings", False),
        ("hidden_act", "prelu"),
        ("hidden_size", 770),
        ("num_hidden_layers", "12"),
        ("hidden_dropout_prob", 1.5),
        ("layer_norm_eps", None),
        ("pruned_heads", {"0": [1]}),
    ],
)
def test_unsupported_config_values_are_named(key, value):
    with pytest.raises(InputError) as error:
        BertConfig.from_huggingface({"model_type": "bert", key: value})
    assert key in str(error.value) and str(value) in str(error.value)
