"""The embedded tasks: sentiment, inference and similarity, each in three domains and five languages.

Labels follow from how a row is made:
- sentiment: the polarity of what the whole sentence says about its topic. Negation reverses it; if two clauses
  disagree ("although", "but", "not"), the main clause decides.
- inference: a statement entails its paraphrase by a synonym and the denial of its antonym, contradicts its antonym and
  the denial of its synonym, and is neutral to other topics and other qualities. Who says it and when does not
  matter, and the three classes have equal shares of negated premises and of negated hypotheses.
- similarity: 3 for the same topic, plus 2 for the same quality, 1.5 for a synonym (or a denied antonym), 1 for another
  quality of the same polarity, 0 for the opposite polarity.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.sentences import DomainWords, Statement, frames, vocabulary
from itt_jax.data.embedded.tables import DOMAINS
from itt_jax.data.embedded.task import EmbeddedTask

SIZES = {"train": 1998, "dev": 198, "test": 300}
SENTIMENT_ROLES = {"plain": 0.84, "negated": 0.06, "mixed": 0.1}
# Share of (premise negated, hypothesis negated) in each class; both margins are equal in all classes.
INFERENCE_FORMS = (
    {(False, False): 0.8, (False, True): 0.12, (True, True): 0.08},
    {(False, False): 0.74, (False, True): 0.18, (True, False): 0.06, (True, True): 0.02},
    {(False, False): 0.72, (False, True): 0.2, (True, False): 0.08},
)
OTHER_TOPIC = 0.75  # share of neutral pairs about another topic; the rest are about another quality of the same one
SIMILARITY_NEGATED = 0.1
_DRAWS = 24


def _sentiment(dice: Dice, words: DomainWords, split: str, label: int) -> tuple[tuple[Statement, ...], float]:
    role = dice.weighted(SENTIMENT_ROLES)
    frame = dice.pick(frames("sentiment", role, split))
    a = words.word(dice, 1 - label if role == "negated" else label)
    b = words.word(dice, 1 - label)
    return (words.state(dice, frame, dice.pick(words.topics), a, b),), label


def _inference(dice: Dice, words: DomainWords, split: str, label: int) -> tuple[tuple[Statement, ...], float]:
    premise_negated, hypothesis_negated = dice.weighted(INFERENCE_FORMS[label])
    roles = (
        "premise_negated" if premise_negated else "premise",
        "hypothesis_negated" if hypothesis_negated else "hypothesis",
    )
    frame, hypothesis_frame = (dice.pick(frames("inference", role, split)) for role in roles)
    topic, scale, side = dice.pick(words.topics), dice.pick(words.scales), dice.pick((0, 1))
    premise = words.state(dice, frame, topic, dice.pick(words.words(scale, side)))
    turned = premise_negated != hypothesis_negated
    if label == 1:
        side = dice.pick((0, 1))
        if dice.chance(OTHER_TOPIC):
            topic = premise.other
        else:
            scale = dice.pick([other for other in words.scales if other != scale])
    elif turned == (label == 0):
        side = 1 - side
    hypothesis = words.state(dice, hypothesis_frame, topic, dice.pick(words.words(scale, side)))
    return (premise, hypothesis), label


def _similarity(dice: Dice, words: DomainWords, split: str, level: int) -> tuple[tuple[Statement, ...], float]:
    same_topic, closeness = divmod(level, 3)
    negated = [dice.chance(SIMILARITY_NEGATED), False]
    negated = negated if dice.chance(0.5) else negated[::-1]
    first_frame = dice.pick(frames("similarity", "negated" if negated[0] else "plain", split))
    choices = frames("similarity", "negated" if negated[1] else "plain", split)
    second_frame = dice.pick([frame for frame in choices if frame is not first_frame])
    topic, scale, side = dice.pick(words.topics), dice.pick(words.scales), dice.pick((0, 1))
    first = words.state(dice, first_frame, topic, dice.pick(words.words(scale, side ^ negated[0])))
    if closeness == 1 or (closeness == 0 and dice.chance(0.5)):
        scale = dice.pick([other for other in words.scales if other != scale])
    if closeness == 0:
        side = 1 - side
    a = dice.pick(words.words(scale, side ^ negated[1]))
    second = words.state(dice, second_frame, topic if same_topic else first.other, a)
    nearness = 1.5 if closeness == 2 and a is not first.words["a"] else closeness
    return (first, second), 3 * same_topic + nearness


@dataclasses.dataclass(frozen=True)
class _Subject:
    kind: str
    fields: tuple[str, ...]
    labels: tuple[str, ...] | None
    levels: int
    make: Callable


_SUBJECTS = {
    "sentiment": _Subject("classification", ("text",), ("negative", "positive"), 2, _sentiment),
    "inference": _Subject(
        "classification", ("premise", "hypothesis"), ("entailment", "neutral", "contradiction"), 3, _inference
    ),
    "similarity": _Subject("regression", ("text_a", "text_b"), None, 6, _similarity),
}

TASKS = {
    f"embedded_{name}_{domain}": EmbeddedTask(
        f"embedded_{name}_{domain}", about.kind, about.fields, about.labels, domain, tuple(SIZES)
    )
    for name, about in _SUBJECTS.items()
    for domain in DOMAINS
}


@functools.lru_cache(maxsize=32)
def _statements(task: str, split: str) -> tuple[tuple[tuple[Statement, ...], ...], tuple[float, ...]]:
    """The rows of a split, before a language is chosen, and their labels; all rows differ."""
    _, name, domain = task.split("_")
    words, about, size = vocabulary(domain, split), _SUBJECTS[name], SIZES[split]
    # Each run of `levels` rows has every label once, in random order.
    order = draws(f"{task}/{split}/labels", np.arange(size // about.levels), about.levels)
    levels = np.argsort(order, axis=1).reshape(-1).tolist()
    found, labels, seen = [], [], set()
    for index, level in enumerate(levels):
        attempt = 0
        while True:
            dice = Dice(draws(f"{task}/{split}/{index}", np.array([attempt]), _DRAWS)[0])
            statements, label = about.make(dice, words, split, level)
            reading = tuple(statement.text("en") for statement in statements)
            if reading not in seen:
                break
            attempt += 1
        seen.add(reading)
        found.append(statements)
        labels.append(label)
    return tuple(found), tuple(labels)


def texts_and_labels(task: str, split: str, language: str) -> tuple[dict[str, list[str]], list[str]]:
    """The fields of a split, and the class or the score of each row."""
    statements, labels = _statements(task, split)
    fields = {
        field: [row[place].text(language) for row in statements] for place, field in enumerate(TASKS[task].fields)
    }
    classes = TASKS[task].labels
    return fields, [classes[int(label)] if classes else f"{label:g}" for label in labels]
