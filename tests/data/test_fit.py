"""A tokenizer and an encoder belong together if the encoder's tables have a row for every id, type and position."""

import dataclasses

import numpy as np
import pytest

from itt_jax.data.examples import assemble
from itt_jax.data.fit import check_length, check_tokenizer
from itt_jax.data.tokenizing import train_tokenizer
from itt_jax.errors import InputError
from itt_jax.families.bert import BertConfig
from itt_jax.families.roberta import RobertaConfig
from itt_jax.families.xlnet import XlnetConfig

SIZES = {"layers": 1, "width": 4, "heads": 1, "feed_forward": 4}


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(["a cold lake", "a warm stone"] * 20, "bert", 60)


def test_every_id_needs_a_row_and_more_rows_are_fine(tokenizer):
    ids = tokenizer.vocabulary_size
    for rows in (ids, ids + 1, ids + 64):
        check_tokenizer(tokenizer, BertConfig(vocabulary_size=rows, **SIZES), "here")
    last = tokenizer.pieces[-1]
    message = rf"here: the tokenizer gives token id {ids - 1} \('{last}'\); the bert encoder has vocab_size {ids - 1}:"
    with pytest.raises(InputError, match=message):
        check_tokenizer(tokenizer, BertConfig(vocabulary_size=ids - 1, **SIZES), "here")


def test_token_types_of_pairs_need_two_rows(tokenizer):
    config = BertConfig(vocabulary_size=tokenizer.vocabulary_size, token_types=1, **SIZES)
    check_tokenizer(tokenizer, config, "here")
    with pytest.raises(InputError, match="here: the tokenizer gives token type id 1; the bert encoder has type_vocab"):
        check_tokenizer(tokenizer, config, "here", fields=2)


@pytest.mark.parametrize(
    ("config", "most"),
    [
        (BertConfig(position_rows=40), 40),
        (RobertaConfig(position_rows=40), 38),
        (RobertaConfig(position_rows=40, pad_id=3), 36),
        (XlnetConfig(), None),
    ],
)
def test_positions_are_counted_as_the_family_does(config, most):
    check_length(most or 10**6, config, "length")
    if most is not None:
        with pytest.raises(InputError, match=rf"length {most + 1}: .* allow {most} tokens"):
            check_length(most + 1, config, "length")


def test_examples_are_compared_with_every_table(tokenizer):
    config = BertConfig(vocabulary_size=tokenizer.vocabulary_size, position_rows=8, **SIZES)
    fields = [tokenizer.encode(["a cold lake " * 3]) for _ in range(2)]
    assemble(tokenizer, fields, 8).check_fits(config)
    for examples, changes, message in (
        (assemble(tokenizer, fields, 9), {}, "examples of length 9"),
        (assemble(tokenizer, fields, 8), {"token_types": 1}, "token type id 1"),
        (assemble(tokenizer, fields, 8), {"vocabulary_size": 5}, r"token id \d+; the bert encoder has vocab_size 5"),
        (dataclasses.replace(assemble(tokenizer, fields, 8), pad_type=3), {}, "token type id 3"),
    ):
        with pytest.raises(InputError, match=message):
            examples.check_fits(dataclasses.replace(config, **changes))
    assert np.max(assemble(tokenizer, fields, 8).ids) >= 5
