"""The layout of examples is the tokenizer's own, as transformers' AutoTokenizer has it."""

import json

import numpy as np
import pytest
import tokenizers
from tokenizers import processors

from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.errors import InputError

PUBLISHED = ["bert-base-uncased", "bert-base-cased", "roberta-base", "xlm-roberta-base", "xlnet-base-cased"]
BRACKETED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ANGLED = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def ours(directory, *fields):
    tokenizer = load_tokenizer(directory)
    return assemble(tokenizer, [tokenizer.encode([field]) for field in fields], 64)


def theirs(directory, *fields, **options):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(directory)(*fields, **options)


def saved(directory, model, special, post_processor, **settings):
    """A directory with a tokenizer.json whose vocabulary is special tokens and then a and b."""
    vocabulary = {piece: i for i, piece in enumerate((*special, "a", "b"))}
    unknown = next(piece for piece in special if "UNK" in piece.upper())
    options = {"merges": []} if model is tokenizers.models.BPE else {}
    tokenizer = tokenizers.Tokenizer(model(vocabulary, unk_token=unknown, **options))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if post_processor is not None:
        tokenizer.post_processor = post_processor
    tokenizer.save(str(directory / "tokenizer.json"))
    names = {f"{role}_token": piece for role, piece in zip(("pad", "unk", "cls", "sep", "mask"), special, strict=True)}
    if special == ANGLED:
        names = dict(zip(("cls_token", "pad_token", "sep_token", "unk_token", "mask_token"), special, strict=True))
    (directory / "tokenizer_config.json").write_text(json.dumps(names | settings))
    return directory


def template(cls, sep, pair, single=None):
    single = single or f"{cls[0]} $A {sep[0]}"
    return processors.TemplateProcessing(single=single, pair=pair, special_tokens=[cls, sep])


BERT_TEMPLATE = template(("[CLS]", 2), ("[SEP]", 3), "[CLS] $A [SEP] $B:1 [SEP]:1")


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_tokenizers(name, data_root):
    directory = data_root / "tokenizers" / name
    # transformers 5 leaves XLNet's token types out unless asked; with them the model was trained.
    asked = {"return_token_type_ids": True} if "xlnet" in name else {}
    for fields in (("a b",), ("a b", "c")):
        found, expected = ours(directory, *fields), theirs(directory, *fields, **asked)
        assert found.ids.tolist() == expected["input_ids"]
        assert found.token_type_ids.tolist() == expected.get("token_type_ids", [0] * len(found.ids))
        assert found.summaries.tolist() == [len(found.ids) - 1 if "xlnet" in name else 0]
    layout = load_tokenizer(directory).layout
    assert layout.context_first == ("xlnet" in name)
    assert layout.token_types == {"bert": 2, "xlnet": 3}.get(name.split("-")[0], 1)


def test_bpe_with_the_special_tokens_of_bert(tmp_path):
    saved(tmp_path, tokenizers.models.BPE, BRACKETED, BERT_TEMPLATE, tokenizer_class="PreTrainedTokenizerFast")
    assert ours(tmp_path, "a", "b").ids.tolist() == theirs(tmp_path, "a", "b")["input_ids"] == [2, 5, 3, 6, 3]
    assert ours(tmp_path, "a").ids.tolist() == theirs(tmp_path, "a")["input_ids"] == [2, 5, 3]
    assert ours(tmp_path, "a", "b").summaries.tolist() == [0]
    assert "token_type_ids" not in theirs(tmp_path, "a", "b")
    assert not ours(tmp_path, "a", "b").token_type_ids.any()


def test_wordpiece_laid_out_as_roberta(tmp_path):
    own = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    saved(tmp_path, tokenizers.models.WordPiece, ANGLED, own, tokenizer_class="TokenizersBackend")
    found, expected = ours(tmp_path, "a", "b"), theirs(tmp_path, "a", "b")
    assert found.ids.tolist() == expected["input_ids"] == [0, 5, 2, 2, 6, 2]
    assert not found.token_type_ids.any() and load_tokenizer(tmp_path).layout.token_types == 1


