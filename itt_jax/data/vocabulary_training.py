"""Training a tokenizer's files, as a function of the texts.

Tokenizers trained here serve several languages, so all of them keep case and accents.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from itt_jax.data.sentencepieces import Pieces, read_pieces
from itt_jax.data.tokenizer_classes import ROLES
from itt_jax.errors import InputError
from itt_jax.families import family as family_of

# In the order of their ids. RoBERTa's <pad> is 1, because its positions count from there; XLNet's are as published.
_BERT = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_ROBERTA = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
_XLNET = ("<cls>", "<sep>", "<pad>", "<mask>", "<eod>", "<eop>")  # after sentencepiece's own <unk> <s> </s>
_LONGEST = 1_000_000  # bytes; sentencepiece's trainer skips longer texts


def train_files(texts: Iterable[str], family: str, vocabulary_size: int) -> dict[str, bytes]:
    """File name -> content of a tokenizer trained on `texts`, in the format of the family's encoders (`FORMATS`).

    Args:
        vocabulary_size: the largest number of ids; few texts may give fewer.

    Raises:
        InputError: unknown family, no text, or too small a vocabulary.
    """
    train = FORMATS[family_of(family).tokenizer]
    texts = [text for text in texts if text.strip()]
    if not texts:
        raise InputError(f"no text to train a {family} tokenizer on")
    return train(texts, vocabulary_size)


def _settings(tokenizer_class: str, **settings: object) -> bytes:
    return json.dumps({"tokenizer_class": tokenizer_class, **settings}, indent=1).encode()


def _word_piece(texts: list[str], vocabulary_size: int) -> dict[str, bytes]:
    import tokenizers

    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = tokenizers.normalizers.BertNormalizer(strip_accents=False, lowercase=False)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    alphabet = _alphabet(texts, tokenizer, vocabulary_size)
    characters = sorted({piece[-1] for piece in alphabet})
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=vocabulary_size,
        # The trainer would number "##x" in the order of its hash map, and it breaks ties by number, so they are
        # numbered here. Characters named in `initial_alphabet` are the last that the limit drops.
        special_tokens=[*_BERT, *alphabet],
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    lines = sorted(vocabulary, key=vocabulary.__getitem__)
    settings = _settings("BertTokenizer", do_lower_case=False, strip_accents=False, tokenize_chinese_chars=True)
    return {"vocab.txt": "".join(f"{line}\n" for line in lines).encode(), "tokenizer_config.json": settings}


def _alphabet(texts: list[str], tokenizer: Any, vocabulary_size: int) -> list[str]:
    """The most frequent characters in the forms they occur in, first in a word ("x") or later in it ("##x"), sorted.

    They fill at most half of the vocabulary; the tokenizer does not know the others.
    """
    words: Counter[str] = Counter()
    for text in texts:
        words.update(text.split())
    counts: Counter[str] = Counter()
    forms: dict[str, set[str]] = {}
    for word, count in words.items():
        for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(word)):
            for place, character in enumerate(piece):
                counts[character] += count
                forms.setdefault(character, set()).add(f"##{character}" if place else character)
    kept: list[str] = []
    for character in sorted(counts, key=lambda c: (-counts[c], c)):
        if len(kept) + len(forms[character]) > vocabulary_size // 2 - len(_BERT):
            break
        kept.extend(forms[character])
    if not kept:
        raise InputError(f"vocabulary_size {vocabulary_size} has no room for the alphabet of the texts")
    return sorted(kept)


def _byte_level(texts: list[str], vocabulary_size: int) -> dict[str, bytes]:
    import tokenizers

    alphabet = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    if vocabulary_size <= len(_ROBERTA) + len(alphabet):
        raise InputError(f"vocabulary_size {vocabulary_size} leaves no room beside the {len(alphabet)} bytes")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocabulary_size, special_tokens=list(_ROBERTA), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    merges = "".join(f"{first} {second}\n" for first, second in model["merges"])
    return {
        "vocab.json": json.dumps(model["vocab"], ensure_ascii=False).encode(),
        "merges.txt": f"#version: 0.2\n{merges}".encode(),
        "tokenizer_config.json": _settings("RobertaTokenizer", add_prefix_space=False),
    }


def _unigram(texts: list[str], vocabulary_size: int) -> dict[str, bytes]:
    import sentencepiece

    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(text.split()) for text in texts]),
            model_writer=model,
            model_type="unigram",
            vocab_size=vocabulary_size,
            hard_vocab_limit=False,
            control_symbols=list(_XLNET),
            max_sentence_length=_LONGEST,
            num_threads=1,  # sums of floats depend on the number of threads
            minloglevel=2,
        )
    except (RuntimeError, OSError) as error:
        raise InputError(
            f"vocabulary_size {vocabulary_size}: sentencepiece cannot train on these texts: {error}"
        ) from None
    return _as_json(read_pieces(model.getvalue(), "trained model"))


def _as_json(content: Pieces) -> dict[str, bytes]:
    """A tokenizer.json that reads texts as the `sentencepiece` library does, but for ties between segmentations.

    The class XLNetTokenizer of transformers 5 would remove accents. NFKC goes first, because the Rust library applies
    the model's own normalisation to single characters and short clusters and would lose marks.
    """
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.Unigram(content.scored, unk_id=content.unk_id, byte_fallback=False))
    quotes = normalizers.Replace(Regex("``|''"), '"')
    assert content.charsmap is not None  # the library's default normalisation
    tokenizer.normalizer = normalizers.Sequence([quotes, normalizers.NFKC(), normalizers.Precompiled(content.charsmap)])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>:2",
        pair="$A <sep> $B:1 <sep>:1 <cls>:2",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("<cls>", "<sep>")],
    )
    settings = _settings(
        "PreTrainedTokenizerFast",
        **{f"{role}_token": f"<{role}>" for role in ROLES},
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        padding_side="left",
        pad_token_type_id=3,
    )
    return {"tokenizer.json": tokenizer.to_str().encode(), "tokenizer_config.json": settings}


FORMATS: dict[str, Callable[[list[str], int], dict[str, bytes]]] = {
    "wordpiece": _word_piece,
    "byte_level_bpe": _byte_level,
    "unigram": _unigram,
}
"""Formats of trained tokenizers: name -> function of (texts, vocabulary size)."""
VERSIONS = {"wordpiece": 1, "byte_level_bpe": 1, "unigram": 2}
"""Versions of the formats, a part of the ids of encoders made here; must change whenever a text gets other ids."""
