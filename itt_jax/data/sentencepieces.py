"""Sentencepiece models: their content, and ids and positions by the `sentencepiece` library."""

import dataclasses
import re
import struct
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from itt_jax.errors import InputError

Located = tuple[list[int], list[tuple[int, int]]]
"""The ids of a text, and for each the codepoints (start, stop) it stands for."""
Encode = Callable[[list[str]], list[list[int]]]
Locate = Callable[[list[str]], list[Located]]

_CONTROL, _USER_DEFINED = 3, 4


@dataclasses.dataclass(frozen=True)
class Pieces:
    """The content of a sentencepiece model.

    Attributes:
        scored: pieces and their scores, by id.
        unk_id: id of the unknown piece.
        charsmap: its compiled normalisation, None if it has none.
        control, user_defined: pieces that stand for no text, and pieces that are never split.
    """

    scored: list[tuple[str, float]]
    unk_id: int
    charsmap: bytes | None
    control: tuple[str, ...]
    user_defined: tuple[str, ...]


def load_model(model: bytes, where: str) -> Any:
    """A SentencePieceProcessor.

    Raises:
        InputError: not a sentencepiece model.
    """
    import sentencepiece

    if not model:
        raise InputError(f"{where}: not a sentencepiece model (the file is empty)")
    try:
        return sentencepiece.SentencePieceProcessor(model_proto=model)
    except (RuntimeError, OSError) as error:
        raise InputError(f"{where}: not a sentencepiece model ({error})") from None


def read_pieces(model: bytes, where: str) -> Pieces:
    """The content of a model file (sentencepiece_model.proto in google/sentencepiece).

    Raises:
        InputError: not a sentencepiece model.
    """
    load_model(model, where)  # which checks what is read here
    scored, kinds, unk_id, charsmap = [], [], 0, None
    for number, value in _fields(model):
        if number == 1:
            piece = dict(_fields(value))
            scored.append((piece.get(1, b"").decode("utf-8"), struct.unpack("<f", piece.get(2, bytes(4)))[0]))
            kinds.append(piece.get(3, 1))
        elif number == 2:
            unk_id = dict(_fields(value)).get(40, 0)
        elif number == 3:
            charsmap = dict(_fields(value)).get(2) or None
    control, user_defined = (
        tuple(piece for (piece, _), own in zip(scored, kinds, strict=True) if own == kind)
        for kind in (_CONTROL, _USER_DEFINED)
    )
    return Pieces(scored, unk_id, charsmap, control, user_defined)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: numbers and whole numbers or bytes."""
    place = 0

    def varint() -> int:
        nonlocal place
        value, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while place < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        length = {1: 8, 5: 4}.get(key & 7) or varint()
        yield key >> 3, message[place : place + length]
        place += length


def check_charsmap(charsmap: bytes, where: str) -> None:
    """Refuse a compiled normalisation (a double array, then the replacements) that points outside of itself.

    The Rust library follows it unchecked.

    Raises:
        InputError: it does.
    """
    size = int.from_bytes(charsmap[:4], "little")
    units, text = np.frombuffer(charsmap[4 : 4 + size - size % 4], "<u4"), np.frombuffer(charsmap[4 + size :], np.uint8)
    inner = units >> 31 == 0
    targets = np.arange(len(units)) ^ ((units >> 10).astype(np.int64) << ((units & (1 << 9)) >> 6))
    whole = 0 < size == 4 * len(units) and len(units) % 256 == 0 and bool((targets[inner] < len(units)).all())
    if whole:
        begins = units[targets[inner & (units >> 8 & 1 == 1)]] & 0x7FFFFFFF
        whole = bool((begins <= len(text)).all()) and bool((np.append(text, 0)[begins] & 0xC0 != 0x80).all())
    if not whole:
        raise InputError(f"{where}: its precompiled_charsmap is damaged")


def xlm_roberta_reader(processor: Any) -> tuple[Encode, Locate]:
    """fairseq's ids: <s> 0, <pad> 1, </s> 2, <unk> 3, then the model's pieces from its fourth on, <mask> last."""

    def encode(texts: list[str]) -> list[list[int]]:
        return [[i + 1 if i else 3 for i in ids] for ids in processor.encode(texts)]

    def locate(texts: list[str]) -> list[Located]:
        found = processor.encode(texts, return_type="offset_mapping")
        return [([i + 1 if i else 3 for i in text["ids"]], text["offsets"]) for text in found]

    return encode, locate


def xlnet_reader(processor: Any, lower_case: bool, keep_accents: bool) -> tuple[Encode, Locate]:
    """The sentencepiece library's ids, after `xlnet_text`.

    <eop> is a user-defined symbol of XLNet's published model, so "<eop>" in a text becomes that piece, as in the
    library itself; every other special string stays text.
    """

    def encode(texts: list[str]) -> list[list[int]]:
        return processor.encode([xlnet_text(text, lower_case, keep_accents) for text in texts])

    def locate(texts: list[str]) -> list[Located]:
        prepared = [xlnet_sources(text, lower_case, keep_accents) for text in texts]
        found = processor.encode([text for text, _ in prepared], return_type="offset_mapping")
        return [
            (
                text["ids"],
                [(own[start], own[stop - 1] + 1 if stop > start else own[start]) for start, stop in text["offsets"]],
            )
            for text, (_, own) in zip(found, prepared, strict=True)
        ]

    return encode, locate


def xlnet_text(text: str, lower_case: bool = False, keep_accents: bool = False) -> str:
    """XLNet's preparation of a text (`preprocess_text` in zihangdai/xlnet; Hugging Face's default).

    White space is trimmed and each run of it becomes one blank; `` and '' become "; then NFKD, without combining
    characters (canonical class not 0), unless `keep_accents`; then lower case if `lower_case`.
    """
    text = " ".join(text.split()).replace("``", '"').replace("''", '"')
    if not keep_accents and not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return text.lower() if lower_case else text


def xlnet_sources(text: str, lower_case: bool = False, keep_accents: bool = False) -> tuple[str, list[int]]:
    """`xlnet_text` of a text, with the index in the text that each of its codepoints comes from, and of the end.

    Decomposition and lower case work codepoint by codepoint, except for the order of combining characters, which are
    removed, and the form of a final sigma, which is as long.
    """
    places: list[int] = []
    for word in re.finditer(r"\S+", text):
        places += [word.start() - 1] * bool(places) + list(range(word.start(), word.end()))
    joined = " ".join(text.split())
    starts = [part.start() for part in re.finditer(r"``|''|.", joined, re.DOTALL)]
    plain = joined.replace("``", '"').replace("''", '"')
    sources: list[int] = []
    for character, start in zip(plain, starts, strict=True):
        made = character
        if not keep_accents:
            made = "".join(c for c in unicodedata.normalize("NFKD", made) if not unicodedata.combining(c))
        sources += [places[start]] * len(made.lower() if lower_case else made)
    return xlnet_text(text, lower_case, keep_accents), [*sources, len(text)]