@pytest.mark.parametrize(
    ("names", "types"), [(["input_ids", "token_type_ids"], [0, 0, 0, 1, 1]), (["input_ids"], [0] * 5)]
)
@pytest.mark.parametrize("tokenizer_class", ["TokenizersBackend", "BertTokenizer"])
def test_token_types_are_those_the_model_is_given(tokenizer_class, names, types, tmp_path):
    settings = {"tokenizer_class": tokenizer_class, "model_input_names": names}
    saved(tmp_path, tokenizers.models.WordPiece, BRACKETED, BERT_TEMPLATE, **settings)
    assert ours(tmp_path, "a", "b").token_type_ids.tolist() == types
    assert theirs(tmp_path, "a", "b").get("token_type_ids", [0] * 5) == types


def test_files_without_a_class_keep_the_types_of_their_template(tmp_path):
    saved(tmp_path, tokenizers.models.WordPiece, BRACKETED, BERT_TEMPLATE)
    assert ours(tmp_path, "a", "b").token_type_ids.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("own", "ids", "types"),
    [
        (processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)), [2, 5, 3, 6, 3], [0, 0, 0, 1, 1]),
        (processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)), [2, 5, 3, 3, 6, 3], [0] * 6),
        (processors.Sequence([processors.ByteLevel(), BERT_TEMPLATE]), [2, 5, 3, 6, 3], [0, 0, 0, 1, 1]),
        (template(("[CLS]", 2), ("[SEP]", 3), "$A [SEP] $B:1 [SEP]:1 [CLS]:2", "$A [SEP] [CLS]:2"),
         [5, 3, 6, 3, 2], [0, 0, 1, 1, 2]),
        (template(("[CLS]", 2), ("[SEP]", 3), "[CLS] $B [SEP] $A [SEP]"), [2, 6, 3, 5, 3], [0] * 5),
    ],
    ids=["BertProcessing", "RobertaProcessing", "Sequence", "summary last", "fields swapped"],
)  # fmt: skip
def test_post_processors(own, ids, types, tmp_path):
    saved(tmp_path, tokenizers.models.BPE, BRACKETED, own, model_input_names=["input_ids", "token_type_ids"])
    found = ours(tmp_path, "a", "b")
    assert found.ids.tolist() == ids and found.token_type_ids.tolist() == types
    assert found.ids[found.summaries].tolist() == [2]
    assert [found.ids[found.fields == field].tolist() for field in (1, 2)] == [[5], [6]]
    layout, lengths = load_tokenizer(tmp_path).layout, [np.array([1]), np.array([1])]
    assert layout.special_tokens(2) == len(ids) - 2
    assert [found.ids[layout.start(field, lengths)].tolist() for field in (1, 2)] == [[5], [6]]


def test_padding_on_the_left_puts_the_context_first(tmp_path):
    saved(tmp_path, tokenizers.models.BPE, BRACKETED, BERT_TEMPLATE, padding_side="left", pad_token_type_id=4)
    layout = load_tokenizer(tmp_path).layout
    assert layout.context_first and (layout.pad_id, layout.pad_type) == (0, 4)


def test_a_class_without_a_template_of_its_own_in_the_file(tmp_path):
    saved(tmp_path, tokenizers.models.WordPiece, BRACKETED, None, tokenizer_class="BertTokenizerFast")
    assert ours(tmp_path, "a", "b").ids.tolist() == theirs(tmp_path, "a", "b")["input_ids"] == [2, 5, 3, 6, 3]


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (None, "adds no summary token"),
        (processors.ByteLevel(), "adds no summary token"),
        (template(("[CLS]", 2), ("[SEP]", 3), "[CLS] $A [SEP] $B $B [SEP]"), "each field once"),
    ],
)
def test_templates_that_lay_out_no_pair(own, message, tmp_path):
    saved(tmp_path, tokenizers.models.BPE, BRACKETED, own)
    with pytest.raises(InputError, match=message):
        load_tokenizer(tmp_path)


def test_old_files_of_another_class_are_refused(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join((*BRACKETED, "a")))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "BertJapaneseTokenizer"}')
    with pytest.raises(InputError, match="tokenizer_class 'BertJapaneseTokenizer' is not supported; expected one"):
        load_tokenizer(tmp_path)
