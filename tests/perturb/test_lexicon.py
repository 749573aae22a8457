"""Lexicons: matches compared with a naive search, and files supplied by the user."""

import itertools
import re

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.errors import InputError
from itt_jax.perturb import Lexicon, perturb, read_lexicon
from itt_jax.perturb.lexicon import RangeHashes, lowered
from itt_jax.perturb.rewriting import distances, find, strings, units
from itt_jax.perturb.text import from_strings, to_strings
from itt_jax.perturb.units import Document

ALPHABET = "aAbBİßéЖжσΣ1., '\ne\u0301我们去ですカวันที่แม่نक्ष👍🏽"


def plain_search(text: str, keys: set[str], allowed: list[bool]) -> list[tuple[int, int]]:
    """Codepoint ranges of the keys: from left to right, the longest key that begins at each unit."""
    document = Document(from_strings([text]), None, "en")
    first, stop = (document.starts[ends].tolist() for ends in units(document))
    small = lowered(document.codepoints).tobytes().decode("utf-32-le")
    found, position = [], 0
    for begin in first:
        ends = [end for end in stop if end > begin and small[begin:end] in keys]
        if begin >= position and ends:
            position = max(ends)
            found.append((begin, position))
    return [(begin, end) for begin, end in found if all(allowed[begin:end])]


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_find_equals_a_plain_search(data):
    """Keys come from the texts, so many overlap; masks protect clusters and every key that contains one."""
    texts = data.draw(st.lists(st.text(st.sampled_from(ALPHABET), max_size=14), min_size=1, max_size=4))
    cuts = st.tuples(st.sampled_from(texts), st.integers(0, 14), st.integers(1, 9))
    keys = {text[at : at + size] for text, at, size in data.draw(st.lists(cuts, max_size=8))} - {""}
    lexicon = Lexicon({key: ["~"] for key in keys})
    small = set(to_strings(lexicon.keys))
    masks = [
        [all(allowed) for piece, allowed in clusters for _ in piece]
        for clusters in (
            [(c, [data.draw(st.integers(0, 9)) > 0]) for c in regex.findall(r"\X", text)] for text in texts
        )
    ]
    text = from_strings(texts)
    document = Document(text, np.array([m for mask in masks for m in mask], bool), "en", None)
    matches = find(document, lexicon)
    expected = [
        (begin + offset, end + offset)
        for string, mask, offset in zip(texts, masks, text.offsets.tolist(), strict=False)
        for begin, end in plain_search(string, small, mask)
    ]
    assert list(zip(document.starts[matches.first], document.starts[matches.stop], strict=True)) == expected
    names = to_strings(lexicon.keys, matches.row)
    for name, string in zip(names, strings(document, matches.first, matches.stop), strict=True):
        assert lowered(from_strings([string]).values).tobytes().decode("utf-32-le") == name


@pytest.mark.parametrize(
    ("text", "entries", "expected"),
    [
        ("New York, new YORK; newyork", {"new york": "Rome"}, "Rome, Rome; newyork"),
        ("a b c d", {"a b": "x", "b c d": "y", "c": "z"}, "x z d"),
        ("Cat CAT cat I", {"cat": "dog", "i": "you"}, "Dog DOG dog You"),
        ("can't cannot can", {"can": "may", "can't": "may not"}, "may not cannot may"),
        ("我们去北京大学。", {"北京": "上海", "北京大学": "清华大学", "去": "到"}, "我们到清华大学。"),
        ("น้ำในแม่น้ำไหล", {"แม่น้ำ": "คลอง"}, "น้ำในคลองไหล"),
        ("ΣΊΣΥΦΟΣ σίσυφος", {"σίσυφος": "α"}, "ΣΊΣΥΦΟΣ α"),  # final sigma has no simple case mapping
        ("ДОМ Дом", {"дом": "хата"}, "ХАТА Хата"),
        ("one. two", {"one two": "x"}, "one. two"),
        ("a b", {"a": "a", "b": "B"}, "a b"),
    ],
)
def test_full_severity(text, entries, expected):
    assert perturb([text], "synonym", 1.0, "en", lexicon=Lexicon(entries)) == [expected]


def test_keys_may_have_any_number_of_words():
    key = " ".join(f"w{i}" for i in range(40))
    assert perturb([f"w0 {key} w1"], "synonym", 1.0, "en", lexicon=Lexicon({key: "x"})) == ["w0 x w1"]


def test_hashes_are_those_of_the_content():
    """Equal at any position, and without collisions among many short ranges."""
    text = from_strings(["abcabdabc", "xabc"])
    hashes = RangeHashes(text.values).hashes(np.array([0, 6, 10, 3]), np.array([3, 9, 13, 6]))
    assert hashes[0] == hashes[1] == hashes[2] != hashes[3]
    words = ["".join(letters) for size in (1, 2, 3) for letters in itertools.product("abcdefgh0é我", repeat=size)]
    text = from_strings(words)
    assert len(np.unique(RangeHashes(text.values).hashes(text.offsets[:-1], text.offsets[1:]))) == len(words)


