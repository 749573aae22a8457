"""Hidden states that nothing reads are left out of the last layer, and those that are read do not change."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.batch import Batch, most_examples
from itt_jax.data import packing
from itt_jax.errors import InputError
from itt_jax.models import apply_model, make_encoder, make_head
from itt_jax.train.objectives import LanguageObjective
from tests.train.toy import slow, tiny_encoder, toy_examples

FAMILIES = [family.name for family in families.FAMILIES]
SOME = ["bert", *(slow(name) for name in FAMILIES if name != "bert")]
ROUNDING = {"rtol": 1e-5, "atol": 1e-5}
OTHERS = {"remat": {"remat": True}, "scan": {"scan_layers": True}, "both": {"remat": True, "scan_layers": True}}


def encoder_of(family):
    """Three layers; the last one of a ModernBERT has a window shorter than the rows."""
    own = {"local_attention": 8, "global_every": 2, "layers": 4} if family == "modernbert" else {}
    return make_encoder(family, **dataclasses.asdict(tiny_encoder(family, layers=3).config) | own)


def drawn(encoder, head, seed=0):
    """Every parameter redrawn, so that no bias or scale is neutral."""
    shapes = {"encoder": encoder.shapes(), "head": head.shapes()}
    keys = iter(jax.random.split(jax.random.key(seed), len(jax.tree.leaves(shapes))))
    return jax.tree.map(lambda leaf: 0.2 * jax.random.normal(next(keys), leaf.shape), shapes)


def packed(family):
    """A batch of examples of many lengths, of which some rows have several."""
    examples = toy_examples(family, 14)
    plan = packing.plan_rows(examples.lengths, 14, 24)
    return packing.pack_step(examples, np.arange(14), plan, 16)


def whole(batch):
    """The batch without what tells where the summary token of each segment is."""
    return batch._replace(by_example={k: v for k, v in batch.by_example.items() if k != "segments"})


@pytest.mark.parametrize("family", SOME)
def test_the_states_are_those_of_all(family):
    encoder = encoder_of(family)
    params = drawn(encoder, make_head(encoder, "classification", 2))["encoder"]
    rng = np.random.default_rng(1)
    ids, types = rng.integers(10, 60, (3, 12)), rng.integers(0, 2, (3, 12))
    mask = np.ones((3, 12), int)
    mask[1, 9:] = 0
    segments = np.array([[1] * 5 + [2] * 7, [1] * 4 + [2] * 4 + [0] * 4, [1] * 12])
    places = np.array([[0, 5, 11, 0], [7, 4, 0, 3], [2, 6, 6, 10]])
    for given in ({}, {"attention_mask": mask}, {"segment_ids": segments}):
        given = {"token_type_ids": types, **given}
        found, states = jax.jit(
            lambda given: (encoder(params, ids, places=places, **given), encoder(params, ids, **given))
        )(given)
        expected = np.take_along_axis(np.asarray(states), places[..., None], axis=1)
        np.testing.assert_allclose(found, expected, **ROUNDING)


@pytest.mark.slow
def test_a_one_way_xlnet_too():
    encoder = tiny_encoder("xlnet", layers=2, attention_type="uni")
    params = drawn(encoder, make_head(encoder, "classification", 2))["encoder"]
    ids, places = np.arange(10, 34).reshape(2, 12), np.array([[0, 11, 4], [3, 3, 8]])
    found, states = jax.jit(lambda: (encoder(params, ids, places=places), encoder(params, ids)))()
    np.testing.assert_allclose(found, np.take_along_axis(np.asarray(states), places[..., None], axis=1), **ROUNDING)


@pytest.mark.parametrize("family", SOME)
def test_outputs_and_gradients_of_heads_by_example_do_not_change(family):
    encoder, batch = encoder_of(family), packed(family)
    head = make_head(encoder, "classification", 3, "cls")
    params = drawn(encoder, head)

    def loss(params, batch):
        outputs = apply_model(encoder, head, params, batch)[:14]
        return jnp.sum(jnp.sin(outputs)), outputs

    differentiate = jax.jit(jax.value_and_grad(loss, has_aux=True))
    (_, found), gradient = differentiate(params, batch)
    assert head.places(batch).shape == (batch.row_shape[0], most_examples(batch.row_shape[1]))
    assert head.places(whole(batch)) is None
    (_, expected), right = differentiate(params, whole(batch))
    np.testing.assert_allclose(found, expected, **ROUNDING)
    largest = max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(right))
    jax.tree.map(
        lambda own, other: np.testing.assert_allclose(own, other, rtol=0, atol=1e-5 * largest), gradient, right
    )


@pytest.mark.parametrize("family", SOME)
def test_an_encoder_computes_the_last_layer_only_there(family):
    encoder = tiny_encoder(family, layers=1)
    head = make_head(encoder, "classification", 2, "cls")
    params, examples = drawn(encoder, head), toy_examples(family, 40, lengths=(60,))
    _, batch = next(packing.stream(examples, 8, 128, 32))

    def flops(batch):
        compiled = jax.jit(lambda params: apply_model(encoder, head, params, batch)).lower(params).compile()
        return compiled.cost_analysis()["flops"]

    assert flops(batch) < 0.55 * flops(whole(batch))  # of 12 width^2 a token there remain 2, and 10 for one in five


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "modernbert"])
@pytest.mark.parametrize("how", OTHERS)
def test_remat_and_scan(family, how):
    encoder, batch = encoder_of(family), packed(family)
    other = dataclasses.replace(encoder, **OTHERS[how])
    head = make_head(encoder, "classification", 3, "cls")
    params = drawn(encoder, head)
    found, expected = (
        jax.jit(lambda own=own: apply_model(own, head, params, batch)[:14])() for own in (other, encoder)
    )
    np.testing.assert_allclose(found, expected, **ROUNDING)


@pytest.mark.parametrize("family", ["bert", slow("modernbert")])
def test_masked_language_models(family):
    encoder = encoder_of(family)
    head = make_head(encoder, "masked_lm", 60)
    params, batch, rng = drawn(encoder, head), packed(family), np.random.default_rng(0)
    rows, length = batch.row_shape
    own = {
        "positions": rng.integers(0, length, (rows, 3)),
        "targets": rng.integers(0, 60, (rows, 3)),
        "weights": rng.integers(0, 2, (rows, 3)).astype(np.float32),
    }
    batch = Batch(batch.by_row | own, {})
    objective = LanguageObjective(encoder, head, dropout=False)
    inputs = {name: batch.by_row[name] for name in ("input_ids", "token_type_ids", "segment_ids")}

    @jax.jit
    def losses():
        found = objective({"encoder": params["encoder"], "heads": (params["head"],)}, batch, jax.random.key(0))
        hidden = encoder(params["encoder"], **inputs)
        return found, head.loss(params, head(params, hidden, batch), batch)

    np.testing.assert_allclose(*losses(), rtol=1e-5)


def test_rows_have_no_more_examples_than_places():
    lengths, most = np.full(300, 2), most_examples(128)
    assert most == 24 and most_examples(8192) == 128
    examples = toy_examples("bert", 300, lengths=(2,))
    seen = []
    for indices, batch in packing.stream(examples, 4, 128, 128):
        assert batch.by_row["segment_ids"].max() <= most
        seen += indices.tolist()
    assert sorted(seen) == list(range(300))
    plan = packing.plan_rows(lengths, 50, 128)
    batch = packing.pack_step(examples, np.arange(50), plan, 50)
    assert batch.by_row["segment_ids"].max() <= most_examples(plan.length)


def test_what_reads_all_states_gets_them():
    encoder, batch = encoder_of("bert"), packed("bert")
    for kind, pooling in (("classification", "mean"), ("token_classification", "pretrained")):
        assert make_head(encoder, kind, 2, pooling).places(batch) is None


def test_places_are_refused_where_they_have_no_meaning():
    encoder = tiny_encoder("xlnet")
    params = encoder.init(jax.random.key(0))
    ids, places = np.full((1, 4), 12), np.zeros((1, 1), int)
    with pytest.raises(InputError, match="places"):
        encoder(params, ids, places=places, all_layers=True)
    with pytest.raises(InputError, match="places"):
        encoder.with_memories(params, ids, places=places)
