"""The unlabelled parallel corpus: all words of the material, in sentence frames that no task uses."""

from collections.abc import Sequence

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.sentences import DomainWords, frames, vocabulary
from itt_jax.data.embedded.tables import DOMAINS, LANGUAGES
from itt_jax.errors import InputError, unknown

ROLES = {"same": 0.46, "synonym": 0.08, "positive": 0.14, "negative": 0.14, "contrast": 0.03, "neutral": 0.15}
# General praise and blame, used in every domain, so that the three domains share one axis of polarity.
SHARED_SCALES = ("worth", "pleasure", "use")
SHARED = 0.5
LIMIT = 50_000
_DRAWN_AT_ONCE = 4096
_DRAWS = 16


def parallel(n: int, seed: int = 0, domains: Sequence[str] = DOMAINS) -> list[dict[str, str]]:
    """`n` distinct sentences, each as language -> text in the five languages.

    The list for a smaller `n` is a prefix of it. The domains take turns.

    Raises:
        InputError: no domain, an unknown one, or an `n` outside 0..50,000.
    """
    if not domains:
        raise InputError("parallel sentences: no domain, expected at least one")
    for domain in domains:
        if domain not in DOMAINS:
            raise unknown("domain", domain, DOMAINS)
    if not 0 <= n <= LIMIT:
        raise InputError(f"number of parallel sentences is {n}, expected 0 to {LIMIT}")
    found: list[dict[str, str]] = []
    seen: set[str] = set()
    start = 0
    while len(found) < n:
        for row in draws(f"corpus/{seed}", np.arange(start, start + _DRAWN_AT_ONCE), _DRAWS):
            domain = domains[len(found) % len(domains)]
            statement = _statement(Dice(row), vocabulary(domain, "corpus"))
            english = statement.text("en")
            if english in seen:
                continue
            seen.add(english)
            found.append({language: statement.text(language) for language in LANGUAGES})
            if len(found) == n:
                break
        start += _DRAWN_AT_ONCE
    return found


def _statement(dice: Dice, words: DomainWords):
    """One corpus sentence. Qualities co-occur by polarity and by synonymy, as in natural text."""
    role = dice.weighted(ROLES)
    frame = dice.pick(frames("corpus", role, "corpus"))
    side = {"positive": 1, "negative": 0}.get(role, dice.pick((0, 1)))
    a = words.word(dice, side)
    if role == "synonym":
        first, second = words.words(a.quality, side)
        b = second if a is first else first
    elif role == "contrast":
        b = dice.pick(words.words(a.quality, 1 - side))
    elif role == "same" and dice.chance(SHARED):
        b = dice.pick(vocabulary("general", "corpus").words(dice.pick(SHARED_SCALES), side))
    else:
        b = words.word(dice, side)
    return words.state(dice, frame, dice.pick(words.topics), a, b)
