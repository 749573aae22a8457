"""nlpaug (Ma 2019, installed with `.[bench]`), the peer of our perturbations: its equivalents of our operators."""

import importlib.util
from collections.abc import Callable

# The languages of the bench for which nlpaug has a keyboard.
KEYBOARDS = ("en", "de", "fr", "es", "th")
OPERATORS = ("swap", "delete", "insert", "substitute", "keyboard", "word_drop")
# The operators of an evaluation grid; "mixed" (one typo per word) is compared with nlpaug's list of misspelled words.
GRID = (*OPERATORS, "ocr", "word_shuffle", "word_split", "mixed")
ABSENT = "nlpaug is not installed (pip install '.[bench]')"


def installed() -> bool:
    """Whether nlpaug is installed."""
    return importlib.util.find_spec("nlpaug") is not None


def languages(operator: str, among: list[str]) -> list[str]:
    """The given languages in which nlpaug has the operator."""
    return [language for language in among if operator != "keyboard" or language in KEYBOARDS]


def augmenter(operator: str, severity: float, language: str) -> Callable[[list[str]], list[str]]:
    """nlpaug's equivalent of an operator, editing the same share of characters or words."""
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
