"""Slices, subsets and held-out sentences: stable, disjoint, and the same items in every language."""

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.data.contamination import words_of
from itt_jax.data.rows import Rows
from itt_jax.errors import InputError
from itt_jax.tasks.splits import Slice, hold_out_sentences, parse, part


def _rows(n: int, language: str = "en") -> Rows:
    ids = np.array([f"t/dev/{i}" for i in range(n)], dtype=object)
    return Rows("t", "dev", language, "general", ids, {"text": [f"{language} {i}" for i in range(n)]}, np.arange(n))


@pytest.mark.parametrize(
    "expression, meaning",
    [
        ("dev", Slice("dev")),
        ("dev[0%:70%]", Slice("dev", 0.0, 0.7)),
        ("train[:12.5%]", Slice("train", 0.0, 0.125)),
        ("train[90%:]", Slice("train", 0.9, 1.0)),
    ],
)
def test_parse(expression, meaning):
    assert parse(expression) == meaning


@pytest.mark.parametrize("expression", ["", "dev[70%:30%]", "dev[0:10]", "dev[0%:120%]", "dev[:", "dev[50%:50%]"])
def test_malformed_splits_are_refused(expression):
    with pytest.raises(InputError, match=r"expected a split, or a part of one such as 'dev\[0%:70%\]'"):
        parse(expression)


def test_parts_are_a_partition_in_exact_shares():
    keys = np.array([f"dev/{i}" for i in range(1000)])
    masks = [part(keys, Slice("dev", a, b)) for a, b in ((0, 0.7), (0.7, 0.8), (0.8, 1))]
    assert [int(mask.sum()) for mask in masks] == [700, 100, 200] and (
        sum(mask.astype(int) for mask in masks) == 1
    ).all()
    # a hash, not a prefix; added rows do not reorder the others
    assert 0.6 < masks[0][:500].mean() < 0.8
    assert not (part(keys[:900], Slice("dev", 0, 0.5)) & part(keys, Slice("dev", 0.7, 1))[:900]).any()


def test_rows_of_one_premise_stay_together(data_root):
    task = tasks.get("xnli")
    train = tasks.load_rows(task, "dev[0%:70%]", "en", data_root)
    select = tasks.load_rows(task, "dev[70%:]", "sw", data_root)
    assert (len(train), len(select)) == (1743, 747) and not set(train.item_ids) & set(select.item_ids)
    assert not set(train.fields["premise"]) & set(tasks.load_rows(task, "dev[70%:]", "en", data_root).fields["premise"])
    assert np.bincount(train.labels).tolist() == [581, 581, 581]


def test_tasks_from_the_same_files_have_the_same_slices(data_root):
    pairs, scores = (tasks.get(name) for name in ("medical_question_pairs", "medical_question_similarity"))
    for split in ("train", "test"):
        a, b = (tasks.load_rows(task, split, "en", data_root) for task in (pairs, scores))
        assert a.fields == b.fields and (a.labels == b.labels).all()
    two, three = (tasks.load_rows(tasks.get(name), "dev", "en", data_root) for name in ("druglib", "druglib_three"))
    assert set(two.fields["text"]) < set(three.fields["text"])


def test_limit_takes_the_same_items_in_every_language():
    english, german = (tasks.limit(_rows(500, code), 100, seed=3) for code in ("en", "de"))
    assert len(english) == 100 and list(english.item_ids) == list(german.item_ids)
    assert set(english.item_ids) > set(tasks.limit(_rows(500), 10, seed=3).item_ids)
    assert set(english.item_ids) != set(tasks.limit(_rows(500), 100, seed=4).item_ids)
    assert len(tasks.limit(_rows(5), 100)) == len(tasks.limit(_rows(5), None)) == 5


def test_train_has_no_phrase_of_held_out_sentences():
    sentences = [" ".join(f"w{s}x{i}" for i in range(14)) for s in range(40)]
    texts = [t for s in sentences for t in (" ".join(s.split()[2:13]), s, " ".join(s.split()[3:9]), "very funny")]
    train, dev = hold_out_sentences(tuple(texts), 0.25)
    assert len(dev) == 10 and all(texts[i] in sentences for i in dev)
    held = [texts[i] for i in dev]
    assert all(texts[i] == "very funny" or not any(texts[i] in s for s in held) for i in train)
    assert len(train) == 30 * 4 + 10


def test_dev_of_sst2_has_whole_sentences(data_root):
    task = tasks.get("sst2")
    dev = tasks.load_rows(task, "dev", "en", data_root)
    assert min(len(words_of(text)) for text in dev.fields["text"]) >= 10
    assert 0.4 < dev.labels.mean() < 0.6
