"""Operators that replace words: expected outputs, and the consistency of their tables."""

import itertools

import numpy as np
import pytest
import regex

from itt_jax.perturb import CATALOG, LANGUAGES, Lexicon, perturb, tables, variants
from itt_jax.perturb.lexical import name_groups, names, translations
from itt_jax.perturb.lexicon import shipped
from itt_jax.perturb.text import to_strings

PAIRS = [
    ("Anna Smith met Peter in Paris.", "Anna met Peter in France."),
    ("Tokyo is the capital of Japan; Japanese ANNA likes Tokyo.", "Anna lives there."),
]


def outcomes(name: str, text: str, language: str, severity: float = 1.0) -> set[str]:
    return set(perturb([text] * 200, name, severity, language))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "She QUICKLY reads.", {"She RAPIDLY reads.", "She SWIFTLY reads."}),
        ("de", "Vielleicht schläft er.", {"Möglicherweise schläft er.", "Eventuell schläft er."}),
        (
            "fr",
            "Ils sont contents cependant.",
            {f"Ils sont contents {w}." for w in ("pourtant", "toutefois", "néanmoins")},
        ),
        ("zh", "医生突然来了。", {"大夫忽然来了。"}),
        ("ru", "Врач внезапно ушёл.", {f"Доктор {w} ушёл." for w in ("вдруг", "неожиданно")}),
    ],
)
def test_synonyms(language, text, expected):
    assert outcomes("synonym", text, language) <= expected


@pytest.mark.parametrize("table", ["synonyms", "function_words", "contractions"])
def test_tables_are_clean(table):
    """Options differ from their key and from each other, and no string has surplus white space."""
    content = tables.read(table)
    assert content["provenance"].startswith("written for this project")
    assert set(content["entries"]) <= LANGUAGES
    for language, entries in content["entries"].items():
        assert len(shipped(table, language)) == len({key.lower() for key in entries}) == len(entries), language
        for key, options in entries.items():
            assert len(set(options)) == len(options) and key not in options, key
            for string in (key, *options):
                assert string == " ".join(string.split()), (language, string)
                assert string or table == "function_words"
            assert "\0" not in key


def test_every_key_can_be_found():
    """Every key matches itself in a text."""
    for name in ("synonym", "function_words", "contractions", "code_mix"):
        for language in CATALOG[name].languages:
            lexicon = (
                translations(language)
                if name == "code_mix"
                else shipped({"synonym": "synonyms"}.get(name, name), language)
            )
            keys = to_strings(lexicon.keys)
            changed = variants([f"{key} 我x" for key in keys], name, [1.0], language)[0].changed
            assert [key for key, done in zip(keys, changed, strict=True) if not done] == [], (name, language)


def test_english_synonyms_keep_their_article():
    """A word and its synonyms all begin with a vowel sound or all with a consonant, so "a" and "an" stay correct."""
    for key, options in tables.read("synonyms")["entries"]["en"].items():
        vowel = regex.match("[aeiou](?!ni|se|su)|hou|hon", key) is not None
        assert all((regex.match("[aeiou](?!ni|se|su)|hou|hon", o) is not None) == vowel for o in options), key


def test_translations():
    """Each row has a word in every language, and ambiguous words are never translated."""
    header, *rows = (row.split("|") for row in tables.read("translations")["rows"])
    assert {len(row) for row in rows} == {len(header)}
    for place, language in enumerate(header):
        keys = [row[place].lower() for row in rows if not row[place].startswith("*")]
        assert len(set(keys)) == len(keys) == len(translations(language)), language
    found = outcomes("code_mix", "The dog sleeps.", "en")
    assert {"The Hund sleeps.", "The 狗 sleeps.", "The собака sleeps."} <= found
    assert 12 < len(found) <= len(header) - 1
    assert any(regex.fullmatch(r"\p{Latin}+的\p{Latin}+", text) for text in outcomes("code_mix", "我们的医院", "zh"))


@pytest.mark.slow
def test_code_mix_of_a_folder(data_root):
    """All published English dictionaries together: every target language is equally likely."""
    folder = data_root / "robustness" / "bilingual_dicts"
    made = perturb(["water"] * 3400, "code_mix", 1.0, "en", lexicon=folder)
    counts = {word: made.count(word) for word in set(made)}
    assert {"wasser", "вода", "water"} & set(counts) == {"wasser", "вода"}
    assert 140 < counts["wasser"] < 260
    (back,) = perturb(["Das Wasser"], "code_mix", 1.0, "de", lexicon=f"inverse:{folder / 'de.txt'}")
    assert back.endswith(" Water") or back.endswith(" Waters")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "The dog is here", {f"{a}dog {b}here" for a in ("A ", "") for b in ("are ", "")}),
        ("en", "who it is.", {"who it is."}),  # no word follows
        ("de", "für einen Hund", {"für ein Hund", "für einem Hund"}),
        ("zh", "我们的老师", {"我们老师"}),
        ("ja", "猫は魚を食べる。ものが", {f"猫{a}魚{b}食べる。ものが" for a in ("が", "") for b in ("は", "")}),
        ("hi", "राम ने खाया", {"राम खाया"}),
    ],
)
def test_function_words(language, text, expected):
    assert outcomes("function_words", text, language) == expected


