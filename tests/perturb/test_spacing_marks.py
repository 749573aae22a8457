"""Spacing vowel signs and tone marks stay with their syllable, also where UAX 29 leaves them outside the cluster."""

import re

import pytest
import regex

from itt_jax.perturb import CATALOG, perturb, variants
from itt_jax.perturb.text import from_strings
from itt_jax.perturb.units import Document
from tests.perturb.material import language_for, lexicon_for
from tests.perturb.test_units import clusters

BEYOND = [chr(code) for code in range(0x110000) if regex.match(r"[\p{Mc}&&\p{GCB=Other}]", chr(code), regex.V1)]


def test_the_marks_that_uax_29_leaves_outside():
    """Checked against the annex: the exceptions of SpacingMark in table 2, apart from letters."""
    listed = "102B-102C 1038 1062-1064 1067-106D 1083 1087-108C 108F 109A-109C 1A61 1A63-1A64 AA7B AA7D 11720-11721"
    bounds = [[int(end, 16) for end in span.split("-")] for span in listed.split()]
    assert BEYOND == [chr(code) for span in bounds for code in range(span[0], span[-1] + 1)]


@pytest.mark.parametrize("mark", BEYOND, ids=lambda mark: f"{ord(mark):04X}")
def test_every_mark_is_in_its_cluster(mark):
    assert clusters([f"က{mark}က{mark}\u1037"])[0] == [f"က{mark}", f"က{mark}\u1037"]
    assert clusters([f"\n{mark}a\u200b{mark}"])[0] == ["\n", mark, "a", "\u200b", mark]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("စာအုပ်", "စာ အု ပ်"),  # Burmese: book
        ("သား", "သား"),  # son
        ("ကျောင်းသား", "ကျော င်း သား"),  # pupil
        ("ဆရာဝန်", "ဆ ရာ ဝ န်"),  # doctor
        ("ခေါင်း", "ခေါ င်း"),  # head
        ("မႃး", "မႃး"),  # Shan: come
        ("တႆးၵႂႃႇ", "တႆး ၵႂႃႇ"),
        ("ကညီၢ်", "က ညီၢ်"),  # S'gaw Karen
        ("ᨾᩣ", "ᨾᩣ"),  # Tai Tham: come
        ("𑜀𑜡𑜨", "𑜀𑜡𑜨"),  # Ahom
    ],
)
def test_clusters_of_words(text, expected):
    assert clusters([text])[0] == expected.split()


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("swap", "စာရေး", {"ရေးစာ", "စာရေး"}),
        ("delete", "သား", {""}),
        ("delete", "ကာ၊ လေး", {"၊ "}),
        ("repeat", "သား", {"သားသား"}),
        ("repeat", "ရာ", {"ရာရာ"}),
        ("word_drop", "သားငါး", {""}),
        ("truncate", "ကာခါဂါ", {"ကာခါဂါ"}),
        ("full_shuffle", "သားမာ", {"သားမာ"}),
        ("full_shuffle", "သားမာငါး", {"မာသားငါး", "မာငါးသား", "ငါးမာသား", "သားငါးမာ", "ငါးသားမာ"}),
    ],
)
def test_syllables_stay_whole(name, text, expected):
    assert {new for seed in range(30) for new in perturb([text], name, 1.0, "my", seed)} == expected


def test_intruders_are_between_syllables():
    for seed in range(10):
        (found,) = perturb(["ကျောင်းသား"], "intruder", 1.0, "my", seed)
        assert re.split(r"[!-/:-@\[-`{-~]", found) == ["ကျော", "င်း", "သား"]


def test_replaced_letters_keep_their_vowels():
    for name in ("substitute", "insert"):
        for (text,) in (perturb(["သားမာ"], name, 1.0, "my", seed) for seed in range(10)):
            assert regex.findall(r"[\u102b\u102c\u1038]+", text) == ["ား", "ာ"]


@pytest.mark.parametrize("name", [name for name, operator in CATALOG.items() if operator.whole_clusters])
def test_no_operator_tears_a_syllable(name):
    """A vowel sign or tone mark never begins a text or follows anything but the letter it followed, or a new one."""
    texts = ["ကျောင်းသားက စာရေးသည်။ ဆရာမက ငါးစားသည်။", "မႃး တႆး 12၊ သား"] * 4
    language = language_for(name, "my")
    (made,) = variants(texts, name, [0.6], language, 4, align=True, lexicon=lexicon_for(name))
    for clean, text, sources in zip(texts, made.texts, made.sources, strict=True):
        starts = set(Document(from_strings([clean]), None, "my").starts.tolist())
        for place, source in enumerate(sources.tolist()):
            if source >= 0 and source not in starts:
                assert place and sources[place - 1] in (source - 1, -1), (clean, text)
