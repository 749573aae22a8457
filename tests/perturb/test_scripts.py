"""Operators on individual scripts: expected outputs, and reversible operators are reversed by a fixed rule."""

import collections

import pytest
import regex

from itt_jax.perturb import CATALOG, perturb, variants
from itt_jax.perturb.normalization import normalized
from itt_jax.perturb.scripts import letters
from itt_jax.perturb.transliteration import gaj, script_names, spelled, table, transliterated
from tests.perturb.material import MORE, SENTENCES

TEXTS = {language: [*SENTENCES.get(language, []), *MORE.get(language, [])] for language in {*SENTENCES, *MORE}}
LANGUAGES = {"Cyrillic": "ru uk", "Greek": "el", "Armenian": "hy"}  # scripts with a reversible romanization


@pytest.mark.parametrize(
    ("name", "language", "text", "expected"),
    [
        ("tatweel", "ar", "بيت", "بـيـت"),
        ("tatweel", "ar", "سلام دار", "سـلام دار"),
        ("tatweel", "fa", "می\u200cخوا", "مـی\u200cخـوا"),
        ("presentation_forms", "ar", "بيت لا ٱ", "\ufe91\ufef4\ufe96 \ufedf\ufe8e \ufb50"),
        ("presentation_forms", "fa", "می\u200cخ، بࢠ", "\ufee3\ufbfd\u200c\ufea5، بࢠ"),
        ("arabic_letters", "ar", "إلى مدرسة أختها", "الي مدرسه اختها"),
        ("arabic_letters", "ar", "قهوتي ةا", "قهوتي ةا"),
        ("arabic_yeh_kaf", "fa", "کتابی", "كتابي"),
        ("nukta", "hi", "ज़मीन \u095eल क\u093c", "जमीन फल क"),
        ("chandrabindu", "hi", "चाँद हूँ", "चांद हूं"),
        ("traditional", "zh", "医生说汉语,头发", "醫生說漢語,頭发"),
        ("simplified", "zh", "醫生說漢語", "医生说汉语"),
        ("kana", "ja", "カメラを持って行く", "かめらヲ持ッテ行ク"),
        ("native_digits", "hi", "सन 1947 में ३ लोग", "सन १९४७ में 3 लोग"),
        ("native_digits", "ar", "3.5", "٣.٥"),
        ("dotted_i", "tr", "Isı İzmir'i", "İsi Izmır'ı"),
        ("umlauts", "de", "ÄRZTE Ärzte GRÖSSE Straße ÖL Öl", "AERZTE Aerzte GROESSE Strasse OEL Oel"),
        ("umlauts", "da", "Ærø på vej", "Aeroe paa vej"),
        ("umlauts", "sv", "Ångström ø", "Aangstroem ø"),
        ("umlauts", "is", "Þæð", "Thaeð"),
        ("romanian_cedilla", "ro", "și Țara", "şi Ţara"),
        ("transliterate", "ru", "Щука съел ещё ЧИСЛО", "Ŝuka sʺel eŝë ČISLO"),
        ("transliterate", "uk", "Ґанок їхній", "G̀anok ïhnìj"),
        ("transliterate", "el", "Θεός ΨΥΧΗ αυτοί", "Theós PSYCHĪ autoí"),
        ("transliterate", "ka", "წყალი", "tsʼqʼali"),
        ("transliterate", "hy", "Չորս ու ջուր", "Čʻors u ǰur"),
        ("transliterate", "he", "שָׁלוֹם", "šlwm"),
        ("transliterate", "ar", "ذَهَبَ الطبيب", "ḏhb ʾlṭbyb"),
        ("transliterate", "hi", "मरीज़ क्षमा गइ कई क्हा", "marīza kṣamā ga:i kaī k:hā"),
        ("transliterate", "ta", "மருத்துவர்", "maruttuvar"),
        ("transliterate", "bn", "বাংলা উৎসব", "bāṁlā উৎসব"),
        ("transliterate", "ko", "독립 약을", "dokrip yakeul"),
        ("transliterate", "ja", "ちょっと コーヒー きんえん マッチ", "chotto kōhī kin'en matchi"),
        ("transliterate", "ja", "会議 PC", "会議 PC"),
        ("transliterate", "ru", "ѝ Qазақ", "ѝ Qазақ"),
        ("serbian_alphabet", "sr", "Љубав и џем", "Ljubav i džem"),
        ("serbian_alphabet", "sr", "Njegov džep, NJEN", "Његов џеп, ЊЕН"),
        ("serbian_alphabet", "sr", "New York", "New York"),
    ],
)
def test_full_severity(name, language, text, expected):
    assert perturb([text], name, 1.0, language) == [
        normalized(expected, "NFC") if name == "transliterate" else expected
    ]