def test_distances_are_in_clusters():
    old = ["abc", "e\u0301a", "👍🏽👍", "", "क्षमा"]
    new = ["abd", "ea", "👍🏽", "\r\n", "क्षमा"]
    assert distances(old, new).tolist() == [1, 1, 1, 1, 0]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", "house Haus\nHouse\tHeim \r\n\nnew  neu neue\n", {"house": ("Haus", "Heim"), "new": ("neu", "neue")}),
        ("a.tsv", "New York\tRom\tParis\n", {"new york": ("Rom", "Paris")}),
        ("a.txt", "en_big en_large\nen_big en_great\n", {"big": ("large", "great")}),
        ("a.json", '{"b": "c", "a b": ["d", "A B"], "e": "E"}', {"b": ("c",), "a b": ("d",)}),
        ("a.txt", "\ufeffa b\n", {"a": ("b",)}),
    ],
)
def test_files(tmp_path, name, content, expected):
    path = tmp_path / name
    path.write_bytes(content.encode())
    lexicon = read_lexicon(path)
    assert dict(zip(to_strings(lexicon.keys), lexicon.options, strict=True)) == expected


def test_a_file_that_changes_is_read_again(tmp_path):
    import os

    path = tmp_path / "a.txt"
    path.write_text("a b\n")
    assert read_lexicon(path) is read_lexicon(str(path))
    path.write_text("a c\n")
    os.utime(path, ns=(1, 1))
    assert read_lexicon(path).options == (("c",),)


def test_inverse(tmp_path):
    path = tmp_path / "en-de.txt"
    path.write_text("house Haus\nhome Haus\nhome Heim\n")
    assert perturb(["Haus Heim"], "synonym", 1.0, "de", lexicon=f"inverse:{path}")[0] in ("House Home", "Home Home")
    with pytest.raises(InputError, match=r"^lexicon .*gone.txt: No such file"):
        read_lexicon(f"inverse:{tmp_path}/gone.txt")


def test_folders_draw_each_file_equally(tmp_path):
    (tmp_path / "de.txt").write_text("house Haus\nhouse Heim\nhouse Gebäude\n")
    (tmp_path / "en-es.0-5000.txt").write_text("house casa\n")
    (tmp_path / "SOURCE.txt").write_text("house wrong\n")
    made = perturb(["house"] * 1000, "synonym", 1.0, "en", lexicon=tmp_path)
    assert set(made) == {"Haus", "casa"}
    assert 400 < made.count("casa") < 600
    made = perturb(["Heim casa"] * 9, "synonym", 1.0, "de", lexicon=f"inverse:{tmp_path}")
    assert set(made) == {"House house"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"a b\n\nalone\n", "a.txt, line 3: found 'alone', expected a key and its options"),
        ("a.txt", b"a\t\tb\n", r"a.txt, line 1: found 'a\\t\\tb'"),
        ("a.txt", b"a b\na \xff\n", "a.txt, line 2: not valid utf-8"),
        ("a.txt", "a b\n\ufeffc d\n".encode(), "a.txt, line 2: a byte order mark within the file"),
        ("a.txt", b"a b\rc d\r", "a.txt, line 1: lines end in carriage returns"),
        ("a.json", b'{"a": "b", "a": "c"}', "a.json: 'a' occurs twice"),
        ("a.txt", b" \n", "a.txt: found no entries"),
        ("a.txt", b"a A\n", "a.txt: found no key with an option other than itself"),
        ("a.txt", b"a b\0\n", "a.txt: key 'a' or one of its options contains NUL"),
        ("a.json", b'{"a": "\\ud800"}', "a.json: key 'a' or one of its options contains NUL or a lone surrogate"),
        ("a.json", b'{"a": "b",\n}', "a.json, line [12]: "),
        ("a.json", b'["a"]', "a.json: found list, expected an object"),
        ("a.json", b'{"a": []}', r"a.json: key 'a': found \[\], expected a string or a list of strings"),
        ("a.json", b'{"a": [1]}', r"a.json: key 'a': found \[1\]"),
        ("a.json", b"{}", "a.json: found no entries"),
    ],
)
def test_bad_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match="^lexicon .*" + message):
        read_lexicon(path)


def test_folder_without_dictionaries(tmp_path):
    with pytest.raises(InputError, match=re.escape(f"lexicon {tmp_path}: found no file named by language")):
        read_lexicon(tmp_path)


@pytest.mark.slow
def test_published_files(data_root):
    """PPDB's pairs and MUSE's dictionaries parse in their published form."""
    pairs = read_lexicon(data_root / "robustness" / "synonyms" / "ppdb_synonyms.txt")
    words = dict(zip(to_strings(pairs.keys), pairs.options, strict=True))
    assert len(pairs) > 10_000 and "automobile" in words["car"] + words.get("cars", ())
    folder = data_root / "robustness" / "bilingual_dicts"
    everywhere, german = read_lexicon(folder), read_lexicon(folder / "de.txt")
    assert len(german) > 5000
    assert max(everywhere.counts) in (16, 17)
    (text,) = perturb(["Das Krankenhaus ist neu."], "synonym", 1.0, "de", lexicon=f"inverse:{folder / 'de.txt'}")
    assert "Hospital" in text and "new" in text
