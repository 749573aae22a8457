"""nlpaug, the peer of the perturbations (Ma 2019; `.[bench]`): its augmenters that do what operators of ours do."""

import importlib.util
from collections.abc import Callable

# Its keyboards, among the languages of the bench.
KEYBOARDS = ("en", "de", "fr", "es", "th")
OPERATORS = ("swap", "delete", "insert", "substitute", "keyboard", "word_drop")
# Those of a grid of evaluation; "mixed" (one typo in a word) stands beside its list of misspelled words.
GRID = (*OPERATORS, "ocr", "word_shuffle", "word_split", "mixed")
ABSENT = "nlpaug is not installed (pip install '.[bench]')"


def installed() -> bool:
    """Whether nlpaug is there."""
    return importlib.util.find_spec("nlpaug") is not None


def languages(operator: str, among: list[str]) -> list[str]:
    """Those for which the peer has the operator."""
    return [language for language in among if operator != "keyboard" or language in KEYBOARDS]


def augmenter(operator: str, severity: float, language: str) -> Callable[[list[str]], list[str]]:
    """The augmenter that edits the same share of characters (or words, for word_drop) in the same way."""
    from nlpaug.augmenter import char, word

    words = {"aug_p": severity, "aug_min": 0, "aug_max": None}
    if operator in ("word_drop", "word_shuffle"):
        return word.RandomWordAug(action="delete" if operator == "word_drop" else "swap", **words).augment
    if operator in ("word_split", "mixed"):
        return (word.SplitAug if operator == "word_split" else word.SpellingAug)(**words).augment
    rates = {"aug_char_p": severity, "aug_char_min": 0, "aug_char_max": None, "aug_word_p": 1.0, "aug_word_max": None}
    if operator == "keyboard":
        return char.KeyboardAug(lang=language, **rates).augment
    if operator == "ocr":
        return char.OcrAug(**rates).augment
    return char.RandomCharAug(action=operator, **rates).augment
