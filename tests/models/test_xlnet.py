"""XLNet against the transformers library, with every parameter redrawn."""

import dataclasses
import json

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from itt_jax.families.xlnet import KEYS, XlnetConfig
from itt_jax.models import from_pretrained, xlnet
from itt_jax.models.encoder import Encoder
from itt_jax.models.inputs import EncoderInputs
from itt_jax.models.relative_attention import sinusoids

torch = pytest.importorskip("torch", reason="parity tests need PyTorch")
transformers = pytest.importorskip("transformers", reason="parity tests need transformers")

TOLERANCE = 1e-4
SMALL = {"vocab_size": 90, "d_model": 48, "n_layer": 2, "n_head": 4, "d_inner": 96, "model_type": "xlnet"}


def redraw(model, seed=0):
    """Redraws every parameter, so that none is 0 or 1, at a scale that makes attention uneven."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            draw = torch.randn(parameter.shape, generator=generator)
            if name.endswith("layer_norm.weight"):
                parameter.copy_(1 + 0.3 * draw)
            elif parameter.ndim == 1:
                parameter.copy_(0.3 * draw)
            elif name.endswith(("_bias", "seg_embed", "mask_emb", "word_embedding.weight")):
                parameter.copy_(draw)
            else:
                inputs = parameter.shape[1] if parameter.ndim == 2 else parameter.shape[0]
                uneven = 1.5 if name.endswith(("attn.q", "attn.k", "attn.r")) else 1.0
                parameter.copy_(draw * uneven * inputs**-0.5)
    return model.eval()


def numpy_of(tensor):
    return tensor.detach().numpy().copy()


def to_ours(encoder, tensors):
    """{their name: tensor} as our nested parameters, by the table of checkpoints."""
    shapes = flax.traverse_util.flatten_dict(encoder.shapes(), sep=".")
    params, used = {}, set()
    for theirs, ours, transpose in KEYS:
        for i in range(encoder.config.layers if "{i}" in theirs else 1):
            name, path = theirs.format(i=i), ours.format(i=i)
            if path in shapes:
                value = numpy_of(tensors[name])
                params[path] = jnp.asarray(value.T if transpose else value)
                used.add(name)
    assert used == set(tensors)
    assert {path: value.shape for path, value in params.items()} == {path: s.shape for path, s in shapes.items()}
    return flax.traverse_util.unflatten_dict(params, sep=".")


def build(**changes):
    """(their model, our encoder, our parameters) of one small configuration."""
    values = SMALL | changes
    theirs = redraw(transformers.XLNetModel(transformers.XLNetConfig(**values)))
    encoder = Encoder(XlnetConfig.from_huggingface(values))
    return theirs, encoder, to_ours(encoder, dict(theirs.named_parameters()))


@pytest.fixture(scope="module")
def base(data_root):
    """The same at the published base size."""
    values = json.loads((data_root / "tokenizers/xlnet-base-cased/config.json").read_text())
    assert (values["d_model"], values["n_layer"]) == (768, 12)
    return build(**values)


def draw_batch(rows=3, length=14, vocabulary=90, seed=0, padded=None):
    """Tokens of three token types; rows differ in length if padded ("left" or "right")."""
    random = np.random.default_rng(seed)
    batch = {"input_ids": random.integers(0, vocabulary, (rows, length)).astype(np.int32)}
    batch["token_type_ids"] = np.sort(random.integers(0, 3, (rows, length)), axis=1).astype(np.int32)
    if padded is not None:
        real = np.arange(length)[None] < np.linspace(length // 2, length, rows).astype(int)[:, None]
        real = real if padded == "right" else real[:, ::-1]
        batch["attention_mask"] = real.astype(np.int32)
        batch["input_ids"] = np.where(real, batch["input_ids"], 5).astype(np.int32)
        batch["token_type_ids"] = np.where(real, batch["token_type_ids"], 3).astype(np.int32)
    return batch


def draw_permutation(rows=3, length=14, predictions=4, seed=0):
    """A factorisation order whose last tokens are predicted; in the first row all tokens are ordered."""
    random = np.random.default_rng(seed)
    rank = np.argsort(random.random((rows, length)), axis=1)
    rank[1:] = np.maximum(rank[1:], length - predictions - 1)  # context precedes every prediction
    perm_mask = (rank[:, :, None] <= rank[:, None, :]) & (rank[:, None, :] >= length - predictions)
    perm_mask[0] = rank[0][:, None] <= rank[0][None]
    places = np.argsort(rank, axis=1)[:, -predictions:]
    places[0, 0] = np.argmin(rank[0])  # sees nothing at all
    target_mapping = np.eye(length)[places]
    return {"perm_mask": perm_mask.astype(np.float32), "target_mapping": target_mapping.astype(np.float32)}


def run_theirs(model, batch, **options):
    tensors = {name: torch.from_numpy(value) for name, value in batch.items()}
    for name in set(tensors) - {"input_ids", "token_type_ids"}:
        tensors[name] = tensors[name].float()
    tensors |= {name: value.long() for name, value in tensors.items() if name in ("input_ids", "token_type_ids")}
    return model(**tensors, **options)


def run_ours(encoder, params, batch, **options):
    return encoder(params, **{name: jnp.asarray(value) for name, value in batch.items()}, **options)


def assert_near(ours, theirs):
    assert ours.shape == tuple(theirs.shape)
    assert np.max(np.abs(np.asarray(ours) - numpy_of(theirs))) <= TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("padded", [None, "left", "right"])
def test_base_size_equals_transformers(base, padded):
    theirs, encoder, params = base
    batch = draw_batch(rows=2, length=24, vocabulary=32000, padded=padded)
    reference = run_theirs(theirs, batch, output_hidden_states=True, output_attentions=True)
    strongest = np.mean([numpy_of(layer.amax(-1)).mean() for layer in reference.attentions])
    assert strongest > 0.3, "attention is too even to tell a right score from a wrong one"
    for ours, expected in zip(run_ours(encoder, params, batch, all_layers=True), reference.hidden_states, strict=True):
        assert_near(ours, expected)


@pytest.mark.slow
def test_base_size_query_stream_equals_transformers(base):
    theirs, encoder, params = base
    batch = draw_batch(rows=2, length=24, vocabulary=32000, padded="right") | draw_permutation(2, 24)
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clamp_len": 4},
        {"attn_type": "uni"},
        {"attn_type": "uni", "clamp_len": 3},
        {"ff_activation": "relu", "layer_norm_eps": 1e-5},
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_configurations_equal_transformers(changes, typed):
    theirs, encoder, params = build(**changes)
    batch = draw_batch()
    if not typed:  # no segment term, which differs from zeros
        del batch["token_type_ids"]
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


@pytest.mark.parametrize("padded", ["left", "right"])
def test_uni_with_padding_equals_transformers_row_by_row(padded):
    """The reference's "uni" supports a padding mask only in batches of one."""
    theirs, encoder, params = build(attn_type="uni")
    batch = draw_batch(padded=padded)
    ours = run_ours(encoder, params, batch)
    for row in range(3):
        one = {name: value[row : row + 1] for name, value in batch.items()}
        assert_near(ours[row : row + 1], run_theirs(theirs, one).last_hidden_state)


