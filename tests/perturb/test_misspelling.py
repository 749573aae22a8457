"""Operators of the family "misspelling": expected outputs, rates and properties."""

import collections

import pytest
import regex

from itt_jax.errors import InputError
from itt_jax.perturb import CATALOG, LANGUAGES, Lexicon, perturb, tables, variants
from itt_jax.perturb.lexicon import lowered
from itt_jax.perturb.misspelling import TYPO_WEIGHTS, ZEROE_LEVELS, ZEROE_OPERATORS


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("vowels", "en", "The idea of your Air 2U", "Th d of yr r 2U"),
        ("vowels", "fi", "Yö on kylmä", "Yö on klm"),
        ("vowels", "ru", "Мой ёж съел яблоко", "Мй ёж съл блк"),
        ("vowels", "el", "Το παλιό βιβλίο", "Το πλ ββλ"),
        ("vowels", "he", "הרופאה הגיעה", "הרופאה הגיעה"),
        ("truncate", "en", "Four men can't wait 2023", "Fou men can' wai 2023"),
        ("truncate", "zh", "我们明天去北京", "我们明天去北京"),
        ("word_join", "en", " One  two, three.\nFour\u00a0five ", " Onetwo,three.\nFourfive "),
        ("word_join", "th", "น้ำ ไหล", "น้ำไหล"),
        ("word_split", "en", "a an 42 B2", "a a n 42 B2"),
        ("word_split", "th", "น้ำไหลช้ามาก", "น้ำไหลช้ามาก"),
        ("inner_shuffle", "en", "a an and know aaaa 12345", "a an and konw aaaa 12345"),
        ("full_shuffle", "en", "an aaa 345", "an aaa 345"),
        ("phonetic", "en", "Knowing PHOTOS of a kitchen, 3 laughs", "Nowing FOTOS of a kichen, 3 laughs"),
        ("phonetic", "de", "Die Tochter fährt Rad.", "Dih Tochter vert Rat."),
        ("phonetic", "es", "Hola, ¿dónde vives?", "Ola, ¿dónde bibes?"),
        ("phonetic", "ru", "что его", "што ево"),
        ("phonetic", "pl", "Która góra", "Ktura gura"),
        ("phonetic", "hi", "नहीं", "नही"),
        ("phonetic", "ja", "今日は", "今日わ"),
        ("phonetic", "he", "בַּיִת", "בַּיִט"),
    ],
)
def test_full_severity(name, language, text, expected):
    assert perturb([text], name, 1.0, language) == [expected]


def test_shuffles_stay_within_words():
    texts = ["don't perturb this sentence"] * 100
    inner, full = perturb(texts, "inner_shuffle", 1.0, "en"), perturb(texts, "full_shuffle", 1.0, "en")
    assert len(set(inner)) > 90
    for old, a, b in zip(texts, inner, full, strict=True):
        for word, within, whole in zip(old.split(), a.split(), b.split(), strict=True):
            assert word[0] + word[-1] == within[0] + within[-1]
            assert word != within
            assert word != whole
            assert sorted(word) == sorted(within) == sorted(whole)
            assert within.find("'") == whole.find("'") == word.find("'")
    assert {text[0] for text in full} == set("dont")


def test_intruder_uses_one_mark_per_word_and_is_reversible():
    texts = ["letters between 2023 words"] * 50
    for text in perturb(texts, "intruder", 1.0, "en"):
        assert regex.fullmatch(r"l(\W|_)e\1t\1t\1e\1r\1s b(\W|_)([etw]\2)+n 2023 w(\W|_)o\4r\4d\4s", text)
    for text, level in zip(texts, perturb(texts, "intruder", 0.3, "en"), strict=True):
        assert regex.sub(r"(?<=\p{L})[^\p{L}\s](?=\p{L})", "", level) == text


def test_word_split_cuts_anywhere():
    found = set(perturb(["sentence"] * 300, "word_split", 1.0, "en"))
    assert found == {"sentence"[:i] + " " + "sentence"[i:] for i in range(1, 8)}


def test_leetspeak_is_known():
    assert set(perturb(["Elite"] * 400, "leetspeak", 1.0, "en")) == {
        f"3{a}{b}{c}3" for a in "1|" for b in "1!" for c in "7+"
    }


def test_sources_follow_shuffled_letters():
    (variant,) = variants(["shuffled words"] * 20, "full_shuffle", [1.0], "en", align=True)
    for text, sources in zip(variant.texts, variant.sources, strict=True):
        assert sorted(sources.tolist()) == list(range(len(text)))
        assert text == "".join("shuffled words"[place] for place in sources)


