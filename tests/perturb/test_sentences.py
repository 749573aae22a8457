"""Additions to texts: position, languages, and texts that are skipped."""

import numpy as np
import pytest
import regex

from itt_jax.perturb import CATALOG, perturb, variants
from itt_jax.perturb.sentences import phrases

XTREME_R = (
    "af ar az bg bn de el en es et eu fa fi fr gu he hi ht hu id it ja jv ka kk ko lt ml mr ms my nl pa pl pt qu "
    "ro ru sw ta te th tl tr uk ur vi wo yo zh"
).split()
ADDITIONS = ("tautology", "negated_tautology", "url", "handle", "hashtag", "distractor")
SCRIPTS = {
    "Arabic": "ar fa ur", "Devanagari": "hi mr", "Cyrillic": "bg kk ru uk", "Bengali": "bn", "Greek": "el",
    "Gujarati": "gu", "Hebrew": "he", "Georgian": "ka", "Hangul": "ko", "Malayalam": "ml", "Gurmukhi": "pa",
    "Tamil": "ta", "Telugu": "te", "Thai": "th", "Han": "zh",
}  # fmt: skip
SCRIPT = {language: script for script, languages in SCRIPTS.items() for language in languages.split()}


def test_tautologies_cover_xtreme_r_except_three():
    for name in ("tautology", "negated_tautology"):
        assert set(XTREME_R) - CATALOG[name].languages == {"my", "qu", "wo"}


@pytest.mark.parametrize("kind", ["tautology", "negated_tautology", "distractor"])
def test_phrases_match_their_language(kind):
    """One script each, no digits, distinct within a language; clauses include their separator from the sentence."""
    for language, found in phrases(kind).items():
        if kind == "distractor":
            assert len(set(found)) == len(found) == 4
            assert language == "th" or all(regex.search(r"[.。।۔]$", sentence) for sentence in found)
        else:
            assert len(found) == 1 and regex.match(r"[,、，]? ?\w", found[0]) and not found[0][0].isalnum()
        letters = "Han}\\p{Hiragana}\\p{Katakana" if language == "ja" else SCRIPT.get(language, "Latin")
        assert regex.fullmatch(rf"[\p{{{letters}}}\p{{M}}\p{{P}}\p{{Zs}}ー\u200c]+", "".join(found)), language
    assert all(phrases("tautology")[code] != phrases("negated_tautology")[code] for code in phrases("tautology"))


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "It rains.", "It rains and true is true."),
        ("en", "It rains", "It rains and true is true"),
        ("en", "Really?! \n", "Really and true is true?! \n"),
        ("en", 'She said "no."', 'She said "no." and true is true'),
        ("fr", "Il pleut ?", "Il pleut et le vrai est vrai ?"),
        ("zh", "下雨了。", "下雨了，而且真的就是真的。"),
        ("hi", "बारिश हो रही है।", "बारिश हो रही है और सच सच है।"),
        ("hi", "बारिश हो रही है|", "बारिश हो रही है और सच सच है|"),
        ("el", "Βρέχει;", "Βρέχει και το αληθές είναι αληθές;"),
        ("en", "It rains;", "It rains; and true is true"),
        ("ur", "بارش ہو رہی ہے۔", "بارش ہو رہی ہے اور سچ سچ ہے۔"),
        ("th", "ฝนตก", "ฝนตก และความจริงก็คือความจริง"),
        ("ko", "비가 온다.", "비가 온다, 그리고 참은 참이다."),
    ],
)
def test_a_clause_precedes_the_final_marks(language, text, expected):
    assert perturb([text], "tautology", 1.0, language) == [expected]


@pytest.mark.parametrize("name", ADDITIONS)
def test_texts_without_words_are_skipped(name):
    texts = ["", " ", "\n\t", "...", "👍 !?", "\u200b"]
    assert perturb(texts, name, 1.0, "en") == texts


