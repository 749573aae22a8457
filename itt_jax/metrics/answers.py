"""Exact match and token F1 of answers to questions, with each benchmark's own normalisation.

- "squad": SQuAD 1.1's, including its English articles; XQuAD and TyDiQA-GoldP use it in every language.
- "mlqa": MLQA's, with punctuation of any script, articles by language, and Chinese by character.

Scores are the mean over all questions; with several right answers the best counts; a missing prediction counts 0.
"""

import functools
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from itt_jax.errors import InputError, unknown
from itt_jax.metrics.metric import ITEM_VALUE, Mean

_ENGLISH_ARTICLES = r"\b(a|an|the)\b"
_MLQA_ARTICLES = {
    "en": _ENGLISH_ARTICLES,
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    # The published pattern has a second branch, for the article before a word; it matches nothing, so the two
    # letters are removed wherever they occur.
    "ar": "ال",
    "hi": None,
    "zh": None,
}
MLQA_LANGUAGES = tuple(_MLQA_ARTICLES)
PROTOCOLS = ("squad", "mlqa")


def normalize_squad(text: str) -> str:
    """Lower case without ASCII punctuation, English articles and extra space (SQuAD 1.1's evaluation)."""
    text = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(re.sub(_ENGLISH_ARTICLES, " ", text).split())


def normalize_mlqa(text: str, language: str) -> str:
    """Lower case without punctuation of any script, articles of the language and extra space (MLQA's evaluation).

    In Chinese, every character from U+4E00 to U+9FA5 is a token.

    Raises:
        InputError: MLQA does not define the language.
    """
    if language not in _MLQA_ARTICLES:
        raise unknown("language of MLQA", language, MLQA_LANGUAGES)
    text = "".join(character for character in text.lower() if not _is_punctuation(character))
    if articles := _MLQA_ARTICLES[language]:
        text = re.sub(articles, " ", text)
    if language == "zh":
        text = re.sub("([\u4e00-\u9fa5])", r" \1 ", text)
    return " ".join(text.split())


@functools.cache
def _is_punctuation(character: str) -> bool:
    return character in string.punctuation or unicodedata.category(character).startswith("P")


def normalizer(protocol: str, language: str) -> Callable[[str], str]:
    """The normalisation of a protocol in one language.

    Raises:
        InputError: the protocol is unknown, or does not define the language.
    """
    if protocol == "squad":
        return normalize_squad
    if protocol == "mlqa":
        normalize_mlqa("", language)
        return functools.partial(normalize_mlqa, language=language)
    raise unknown("protocol of span answers", protocol, PROTOCOLS)


def exact_match(prediction: str, answers: Sequence[str], normalize: Callable[[str], str] = normalize_squad) -> float:
    """1.0 if the prediction equals one of the answers, both normalised."""
    normalized = normalize(prediction)
    return float(any(normalize(answer) == normalized for answer in answers))


def token_f1(prediction: str, answers: Sequence[str], normalize: Callable[[str], str] = normalize_squad) -> float:
    """The best F1 of normalised tokens, as multisets, over the answers; 0.0 if no token is shared."""
    predicted = normalize(prediction).split()
    best = 0.0
    for answer in answers:
        tokens = normalize(answer).split()
        shared = (Counter(predicted) & Counter(tokens)).total()
        if shared:
            precision, recall = shared / len(predicted), shared / len(tokens)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def span_item_scores(
    predictions: Sequence[str | None], answers: Sequence[Sequence[str]], protocol: str = "squad", language: str = "en"
) -> dict[str, np.ndarray]:
    """Scores of each question.

    Args:
        predictions: n answers; None, for no prediction, scores 0.
        answers: at least one right answer to each question.

    Returns:
        "exact_match" and "f1", float64 [n] in [0, 1].

    Raises:
        InputError: lengths differ; a question has no answer; the protocol or its language is unknown.
    """
    if len(predictions) != len(answers):
        raise InputError(f"found {len(predictions)} predicted answers, expected {len(answers)}")
    for i, right in enumerate(answers):
        if not right:
            raise InputError(f"question {i + 1} has no right answer")
    normalize = functools.lru_cache(maxsize=None)(normalizer(protocol, language))
    pairs = list(zip(predictions, answers, strict=True))
    return {
        name: np.array([0.0 if answer is None else score(answer, right, normalize) for answer, right in pairs])
        for name, score in (("exact_match", exact_match), ("f1", token_f1))
    }


def span_scores(
    predictions: Mapping[str, str],
    answers: Mapping[str, Sequence[str]],
    protocol: str = "squad",
    language: str = "en",
) -> dict[str, float]:
    """Mean exact match and token F1 over the questions of `answers`, in [0, 1], by question id.

    Predictions for other questions are ignored; a question without a prediction scores 0, as in the official scripts.

    Raises:
        InputError: there are no questions, or as `span_item_scores`.
    """
    if not answers:
        raise InputError("no questions")
    scores = span_item_scores([predictions.get(id) for id in answers], list(answers.values()), protocol, language)
    return {name: float(np.sum(values) / len(values)) for name, values in scores.items()}


class AnswerScore(Mean):
    """The mean over questions of exact match or token F1, by one of PROTOCOLS.

    Predictions are n texts; labels are n lists of right answers.
    """

    outcomes = ("answer",)

    def __init__(self, protocol: str, score: str):
        self.name, self.protocol, self.part = f"{protocol}_{score}", protocol, score
        self.right_or_wrong = score == "exact_match"
        self.summary = f"{score.replace('_', ' ')} of answers, normalised as {protocol.upper()} does"

    def statistic(self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = "") -> np.ndarray:
        """float64 [n] in [0, 1]."""
        return self.record(predictions, labels, names, language)[ITEM_VALUE]

    def record(
        self, predictions: Any, labels: Any, names: Sequence[str] = (), language: str = ""
    ) -> dict[str, np.ndarray]:
        """Exact match and F1 of each question, and as ITEM_VALUE the one that the metric averages."""
        scores = span_item_scores(predictions, labels, self.protocol, language)
        return scores | {ITEM_VALUE: scores[self.part]}
