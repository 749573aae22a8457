"""Words ignore format characters as rule WB4 of UAX 29 says, and white space separates them."""

import re

import pytest
import regex
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from itt_jax.evaluate.distance import vocabulary_divergence
from itt_jax.perturb import CATALOG, Lexicon, perturb
from itt_jax.perturb.units import VERSION
from tests.perturb.test_units import words

FORMATS = [chr(code) for code in range(0x110000) if regex.match(r"\p{WB=Format}", chr(code))]
# Scripts whose words the default rules of UAX 29 find too: some letters, marks and digits of each.
SPACED = {
    "Latin": "aÉß\u0301\u03281",
    "Greek": "αΏς\u03019",
    "Cyrillic": "яЁй\u03065",
    "Armenian": "աՖև2",
    "Hebrew": "אםש\u05b8\u05bc3",
    "Arabic": "بىة\u064e\u0651\u200c٣",
    "Devanagari": "कर्षीज़\u200d१",
    "Bengali": "কর্যীং২",
    "Tamil": "தமிழ்௩",
    "Georgian": "აბჰ4",
    "Ethiopic": "ሀለፐ6",
    "Hangul": "한글\u1112\u1161\u11ab7",
    "Mongolian": "ᠮᠣᠩ᠗",
    "Tibetan": "ཀརྒྱ༢",
}
SIGNS = " ,.!\n\u200b\u3000\u00a0"


def default_words(text: str) -> list[str]:
    """The words of UAX 29 by the `regex` package, without format characters behind their last letter."""
    parts = regex.split(r"(?wV1)\b", text)
    inside = [regex.sub(r"\p{WB=Format}[\p{WB=Format}\p{WB=Extend}\p{WB=ZWJ}]*\Z", "", part) for part in parts]
    return [part for part in inside if regex.search(r"[\p{L}\p{N}]", part)]


@pytest.mark.parametrize("script", SPACED)
def test_words_equal_those_of_uax_29(script):
    letters = st.one_of(
        st.sampled_from(SPACED[script]), st.sampled_from(FORMATS), st.sampled_from("\u200d\u200c\ufe0f")
    )
    # "." joins letters in UAX 29 but not here; an apostrophe belongs to a Hebrew word even at its end (WB7a).
    others = st.sampled_from(SIGNS.replace(".", "") + "'" * (script != "Hebrew"))

    @given(st.text(st.one_of(letters, letters, others), max_size=16))
    @settings(max_examples=150, deadline=None)
    def equal(text):
        # A cluster that begins with a stray virama is not split, even at the beginning of a word; one that begins with
        # a space under a virama is white space with all that the virama joins to it.
        assume(not regex.search(r"\s[\p{WB=Extend}\p{WB=ZWJ}]*\p{CCC=9}", text))
        assert [regex.sub(r"\A\p{WB=Extend}[\p{WB=Extend}\p{WB=ZWJ}]*", "", w) for w in words(text)] == default_words(
            text
        )

    equal()


@pytest.mark.parametrize("mark", FORMATS, ids=lambda mark: f"{ord(mark):04X}")
def test_a_format_character_is_inside_its_word(mark):
    """The right words, written by hand, for every character with the property Word_Break=Format."""
    for text, expected in (
        ("co|operate now", ["co|operate", "now"]),
        ("don|'t, l'|eau", ["don|'t", "l'|eau"]),
        ("3|.5 10,|000", ["3|.5", "10,|000"]),
        ("При|вет мир", ["При|вет", "мир"]),
        ("του|| σπιτιού", ["του", "σπιτιού"]),
        ("ال|كتاب |جديد", ["ال|كتاب", "جديد"]),
        ("ה|ספר", ["ה|ספר"]),
        ("क्ष|मा करें", ["क्ष|मा", "करें"]),
        ("ᠠᠮ|ᠠ", ["ᠠᠮ|ᠠ"]),
        ("コー|ヒー|を", ["コー|ヒー", "を"]),
        ("今|日は", ["今", "日", "は"]),
        ("ผู้|ป่วย|นอน", ["ผู้|ป่ว", "ย|นอ", "น"]),
        ("မြ|န်မာ|စာ", ["မြ|န်မာ", "စာ"]),
        ("e|\u0301tude a|\u0301|b", ["e|\u0301tude", "a|\u0301|b"]),
        ("|a |b\n|c", ["a", "b", "c"]),
        ("(|) '|' |", []),
    ):
        assert words(text.replace("|", mark)) == [word.replace("|", mark) for word in expected]


@pytest.mark.parametrize(
    "space", [chr(code) for code in range(0x110000) if regex.match(r"\p{White_Space}", chr(code))] + ["\u200b"]
)
def test_white_space_separates_words(space):
    """All of White_Space, no-break spaces included, and the zero-width space, which writers of Khmer and Thai use."""
    assert words(f"one{space}two 今{space}日") == ["one", "two", "今", "日"]
    assert words(f"3{space}500") == ["3", "500"]


