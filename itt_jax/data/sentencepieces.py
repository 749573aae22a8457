"""The content of sentencepiece models."""

import dataclasses
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from itt_jax.errors import InputError

_CONTROL, _USER_DEFINED = 3, 4


@dataclasses.dataclass(frozen=True)
class Pieces:
    """The content of a sentencepiece model.

    Attributes:
        scored: pieces and their scores, by id.
        unk_id: id of the unknown piece.
        charsmap: its compiled normalisation, None if it has none.
        marked: control and user-defined pieces, and whether each is a control piece.
    """

    scored: list[tuple[str, float]]
    unk_id: int
    charsmap: bytes | None
    marked: tuple[tuple[str, bool], ...]


def read_pieces(model: bytes, where: str) -> Pieces:
    """The content of a model file (sentencepiece_model.proto in google/sentencepiece).

    Raises:
        InputError: not a sentencepiece model.
    """
    import sentencepiece

    if not model:
        raise InputError(f"{where}: not a sentencepiece model (the file is empty)")
    try:
        sentencepiece.SentencePieceProcessor(model_proto=model)  # which checks what is read here
    except (RuntimeError, OSError) as error:
        raise InputError(f"{where}: not a sentencepiece model ({error})") from None
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
    marked = tuple(
        (piece, kind == _CONTROL)
        for (piece, _), kind in zip(scored, kinds, strict=True)
        if kind in (_CONTROL, _USER_DEFINED)
    )
    return Pieces(scored, unk_id, charsmap, marked)


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """The fields of a protocol buffer: number and value, a whole number or bytes."""
    place = 0

    def varint() -> int:
        """The whole number at `place`, in groups of 7 bits, lowest first; moves `place` past it."""
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
    """Refuse a compiled normalisation (a double array, then the replacements) that points outside itself.

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
