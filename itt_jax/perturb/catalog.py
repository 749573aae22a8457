"""All operators by name.

To add an operator, write a function (document, noise, severity) -> Edits and a row in OPERATORS of its module, and add
the digest of its output to tests/perturb/test_golden.py. The tests in that folder then check the row's promises.
"""

import functools

from itt_jax.errors import InputError, unknown
from itt_jax.perturb import (
    characters,
    controls,
    encodings,
    formats,
    lexical,
    misspelling,
    scrambling,
    scripts,
    sentences,
    transliteration,
    unicode,
    words,
)
from itt_jax.perturb.operator import Operator

CATALOG: dict[str, Operator] = {
    operator.name: operator
    for family in (
        *(characters, misspelling, scrambling, unicode, encodings, scripts, transliteration),
        *(words, lexical, formats, sentences, controls),
    )
    for operator in family.OPERATORS
}


def get(name: str) -> Operator:
    """The operator with this name; "a+b" applies a, then b to the result.

    Raises:
        InputError: the name is unknown, or the composed operators cannot share a lexicon.
    """
    steps = []
    for part in name.split("+"):
        if part not in CATALOG:
            raise unknown("perturbation", part, CATALOG)
        steps.append(CATALOG[part])
    return steps[0] if len(steps) == 1 else composed(name, tuple(steps))


@functools.cache
def composed(name: str, steps: tuple[Operator, ...]) -> Operator:
    """The operator that applies `steps` in order, all at the same severity, and promises what every step promises."""
    lexicons = {step.lexicon for step in steps if step.lexicon}
    if len(lexicons) > 1:
        raise InputError(f"perturbation {name!r}: its operators need different lexicons, but only one can be given")
    return Operator(
        name,
        steps[0].function,
        "composed",
        "each step's own unit",
        "; ".join(dict.fromkeys(step.reference for step in steps)),
        languages=frozenset.intersection(*(step.languages for step in steps)),
        lexicon="".join(lexicons),
        reversible=all(step.reversible for step in steps),
        readable=all(step.readable for step in steps),
        changes_label=any(step.changes_label for step in steps),
        nested=False,
        whole_clusters=all(step.whole_clusters for step in steps),
        steps=steps,
    )
