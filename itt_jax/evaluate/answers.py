"""Right answers in a perturbed context: they are not edited, and found again where they went."""

from collections.abc import Sequence

import numpy as np

from itt_jax.data.answers import Answer, Answers
from itt_jax.perturb import span_after


def editable_around(answers: Answers, contexts: Sequence[str]) -> list[np.ndarray]:
    """For each context a bool mask of the codepoints that a perturbation may edit: all but those of a right answer.

    The question then still has its answer, word for word; what changes is the text in which it must be found.
    """
    return [~mask for mask in answers.covered(contexts)]


def moved_answers(answers: Answers, texts: Sequence[str], sources: Sequence[np.ndarray]) -> tuple[Answers, np.ndarray]:
    """The answers at their places in the perturbed contexts, and bool [n] whether every one of a row is still there.

    Args:
        texts: the perturbed contexts. sources: of each the clean codepoint that each codepoint stands for, -1 for none
            (`PerturbedTexts.sources`).
    """
    items, applicable = [], np.ones(len(answers), bool)
    for i, (item, text, source) in enumerate(zip(answers.items, texts, sources, strict=True)):
        found = [_moved(answer, text, source) for answer in item]
        applicable[i] = None not in found
        items.append(tuple(found) if applicable[i] else item)
    return Answers(tuple(items)), applicable


def _moved(answer: Answer, text: str, source: np.ndarray) -> Answer | None:
    place = span_after(source, answer.start, answer.stop)
    if place is None or text[slice(*place)] != answer.text:
        return None
    return Answer(place[0], answer.text)
