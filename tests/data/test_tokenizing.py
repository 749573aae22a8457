"""Token ids equal the reference libraries' on published vocabularies, clean and edited, with and without the table."""

import hashlib
import io
import json
import pickle
import random
import subprocess
import sys

import numpy as np
import pytest

from itt_jax.data.examples import assemble
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer, train_tokenizer
from itt_jax.errors import InputError

ALL = [
    "bert-base-uncased",
    "bert-base-cased",
    "bert-base-multilingual-cased",
    "roberta-base",
    "xlm-roberta-base",
    "xlnet-base-cased",
]
LANGUAGES = ["en", "de", "zh", "hi", "ru", "th", "ar", "vi"]
INSERTED = ["\u0301", "\u0338", "\u200b", "\u200d", "\u202e", "\u202c", "\u2066", "\u00ad", "\ufeff", ".", "-", "́", "ﬁ"]
INSERTED += [
    "\t",
    "\n",
    "\u00a0",
    "\u3000",
    " ",
    "  ",
    "´",
    "А",
    "Ⅳ",
    "½",
    "…",
    "''",
    "``",
    "\x07",
    "\x1c",
    "\u0085",
    "İ",
]
SPECIAL_TEXT = [
    "[CLS] a [SEP] b [MASK] [PAD] [UNK]",
    "<s> a </s></s> b <mask> <pad> <unk>",
    "x<sep>y<cls> <mask><eod> [SEP]",
    "[SEP]",
    "<mask>",
    "</s>",
    "<s>",
    " <mask>",
]


def edited(text: str, generator: random.Random) -> str:
    """A text with insertions, repeats and deletions, as perturbations make them."""
    out = []
    for character in text:
        draw = generator.random()
        if draw < 0.05:
            out.append(character + generator.choice(INSERTED))
        elif draw < 0.07:
            out.append(character * generator.choice([2, 4, 7]))
        elif draw > 0.02 + 0.07:
            out.append(character)
    return "".join(out)


@pytest.fixture(scope="module")
def clean(data_root) -> list[str]:
    texts = []
    for language in LANGUAGES:
        path = data_root / "crosslingual" / "xnli" / f"test-{language}.tsv"
        lines = path.read_text(encoding="utf-8").split("\n")[:150]
        texts += [field for line in lines for field in line.split("\t")[:2]]
    return texts


@pytest.fixture(scope="module")
def noisy(clean) -> list[str]:
    generator = random.Random(0)
    return [edited(text, generator) for text in clean for _ in range(2)] + SPECIAL_TEXT + ["", " ", "a" * 5000]


@pytest.fixture(scope="module")
def load(data_root):
    loaded = {}

    def get(name: str) -> Tokenizer:
        if name not in loaded:
            loaded[name] = load_tokenizer(data_root / "tokenizers" / name)
        return loaded[name]

    return get


def lists(tokens) -> list[list[int]]:
    return [tokens[i].tolist() for i in range(len(tokens))]


