"""Constraints, by hand."""

import dataclasses

from itt_jax.attack import attack_rows, get
from itt_jax.attack.attack import Case
from itt_jax.attack.constraints import LongWords, NoStopWords, OwnLetters, WithinEdits, WordsChanged
from itt_jax.attack.goals import MARGIN, UNTARGETED
from tests.attack.scripted import ScriptedVictim, cases, rows, subjects, task


def words(language, constraint):
    """The words of the first text that a constraint lets be edited."""
    subject = cases(language)[0]
    attack = dataclasses.replace(get("deepwordbug"), constraints=(constraint,))
    return ["".join(subject.word(i)) for i in Case(attack, UNTARGETED, subject, 0.0).words()]


def test_words():
    assert words("en", LongWords(5)) == ["patient", "slept"]
    assert words("en", NoStopWords()) == ["patient", "slept", "well", "new", "ward"]
    assert "में" not in words("hi", NoStopWords()) and "वार्ड" in words("hi", NoStopWords())
    assert words("hi", LongWords(3)) == ["मरीज़", "तरह"]  # conjuncts are one cluster


def test_edits_are_grapheme_clusters():
    subject = cases("hi")[0]  # मरीज़ ...: the last cluster of the word has two codepoints
    assert WithinEdits(1).allows_text(subject, subject.text.replace("ज़", "क"), 1)
    assert not WithinEdits(1).allows_text(subject, subject.text.replace("ज़", "").replace("स", ""), 1)


def test_words_changed():
    subject = cases("en")[0]  # eight words
    assert WordsChanged(2).allows_text(subject, "", 2) and not WordsChanged(2).allows_text(subject, "", 3)
    share = WordsChanged(share=0.4)
    assert share.allows_text(subject, "", 3) and not share.allows_text(subject, "", 4)
    assert WordsChanged(share=0.01).allows_text(subject, "", 1)


def test_letters_of_other_scripts_are_not_written():
    """A Hindi text among others with Latin letters is attacked in Devanagari."""
    hindi = cases("hi")[0]
    constraint = OwnLetters()
    assert constraint.allows_text(hindi, hindi.text + "क!", 1) and not constraint.allows_text(
        hindi, hindi.text + "k", 1
    )
    assert constraint.allows_unit(hindi, "?") and not constraint.allows_unit(hindi, "a")
    mixed = subjects(task(), rows("hi", texts=[hindi.text, "COVID रोग"]))
    attack = get("charmer")
    attack = dataclasses.replace(attack, search=dataclasses.replace(attack.search, places=3, edits=3))
    first, _ = attack_rows(attack, MARGIN, mixed, ScriptedVictim())
    assert first.text != hindi.text and not any(c.isascii() and c.isalpha() for c in first.text)
