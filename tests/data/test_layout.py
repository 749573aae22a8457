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
@pytest.mark.slow
def test_published_tokenizers(name, data_root):
    directory = data_root / "tokenizers" / name
    for fields in (("a b",), ("a b", "c")):
        found, expected = ours(directory, *fields), theirs(directory, *fields)
        assert found.ids.tolist() == expected["input_ids"]
        assert found.token_type_ids.tolist() == expected.get("token_type_ids", [0] * len(found.ids))
        assert found.summaries.tolist() == [len(found.ids) - 1 if "xlnet" in name else 0]
    layout = load_tokenizer(directory).layout
    assert layout.context_first == ("xlnet" in name)
    assert layout.token_types == (2 if name.startswith("bert") else 1)  # transformers 5 passes on none of XLNet's


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


def test_files_without_a_class_have_no_types(tmp_path):
    saved(tmp_path, tokenizers.models.WordPiece, BRACKETED, BERT_TEMPLATE)
    assert not ours(tmp_path, "a", "b").token_type_ids.any()
    assert "token_type_ids" not in theirs(tmp_path, "a", "b")


TYPED = {  # class -> its model, special tokens, and the model_type of its encoders
    "BertTokenizer": (tokenizers.models.WordPiece, BRACKETED, "bert"),
    "DistilBertTokenizer": (tokenizers.models.WordPiece, BRACKETED, "distilbert"),
    "ElectraTokenizer": (tokenizers.models.WordPiece, BRACKETED, "electra"),
    "MobileBertTokenizer": (tokenizers.models.WordPiece, BRACKETED, "mobilebert"),
    "RobertaTokenizer": (tokenizers.models.BPE, ANGLED, "roberta"),
    "LongformerTokenizer": (tokenizers.models.BPE, ANGLED, "longformer"),
    "PreTrainedTokenizerFast": (tokenizers.models.WordPiece, BRACKETED, "bert"),
    "TokenizersBackend": (tokenizers.models.BPE, ANGLED, "roberta"),
}


@pytest.mark.parametrize("config", ["no config.json", "config.json", "class in config.json"])
@pytest.mark.parametrize("name", TYPED)
def test_token_types_of_a_typed_template(name, config, tmp_path):
    model, special, model_type = TYPED[name]
    cls, sep = (("[CLS]", 2), ("[SEP]", 3)) if special == BRACKETED else (("<s>", 0), ("</s>", 2))
    typed = template(cls, sep, f"{cls[0]} $A {sep[0]} $B:1 {sep[0]}:1")
    named = {} if config == "class in config.json" else {"tokenizer_class": name}
    saved(tmp_path, model, special, typed, **named)
    if config != "no config.json":
        (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    found, expected = ours(tmp_path, "a", "b"), theirs(tmp_path, "a", "b")
    assert found.ids.tolist() == expected["input_ids"]
    assert found.token_type_ids.tolist() == expected.get("token_type_ids", [0] * len(found.ids))


@pytest.mark.parametrize(("name", "model_type"), [("MPNetTokenizer", "mpnet"), ("GPT2Tokenizer", "gpt2")])
@pytest.mark.parametrize("named", [True, False])
def test_classes_with_another_template_are_refused(name, model_type, named, tmp_path):
    settings = {"tokenizer_class": name} if named else {}
    saved(tmp_path, tokenizers.models.WordPiece, BRACKETED, BERT_TEMPLATE, **settings)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
    with pytest.raises(InputError, match=f"tokenizer_class '{name}' is not supported"):
        load_tokenizer(tmp_path)


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
    names = {"model_input_names": ["input_ids", "token_type_ids"]}
    saved(tmp_path, tokenizers.models.BPE, BRACKETED, BERT_TEMPLATE, padding_side="left", pad_token_type_id=4, **names)
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
