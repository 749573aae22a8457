"""Noise on token ids: equal to a slow reference in any packing; weaker noise is a subset of stronger."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data import packing
from itt_jax.data.examples import Examples, prepare
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.evaluate import token_noise
from itt_jax.evaluate.evaluator import Evaluator
from itt_jax.evaluate.forms import row_forms
from itt_jax.evaluate.token_noise import TOKEN_NOISES
from itt_jax.kinds.forms import CLEAN_FORM
from itt_jax.models import make_encoder, make_head
from itt_jax.train.predict import Change, predict

MASK_ID, ORDINARY = 4, np.arange(5, 40, dtype=np.int32)
WORD = 0xFFFFFFFF
SLOTS = 40


def examples(count: int = 23) -> Examples:
    """Examples of 3 to 12 tokens, the first and last of them special."""
    random = np.random.default_rng(0)
    lengths = random.integers(3, 13, count)
    offsets = np.append(0, np.cumsum(lengths))
    ids = random.integers(5, 40, offsets[-1]).astype(np.int32)
    fields = np.ones(len(ids), np.int8)
    for place, special in ((offsets[:-1], 2), (offsets[1:] - 1, 3)):
        ids[place], fields[place] = special, 0
    types = np.zeros(len(ids), np.int8)
    return Examples(ids, types, fields, offsets, np.zeros(count, np.int32), None, 0, 0)


def mixed(x: int) -> int:
    x = ((x ^ (x >> 16)) * 0x85EBCA6B) & WORD
    x = ((x ^ (x >> 13)) * 0xC2B2AE35) & WORD
    return x ^ (x >> 16)


def drawn(own: Examples, i: int, severity: float, key: np.ndarray):
    """For each token of an example its index, whether it is changed, and its second draw."""
    for place, k in enumerate(range(own.offsets[i], own.offsets[i + 1])):
        state = mixed(int(key[0]) ^ (place * 0x9E3779B9 & WORD))
        first, second = (mixed(int(key[1]) ^ (state + n * 0x85EBCA6B & WORD)) >> 1 for n in (0, 1))
        yield k, bool(own.fields[k]) and first < round(severity * 2**31), second


def survivors(own: Examples, i: int, name: str, severity: float, key: np.ndarray) -> list[int]:
    """Indices of the tokens that are left."""
    return [k for k, hit, _ in drawn(own, i, severity, key) if not (hit and name == "token_drop")]


def reference(own: Examples, i: int, name: str, severity: float, key: np.ndarray, ordinary=ORDINARY, mask=MASK_ID):
    """The ids of one noisy example, token by token."""
    found = []
    for k, hit, second in drawn(own, i, severity, key):
        token = int(own.ids[k])
        if hit and name == "token_drop":
            continue
        if hit:
            at = second % len(ordinary)
            other = ordinary[at] if ordinary[at] != token else ordinary[(at + 1) % len(ordinary)]
            token = mask if name == "token_mask" else int(other)
        found.append(token)
    return found


def noisy_ids(own: Examples, name: str, severity: float, rows: int = 4, length: int = 32, replicate: int = 0):
    """Example -> ids from packed noisy batches; also checks that summaries and segments match."""
    every = token_noise.arrays(TOKEN_NOISES[name], severity, replicate, [f"t/{i}" for i in range(len(own))], 7)
    step = jax.jit(token_noise.noisy)
    shared = {"noise_tokens": ORDINARY, "noise_mask": np.int32(MASK_ID)}
    found = {}
    for indices, batch in packing.stream(own, rows, length, SLOTS):
        batch = Change(token_noise.noisy, every, shared).added_to(batch.inputs, indices)
        by_row, by_example = jax.tree.map(np.asarray, step(batch, shared))
        out = by_row | by_example
        for slot, index in enumerate(indices.tolist()):
            row, place = out["summary_rows"][slot], out["summary_positions"][slot]
            mine = out["example_ids"][row] == slot
            assert np.flatnonzero(mine)[0] == place
            assert len(set(out["segment_ids"][row][mine])) == 1
            assert (np.diff(np.flatnonzero(mine)) == 1).all()
            found[index] = out["input_ids"][row][mine].tolist()
        assert ((out["segment_ids"] == 0) == (out["example_ids"] == SLOTS)).all()
    return found


@pytest.mark.parametrize("name", TOKEN_NOISES)
@pytest.mark.parametrize("severity", [0.0, 0.3, 1.0])
def test_equals_the_reference_in_any_packing(name, severity):
    own = examples()
    keys = token_noise.arrays(TOKEN_NOISES[name], severity, 0, [f"t/{i}" for i in range(len(own))], 7)["noise_key"]
    expected = {i: reference(own, i, name, severity, keys[i]) for i in range(len(own))}
    assert noisy_ids(own, name, severity) == expected
    assert noisy_ids(own, name, severity, rows=2, length=13) == expected


def test_severity_is_the_share_of_changed_tokens_and_weaker_noise_is_a_subset():
    own = examples(600)
    clean = {i: own.ids[own.offsets[i] : own.offsets[i + 1]] for i in range(len(own))}
    hits = {}
    for severity in (0.1, 0.4):
        noisy = noisy_ids(own, "token_mask", severity, rows=8, length=64)
        hits[severity] = np.concatenate([np.array(noisy[i]) != clean[i] for i in range(len(own))])
    assert (hits[0.1] <= hits[0.4]).all()
    ordinary = own.fields > 0
    assert not hits[0.4][~ordinary].any()
    for severity, hit in hits.items():
        assert abs(hit[ordinary].mean() - severity) < 4 * np.sqrt(severity * (1 - severity) / ordinary.sum())


def test_replicates_and_random_tokens_differ():
    own = examples()
    first, second = (noisy_ids(own, "token_random", 1.0, replicate=replicate) for replicate in (0, 1))
    assert first != second
    for i, ids in first.items():
        clean = own.ids[own.offsets[i] : own.offsets[i + 1]]
        assert (np.array(ids)[1:-1] != clean[1:-1]).all()
        assert set(ids[1:-1]) <= set(ORDINARY.tolist())


@pytest.fixture(scope="module")
def noisy_rows():
    """Ten embedded rows with an evaluator of their clean form and every token noise."""
    task = tasks.get("embedded_inference_legal")
    rows = tasks.limit(tasks.load_rows(task, "test", "de"), 10)
    texts = [text for own in rows.fields.values() for text in own]
    tokenizer = train_tokenizer(texts, "bert", 200)
    variants = {CLEAN_FORM: None} | {(name, 0.4, replicate): None for name in TOKEN_NOISES for replicate in (0, 1)}
    place = ("embedded_inference_legal", "test", "de")
    evaluator = Evaluator(tokenizer, 64, {place: row_forms(task, rows, variants, 7)})
    return task, rows, tokenizer, place, evaluator


@pytest.mark.slow
def test_a_cell_holds_predictions_of_the_noisy_ids(noisy_rows):
    """Scores equal those of examples whose ids were changed one by one beforehand."""
    task, rows, tokenizer, place, evaluator = noisy_rows
    encoder = make_encoder(
        "bert", layers=1, width=16, heads=2, feed_forward=32, vocabulary_size=tokenizer.vocabulary_size
    )
    head = make_head(encoder, "classification", 3)
    params = {"encoder": encoder.init(jax.random.key(0)), "head": head.init(jax.random.key(1))}
    params = jax.tree.map(lambda leaf: leaf + 0.3 * jax.random.normal(jax.random.key(leaf.size), leaf.shape), params)
    scores = evaluator.predict(encoder, head, params)
    clean = prepare(tokenizer, rows, 64)
    special = {tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.unk_id}
    ordinary = np.array([i for i in range(tokenizer.vocabulary_size) if i not in special])
    for name, noise in TOKEN_NOISES.items():
        for replicate in (0, 1):
            keys = token_noise.arrays(noise, 0.4, replicate, rows.item_ids, 7)["noise_key"]
            kept = [reference(clean, i, name, 0.4, keys[i], ordinary, tokenizer.mask_id) for i in range(len(rows))]
            places = [k for i in range(len(rows)) for k in survivors(clean, i, name, 0.4, keys[i])]
            expected = dataclasses.replace(
                clean,
                ids=np.concatenate(kept).astype(np.int32),
                token_type_ids=clean.token_type_ids[places],
                fields=clean.fields[places],
                offsets=np.append(0, np.cumsum([len(own) for own in kept])),
            )
            result = evaluator.cell(scores, place, (name, 0.4, replicate), task)
            wanted = predict(encoder, head, params, expected)
            assert np.stack(result.columns["scores"]) == pytest.approx(wanted, abs=1e-5)
            whole = [clean.ids[a:b].tolist() for a, b in itertools.pairwise(clean.offsets)]
            hits = [own != before for own, before in zip(kept, whole, strict=True)]
            assert result.columns["changed"].tolist() == hits
            assert result.figures["token_change_rate"] == pytest.approx(0.4, abs=0.15)
            assert result.figures["edit_rate"] == 0
