"""Operators on numbers and punctuation: expected outputs, and numbers keep their value."""

import numpy as np
import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from itt_jax.perturb import CATALOG, perturb, tables
from itt_jax.perturb.formats import regrouped, written_out

NUMBERS = tables.read("numbers")
MARKS = tables.read("punctuation")


def outcomes(name: str, text: str, language: str) -> set[str]:
    return set(perturb([text] * 200, name, 1.0, language))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "10,000 of 12500; 1999, 1,234.5", {"10000 of 12,500; 1999, 1234.5"}),
        ("de", "10.000 von 12500, 1.234,5", {"10000 von 12.500, 1234,5"}),
        ("fr", "12500 pas", {"12\u202f500 pas"}),
        ("hi", "1234567 और 12,34,567", {"12,34,567 और 1234567"}),
        ("zh", "共10000元，3个人。", {"共10,000元，三个人。"}),
        ("en", "Three dogs and 7 cats (12).", {"3 dogs and seven cats (twelve)."}),
        ("es", "tres gatos; treinta y tres", {"3 gatos; treinta y tres"}),
        ("ru", "пять лет, двадцать три", {"5 лет, двадцать три"}),
        ("fr", "trois, quatre-vingts, dix-sept", {"3, quatre-vingts, dix-sept"}),
    ],
)
def test_numbers(language, text, expected):
    assert outcomes("numbers", text, language) == expected


@pytest.mark.parametrize(
    "text",
    [
        "at 10:30 on 3/4, 3-4, 10.5.2020",
        "call 555-12345 or 012345, see v12500.x",
        "one hundred and five, twenty-three, two thousand three hundred, 3 million, half",
        "3. and 5% and 7°",
        "A3 3D 12345a 1,23 1,2345 x.12345",
    ],
)
def test_numbers_that_stay(text):
    assert outcomes("numbers", text, "en") == {text}


@given(
    number=st.integers(0, 10**12), fraction=st.integers(0, 99), language=st.sampled_from(sorted(NUMBERS["separators"]))
)
@settings(max_examples=200, deadline=None)
def test_regrouping_keeps_the_value(number, fraction, language):
    group, point = NUMBERS["separators"][language]
    for plain in (str(number), f"{number}{point}{fraction}"):
        for marked in regrouped(plain, language):
            assert number >= 10_000 and marked.replace(group, "") == plain != marked
            assert regrouped(marked, language) == [plain]
            assert regex.fullmatch(
                rf"[0-9]{{1,3}}({regex.escape(group)}[0-9]{{2,3}})+({regex.escape(point)}.*)?", marked
            )


def test_words_and_digits_agree():
    """A spelled-out number converts back to the same digits."""
    assert set(NUMBERS["words"]) | set(NUMBERS["written"]) <= CATALOG["numbers"].languages
    for language, words in NUMBERS["words"].items():
        assert all(digits in ("", "+") or 2 <= int(digits) < 100 for digits in words.values())
        for digits, word in written_out(language).items():
            assert perturb([f"x {digits} y", f"x {word} y"], "numbers", 1.0, language) == [
                f"x {word} y",
                f"x {digits} y",
            ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Yes, I do", {"Yes I do", "Yes,, I do", "Yes; I do"}),
        ("en", "It's 3.5 or a.b at 10:30 for 10,000", {"It's 3.5 or a.b at 10:30 for 10,000"}),
        ("zh", "好。", {"好", "好。。", "好．", "好!", "好."} - {"好!"}),
        ("hi", "वह सोया।", {"वह सोया", "वह सोया।।", "वह सोया.", "वह सोया|"}),
        ("ar", "لماذا؟", {"لماذا", "لماذا؟؟", "لماذا?", "لماذا؟!"}),
    ],
)
def test_punctuation(language, text, expected):
    assert outcomes("punctuation", text, language) == expected


def test_punctuation_changes_nothing_else():
    """Letters, digits and white space stay, in order."""
    text = "“Well,” she said: “it's 10,000, isn't it?” 你好！ क्या? نعم، لا."
    for made in outcomes("punctuation", text, "en"):
        assert regex.findall(r"[\p{L}\p{M}\p{N}\s]", made) == regex.findall(r"[\p{L}\p{M}\p{N}\s]", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"It\'s," ("I") \'no\'', {"“It’s,” (“I”) ‘no’"}),
        ("“It’s”", {'"It\'s"'}),
        ("well-known", {"well\u2010known", "well\u2011known"}),
        ("a – b…", {"a - b...", "a — b..."}),
        ("„ja“ «oui»", {'"ja" "oui"'}),
    ],
)
def test_typography(text, expected):
    assert outcomes("typography", text, "en") == expected


def test_the_tables_of_marks_are_consistent():
    for part in ("exchanged", "forms"):
        for mark, others in MARKS[part].items():
            assert len(mark) == 1 and mark not in others and len(set(others)) == len(others) and all(others)


def test_a_mark_with_a_combining_character_stays():
    assert outcomes("punctuation", "a,\u0301 b", "en") == {"a,\u0301 b"}


def test_masks_hold():
    text = "Three dogs, 10,000 cats"
    mask = np.ones(len(text), bool)
    mask[0] = mask[13] = mask[10] = False
    for name in ("numbers", "punctuation"):
        assert set(perturb([text] * 20, name, 1.0, "en", editable=[mask] * 20)) == {text}
