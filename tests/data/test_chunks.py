"""The chunk table: where texts are cut, that chunks are encoded once, its bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itt_jax.data.chunks import ChunkTable, cut
from itt_jax.ragged import ragged_positions

TEXT = st.text(alphabet=st.sampled_from("ab \t\0\u00a0\u0301.漢"), max_size=30)


def codepoints(texts):
    return [[ord(character) for character in text] for text in texts]


@given(TEXT)
def test_chunks_join_to_the_text_and_begin_at_runs_of_blanks(text):
    chunks = cut(text)
    assert "".join(chunks) == text
    for chunk in chunks[1:]:
        assert chunk.startswith(" ")
    for chunk in chunks:
        assert " " not in chunk.lstrip(" ") or "\t " in chunk or "\u00a0 " in chunk or "  " in text


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", [""]),
        ("a b", ["a", " b"]),
        ("a   b ", ["a", "   b", " "]),
        (" a", ["", " a"]),
        ("  a  b", ["  a", "  b"]),
        ("a\tb\nc\u00a0d", ["a\tb\nc\u00a0d"]),
        ("a\t  b", ["a\t  b"]),
        ("a\0 b", ["a\0", " b"]),
    ],
)
def test_cuts(text, chunks):
    assert cut(text) == chunks


@given(st.lists(TEXT, max_size=8))
def test_ids_are_those_of_the_whole_texts(texts):
    ids, lengths = ChunkTable(codepoints).encode(texts)
    assert ids.tolist() == [ord(character) for text in texts for character in text]
    assert lengths.tolist() == [len(text) for text in texts]
    assert ids.dtype == np.int32 and lengths.dtype == np.int64


def test_each_chunk_is_encoded_once():
    seen = []

    def encode(texts):
        seen.extend(texts)
        return codepoints(texts)

    table = ChunkTable(encode)
    table.encode(["to be or not", "not to be or"])
    table.encode(["or be not to be"])
    assert sorted(seen) == sorted({"to", " be", " or", " not", "not", " to", "or"})
    assert len(table) == 7


def test_the_table_stays_within_its_bound():
    table = ChunkTable(codepoints, max_chunks=10)
    for i in range(20):
        ids, _ = table.encode([f"word{i} other{i}"])
        assert "".join(map(chr, ids)) == f"word{i} other{i}"
        assert len(table) <= 12
    by_size = ChunkTable(codepoints, max_characters=100)
    for i in range(20):
        by_size.encode([chr(97 + i) * 60])
        assert len(by_size) <= 2


def test_a_chunk_that_cannot_be_encoded_leaves_the_table_intact():
    def encode(texts):
        if any("x" in text for text in texts):
            raise TypeError("x")
        return codepoints(texts)

    table = ChunkTable(encode)
    table.encode(["a b"])
    for bad in (["c x"], ["c", None]):
        with pytest.raises(TypeError):
            table.encode(bad)
    ids, lengths = table.encode(["b a", "a b", "c"])
    assert "".join(map(chr, ids)) == "b aa bc" and lengths.tolist() == [3, 3, 1]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 5))))
def test_ragged_positions(ranges):
    starts, lengths = (np.array([r[k] for r in ranges], np.int64) for k in (0, 1))
    expected = [i for start, length in ranges for i in range(start, start + length)]
    assert ragged_positions(starts, lengths).tolist() == expected