@pytest.mark.parametrize("padded", [None, "left", "right"])
@pytest.mark.parametrize("clamp", [-1, 5])
def test_two_streams_equal_transformers(padded, clamp):
    theirs, encoder, params = build(clamp_len=clamp)
    batch = draw_batch(padded=padded) | draw_permutation()
    reference = run_theirs(theirs, batch, output_hidden_states=True)
    for ours, expected in zip(
        run_ours(encoder, params, batch, all_layers=True), reference.hidden_states[1::2], strict=True
    ):
        assert_near(ours, expected)
    batch.pop("target_mapping")
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


def test_two_streams_of_uni_equal_transformers():
    theirs, encoder, params = build(attn_type="uni")
    batch = draw_batch() | {"target_mapping": draw_permutation()["target_mapping"]}
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"mem_len": None},
        {"mem_len": 8, "reuse_len": 4},
        {"mem_len": 8, "attn_type": "uni"},
        {"mem_len": 8, "attn_type": "uni", "same_length": True, "clamp_len": 6},
    ],
)
def test_memories_over_three_chunks_equal_transformers(changes):
    theirs, encoder, params = build(**changes)
    ours = reference = None
    for chunk in range(3):
        batch = draw_batch(length=8, seed=chunk, padded=None if "attn_type" in changes else "left")
        output = run_theirs(theirs, batch, mems=reference, use_mems=True)
        hidden, ours = encoder.with_memories(params, **batch, mems=ours)
        reference = output.mems
        assert_near(hidden, output.last_hidden_state)
        for memory, expected in zip(ours, reference, strict=True):
            assert_near(memory, expected.transpose(0, 1))


def test_memories_with_two_streams_equal_transformers():
    theirs, encoder, params = build(mem_len=6)
    first, second = draw_batch(seed=1), draw_batch(seed=2, padded="right") | draw_permutation()
    reference = run_theirs(theirs, first, use_mems=True).mems
    _, memories = encoder.with_memories(params, **first)
    output = run_theirs(theirs, second, mems=reference, use_mems=True)
    hidden, memories = encoder.with_memories(params, **second, mems=memories)
    assert_near(hidden, output.last_hidden_state)
    assert_near(memories[-1], output.mems[-1].transpose(0, 1))