@pytest.mark.parametrize("name", ADDITIONS)
def test_additions_are_placed_next_to_editable_text(name):
    text = "  He woke. The patient slept well.  "
    whole = np.zeros(len(text), bool)
    start, mark, word = whole.copy(), whole.copy(), whole.copy()
    start[2], mark[text.rindex(".")], word[text.index("slept") : text.index(" well")] = True, True, True
    assert perturb([text] * 9, name, 1.0, "en", editable=[whole] * 9) == [text] * 9
    assert perturb([text] * 9, name, 1.0, "en", editable=[word] * 9) == [text] * 9
    at_start = perturb([text] * 9, name, 1.0, "en", editable=[start] * 9)
    at_mark = perturb([text] * 9, name, 1.0, "en", editable=[mark] * 9)
    if name.endswith("tautology"):
        assert at_start == [text] * 9
        assert all(
            new.startswith("  He woke. The patient slept well and") and new.endswith("true.  ") for new in at_mark
        )
    else:
        assert all(new.endswith(" He woke. The patient slept well.  ") and len(new) > len(text) for new in at_start)
        assert all(new.startswith("  He woke. The patient slept well. ") and len(new) > len(text) for new in at_mark)


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("url", r"https://example\.com/[b-z0-9]{6}"),
        ("handle", "@[b-z0-9]{6}"),
        ("hashtag", "#[b-z]{6}"),
    ],
)
def test_names_are_random_and_placed_at_either_end(name, pattern):
    texts = ["Дождь идёт."] * 200
    new = perturb(texts, name, 1.0, "ru")
    found = [regex.fullmatch(rf"({pattern}) Дождь идёт\.|Дождь идёт\. ({pattern})", text) for text in new]
    assert len({match[1] or match[2] for match in found}) > 190
    assert 60 < sum(match[1] is None for match in found) < 140


def test_distractors_are_placed_at_either_end_of_paragraphs():
    new = perturb(["He woke. The patient slept well."] * 60, "distractor", 1.0, "en")
    assert 15 < sum(text.startswith("He woke. The patient slept well. ") for text in new) < 45
    assert len(set(new)) == 8  # four sentences at two ends
    assert set(perturb(["他醒了。他睡得很好。"] * 60, "distractor", 1.0, "zh")) == {
        text
        for one in phrases("distractor")["zh"]
        for text in (one + "他醒了。他睡得很好。", "他醒了。他睡得很好。" + one)
    }


@pytest.mark.parametrize(
    ("language", "text", "paragraph"),
    [
        ("en", "The patient slept well.", False),
        ("en", "He woke. Did he sleep well?", False),
        ("en", "He woke. A list of things", False),
        ("en", 'She asked. He said: "Yes!"', True),
        ("el", "Ήρθε. Πού είναι;", False),
        ("ur", "وہ جاگا۔ کیا وہ ٹھیک ہے؟", False),
        ("hi", "वह जागा। वह ठीक है|", True),
        ("th", "เขาตื่นแล้ว", False),
        ("th", "เขาตื่นแล้ว และไปทำงาน " * 12, True),
    ],
)
def test_distractors_skip_sentences_and_questions(language, text, paragraph):
    assert (perturb([text], "distractor", 1.0, language) != [text]) == paragraph


def test_distractors_never_contain_a_protected_answer():
    text = "So it is. Bo is by Brothers, in an OLD TOWN."
    answers = ["brothers", "OLD TOWN", "o"]
    masks = []
    for answer in answers:
        mask = np.ones(len(text), bool)
        at = text.lower().index(answer.lower())
        mask[at : at + len(answer)] = False
        masks.append(mask)
    for answer, mask in zip(answers[:2], masks[:2], strict=True):
        (variant,) = variants([text] * 60, "distractor", [1.0], "en", editable=[mask] * 60)
        assert len(set(variant.texts)) == 6
        assert all(new.lower().count(answer.lower()) == 1 for new in variant.texts)
    assert perturb([text] * 9, "distractor", 1.0, "en", editable=[masks[2]] * 9) == [text] * 9


def test_severity_is_the_share_of_texts():
    (weak, strong) = variants(["The patient slept well."] * 2000, "tautology", [0.2, 0.6], "en")
    assert weak.changed.mean() == pytest.approx(0.2, abs=0.04)
    assert strong.changed.mean() == pytest.approx(0.6, abs=0.04)
    assert (strong.changed | ~weak.changed).all()
