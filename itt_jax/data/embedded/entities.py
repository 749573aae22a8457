"""The embedded token classification tasks: persons, places and organisations, in three domains and five languages."""

import functools
import re

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.tables import DOMAINS, LANGUAGES, rows_of
from itt_jax.data.embedded.task import EmbeddedTask

LABELS = ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
SIZES = {"train": 600, "dev": 100, "test": 200}
TASKS = {
    f"embedded_entities_{domain}": EmbeddedTask(
        f"embedded_entities_{domain}", "token_classification", ("text",), LABELS, domain, tuple(SIZES)
    )
    for domain in DOMAINS
}
_TYPES = {"P": "PER", "L": "LOC", "O": "ORG"}
_DRAWS = 8

Words = dict[str, str]  # language -> words
Filled = tuple[Words, dict[str, Words]]  # a frame, and the words for its slots


@functools.cache
def _table(name: str, column: str) -> dict[tuple[str, ...], list[Words]]:
    """The lines of a table, by the values of the columns that are not languages."""
    found: dict[tuple[str, ...], list[Words]] = {}
    for row in rows_of(name):
        key = tuple(value for title, value in row.items() if title not in LANGUAGES)
        found.setdefault(key, []).append({language: row[language] for language in LANGUAGES})
    return found


def _both(first: Words, second: Words) -> Words:
    return {language: f"{first[language]} {second[language]}" for language in LANGUAGES}


@functools.lru_cache(maxsize=16)
def _sentences(task: str, split: str) -> tuple[Filled, ...]:
    """The rows of a split, before a language is chosen; all differ, and test has frames of its own.

    A name may occur in every split, a sentence in one only.
    """
    domain = TASKS[task].domain
    names = {key[0]: entries for key, entries in _table("entity_names.tsv", "part").items()}
    frames = _table("entity_frames.tsv", "domain")[domain, "test" if split == "test" else "train"]
    found: dict[str, Filled] = {}
    others = (
        {} if split in ("test", "train") else {sentence[0]: 0 for sentence in map(_english, _sentences(task, "train"))}
    )
    index = 0
    while len(found) < SIZES[split]:
        dice = Dice(draws(f"{task}/{split}", np.array([index]), _DRAWS)[0])
        index += 1
        filled = (
            dice.pick(frames),
            {
                "P": _both(dice.pick(names["first"]), dice.pick(names["family"])),
                "L": dice.pick(names["place"]),
                "O": _both(dice.pick(names["stem"]), names[domain][0]),
            },
        )
        reading = _english(filled)[0]
        if reading not in others:
            found.setdefault(reading, filled)
    return tuple(found.values())


def _english(filled: Filled) -> tuple[str, list[str]]:
    return _read(filled, "en")


def _read(filled: Filled, language: str) -> tuple[str, list[str]]:
    """The sentence in a language, its words separated by one space, and their tags."""
    frame, fillers = filled
    words, tags = [], []
    for part in frame[language].split(" "):
        slot = re.fullmatch(r"\{(\w)\}", part)
        own = fillers[slot[1]][language].split(" ") if slot else [part]
        words += own
        tags += [f"{'I' if i else 'B'}-{_TYPES[slot[1]]}" for i in range(len(own))] if slot else ["O"]
    return " ".join(words), tags


def texts_and_labels(task: str, split: str, language: str) -> tuple[dict[str, list[str]], list[str]]:
    """The fields of a split, and the tags of each row, joined by spaces."""
    read = [_read(filled, language) for filled in _sentences(task, split)]
    return {"text": [text for text, _ in read]}, [" ".join(tags) for _, tags in read]
