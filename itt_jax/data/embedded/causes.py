"""The embedded choice task: which of two events is the cause, or the effect, of what the premise tells; five languages.

Pairs of cause and effect are known from training; what a split holds out are the persons, and who did what with which
wrong choice beside it. The wrong choice is the cause (or effect) of another pair.
"""

import functools

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.tables import LANGUAGES, rows_of
from itt_jax.data.embedded.tasks import EmbeddedTask
from itt_jax.data.rows import Rows
from itt_jax.errors import unknown

NAME = "embedded_causes_general"
CHOICES = ("choice1", "choice2")
FIELDS = ("premise", "question", *CHOICES)
SIZES = {"train": 600, "dev": 100, "test": 200}
QUESTIONS = {
    "cause": {
        "en": "What was the cause?",
        "de": "Was war die Ursache?",
        "es": "¿Cuál fue la causa?",
        "fr": "Quelle en était la cause ?",
        "ru": "Какова была причина?",
    },
    "effect": {
        "en": "What was the effect?",
        "de": "Was war die Folge?",
        "es": "¿Cuál fue la consecuencia?",
        "fr": "Quelle en était la conséquence ?",
        "ru": "Каково было следствие?",
    },
}
TASKS = {NAME: EmbeddedTask(NAME, "multiple_choice", FIELDS, CHOICES, "general", splits=tuple(SIZES))}
_PERSONS = {"train": slice(0, 5), "dev": slice(5, 7), "test": slice(7, None)}
_DRAWS = 4

Words = dict[str, str]  # language -> words


@functools.cache
def _events() -> dict[str, list[Words]]:
    """The events by role; those at one place of the two lists belong together."""
    found: dict[str, list[Words]] = {"cause": [], "effect": []}
    for row in rows_of("events.tsv"):
        found[row["role"]].append({language: row[language] for language in LANGUAGES})
    return found


@functools.cache
def _persons(split: str) -> list[Words]:
    first = [row for row in rows_of("entity_names.tsv") if row["part"] == "first"]
    return [{language: row[language] for language in LANGUAGES} for row in first[_PERSONS[split]]]


@functools.lru_cache(maxsize=4)
def _items(split: str) -> tuple[tuple[str, int, int, int, int], ...]:
    """(question, pair, wrong pair, person, label) of each row; every other label is 1, and no item stands twice."""
    pairs, found, index = range(len(_events()["cause"])), {}, 0
    while len(found) < SIZES[split]:
        dice = Dice(draws(f"{NAME}/{split}", np.array([index]), _DRAWS)[0])
        index += 1
        question, pair = dice.pick(("cause", "effect")), dice.pick(pairs)
        wrong, person = dice.pick([other for other in pairs if other != pair]), dice.pick(range(len(_persons(split))))
        found.setdefault((question, pair, wrong, person), len(found) % 2)
    return tuple((*item, label) for item, label in found.items())


def load(task: str, split: str, language: str) -> Rows:
    """One split of the embedded choice task in one language; the same items, in the same order, in every language.

    Labels are int32, the index of the right choice. Raises InputError for a split or language that does not exist.
    """
    if split not in SIZES:
        raise unknown(f"split of {task}", split, SIZES)
    if language not in LANGUAGES:
        raise unknown(f"language of {task}", language, LANGUAGES)
    fields: dict[str, list[str]] = {field: [] for field in FIELDS}
    for question, pair, wrong, person, label in _items(split):
        name, told = _persons(split)[person][language], "effect" if question == "cause" else "cause"
        events = _events()
        right_first = (pair, wrong) if label == 0 else (wrong, pair)
        texts = [events[told][pair], *(events[question][place] for place in right_first)]
        premise, *choices = (text[language].replace("{n}", name) for text in texts)
        for field, text in zip(FIELDS, (premise, QUESTIONS[question][language], *choices), strict=True):
            fields[field].append(text)
    labels = np.array([item[-1] for item in _items(split)], np.int32)
    ids = np.array([f"{task}/{split}/{index}" for index in range(len(labels))])
    return Rows(task, split, language, "general", ids, fields, labels)
