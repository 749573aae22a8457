"""The embedded multiple-choice task: which of two events is the cause, or the effect, of the premise.

All splits share the pairs of cause and effect; a split holds out persons, and combinations of person, pair and wrong
choice. The wrong choice is the cause (or effect) of another pair.
"""

import functools

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.tables import LANGUAGES, rows_of
from itt_jax.data.embedded.task import EmbeddedTask

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
TASKS = {NAME: EmbeddedTask(NAME, "multiple_choice", FIELDS, CHOICES, "general", tuple(SIZES))}
_PERSONS = {"train": slice(0, 5), "dev": slice(5, 7), "test": slice(7, None)}
_DRAWS = 4

Words = dict[str, str]  # language -> words


@functools.cache
def _events() -> dict[str, list[Words]]:
    """Role -> its events; the i-th cause and the i-th effect belong together."""
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
    """(question, pair, wrong pair, person, label) of each row; labels alternate, and no item occurs twice."""
    pairs, index = range(len(_events()["cause"])), 0
    found: dict[tuple[str, int, int, int], int] = {}
    while len(found) < SIZES[split]:
        dice = Dice(draws(f"{NAME}/{split}", np.array([index]), _DRAWS)[0])
        index += 1
        question, pair = dice.pick(("cause", "effect")), dice.pick(pairs)
        wrong, person = dice.pick([other for other in pairs if other != pair]), dice.pick(range(len(_persons(split))))
        found.setdefault((question, pair, wrong, person), len(found) % 2)
    return tuple((*item, label) for item, label in found.items())


def texts_and_labels(task: str, split: str, language: str) -> tuple[dict[str, list[str]], list[str]]:
    """The fields of a split, and the field with the right choice in each row."""
    fields: dict[str, list[str]] = {field: [] for field in FIELDS}
    events = _events()
    for question, pair, wrong, person, label in _items(split):
        name, given = _persons(split)[person][language], "effect" if question == "cause" else "cause"
        places = (pair, wrong) if label == 0 else (wrong, pair)
        texts = [events[given][pair], *(events[question][place] for place in places)]
        premise, *choices = (text[language].replace("{n}", name) for text in texts)
        for field, text in zip(FIELDS, (premise, QUESTIONS[question][language], *choices), strict=True):
            fields[field].append(text)
    return fields, [CHOICES[item[-1]] for item in _items(split)]