@pytest.mark.parametrize("space", [chr(code) for code in range(0x110000) if regex.match(r"\p{Zs}", chr(code))])
def test_spaces_of_any_width_are_joined_and_dropped(space):
    assert perturb([f"one{space}two"], "word_join", 1.0, "en") == ["onetwo"]
    assert perturb([f"one{space}two!"], "word_drop", 1.0, "en") == ["!"]
    assert perturb([f"we{space}you"], "word_shuffle", 1.0, "en") == [f"you{space}we"]


def test_prepended_signs_belong_to_their_word():
    """Signs that enclose or introduce what follows: Arabic numbers, and Syriac abbreviations."""
    assert words("سنة \u0601١٩٤٨ م") == ["سنة", "\u0601١٩٤٨", "م"]
    assert words("\u06dd٢٥٥, \u070fܡܪܝ") == ["\u06dd٢٥٥", "\u070fܡܪܝ"]
    assert perturb(["\u06dd٢٥٥"], "full_shuffle", 1.0, "ar") == ["\u06dd٢٥٥"]  # a number


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("word_drop", "en", "The pa\u00adtient slept.", "."),
        ("word_drop", "he", "שלום\u200f, \u2067עו\u2060לם\u2069!", "\u200f, \u2067\u2069!"),
        ("word_duplicate", "en", "co\u00adop", "co\u00adop co\u00adop"),
        ("word_duplicate", "ar", "من\u200f", "من من\u200f"),
        ("word_shuffle", "en", "\u2066co\u00adop\u2069 to", {"\u2066co\u00adop\u2069 to", "\u2066to\u2069 co\u00adop"}),
        ("word_split", "en", "o\u00adn", {"o \u00adn", "o\u00ad n"}),
        ("truncate", "en", "pati\u00adent\u200e", "pati\u00aden\u200e"),
        ("truncate", "en", "a\u2060b\u2060c", "a\u2060b\u2060c"),
        ("inner_shuffle", "en", "ab\u00adcd\u200e", "ac\u00adbd\u200e"),
        ("full_shuffle", "en", "a\u2060b", "a\u2060b"),
        ("vowels", "en", "pa\u00adtient", "p\u00adtnt"),
        ("delete", "en", "a\u00adb", "\u00ad"),
        ("repeat", "en", "a\u00adb", "aa\u00adbb"),
        ("intruder", "en", "a\u00adb", "a\u00adb"),
        ("arabic_letters", "ar", "على\u2060م على\u200f", "على\u2060م علي\u200f"),
        ("tatweel", "ar", "ب\u00adب ب\u200cب ب\u2066ب", "بـ\u00adب ب\u200cب ب\u2066ب"),
        ("tatweel", "ar", "ل\u2060ا", "ل\u2060ا"),
        ("presentation_forms", "ar", "ب\u00adب", "\ufe91\u00ad\ufe90"),
        ("umlauts", "de", "G\u00adÖ\u00adTTER Ö\u00adl", "G\u00adOE\u00adTTER Oe\u00adl"),
        ("punctuation", "en", "3\u2060.\u20605", "3\u2060.\u20605"),
        ("typography", "en", '\u200e"a\u200e"', {'\u200e“a\u200e”', '\u200e«a\u200e»', '\u200e„a\u200e“'}),
        ("numbers", "en", "10000\u200e.", "10,000\u200e."),
        ("numbers", "en", "two\u200e-\u200ethree", "two\u200e-\u200ethree"),
        ("negation", "en", "it is\u2060-ed", "it is\u2060-ed"),
        ("tautology", "en", "All good.\u200e", "All good and true is true.\u200e"),
        ("kana", "ja", "コー\u2060ヒー", "こー\u2060ひー"),
    ],
)  # fmt: skip
def test_operators_at_full_severity(name, language, text, expected):
    found = {new for seed in range(8) for new in perturb([text], name, 1.0, language, seed)}
    assert found <= (expected if isinstance(expected, set) else {expected})


def test_sentences_end_before_format_characters():
    text = "First one.\u200e Second one.\u200f Third one."
    found = {new for seed in range(20) for new in perturb([text], "omission", 1.0, "en", seed)}
    assert {re.sub("[\u200e\u200f]", "", new) for new in found} == {"First one.", "Second one.", "Third one."}


def test_words_match_keys_whatever_mark_follows():
    lexicon = Lexicon({"patient": "invalid"})
    texts = ["The patient\u200e slept", "\u2066patient\u2069", "pati\u00adent"]
    expected = ["The invalid\u200e slept", "\u2066invalid\u2069", "pati\u00adent"]
    assert perturb(texts, "synonym", 1.0, "en", lexicon=lexicon) == expected
    assert vocabulary_divergence(["one\u200e two"], ["one two"], "en") == 0


def test_swaps_do_not_cross_format_characters():
    found = set(perturb(["ab\u00adcd"] * 40, "swap", 1.0, "en"))
    assert found <= {"ab\u00adcd", "ba\u00adcd", "ab\u00addc", "ba\u00addc"}
    assert len(found) > 1


def test_an_intruder_is_the_same_throughout_a_word():
    for text in perturb(["abcd\u00adefgh"] * 40, "intruder", 1.0, "en"):
        assert len(set(text) - set("abcdefgh\u00ad")) == 1


def test_the_version_of_units_is_in_every_output_version():
    assert all(operator.output_version == (VERSION, operator.version) for operator in CATALOG.values())