def test_phonetic_tables():
    """Covers XTREME-R except seven languages; keys are in lower case, and every option differs from its key."""
    entries = tables.read("phonetic")["entries"]
    xtreme_r = (
        "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu "
        "ro ru sw ta te th tl tr uk ur vi wo yo zh"
    ).split()
    assert set(entries) <= LANGUAGES
    assert set(xtreme_r) - set(entries) == {"ht", "jv", "kk", "my", "qu", "wo", "yo"}
    for language, groups in entries.items():
        for key, options in groups.items():
            letters = key.removeprefix("^").removesuffix("$")
            codepoints = tables.codepoints_of(letters)
            assert letters, (language, key)
            assert letters not in options, (language, key)
            assert lowered(codepoints).tolist() == codepoints.tolist(), (language, key)
            assert not any(regex.search(r"[\^$~>,]", option) for option in options), (language, key)


def test_phonetic_replaces_groups_at_the_stated_rate():
    texts = ["physics photo dolphin phase"] * 2000
    counts = collections.Counter(4 - text.count("ph") for text in perturb(texts, "phonetic", 0.25, "en"))
    shares = [counts[k] / 2000 for k in range(3)]
    assert shares == pytest.approx([0.316, 0.422, 0.211], abs=0.05)  # binomial(4, 0.25), other groups ignored


def test_natural_uses_the_list(tmp_path):
    path = tmp_path / "en.natural"
    path.write_text("luck lock lucke\nbelieve beleive\n", encoding="utf-8")
    assert set(perturb(["Believe in LUCK"] * 99, "natural", 1.0, "en", lexicon=path)) == {
        "Beleive in LOCK",
        "Beleive in LUCKE",
    }
    assert perturb(["Glück"], "natural", 1.0, "de", lexicon=Lexicon({"glück": "glük"})) == ["Glük"]
    with pytest.raises(InputError, match=r"give a lexicon \(a word and its misspellings\)"):
        perturb(["a"], "natural", 0.5, "en")


def test_mixed_follows_its_weights():
    """One typo per word, never at the first letter, and more often late than early."""
    word, count = "plaster", 6000
    kinds: collections.Counter = collections.Counter()
    places: collections.Counter = collections.Counter()
    (variant,) = variants([word] * count, "mixed", [1.0], "en", align=True)
    for text, edits, sources in zip(variant.texts, variant.edits, variant.sources, strict=True):
        assert text[0] == "p"
        if len(text) == 6:
            kinds["delete"] += 1
            places[(set(range(7)) - set(sources.tolist())).pop()] += 1
        elif len(text) == 8:
            kinds["insert"] += 1
            new = sources.tolist().index(-1)
            assert text[new] in tables.read("keyboards")["layouts"]["en"]["beside"][text[new - 1]]
        else:
            kinds["transpose" if edits == 2 else "replace"] += 1
            assert (sorted(text) == sorted(word)) == (edits == 2)
    expected = dict(zip(("delete", "insert", "replace", "transpose"), TYPO_WEIGHTS / TYPO_WEIGHTS.sum(), strict=True))
    assert {kind: n / count for kind, n in kinds.items()} == pytest.approx(expected, abs=0.03)
    assert set(places) == set(range(1, 7))
    assert places[6] / places[1] == pytest.approx(2, rel=0.3)


def test_mixed_on_short_words():
    assert perturb(["a 42 B2"], "mixed", 1.0, "en") == ["a 42 B2"]
    expected = {"i", *(f"i{letter}" for letter in "rfgy"), *(f"it{letter}" for letter in "rfgy")}
    assert set(perturb(["it"] * 400, "mixed", 1.0, "en")) == expected
    capitals = perturb(["ITT"] * 400, "mixed", 1.0, "en")
    assert all(text.isupper() and text != "ITT" for text in capitals)  # TT cannot be transposed


def test_zeroe_suite():
    assert len(ZEROE_OPERATORS) == 10
    for name, difference in ZEROE_OPERATORS.values():
        assert difference
        lexicon = Lexicon({"patient": "pacient"}) if CATALOG[name].lexicon else None
        found = variants(["The patient slept well."] * 20, name, ZEROE_LEVELS, "en", lexicon=lexicon)
        rates = [variant.edit_rate for variant in found]
        assert 0 < rates[0] < rates[1] < rates[2]
