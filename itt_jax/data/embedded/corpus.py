"""The unlabelled parallel corpus: every word of the material, in frames that no task uses."""

from collections.abc import Sequence

import numpy as np

from itt_jax.data.embedded.draws import Dice, draws
from itt_jax.data.embedded.sentences import Vocabulary, frames, vocabulary
from itt_jax.data.embedded.tables import DOMAINS, LANGUAGES
from itt_jax.errors import InputError, unknown

ROLES = {"same": 0.46, "synonym": 0.08, "positive": 0.14, "negative": 0.14, "contrast": 0.03, "neutral": 0.15}
# General praise and blame that people use in any domain; it gives the three domains one axis of polarity.
SHARED_SCALES = ("worth", "pleasure", "use")
SHARED = 0.5
LIMIT = 50_000
_BLOCK = 4096
_DRAWS = 16


def parallel(n: int, seed: int = 0, domains: Sequence[str] = DOMAINS) -> list[dict[str, str]]:
    """`n` distinct sentences, each as language -> text in the five languages.

    A prefix of the list is the list of a smaller `n`. The domains take turns. Raises InputError for no domain, an
    unknown one, or an `n` outside 0..50,000.
    """
    if not domains:
        raise InputError("no domain is named for the parallel sentences")
    for domain in domains:
        if domain not in DOMAINS:
            raise unknown("domain", domain, DOMAINS)
    if not 0 <= n <= LIMIT:
        raise InputError(f"number of parallel sentences is {n}, expected 0 to {LIMIT}")
    found, seen, start = [], set(), 0
    while len(found) < n:
        for row in draws(f"corpus/{seed}", np.arange(start, start + _BLOCK), _DRAWS):
            domain = domains[len(found) % len(domains)]
            statement = _statement(Dice(row), vocabulary(domain, "corpus"))
            english = statement.text("en")
            if english in seen:
                continue
            seen.add(english)
            found.append({language: statement.text(language) for language in LANGUAGES})
            if len(found) == n:
                break
        start += _BLOCK
    return found


def _statement(dice: Dice, words: Vocabulary):
    """One corpus sentence. Qualities stand together by polarity and by synonymy, as they do in honest text."""
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