def reversed_by(name: str, text: str) -> str:
    """The fixed rule that reverses the operator."""
    if name == "tatweel":
        return text.replace("\u0640", "")
    if name == "presentation_forms":
        return normalized(text, "NFKC")
    table_of = letters(name)
    back = {int(table_of[code]): code for code in table_of.nonzero()[0].tolist()}
    return text.translate(back)


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("tatweel", "ar"),
        ("presentation_forms", "ar"),
        ("arabic_yeh_kaf", "fa"),
        ("traditional", "zh"),
        ("romanian_cedilla", "ro"),
    ],
)
def test_reversed_by_a_fixed_rule(name, language):
    assert CATALOG[name].reversible
    clean = [text for text in TEXTS[language] if not regex.search("[醫檢們書還沒賣給學]", text)]
    for severity in (0.3, 1.0):
        found = perturb(clean, name, severity, language, seed=4)
        assert found != clean
        assert [reversed_by(name, text) for text in found] == clean


def inverse_of(word: str, spelling: dict[str, str]) -> str:
    """The lower-case word behind a romanization, matching the longest Latin strings first."""
    back = {normalized(latin, "NFC"): letter for letter, latin in reversed(spelling.items())}
    pattern = "|".join(regex.escape(latin) for latin in sorted(back, key=len, reverse=True))
    return regex.sub(pattern, lambda found: back[found[0]], word)


@pytest.mark.parametrize("script", LANGUAGES)
def test_romanization_is_reversible(script):
    standard = table()["letters"][script]
    assert standard["reversible"]
    texts = [text for language in LANGUAGES[script].split() for text in TEXTS[language]]
    words = regex.findall(rf"\p{{Script={script}}}+", normalized(" ".join(texts), "NFC").lower())
    assert len(words) > 8
    for word in words:
        assert regex.sub(r"σ\b", "ς", inverse_of(transliterated(word, script), standard["spelling"])) == word
    for word in ("љубав", "његов", "џеп", "ђак"):
        assert inverse_of(spelled(word, gaj(True)), gaj(True)) == word


@pytest.mark.parametrize(
    ("language", "script"), [("ru", "Cyrillic"), ("bg", "Cyrillic"), ("el", "Greek"), ("hi", "Devanagari")]
)
def test_real_words_have_distinct_romanizations(language, script, real_sentences):
    words = {
        normalized(w, "NFC").lower()
        for w in regex.findall(rf"\p{{Script={script}}}+", " ".join(real_sentences[language]))
    }
    alike = collections.defaultdict(set)
    for word in words:
        alike[transliterated(word, script)].add(word)
    assert len(words) > 300
    assert [found for found in alike.values() if len(found) > 1] == []
    assert all(
        regex.fullmatch(r"[\p{Latin}\p{M}\p{Lm}:’]+", latin) for latin in alike if not regex.search(r"\p{N}", latin)
    )


def test_every_script_has_a_standard():
    entries = {**table()["letters"], "Indic": table()["indic"], "Hangul": table()["hangul"]}
    assert all(entry["standard"] and isinstance(entry["reversible"], bool) for entry in entries.values())
    assert len(script_names()) == 18


def test_serbian_works_both_ways():
    (latin,) = perturb([TEXTS["sr"][0]], "serbian_alphabet", 1.0, "sr")
    assert latin == "Lekar je jutros pregledao bolesnika i njegovu kćer."
    assert perturb([latin], "serbian_alphabet", 1.0, "sr") == [TEXTS["sr"][0]]


def test_other_languages_have_no_rules():
    for name, operator in CATALOG.items():
        assert ("en" in operator.languages) <= (operator.family != "script"), name
    (variant,) = variants(["The patient slept."], "transliterate", [1.0], "ru")
    assert not variant.changed.any()
