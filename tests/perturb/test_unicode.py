"""Operators on encodings: reversible ones are reversed by a fixed rule, and normal forms equal Unicode's."""

import itertools
import unicodedata

import pytest
import regex

from itt_jax.perturb import CATALOG, perturb
from itt_jax.perturb.encodings import text_directions
from itt_jax.perturb.normalization import class_of, may_change, normalized, table
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document
from tests.perturb.material import MORE, SENTENCES, language_for, lexicon_for

FORMS = ("NFD", "NFC", "NFKC")
CLEAN = [text for found in (SENTENCES, MORE) for texts in found.values() for text in texts]
PAIR = regex.compile(r"(?:\u2066\u202e|\u2067\u202d)(\X)(\X)\u202c\u2069")
SAMPLES = [
    "\u1e9b\u0323",
    "a\u0301\u0323",
    "\uac01",
    "\u1100\u1161\u11a8",
    "\u0958\u093c",
    "ﬁ²½",
    "ガｶﾞ",
    "น้ำ",
    "\u0344",
]


def reversed_by(name: str, text: str) -> str:
    """The fixed rule that reverses the operator."""
    if name == "bidi":
        return PAIR.sub(r"\2\1", text)
    if name == "deletion":
        return regex.sub(".\b", "", text)
    if name == "marks":
        return regex.sub(f"[{table()['lone_marks']}]", "", text)
    if name == "normalize_nfd":
        return unicodedata.normalize("NFC", text)
    narrow = table()[name]
    for letter, written in sorted(narrow.items(), key=lambda row: -len(row[1])):
        text = text.replace(written, letter)
    return text


@pytest.mark.parametrize(
    "name", ["bidi", "deletion", "marks", "normalize_nfd", "full_width", "half_width", "ligatures"]
)
@pytest.mark.parametrize("severity", [0.3, 1.0])
def test_reversed_by_a_fixed_rule(name, severity):
    clean = [text for text in CLEAN if unicodedata.is_normalized("NFC", text) and not regex.search("[ｦ-ﾟ１-３]", text)]
    found = perturb(clean, name, severity, language_for(name), seed=2)
    assert [reversed_by(name, text) for text in found] == clean
    assert sum(new != old for new, old in zip(found, clean, strict=True)) > (
        10 if severity == 1.0 and name not in ("half_width", "ligatures") else 0
    )
    assert CATALOG[name].reversible


@pytest.mark.parametrize("form", FORMS)
def test_normal_forms_equal_unicodedata(form):
    """For every character of the sentences and the table, alone and with marks."""
    characters = {*table()["canonical"], *table()["compatibility"], *"".join(CLEAN), *SAMPLES}
    characters |= {chr(code) for code in range(0xAC00, 0xD7A4, 7)}
    characters = {text for text in characters if all(unicodedata.category(c) != "Cn" for c in text)}  # known to Python
    classes = class_of()
    for character in characters:
        for text in (character, character + "\u0323\u0301", "\u0301\u0345" + character, character * 2):
            expected = unicodedata.normalize(form, text)
            assert normalized(text, form) == expected
            order = [classes[ord(c)] for c in text]
            unordered = any(a > b > 0 for a, b in itertools.pairwise(order))
            assert expected == text or unordered or any(may_change(form)[ord(c)] for c in text)


def test_whole_texts_in_a_normal_form():
    for form in FORMS:
        found = perturb(CLEAN, f"normalize_{form.lower()}", 1.0, "en")
        assert found == [unicodedata.normalize(form, text) for text in CLEAN]


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("bidi", "en", "ab", "\u2066\u202eba\u202c\u2069"),
        ("bidi", "he", "של", "\u2067\u202dלש\u202c\u2069"),
        ("bidi", "ar", "من هنا", "من هنا"),
        ("bidi", "hi", "कब", "कब"),
        ("bidi", "th", "กำก", "กำก"),
        ("bidi", "en", "ab גד", "ab גד"),
        ("bidi", "en", "ab \u200f", "ab \u200f"),
        ("bidi", "en", "aa 12", "aa 12"),
        ("normalize_nfd", "ko", "각", "\u1100\u1161\u11a8"),
        ("normalize_nfc", "hi", "\u0958", "\u0915\u093c"),
        ("normalize_nfc", "vi", "e\u0302\u0323", "ệ"),
        ("normalize_nfkc", "en", "ﬁ x² ½ Ⅳ", "fi x2 1⁄2 IV"),
        ("normalize_nfkc", "th", "น้ำ", "น้\u0e4dา"),
        ("normalize_nfkc", "ja", "ｶﾞ１㌔", "ガ1キロ"),
        ("full_width", "en", "Ab 3.", "Ａｂ ３."),
        ("ligatures", "en", "office fluff flat ofi", "oﬃce ﬂuﬀ ﬂat oﬁ"),
        ("ligatures", "en", "If i f\u0301i fff", "If i f\u0301i ﬀf"),
        ("half_width", "ja", "ガール、か", "ｶﾞｰﾙ、か"),
        ("diacritics_add", "en", "d", "ď"),
        ("diacritics_add", "el", "ω", "ώ"),
        ("diacritics_add", "ru", "г", "ѓ"),
    ],
)
def test_full_severity(name, language, text, expected):
    possible = {new for seed in range(6) for new in perturb([text], name, 1.0, language, seed)}
    assert expected in possible
    assert possible <= {text, expected} if name == "bidi" else possible == {expected}


def test_directions_of_texts():
    texts = ["abc 12", "של", "ab של", "12 .", "", "من", "ab\u202e", "日本 x", "\u0661"]
    assert text_directions(Document(from_strings(texts), None, "en")).tolist() == [1, 2, 0, 0, 0, 0, 0, 1, 0]


def test_bidi_displays_as_the_clean_text():
    """Rendered by python-bidi, which leaves marks to the renderer (rule L3)."""
    display = pytest.importorskip("bidi", reason="needs python-bidi").get_display
    clean = [text for text in CLEAN if not regex.search(r"\p{M}", text)]
    found = perturb(clean, "bidi", 1.0, "en")
    assert [regex.sub("[\u202a-\u202e\u2066-\u2069]", "", display(text)) for text in found] == list(map(display, clean))


def test_added_letters_and_marks():
    for text in perturb(["patient"] * 30, "diacritics_add", 1.0, "en"):
        assert [unicodedata.normalize("NFD", letter)[0] for letter in text] == list("patient")
        assert all(new != old for new, old in zip(text[1:], "atient", strict=True))  # p has no accented form
    for text in perturb(["patient"] * 30, "marks", 1.0, "en"):
        assert len(text) == 14
        assert unicodedata.normalize("NFC", text) == text


@pytest.mark.parametrize("name", CATALOG)
def test_results_are_valid_text(name):
    for text in perturb(CLEAN, name, 0.5, language_for(name), lexicon=lexicon_for(name)):
        assert "\0" not in text
        text.encode()