def test_negations_are_not_function_words():
    negations = {
        "en": "no not never none nor without cannot n't",
        "de": "nicht kein keine keinen nie ohne",
        "fr": "ne pas sans non jamais aucun",
        "es": "no sin nunca ni",
        "it": "non senza mai né",
        "pt": "não sem nunca nem",
        "ru": "не нет без ни",
        "ar": "لا لم لن ليس ما بدون",
        "hi": "नहीं न मत बिना",
        "zh": "不 没 没有 别 无",
        "tr": "değil yok",
        "vi": "không chưa chẳng",
    }
    for language, words in negations.items():
        entries = tables.read("function_words")["entries"][language]
        strings = set(entries) | {option for options in entries.values() for option in options}
        assert not strings & set(words.split()), language


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "I do not know. She isn't here.", {"I don't know. She is not here."}),
        ("en", "I’m sure It is so", {"I am sure It's so"}),
        ("en", "That is who I am.", {"That's who I am."}),
        ("en", "Its tail, its head", {"Its tail, its head"}),
        ("de", "Wie geht es dir? Ins Haus", {"Wie geht's dir? In das Haus"}),
        ("ko", "그런데 이것은 책이다.", {"근데 이건 책이다."}),
        ("pt", "Em um dia", {"Num dia"}),
    ],
)
def test_contractions(language, text, expected):
    assert outcomes("contractions", text, language) == expected


def test_names_of_an_item_change_together():
    """In two fields of an item, names change alike, stay distinct, and cities stay in their countries."""
    cities = {row[1]: row[0] for group in name_groups("en") for row in group if len(row) == 4}
    nations = {row[0]: row[3] for group in name_groups("en") for row in group if len(row) == 4}
    for (first, second), seed in itertools.product(PAIRS, range(60)):
        made = [
            perturb([text], "entity", 0.7, "en", seed, ids=["x"], field=field)[0]
            for text, field in ((first, "premise"), (second, "hypothesis"))
        ]
        assert made[0].split()[0] == made[1].split()[0] or first.startswith("Tokyo")
        if first.startswith("Anna"):
            place = made[0].rpartition(" in ")[2], made[1].rpartition(" in ")[2]
            assert cities[place[0][:-1]] == place[1][:-1]
        else:
            match = regex.fullmatch(r"(.*) is the capital of (.*); (\w+) ([A-Z]+) likes (.*)\.", made[0])
            assert match[1] == match[5] and cities[match[1]] == match[2] and nations[match[2]] == match[3]
            assert made[1] == f"{match[4].capitalize()} lives there."


def test_names_stay_distinct():
    for language in sorted(CATALOG["entity"].languages):
        lexicon, groups = names(language)
        keys = to_strings(lexicon.keys)
        assert len(keys) == len(groups) == len(lexicon.counts)
        for group in set(groups.tolist()) - {-1}:
            rows = np.flatnonzero(groups == group)
            assert len(set(lexicon.counts[rows].tolist())) == 1 and lexicon.counts[rows[0]] >= 4, (language, group)
            for option in range(int(lexicon.counts[rows[0]])):
                assert len({lexicon.options[row][option] for row in rows.tolist()}) == len(rows)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "the polish of a turkey in chile, anna"),  # lower-case words are not names
        ("en", "Great Britain and the British Isles"),
        ("en", "Annas Parisian"),
        ("zh", "戴安娜"),
    ],
)
def test_words_that_are_not_names_stay(language, text):
    assert outcomes("entity", text, language) == {text}


def test_a_protected_name_protects_its_group():
    text = "Anna knows Emma and Peter; Anna left."
    mask = np.ones(len(text), bool)
    mask[text.rindex("Anna")] = False
    for made in perturb([text] * 50, "entity", 1.0, "en", editable=[mask] * 50):
        assert made.startswith("Anna knows Emma and ") and made.endswith("; Anna left.")
        assert "Peter" not in made


def test_names_of_a_lexicon():
    lexicon = Lexicon({"acme": ["Initech", "Globex"], "tom": ["Tim", "Jim"]})
    for made in perturb(["Acme and acme: Tom, Tom"] * 50, "entity", 1.0, "en", lexicon=lexicon):
        assert made in {f"{a} and {a}: {b}, {b}" for a in ("Initech", "Globex") for b in ("Tim", "Jim")}


def test_russian_names_keep_their_case():
    for made in outcomes("entity", "Ирина живёт в Лондоне, в Англии, с Иваном.", "ru"):
        assert regex.fullmatch(r"\w+а живёт в \w+е, в \w+ии, с \w+ом\.", made)


def test_word_insert_adds_a_synonym_elsewhere():
    lexicon = Lexicon({"b": ["x"], "d": ["y"]})
    for made in perturb(["a b c d"] * 60, "word_insert", 1.0, "en", lexicon=lexicon):
        words = made.split()
        assert [word for word in words if word in "abcd"] == list("abcd") and sorted(words) == list("abcdxy")
        assert words[0] == "a" and "xy" not in "".join(words) and "yx" not in "".join(words)
    assert set(perturb(["b"] * 9, "word_insert", 1.0, "en", lexicon=lexicon)) == {"b x"}
    assert set(perturb(["你好b"] * 60, "word_insert", 1.0, "zh", lexicon=lexicon)) == {"你x好b", "你好xb", "你好b x"}


def test_fillers_are_inserted_between_words():
    options = tables.read("fillers")["entries"]["en"]
    for made in perturb(["Well, he slept."] * 60, "fillers", 1.0, "en"):
        filler = regex.fullmatch(r"Well, he (.*) slept\.", made)[1]
        assert filler in options
    assert perturb(["one ", "two"], "fillers", 1.0, "en") == ["one ", "two"]
