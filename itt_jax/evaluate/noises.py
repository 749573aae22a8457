"""All perturbations that a study may use: the operators of `perturb`, and noises on token ids (see `token_noise`)."""

import dataclasses

from itt_jax import perturb
from itt_jax.errors import unknown
from itt_jax.perturb import LANGUAGES, Operator

MASK, RANDOM, DROP = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class TokenNoise:
    """A noise on token ids.

    Attributes:
        name: name in studies. kind: MASK, RANDOM or DROP. summary: one line.
        version: raised whenever the output changes.
        languages, lexicon, changes_label: as in `perturb.Operator`.
    """

    name: str
    kind: int
    summary: str
    version: int = 1
    languages: frozenset[str] = LANGUAGES
    lexicon: str = ""
    changes_label: bool = False

    @property
    def output_version(self) -> int:
        """The version, which together with the arguments determines the output."""
        return self.version


TOKEN_NOISES = {
    noise.name: noise
    for noise in (
        TokenNoise("token_mask", MASK, "Replaces tokens by the mask token."),
        TokenNoise("token_random", RANDOM, "Replaces tokens by other, random tokens of the vocabulary."),
        TokenNoise("token_drop", DROP, "Deletes tokens."),
    )
}


def operator_of(name: str) -> TokenNoise | Operator:
    """The noise or the operator of that name.

    Raises:
        InputError: the name is unknown.
    """
    if name in TOKEN_NOISES:
        return TOKEN_NOISES[name]
    if name not in perturb.CATALOG and "+" not in name:
        raise unknown("perturbation", name, [*perturb.CATALOG, *TOKEN_NOISES])
    return perturb.get(name)