def test_one_set_of_query_biases_equals_transformers_with_copies():
    theirs, _, _ = build()
    with torch.no_grad():
        for layer in theirs.layer[1:]:
            for name in ("r_w_bias", "r_r_bias", "r_s_bias"):
                getattr(layer.rel_attn, name).copy_(getattr(theirs.layer[0].rel_attn, name))
    encoder = Encoder(dataclasses.replace(XlnetConfig.from_huggingface(SMALL), untied_biases=False))
    params = to_ours(encoder, dict(theirs.named_parameters()))
    assert params["biases"]["content_bias"].shape == (4, 12)
    batch = draw_batch(padded="left")
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


def test_biases_of_each_layer_are_read_whatever_untie_r_says(tmp_path):
    """transformers ignores untie_r."""
    theirs, _, _ = build(untie_r=False)
    assert not torch.equal(theirs.layer[0].rel_attn.r_w_bias, theirs.layer[1].rel_attn.r_w_bias)
    theirs.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["untie_r"] is False
    encoder, params = from_pretrained(tmp_path)
    batch = draw_batch(padded="left")
    assert_near(run_ours(encoder, params, batch), run_theirs(theirs, batch).last_hidden_state)


@pytest.mark.slow
def test_submodules_equal_transformers(base):
    """Positions, relative attention of both streams, feed-forward and one whole layer, at the base width."""
    theirs, encoder, params = base
    rows, length = 2, 20
    random = np.random.default_rng(0)
    content, query = (random.normal(size=(rows, n, 768)).astype(np.float32) for n in (length, 4))
    batch = draw_batch(rows, length, padded="left") | draw_permutation(rows, length)
    positions = theirs.relative_positional_encoding(length, length, bsz=rows)
    assert_near(sinusoids(length, length, 768, both_ways=True, clamp=None), positions[:, 0])
    structure = nnx.split(nnx.eval_shape(lambda: xlnet.Model(encoder.config, dtype=jnp.float32, rngs=nnx.Rngs(0))))[0]

    def run(params, batch):
        model = nnx.merge(structure, params)
        shared = model._shared(EncoderInputs(**batch), 0, None)
        layer = model.layers["0"]
        attended = layer.attention(content, query, shared, layer.attention.biases, None, None)
        return attended, layer(content, query, shared, None, None, None), layer.feed_forward(content, None)

    attended, whole, fed = jax.jit(run)(params, batch)
    hidden = torch.from_numpy(np.maximum(batch["perm_mask"], 1 - batch["attention_mask"][:, None]))
    hidden = hidden.permute(1, 2, 0)[..., None]
    masks = ((hidden - torch.eye(length)[:, :, None, None]) > 0).float(), hidden.float()
    differ = batch["token_type_ids"][:, :, None] != batch["token_type_ids"][:, None]
    types = torch.nn.functional.one_hot(torch.from_numpy(differ).long(), 2).permute(1, 2, 0, 3).float()
    inputs = [torch.from_numpy(x).transpose(0, 1) for x in (content, query)]
    mapping = torch.from_numpy(batch["target_mapping"]).permute(1, 2, 0)
    reference = theirs.layer[0]
    for ours, module in ((attended, reference.rel_attn), (whole, reference)):
        expected = module(*inputs, *masks, positions, types, target_mapping=mapping)
        assert_near(ours[0], expected[0].transpose(0, 1))
        assert_near(ours[1], expected[1].transpose(0, 1))
    assert_near(fed, reference.ff(torch.from_numpy(content)))


@pytest.mark.slow
@pytest.mark.parametrize(("changes", "streams"), [({}, 1), ({}, 2), ({"attn_type": "uni"}, 1)])
def test_gradients_equal_transformers(changes, streams):
    theirs, encoder, params = build(**changes)
    batch = draw_batch(padded=None if changes else "right")
    if streams == 2:
        batch |= draw_permutation()
    shape = run_theirs(theirs, batch).last_hidden_state.shape
    weights = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    (run_theirs(theirs, batch).last_hidden_state * torch.from_numpy(weights)).sum().backward()
    grads = jax.jit(jax.grad(lambda params: jnp.sum(run_ours(encoder, params, batch) * weights)))(params)
    zero = {name: torch.zeros_like(p) if p.grad is None else p.grad for name, p in theirs.named_parameters()}
    expected = flax.traverse_util.flatten_dict(to_ours(encoder, zero), sep=".")
    for path, found in flax.traverse_util.flatten_dict(grads, sep=".").items():
        assert np.max(np.abs(found - expected[path])) <= 1e-3 * np.max(np.abs(expected[path])) + 1e-7, path
