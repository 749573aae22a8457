"""Examples equal Hugging Face's encodings: layout, token types, truncation."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itt_jax.data.examples import assemble, prepare
from itt_jax.data.layout import Layout, from_template
from itt_jax.data.rows import Rows
from itt_jax.data.tokenizing import load_tokenizer, train_tokenizer
from itt_jax.errors import InputError
from itt_jax.families.bert import BertConfig
from itt_jax.families.roberta import RobertaConfig
from itt_jax.families.xlnet import XlnetConfig
from itt_jax.ragged import Ragged

WORDS = "the patient said that der Ausschuss wird heute nicht more to come und so weiter".split()
LENGTHS = [(0, 0), (1, 1), (3, 0), (0, 5), (4, 9), (9, 4), (5, 5), (7, 8), (8, 7), (20, 2), (2, 20), (30, 30), (30, 31)]


@pytest.fixture(scope="module")
def tokenizers():
    return {family: train_tokenizer([" ".join(WORDS)] * 3, family, 280) for family in ("bert", "roberta", "xlnet")}


def tokens(lengths, first=1000):
    """Texts of the given lengths whose ids count up, so that every id identifies its position."""
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Ragged(np.arange(first, first + offsets[-1], dtype=np.int32), offsets)


@pytest.mark.parametrize("name", ["bert-base-cased", "roberta-base", "xlm-roberta-base"])
def test_equal_to_hugging_face(name, data_root):
    from transformers import AutoTokenizer

    tokenizer = load_tokenizer(data_root / "tokenizers" / name)
    reference = AutoTokenizer.from_pretrained(data_root / "tokenizers" / name)
    first = [" ".join((WORDS * 3)[:a]) for a, _ in LENGTHS]
    second = [" ".join((WORDS * 3)[-b:] if b else []) for _, b in LENGTHS]
    for max_length, fields in itertools.product([7, 12, 13, 64], [[first], [first, second]]):
        examples = assemble(tokenizer, [tokenizer.encode(field) for field in fields], max_length)
        expected = reference(
            *fields, truncation="longest_first", max_length=max_length, return_token_type_ids=True, verbose=False
        )
        for i in range(len(first)):
            part = slice(examples.offsets[i], examples.offsets[i + 1])
            assert examples.ids[part].tolist() == expected["input_ids"][i]
            if name == "bert-base-cased":
                assert examples.token_type_ids[part].tolist() == expected["token_type_ids"][i]
            sequences = [0 if s is None else s + 1 for s in expected.sequence_ids(i)]
            assert examples.fields[part].tolist() == sequences


def test_layouts(tokenizers):
    a, b = tokens([2]), tokens([1], first=2000)
    for family, ids, types, fields, summary in [
        ("bert", ["cls", 1000, 1001, "sep", 2000, "sep"], [0, 0, 0, 0, 1, 1], [0, 1, 1, 0, 2, 0], 0),
        ("roberta", ["cls", 1000, 1001, "sep", "sep", 2000, "sep"], [0] * 7, [0, 1, 1, 0, 0, 2, 0], 0),
        ("xlnet", [1000, 1001, "sep", 2000, "sep", "cls"], [0, 0, 0, 1, 1, 2], [1, 1, 0, 2, 0, 0], 5),
    ]:
        tokenizer = tokenizers[family]
        examples = assemble(tokenizer, [a, b], 16, np.array([1], np.int32))
        special = {"cls": tokenizer.cls_id, "sep": tokenizer.sep_id}
        assert examples.ids.tolist() == [special.get(i, i) for i in ids]
        assert examples.token_type_ids.tolist() == types
        assert examples.fields.tolist() == fields
        assert examples.summaries.tolist() == [summary]
        assert examples.labels.tolist() == [1]
        assert (examples.pad_id, examples.pad_type) == (tokenizer.pad_id, 3 if family == "xlnet" else 0)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=6), st.integers(5, 40))
def test_truncation_takes_from_the_longer_field(lengths, max_length):
    tokenizer = FakeBert()
    first, second = tokens([a for a, _ in lengths]), tokens([b for _, b in lengths], first=5000)
    examples = assemble(tokenizer, [first, second], max_length)
    room = max_length - 3
    for i, (a, b) in enumerate(lengths):
        part = slice(examples.offsets[i], examples.offsets[i + 1])
        kept_a, kept_b = (examples.ids[part][examples.fields[part] == k].tolist() for k in (1, 2))
        assert kept_a == first[i][: len(kept_a)].tolist() and kept_b == second[i][: len(kept_b)].tolist()
        assert len(kept_a) + len(kept_b) == min(a + b, room)
        if len(kept_a) < a and len(kept_b) < b:
            assert abs(len(kept_a) - len(kept_b)) <= 1
        elif len(kept_a) < a:
            assert len(kept_a) + (a == b) >= len(kept_b)  # of two equal fields the second keeps the odd token
        elif len(kept_b) < b:
            assert len(kept_b) >= len(kept_a)


class FakeBert:
    layout = Layout(*from_template("cls:0 A:0 sep:0", "cls:0 A:0 sep:0 B:1 sep:1", {"cls": 101, "sep": 102}), 101, 0)


def test_prepare_reads_rows(tokenizers):
    ids = np.array(["t/dev/0", "t/dev/1"])
    labels = np.array([1, 0], np.int32)
    rows = Rows("t", "dev", "de", "general", ids, {"a": ["heute nicht", ""], "b": ["und so", "weiter"]}, labels)
    tokenizer = tokenizers["xlnet"]
    examples = prepare(tokenizer, rows, 32)
    expected = assemble(tokenizer, [tokenizer.encode_whole(texts) for texts in rows.fields.values()], 32, labels)
    assert np.array_equal(examples.ids, expected.ids) and np.array_equal(examples.offsets, expected.offsets)
    assert examples.labels is labels and len(examples) == 2


def test_an_encoder_whose_tables_are_too_small_is_refused_by_name(tokenizers):
    single, pair = (assemble(tokenizers["bert"], [tokens([3], 5)] * fields, 16) for fields in (1, 2))
    sizes = {"vocabulary_size": 10, "width": 8, "heads": 2}
    one_type, two_types = RobertaConfig(**sizes, token_types=1), BertConfig(**sizes)
    single.check_fits(one_type)  # as in Hugging Face, one text has type 0 only
    with pytest.raises(InputError, match="token type id 1; the roberta encoder has type_vocab_size 1"):
        pair.check_fits(one_type)
    pair.check_fits(two_types)
    with pytest.raises(InputError, match="token id 10; the bert encoder has vocab_size 10"):
        assemble(tokenizers["bert"], [tokens([4], 7)], 16).check_fits(two_types)
    assemble(tokenizers["xlnet"], [tokens([3], 5)] * 2, 16).check_fits(XlnetConfig(**sizes))


def test_no_examples(tokenizers):
    examples = assemble(tokenizers["bert"], [tokens([])], 8)
    assert len(examples) == 0 and examples.ids.shape == (0,)


def test_bad_input(tokenizers):
    tokenizer = tokenizers["roberta"]
    with pytest.raises(InputError, match="1 or 2 text fields, found 3"):
        assemble(tokenizer, [tokens([1])] * 3, 8)
    with pytest.raises(InputError, match=r"one size expected, found \[1, 2\]"):
        assemble(tokenizer, [tokens([1]), tokens([1, 1])], 8)
    with pytest.raises(InputError, match="max_length 5 leaves no room beside 4 special tokens"):
        assemble(tokenizer, [tokens([1]), tokens([1])], 5)
