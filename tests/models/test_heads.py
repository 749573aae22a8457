"""Heads equal Hugging Face's; the other poolings equal their definition."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from itt_jax import families
from itt_jax.errors import InputError
from itt_jax.models import apply_model, embed, load_model, make_encoder, make_head
from tests.batches import as_batch

jitted = jax.jit(apply_model, static_argnums=(0, 1))

# Base width, two layers; the language-model heads score a vocabulary of 5,000.
CLASSES = {
    "bert-base-uncased": "Bert",
    "roberta-base": "Roberta",
    "xlnet-base-cased": "XLNet",
}
HEADS = [
    ("classification", "ForSequenceClassification", {"num_labels": 3}),
    ("regression", "ForSequenceClassification", {"num_labels": 1}),
    ("token_classification", "ForTokenClassification", {"num_labels": 5}),
    ("question_answering", "ForQuestionAnswering", {}),
    ("multiple_choice", "ForMultipleChoice", {}),
    ("language", "ForMaskedLM", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize(("kind", "suffix", "changes"), HEADS, ids=[head[0] for head in HEADS])
def test_equals_hugging_face(name, kind, suffix, changes, base_config, reference, close, torch, tmp_path):
    family = CLASSES[name]
    layers = {"n_layer": 2} if family == "XLNet" else {"num_hidden_layers": 2}
    if family == "XLNet":
        suffix = {"question_answering": "ForQuestionAnsweringSimple", "language": "LMHeadModel"}.get(kind, suffix)
        kind = {"language": "permuted_lm"}.get(kind, kind)
    model = reference(f"{family}{suffix}", base_config(name, vocab_size=5000, **layers, **changes))
    model.save_pretrained(tmp_path)
    encoder, head, params, labels = load_model(tmp_path)
    assert head.kind.name == {"language": "masked_lm"}.get(kind, kind) and labels is None

    ids = np.random.default_rng(0).integers(10, 5000, (4, 12), dtype=np.int32)
    mask = np.ones_like(ids)
    mask[1, :4] = 0  # the reference reads XLNet's last position, the others' first
    if family != "XLNet":
        mask = mask[:, ::-1].copy()
    shape = (2, 2, 12) if kind == "multiple_choice" else (4, 12)
    with torch.no_grad():
        theirs = model(
            *(torch.from_numpy(x).view(shape) for x in (ids,)), attention_mask=torch.from_numpy(mask).view(shape)
        )
    where = np.full(4, 11 if family == "XLNet" else 0)
    places = {"summary_rows": np.arange(4), "summary_positions": where}
    ours = head(params, encoder(params["encoder"], ids, mask), as_batch(places))
    if kind == "question_answering":
        theirs = torch.stack([theirs.start_logits, theirs.end_logits], -1)
    else:
        theirs = theirs.logits
    close(ours.reshape(theirs.shape), theirs, None if head.by_example else mask)


@pytest.fixture(scope="module")
def small(randomised):
    """(encoder, params) of a small BERT."""
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=30, max_positions=12)
    return encoder, randomised(encoder.shapes())


BATCH = {
    "input_ids": np.arange(16).reshape(2, 8) + 3,
    "segment_ids": np.array([[1, 1, 1, 1, 2, 2, 2, 0], [1, 1, 1, 1, 1, 0, 0, 0]]),
    "token_type_ids": np.zeros((2, 8), np.int32),
    "example_ids": np.array([[0, 0, 0, 0, 1, 1, 1, 4], [2, 2, 2, 2, 2, 4, 4, 4]]),  # slot 3 is empty
    "field_ids": np.array([[0, 1, 2, 2, 0, 1, 1, 0], [0, 1, 0, 2, 2, 0, 0, 0]], np.int8),
    "summary_rows": np.array([0, 0, 1, 0]),
    "summary_positions": np.array([0, 4, 0, 0]),
}


@pytest.mark.parametrize("pooling", ["mean", "max_mean"])
@pytest.mark.parametrize("pair_features", [False, True])
def test_pooling_over_the_tokens_of_an_example(small, pooling, pair_features, randomised):
    encoder, params = small
    head = make_head(encoder, "classification", 3, pooling, pair_features)
    params = {"encoder": params, "head": randomised(head.shapes(), 1)}
    hidden = np.asarray(jax.jit(encoder)(params["encoder"], BATCH["input_ids"], segment_ids=BATCH["segment_ids"]))

    def pooled(example, field):
        chosen = BATCH["example_ids"] == example
        tokens = hidden[chosen & (BATCH["field_ids"] == field)] if field else hidden[chosen]
        if not len(tokens):
            return np.zeros(8 * (2 if pooling == "max_mean" else 1))
        return np.concatenate([tokens.max(0), tokens.mean(0)]) if pooling == "max_mean" else tokens.mean(0)

    expected = []
    for example in range(4):
        if pair_features:
            a, b = pooled(example, 1), pooled(example, 2)
            expected.append(np.concatenate([a, b, np.abs(a - b), a * b]))
        else:
            expected.append(pooled(example, None))
    output = params["head"]["output"]
    logits = jitted(encoder, head, params, as_batch(BATCH))
    np.testing.assert_allclose(logits, np.stack(expected) @ output["kernel"] + output["bias"], atol=1e-5)


@pytest.mark.slow
def test_cls_pooling_reads_the_summary_token(small, randomised):
    encoder, params = small
    head = make_head(encoder, "regression", 1, "cls")
    params = {"encoder": params, "head": randomised(head.shapes(), 1)}
    hidden = encoder(params["encoder"], BATCH["input_ids"], segment_ids=BATCH["segment_ids"])
    output = params["head"]["output"]
    expected = hidden[BATCH["summary_rows"], BATCH["summary_positions"]] @ output["kernel"] + output["bias"]
    np.testing.assert_allclose(jitted(encoder, head, params, as_batch(BATCH)), expected, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet", "modernbert"])
def test_packed_rows_give_the_logits_and_gradients_of_padded_ones(family, randomised):
    encoder = make_encoder(family, layers=1, width=16, heads=2, vocabulary_size=30, max_positions=12, pad_id=1)
    padded_batch = {name: np.zeros((3, 8), np.int32) for name in ("input_ids", "segment_ids", "field_ids")}
    padded_batch |= {"token_type_ids": np.zeros((3, 8), np.int32), "example_ids": np.full((3, 8), 3)}
    padded_batch |= {"summary_rows": np.arange(3), "summary_positions": np.zeros(3, np.int32)}
    for row, (start, stop) in enumerate([(0, 4), (4, 7), (8, 13)]):
        for name in ("input_ids", "field_ids"):
            padded_batch[name][row, : stop - start] = BATCH[name].reshape(-1)[start:stop]
        padded_batch["segment_ids"][row, : stop - start] = 1
        padded_batch["example_ids"][row, : stop - start] = row
    packed_batch = {name: value[:3] if name.startswith("summary") else value for name, value in BATCH.items()}
    packed_batch["example_ids"] = np.minimum(BATCH["example_ids"], 3)
    # With an empty third row both batches have one shape and share a compiled program.
    for name in padded_batch.keys() - {"summary_rows", "summary_positions"}:
        fill = 3 if name == "example_ids" else 0
        packed_batch[name] = np.pad(packed_batch[name], ((0, 1), (0, 0)), constant_values=fill).astype(np.int32)
        padded_batch[name] = padded_batch[name].astype(np.int32)
    heads = (
        make_head(encoder, "classification", 3),
        make_head(encoder, "classification", 3, "max_mean", pair_features=True),
    )
    encoder_params = randomised(encoder.shapes())
    params = [{"encoder": encoder_params, "head": randomised(head.shapes(), 1)} for head in heads]

    def run(params, batch):
        logits = [apply_model(encoder, head, tree, batch) for head, tree in zip(heads, params, strict=True)]
        return sum((x**2).sum() for x in logits), logits

    differentiate = jax.jit(jax.value_and_grad(run, has_aux=True))
    (_, packed), packed_gradient = differentiate(params, as_batch(packed_batch))
    (_, padded), padded_gradient = differentiate(params, as_batch(padded_batch))
    np.testing.assert_allclose(packed, padded, atol=2e-6)
    largest = max(float(jnp.abs(x).max()) for x in jax.tree.leaves(padded_gradient))
    pairs = zip(jax.tree.leaves(packed_gradient), jax.tree.leaves(padded_gradient), strict=True)
    assert max(float(jnp.abs(a - b).max()) for a, b in pairs) <= 1e-5 * largest


def test_a_head_owns_the_pooler_that_its_encoder_lacks(small, randomised):
    encoder, params = small
    without = dataclasses.replace(encoder, config=dataclasses.replace(encoder.config, pooler=False))
    head, owner = make_head(encoder, "classification", 2), make_head(without, "classification", 2)
    output = randomised(head.shapes(), 1)
    assert set(head.shapes()) == {"output"} and set(owner.shapes()) == {"output", "pooler"}
    shared = jitted(encoder, head, {"encoder": params, "head": output}, as_batch(BATCH))
    own = {"encoder": {name: params[name] for name in ("embeddings", "layers")}}
    own |= {"head": output | {"pooler": params["pooler"]}}
    np.testing.assert_array_equal(jitted(without, owner, own, as_batch(BATCH)), shared)


def test_dropout_of_a_head_needs_a_key(small, randomised):
    encoder, params = small
    head = make_head(encoder, "token_classification", 4)
    params = {"encoder": params, "head": randomised(head.shapes(), 1)}
    quiet = jitted(encoder, head, params, as_batch(BATCH))
    np.testing.assert_array_equal(quiet, jitted(encoder, head, params, as_batch(BATCH)))
    noisy = [jitted(encoder, head, params, as_batch(BATCH), key=jax.random.key(seed)) for seed in (0, 0, 1)]
    np.testing.assert_array_equal(noisy[0], noisy[1])
    assert np.abs(noisy[0] - noisy[2]).max() > 0 and np.abs(noisy[0] - quiet).max() > 0


def test_embed_pools_a_layer():
    layers = tuple(np.random.default_rng(0).standard_normal((3, 2, 4, 5)).astype(np.float32))
    mask = np.array([[1, 1, 1, 0], [0, 0, 1, 1]])
    np.testing.assert_allclose(embed(layers, mask, layer=1)[1], layers[1][1, 2:].mean(0), rtol=1e-6)
    np.testing.assert_array_equal(embed(layers, mask, layer=0, pooling="cls")[1], layers[0][1, 2])
    last = embed(layers, mask, layer=2, pooling="cls", positions=np.array([2, 3]))
    np.testing.assert_array_equal(last, layers[2][[0, 1], [2, 3]])
    with pytest.raises(InputError, match="layer 3"):
        embed(layers, mask, layer=3)


@pytest.mark.parametrize(
    ("family", "arguments", "message"),
    [
        ("bert", ("classify", 2), "unknown head 'classify'; did you mean 'classification'"),
        ("bert", ("classification", 2, "average"), "unknown pooling 'average'"),
        ("bert", ("permuted_lm", 30), "bert has none"),
        ("xlnet", ("masked_lm", 30), "xlnet has none"),
        ("bert", ("token_classification", 3, "mean"), "pooling 'mean'"),
        ("bert", ("embedding", 8, "max_mean"), "pooling 'max_mean'"),
        ("bert", ("embedding", 8, "mean", True), "pair_features"),
        ("bert", ("classification", 3, "cls", True), "pair_features"),
        ("bert", ("multiple_choice", 4), "expected 1, found 4"),
        ("bert", ("masked_lm", 31), "expected 30, found 31"),
        ("bert", ("classification", 0), "at least 1"),
    ],
)
def test_heads_that_do_not_exist(family, arguments, message):
    encoder = make_encoder(family, layers=1, width=8, heads=2, vocabulary_size=30)
    with pytest.raises(InputError, match=message):
        make_head(encoder, *arguments)


def test_a_family_without_a_head_is_named(monkeypatch):
    bert = families.family("bert")
    forms = {form: own for form, own in bert.huggingface.heads.items() if form != "multiple_choice"}
    fewer = dataclasses.replace(bert, huggingface=dataclasses.replace(bert.huggingface, heads=forms))
    monkeypatch.setattr(families, "FAMILIES", (fewer,))
    encoder = make_encoder("bert", layers=1, width=8, heads=2, vocabulary_size=30)
    with pytest.raises(InputError, match="multiple_choice head with pooling 'pretrained': bert has none"):
        make_head(encoder, "multiple_choice", 1)
    assert not make_head(encoder, "multiple_choice", 1, "mean").has_huggingface_form