@pytest.mark.parametrize("name", ALL)
def test_ids_equal_hugging_face(name, load, clean, noisy, data_root):
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(data_root / "tokenizers" / name)
    texts = [text for text in clean + noisy if text not in SPECIAL_TEXT]
    assert lists(load(name).encode(texts)) == reference(texts, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("name", ALL)
def test_chunk_table_equals_whole_encoding(name, load, clean, noisy):
    tokenizer = load(name)
    texts = noisy + clean + noisy[:10]
    assert lists(tokenizer.encode(texts)) == lists(tokenizer.encode_whole(texts))
    assert not tokenizer.mismatched


@pytest.mark.parametrize("name", ALL)
def test_special_strings_in_data_stay_text(name, load):
    tokenizer = load(name)
    special = {tokenizer.pad_id, tokenizer.cls_id, tokenizer.sep_id, tokenizer.mask_id, tokenizer.unk_id}
    assert not special & set(tokenizer.encode(SPECIAL_TEXT).values.tolist())


@pytest.mark.parametrize("name", ALL)
def test_special_ids_are_the_published_ones(name, load):
    published = {
        "bert-base-uncased": (0, 101, 102, 103, 100, 30522),
        "bert-base-cased": (0, 101, 102, 103, 100, 28996),
        "bert-base-multilingual-cased": (0, 101, 102, 103, 100, 119547),
        "roberta-base": (1, 0, 2, 50264, 3, 50265),
        "xlm-roberta-base": (1, 0, 2, 250001, 3, 250002),
        "xlnet-base-cased": (5, 3, 4, 6, 0, 32000),
    }
    found = load(name)
    ids = (found.pad_id, found.cls_id, found.sep_id, found.mask_id, found.unk_id, found.vocabulary_size)
    assert ids == published[name]


@pytest.mark.parametrize("name", ["bert-base-cased", "roberta-base", "xlnet-base-cased"])
def test_a_directory_with_only_tokenizer_json(name, load, clean, data_root, tmp_path):
    from transformers import AutoTokenizer

    reference = AutoTokenizer.from_pretrained(data_root / "tokenizers" / name)
    reference.save_pretrained(tmp_path)
    for file in tmp_path.iterdir():
        if file.name not in ("tokenizer.json", "tokenizer_config.json"):
            file.unlink()
    found, expected = load_tokenizer(tmp_path), load(name)
    texts = clean[::5]
    assert lists(found.encode(texts)) == reference(texts, add_special_tokens=False)["input_ids"]
    assert lists(found.encode(texts + SPECIAL_TEXT)) == lists(expected.encode(texts + SPECIAL_TEXT))
    for attribute in ("layout", "vocabulary_size", "pad_id", "cls_id", "sep_id", "mask_id", "unk_id"):
        assert getattr(found, attribute) == getattr(expected, attribute)


def test_word_starts(load):
    def starts(name, text):
        tokenizer = load(name)
        ids = tokenizer.encode([text]).values
        return [tokenizer.pieces[i] for i in ids[tokenizer.word_starts(ids)]]

    assert starts("bert-base-cased", "unaffable kindness") == ["un", "kindness"]
    assert starts("roberta-base", " unaffable kindness") == ["Ġunaff", "Ġkindness"]
    assert starts("xlm-roberta-base", "unaffable kindness") == ["▁una", "▁kind"]
    assert len(starts("xlm-roberta-base", "天气很好我们出去")) > 2
    tokenizer = load("roberta-base")
    assert tokenizer.word_starts(np.array([[tokenizer.cls_id, tokenizer.sep_id]])).all()


def test_long_and_empty_texts(load):
    for name in ALL:
        lengths = load(name).encode(["", "x" * 100_000, "a " * 50_000]).lengths
        assert lengths[0] == 0 and lengths[1] >= 1 and lengths[2] >= 50_000
        assert len(load(name).encode([])) == 0


@pytest.mark.parametrize("name", ["bert-base-cased", "roberta-base", "xlm-roberta-base", "xlnet-base-cased"])
def test_unreadable_texts_are_named(name, load):
    with pytest.raises(InputError, match=r"text 1: lone surrogate U\+D800 at character 2"):
        load(name).encode(["fine", "a \ud800 b"])
    with pytest.raises(InputError, match="text 1: found NoneType, expected a string"):
        load(name).encode(["fine", None])
    assert load(name).encode(["fine"]).lengths[0] >= 1


TRAINING = [
    "The committee approved the new drug.",
    "Der Ausschuss hat das neue Medikament zugelassen.",
    "Комитет одобрил новое лекарство.",
    "El comité aprobó el nuevo medicamento, ¿verdad?",
    "委员会批准了这种新药。",
] * 4


ODD_TEXTS = [
    "Well-known ``quotes'' and ''more'' (ok). \"-\" ... U.S., 3.50!",
    "El comité comite\u0301 a\u0323\u0302 n\u0303 \u0915\u094d\u092f\u093e दवा 각 \u1100\u1161\u11a8",
    "👩\u200d👩\u200d👧 👍🏽 🇩🇪 \u2764\ufe0f ok",
    "委员会，東京。ﾋﾟﾂ １２３ ㍿",
    " a\u00a0b\u3000c\u2003d\u2009\u200ae\u202ff\u2028g\u2029h\u0085i\tj\r\nk  l\u200bm\ufeffn ",
    "İ ﬁ ½ Ⅳ … ～ \x07 \u00ad",
    "",
    "   ",
]


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_trained_tokenizers_are_saved_and_read_again(family, tmp_path):
    tokenizer = train_tokenizer(TRAINING, family, 400)
    assert tokenizer.vocabulary_size <= 400
    assert tokenizer.unk_id not in tokenizer.encode(TRAINING).values
    tokenizer.save(tmp_path)
    again = load_tokenizer(tmp_path)
    assert again.layout == tokenizer.layout
    assert again.fingerprint == tokenizer.fingerprint == pickle.loads(pickle.dumps(tokenizer)).fingerprint
    assert lists(again.encode(TRAINING)) == lists(tokenizer.encode_whole(TRAINING))
    if family == "roberta":
        assert tokenizer.pad_id == 1
    accents = tokenizer.encode(["comité", "comite"])
    assert accents[0].tolist() != accents[1].tolist()


@pytest.mark.parametrize("family", ["bert", "roberta", "xlnet"])
def test_transformers_reads_trained_tokenizers(family, tmp_path):
    from transformers import AutoTokenizer

    tokenizer = train_tokenizer(TRAINING, family, 400)
    tokenizer.save(tmp_path)
    generator = random.Random(1)
    texts = TRAINING + ODD_TEXTS + [edited(text, generator) for text in TRAINING + ODD_TEXTS for _ in range(20)]
    for model_type in (None, family):  # as a folder of its own, and beside an encoder
        if model_type:
            (tmp_path / "config.json").write_text(json.dumps({"model_type": model_type}))
        reference = AutoTokenizer.from_pretrained(tmp_path)
        assert reference(texts, add_special_tokens=False)["input_ids"] == lists(tokenizer.encode(texts))
        pair = assemble(tokenizer, [tokenizer.encode(["El comité"]), tokenizer.encode(["委员会"])], 64)
        expected = reference("El comité", "委员会")
        assert pair.ids.tolist() == expected["input_ids"]
        assert pair.token_type_ids.tolist() == expected.get("token_type_ids", [0] * len(pair.ids))
    assert tokenizer.layout.context_first == (reference.padding_side == "left") == (family == "xlnet")
    assert tokenizer.pad_id == reference.pad_token_id


def test_a_trained_xlnet_tokenizer_reads_as_the_sentencepiece_library():
    """Not so XLNetTokenizer of transformers 5, which removes accents and the vowel signs of Hindi."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TRAINING),
        model_writer=model,
        vocab_size=400,
        hard_vocab_limit=False,
        control_symbols=["<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>"],
        num_threads=1,
        minloglevel=2,
    )
    library = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    tokenizer = train_tokenizer(TRAINING, "xlnet", 400)
    texts = [*TRAINING, *ODD_TEXTS]
    plain = [" ".join(text.split()).replace("``", '"').replace("''", '"') for text in texts]
    assert lists(tokenizer.encode(texts)) == library.encode(plain)


def test_training_is_the_same_in_every_process():
    script = (
        "import sys, json; from itt_jax.data.tokenizing import train_tokenizer; texts = json.load(sys.stdin); "
        "print([train_tokenizer(texts, f, 350).fingerprint for f in ('bert', 'roberta', 'xlnet')])"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script], input=json.dumps(TRAINING), capture_output=True, text=True, check=True
        ).stdout
        for _ in range(2)
    ]
    here = [train_tokenizer(TRAINING, family, 350).fingerprint for family in ("bert", "roberta", "xlnet")]
    assert runs == [f"{here}\n"] * 2


def test_bad_directories(tmp_path):
    with pytest.raises(InputError, match="no such directory"):
        load_tokenizer(tmp_path / "absent")
    with pytest.raises(InputError, match="no tokenizer files"):
        load_tokenizer(tmp_path)
    (tmp_path / "vocab.txt").write_text("[PAD]\na\n")
    with pytest.raises(InputError, match=r"the cls token '\[CLS\]' is not in the vocabulary"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(InputError, match=r"tokenizer\.json: not JSON"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"model": {"type": "BPE"}}')
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer"):
        load_tokenizer(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    (tmp_path / "spiece.model").write_bytes(b"no model")
    with pytest.raises(InputError, match="not a sentencepiece model"):
        load_tokenizer(tmp_path)


def test_bad_training_input():
    with pytest.raises(InputError, match="unknown encoder family 'brt'; did you mean 'bert'"):
        train_tokenizer(["a"], "brt", 100)
    with pytest.raises(InputError, match="no text"):
        train_tokenizer([" "], "bert", 100)
    for family in ("bert", "roberta", "xlnet"):
        with pytest.raises(InputError, match="vocabulary_size 5"):
            train_tokenizer(TRAINING, family, 5)


def test_a_wrong_chunk_table_is_found_counted_and_not_used(caplog):
    tokenizer = train_tokenizer(TRAINING, "roberta", 300)
    right = lists(tokenizer.encode(TRAINING[:5]))
    tokenizer._table._ids = tokenizer._table._ids[::-1].copy()
    assert lists(tokenizer.encode(TRAINING[:5], "de")) == right
    assert tokenizer.mismatched["de"] > 0 and tokenizer.checked["de"] == 5
    assert "chunk table differs" in caplog.text


def test_fingerprint_names_the_files(load):
    files = load("bert-base-cased")._files
    changed = Tokenizer({**files, "tokenizer_config.json": b"{}"})
    assert changed.fingerprint != load("bert-base-cased").fingerprint
    assert len(changed.fingerprint) == hashlib.sha256().digest_size * 2
