"""Tokenizers of ModernBERT, mmBERT, EuroBERT and DeBERTa-v3, made small in their formats, as AutoTokenizer has them."""

import io
import json

import pytest
import tokenizers
from tokenizers import normalizers, pre_tokenizers, processors

from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import load_tokenizer

TEXTS = ["The patient slept well.", "Der Patient schlief gut, sehr gut!", "мама мыла раму", "A\n b  c "]
TRAINING = [*TEXTS, "patients sleep", "gut und well", "рама и мама"] * 4


def check(directory, pair_of_types):
    """Ids, single and in pairs, equal AutoTokenizer's."""
    from transformers import AutoTokenizer

    own, theirs = load_tokenizer(directory), AutoTokenizer.from_pretrained(directory)
    for first, second in zip(TEXTS, [*TEXTS[1:], TEXTS[0]], strict=True):
        for fields in ((first,), (first, second)):
            found = assemble(own, [own.encode([field]) for field in fields], 200)
            expected = theirs(*fields)
            assert found.ids.tolist() == expected["input_ids"]
            assert found.token_type_ids.tolist() == expected.get("token_type_ids", [0] * len(found.ids))
            assert found.summaries.tolist() == [0]
            assert ("token_type_ids" in expected) == pair_of_types
    return own


def bpe(directory, model, special, template, model_type, **settings):
    names = dict(zip(("pad_token", "bos_token", "eos_token", "unk_token", "mask_token"), special, strict=True))
    names = {name: piece for name, piece in names.items() if piece}
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[piece for piece in special if piece] + [f"<0x{i:02X}>" for i in range(256)] * (model == "▁"),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if model == "Ġ" else [],
        show_progress=False,
    )
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(unk_token=names.get("unk_token"), byte_fallback=model == "▁", fuse_unk=True)
    )
    if model == "Ġ":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        tokenizer.normalizer = normalizers.Replace(" ", "▁")
        tokenizer.pre_tokenizer = pre_tokenizers.Split("▁", behavior="merged_with_next")
    tokenizer.train_from_iterator(TRAINING, trainer)
    if model == "▁":  # Gemma's finds no blank
        tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", behavior="merged_with_previous")
    bos, eos = names["bos_token"], names["eos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=template.split("; ")[0],
        pair=template.split("; ")[1],
        special_tokens=[(piece, tokenizer.token_to_id(piece)) for piece in (bos, eos)],
    )
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text(json.dumps(names | settings))
    (directory / "config.json").write_text(json.dumps({"model_type": model_type}))


def modernbert(directory):
    """ModernBERT's."""
    special = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    settings["model_input_names"] = ["input_ids", "attention_mask"]
    bpe(directory, "Ġ", special, "[CLS] $A [SEP]; [CLS] $A [SEP] $B [SEP]", "modernbert", **settings)


def mmbert(directory, name="GemmaTokenizerFast"):
    """mmBERT's, of a class of this name."""
    special = ("<pad>", "<bos>", "<eos>", "<unk>", "<mask>")
    settings = {"tokenizer_class": name, "cls_token": "<bos>", "sep_token": "<eos>", "padding_side": "right"}
    bpe(directory, "▁", special, "<bos> $A <eos>; <bos> $A <eos> $B <eos>", "modernbert", **settings)


def eurobert(directory):
    """EuroBERT's."""
    special = ("<|pad|>", "<|begin|>", "<|end|>", None, "<|mask|>")
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_input_names": ["input_ids", "attention_mask"]}
    bpe(directory, "Ġ", special, "<|begin|> $A <|end|>; <|begin|> $A <|end|> $B <|end|>", "eurobert", **settings)


def deberta(directory):
    """DeBERTa-v3's, spm.model alone, without a mask piece, as its authors published it."""
    import sentencepiece

    model = io.BytesIO()
    names = {"pad": "[PAD]", "bos": "[CLS]", "eos": "[SEP]", "unk": "[UNK]"}
    options = {f"{role}_piece": piece for role, piece in names.items()}
    options |= {f"{role}_id": i for i, role in enumerate(names)}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING), model_writer=model, vocab_size=120, hard_vocab_limit=False, num_threads=1,
        minloglevel=2, **options,
    )  # fmt: skip
    (directory / "spm.model").write_bytes(model.getvalue())
    (directory / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": False, "vocab_type": "spm"}))
    (directory / "config.json").write_text(json.dumps({"model_type": "deberta-v2"}))


def test_modernbert(tmp_path):
    modernbert(tmp_path)
    check(tmp_path, False)


@pytest.mark.parametrize("name", ["GemmaTokenizerFast", "PreTrainedTokenizerFast"])
def test_mmbert(name, tmp_path):
    """Whatever class its files name; first words have no mark, and pieces "▁" mark the others."""
    mmbert(tmp_path, name)
    own = check(tmp_path, False)
    starts = own.word_starts(own.encode(["t s"]).values)
    assert not starts[0] and starts.sum() == 1


def test_eurobert(tmp_path):
    """It names the ends of a text alone, and no unknown token."""
    eurobert(tmp_path)
    own = check(tmp_path, False)
    assert own.unk_id == own.pad_id and own.pieces[own.mask_id] == "<|mask|>"


def test_deberta(tmp_path):
    """As its authors published it; then as transformers 5 saves it."""
    from transformers import AutoTokenizer

    (tmp_path / "a").mkdir()
    deberta(tmp_path / "a")
    own = check(tmp_path / "a", True)
    assert own.mask_id == own.vocabulary_size - 1 and own.pieces[own.unk_id] == "[UNK]"
    AutoTokenizer.from_pretrained(tmp_path / "a").save_pretrained(tmp_path / "b")
    (tmp_path / "b" / "config.json").write_text(json.dumps({"model_type": "deberta-v2"}))
    assert check(tmp_path / "b", True).encode(TEXTS).values.tolist() == own.encode(TEXTS).values.tolist()
