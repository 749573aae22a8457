"""Grapheme clusters equal those of the `regex` package, all spacing marks apart; words; conversion of texts."""

import itertools

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.errors import InputError
from itt_jax.perturb import tables
from itt_jax.perturb.text import from_strings, to_strings
from itt_jax.perturb.units import Document, cluster_breaks, flat_editable

UNICODE_18 = pytest.mark.skipif(
    len(regex.findall(r"\X", "\u094d\u0915")) != 1, reason="this regex package follows an older UAX 29"
)


def some_of_each_class() -> str:
    """Some codepoints of each grapheme class."""
    classes = tables.property_of("grapheme")
    places = [np.flatnonzero(classes == number) for number in range(classes.max() + 1)]
    some = [chr(c) for found in places for c in found[np.linspace(0, len(found) - 1, 4, dtype=int)] if c]
    return "".join(some) + "\u102b\u1038\u1a63\U00011720"  # spacing marks outside the clusters of UAX 29


CLASSES = st.text(st.sampled_from(some_of_each_class()), max_size=12)
ANYTHING = st.text(st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="\0"), max_size=12)


def clusters(texts: list[str]) -> list[list[str]]:
    """The clusters of each text by `cluster_breaks`."""
    text = from_strings(texts)
    breaks = cluster_breaks(text)
    cuts = [np.flatnonzero(breaks[a:b]) for a, b in zip(text.offsets[:-1], text.offsets[1:], strict=True)]
    return [
        [whole[a:b] for a, b in itertools.pairwise([*cut, len(whole)])] for whole, cut in zip(texts, cuts, strict=True)
    ]


def words(text: str, language: str = "en") -> list[str]:
    document = Document(from_strings([text]), None, language)
    first, stop = document.words
    return [text[document.starts[a] : document.starts[b]] for a, b in zip(first, stop, strict=True)]


def expected_clusters(text: str) -> list[str]:
    """The clusters of UAX 29 by the `regex` package, joined where a later one begins with a spacing mark."""
    found = []
    for cluster in regex.findall(r"\X", text):
        if found and regex.match(r"\p{Mc}", cluster) and not regex.match(r"\p{GCB=Control}|[\r\n]", found[-1]):
            found[-1] += cluster
        else:
            found.append(cluster)
    return found


@UNICODE_18
@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(CLASSES, ANYTHING), max_size=4))
def test_clusters_equal_regex(texts):
    assert clusters(texts) == [expected_clusters(text) for text in texts]


@UNICODE_18
def test_clusters_of_sentences_equal_regex(sentences):
    for texts in sentences.values():
        assert clusters(texts) == [regex.findall(r"\X", text) for text in texts]


@UNICODE_18
def test_clusters_of_real_sentences_equal_regex(real_sentences):
    for texts in real_sentences.values():
        assert clusters(texts) == [regex.findall(r"\X", text) for text in texts]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't pay 3.5, or 10,000!", ["Don't", "pay", "3.5", "or", "10,000"]),
        ("l'élève 'quoted' end.", ["l'élève", "quoted", "end"]),
        ("well-known e\u0301tude", ["well", "known", "e\u0301tude"]),
        ("मरीज़ को क्षमा", ["मरीज़", "को", "क्षमा"]),
        ("اَلْوَلَدُ ذهب", ["اَلْوَلَدُ", "ذهب"]),
        ("환자는 잘", ["환자는", "잘"]),
        ("今日はコーヒー", ["今", "日", "は", "コーヒー"]),
        ("ผู้ป่วยนอน", ["ผู้ป่ว", "ยนอ", "น"]),
        ("ကျောင်းသား စာ", ["ကျောင်းသား", "စာ"]),
        ("我有3本books", ["我", "有", "3", "本", "books"]),
        ("' - . 👍", []),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


def test_words_end_with_their_text():
    texts = ["one", "two", "", "'", "s", "三", "四"]
    document = Document(from_strings(texts), None, "en")
    first, stop = document.words
    assert len(first) == 5
    assert (np.diff(document.starts)[first] == 1).all()
    assert (stop <= document.text_clusters[np.searchsorted(document.text_clusters, first, "right")]).all()


@given(st.lists(ANYTHING, max_size=5))
def test_texts_survive_conversion(texts):
    assert to_strings(from_strings(texts), np.arange(len(texts))) == texts


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["fine", "a\0b"], "line 2: character 2 is NUL"),
        (["\ud800"], "line 1: character 1 is the lone surrogate U\\+D800"),
        (["fine", "fine", 7], "line 3: expected a string, found int"),
    ],
)
def test_bad_text_names_its_line(texts, message):
    with pytest.raises(InputError, match=message):
        from_strings(texts)


def test_masks_must_fit():
    text = from_strings(["abc", "de"])
    with pytest.raises(InputError, match="editable, line 2: found 3 values, expected 2"):
        flat_editable([None, [True] * 3], text)
    with pytest.raises(InputError, match="editable: found 1 masks, expected 2"):
        flat_editable([None], text)
    assert flat_editable([None, [False, True]], text).tolist() == [True, True, True, False, True]
