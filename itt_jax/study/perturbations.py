"""Perturbations and attacks as written on the command line."""

from collections.abc import Sequence

from itt_jax import perturb
from itt_jax.config import Adversary, Perturbation, validate
from itt_jax.errors import InputError
from itt_jax.evaluate.noises import operator_of
from itt_jax.reading.text import parse_number
from itt_jax.study.adversaries import recipe_of

DEFAULT_SEVERITIES = (0.1, 0.2)
"""Severities of operators that are named without severities."""
DEFAULT_PERTURBATIONS = tuple(
    Perturbation(name, DEFAULT_SEVERITIES)
    for name in (
        *("swap", "delete", "substitute", "keyboard"),  # characters
        *("word_split", "word_join", "word_drop", "word_duplicate"),  # words
        *("case", "punctuation", "homoglyph", "invisible"),  # formats and encodings
    )
)
"""The default perturbations of `evaluate`: operators that nearly every language has."""
DEFAULT_LINE = (
    f"the default perturbations, at {' and '.join(map(str, DEFAULT_SEVERITIES))}: "
    f"{', '.join(own.name for own in DEFAULT_PERTURBATIONS)} (others: --perturbations NAME[:S,S] ..., none or all)"
)
"""Says so."""


def parse_perturbations(texts: Sequence[str] | None, lexicon: str | None = None) -> tuple[Perturbation, ...]:
    """Operators from the command line: "swap", at DEFAULT_SEVERITIES, or "swap:0.1,0.2".

    Args:
        texts: ["none"] means only clean text, ["all"] the whole catalogue, and None DEFAULT_PERTURBATIONS.
        lexicon: for the operators that read one; may contain "{language}".

    Raises:
        InputError: an unknown operator, severities that are not numbers from 0 to 1, "none" or "all" beside operators,
            or a lexicon that no operator reads.
    """
    found = []
    for text in _named(texts):
        name, _, severities = text.partition(":")
        operator = operator_of(name)
        try:
            values = tuple(parse_number(value) for value in severities.split(",")) if severities else DEFAULT_SEVERITIES
        except ValueError as error:
            raise InputError(f"--perturbations {text!r}: expected NAME or NAME:SEVERITY,SEVERITY") from error
        perturbation = Perturbation(name, values, lexicon=lexicon if operator.lexicon else None)
        validate(perturbation, f"--perturbations {name}")
        found.append(perturbation)
    if lexicon is not None and all(perturbation.lexicon is None for perturbation in found):
        raise InputError(f"--lexicon {lexicon}: none of the perturbations reads one")
    return tuple(found)


def parse_attacks(texts: Sequence[str] | None, rows: int | None = None) -> tuple[Adversary, ...]:
    """Recipes from the command line: "charmer", or "charmer:500" with a budget of 500 queries a row.

    Args:
        texts: ["none"] or None means no attack. rows: maximum number of rows a language.

    Raises:
        InputError: an unknown recipe, a recipe that is named twice, or a budget that is not a number of queries.
    """
    found: list[Adversary] = []
    wanted = [] if texts is None or list(texts) == ["none"] else texts
    for text in wanted:
        name, colon, budget = text.partition(":")
        if colon and not (budget.isascii() and budget.isdigit()):
            raise InputError(f"--attacks {text!r}: expected NAME or NAME:QUERIES")
        adversary = Adversary(name, budget=int(budget) if colon else None, rows=rows)
        validate(adversary, f"--attacks {name}")
        recipe_of(adversary)
        found.append(adversary)
    if len({own.name for own in found}) < len(found):
        raise InputError(f"--attacks: a recipe is named twice in {' '.join(wanted)!r:.80}")
    return tuple(found)


def _named(texts: Sequence[str] | None) -> Sequence[str]:
    if texts is None:
        return [own.name for own in DEFAULT_PERTURBATIONS]
    for word, meaning in (("none", ()), ("all", sorted(perturb.CATALOG))):
        if list(texts) == [word]:
            return meaning
        if word in texts:
            raise InputError(f"--perturbations: {word!r} is given alone, found {' '.join(texts)!r:.80}")
    return texts
