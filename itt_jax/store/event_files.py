"""TensorBoard's event files: scalars and text, without TensorBoard.

A file is a sequence of records: length, checksum of the length, content, checksum of the content. The content is an
`Event` of tensorboard/compat/proto/event.proto; https://www.tensorflow.org/tutorials/load_data/tfrecord describes the
records.
"""

import struct

CASTAGNOLI = 0x82F63B78
"""Polynomial of CRC-32C, reversed."""
MASK = 0xA282EAD8
STRING = 7
"""DT_STRING of tensorboard's types.proto."""


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (CASTAGNOLI if value & 1 else 0)
        found.append(value)
    return tuple(found)


TABLE = _table()


def checksum(content: bytes) -> int:
    """CRC-32C, masked as in records."""
    value = 0xFFFFFFFF
    for byte in content:
        value = value >> 8 ^ TABLE[(value ^ byte) & 0xFF]
    value ^= 0xFFFFFFFF
    return ((value >> 15 | value << 17) + MASK) & 0xFFFFFFFF


def record(content: bytes) -> bytes:
    """One record of a file."""
    length = struct.pack("<Q", len(content))
    return length + struct.pack("<I", checksum(length)) + content + struct.pack("<I", checksum(content))


def head(time: float) -> bytes:
    """The first record of a file."""
    return record(_double(1, time) + _bytes(3, b"brain.Event:2"))


def scalar(tag: str, value: float, step: int, time: float) -> bytes:
    """The record of a number at a step; `time` in seconds since 1970."""
    return _event(_bytes(1, tag.encode()) + _number(2, 5) + struct.pack("<f", value), step, time)


def text(tag: str, value: str, step: int, time: float) -> bytes:
    """The record of a text in Markdown, for the plugin "text"."""
    tensor = _number(1, 0) + _varint(STRING) + _bytes(2, b"") + _bytes(8, value.encode())
    plugin = _bytes(1, _bytes(1, b"text"))
    return _event(_bytes(1, tag.encode()) + _bytes(8, tensor) + _bytes(9, plugin), step, time)


def _event(value: bytes, step: int, time: float) -> bytes:
    return record(_double(1, time) + _number(2, 0) + _varint(step) + _bytes(5, _bytes(1, value)))


def _number(field: int, kind: int) -> bytes:
    """The key of a field; kinds: 0 a whole number, 1 eight bytes, 2 a length and bytes, 5 four bytes."""
    return _varint(field << 3 | kind)


def _double(field: int, value: float) -> bytes:
    return _number(field, 1) + struct.pack("<d", value)


def _bytes(field: int, value: bytes) -> bytes:
    return _number(field, 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
