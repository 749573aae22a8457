"""Hardening: ways to make fine-tuning robust to changed text. Plain data, used in configs.

A field of a stage's description:

    FineTune("target", hardening=WorstOf(4, operators=("swap", "keyboard"), severities=(0.1, 0.2)))

Forms of rows are drawn anew in each epoch: draw k of row i in epoch e is a function of (seed, item id, field, operator,
severity, e, k) alone, so packing, stacks, devices and resuming do not change them. FLOPs are counted with every pass.
"""

import dataclasses
from typing import TYPE_CHECKING

from itt_jax.errors import InputError, unknown

if TYPE_CHECKING:
    from itt_jax.perturb import Operator

FORWARD, BY_ACTIVATIONS, BY_WEIGHTS = 1, 1, 1
"""Compute of a forward pass, and of the backward pass's two halves: gradients of activations and of weights."""
TRAINING = FORWARD + BY_ACTIVATIONS + BY_WEIGHTS


@dataclasses.dataclass(frozen=True)
class Hardening:
    """The base class of all hardenings."""

    @property
    def draws(self) -> int:
        """Number of forms of a row that a step reads."""
        return 1

    @property
    def passes(self) -> int:
        """Compute of a step in forward passes over its rows, attacks excluded; plain training takes 3."""
        return TRAINING

    @property
    def queries(self) -> float:
        """Maximum number of queries of attacks, in forward passes over the rows of a mean step."""
        return 0.0

    def check(self, where: str) -> None:
        """Check the fields.

        Args:
            where: the place to name in errors.

        Raises:
            InputError: a value that cannot be used.
        """

    def check_language(self, language: str, where: str) -> None:
        """Check that rows in a language can be changed.

        Raises:
            InputError: an operator has no table for the language, or its lexicon is missing or malformed.
        """


@dataclasses.dataclass(frozen=True, kw_only=True)
class Drawn(Hardening):
    """Training on perturbed forms of the rows; a row whose label does not survive an operator stays clean.

    Attributes:
        operators: perturbation operators (`list perturbations`) that keep the label; each form uses one, drawn evenly.
        severities: severities of the operators; each form uses one, drawn evenly.
        lexicon: a word list for operators that read one; "{language}" in it is replaced by the language of the rows.
    """

    operators: tuple[str, ...] = ("swap", "delete", "substitute")
    severities: tuple[float, ...] = (0.1,)
    lexicon: str | None = None

    share = 1.0
    """Probability that a row is perturbed."""

    def check(self, where: str) -> None:
        """Raises InputError for an operator, severity or lexicon that cannot be used."""
        if not self.operators:
            raise InputError(f"{where}.operators: expected at least one")
        for name in self.operators:
            if _operator(name, f"{where}.operators").changes_label:
                raise InputError(f"{where}.operators: {name!r} may change the label, so nothing can be trained on it")
        if not self.severities or not all(0 <= severity <= 1 for severity in self.severities):
            raise InputError(f"{where}.severities: expected numbers from 0 to 1, found {self.severities}")
        if self.lexicon is not None and not any(_operator(name, where).lexicon for name in self.operators):
            raise InputError(f"{where}.lexicon: none of the operators reads one, found {self.lexicon!r}")

    def check_language(self, language: str, where: str) -> None:
        """Raises InputError if an operator has no table or no lexicon for the language."""
        from itt_jax import perturb

        for name in self.operators:
            lexicon = self.lexicon_of(name, language)
            try:
                perturb.check_operator(name, language, lexicon)
            except InputError as error:
                raise InputError(f"{where}.{'lexicon' if lexicon else 'operators'}: {error}") from error

    def lexicon_of(self, operator: str, language: str) -> str | None:
        """The lexicon that an operator reads for a language."""
        if self.lexicon is None or not _operator(operator, "operators").lexicon:
            return None
        return self.lexicon.replace("{language}", language)


@dataclasses.dataclass(frozen=True)
class Augmented(Drawn):
    """Noise augmentation: in each epoch a share of the rows is perturbed, each with a draw of its own.

    Attributes:
        share: probability that a row is perturbed in an epoch.
    """

    share: float = 0.5

    def check(self, where: str) -> None:
        """Raises InputError for a value that cannot be used."""
        super().check(where)
        _in_range(self.share, 1, f"{where}.share", "a share above 0, at most 1")


@dataclasses.dataclass(frozen=True)
class WorstOf(Drawn):
    """Training on that one of several draws of each row that has the largest loss under the current model.

    The scheme of UEraser-Max (arXiv 2303.15127), with text operators for its image augmentations: K forward passes
    choose the form of each item, then the step trains on the chosen forms.

    Attributes:
        k: number of draws of each row in an epoch.
    """

    k: int = 4

    @property
    def draws(self) -> int:
        """K."""
        return self.k

    @property
    def passes(self) -> int:
        """K forward passes to choose, and a training step; only the latter if K is 1."""
        return TRAINING + (self.k * FORWARD if self.k > 1 else 0)

    def check(self, where: str) -> None:
        """Raises InputError for a value that cannot be used."""
        super().check(where)
        _at_least_one(self.k, f"{where}.k")


def code_mixed(lexicon: str | None = None, severity: float = 0.3, share: float = 0.5) -> Augmented:
    """Code-mixed training (CoSDA-ML, arXiv 2006.06402): words replaced by translations, each into a random language.

    Args:
        lexicon: the user's dictionaries: a file, or a folder of files named by language (see `perturb.read_lexicon`).
            None takes the built-in translations.
        severity: share of the words with a translation that are replaced. share: of the rows, in each epoch.
    """
    return Augmented(share, operators=("code_mix",), severities=(severity,), lexicon=lexicon)


@dataclasses.dataclass(frozen=True)
class PGD(Hardening):
    """Training on word embeddings moved by projected gradient ascent (arXiv 1706.06083).

    All tokens of an example are moved together, and norms are over all of them. The defaults are those of FreeLB's
    authors for RoBERTa-large on MNLI.

    Attributes:
        steps: number of ascents, each along the example's normalised gradient.
        step_size: length of an ascent. start: bound on the norm of the uniform initial perturbation. radius: radius of
            the ball onto which perturbations are projected.
    """

    steps: int = 2
    step_size: float = 0.1
    start: float = 0.2
    radius: float = 0.2

    @property
    def passes(self) -> int:
        """Each ascent needs a forward pass and the gradient of activations."""
        return self.steps * (FORWARD + BY_ACTIVATIONS) + TRAINING

    def check(self, where: str) -> None:
        """Raises InputError for a value that cannot be used."""
        _check_ascent(self, where)


@dataclasses.dataclass(frozen=True)
class FreeLB(PGD):
    """PGD that trains at every point of its ascent (arXiv 1909.11764).

    The gradient is the mean of those at the first `steps` points, each from the backward pass that also gives the next
    ascent. All use the same dropout.
    """

    start: float = 0.1
    radius: float = 0.3

    @property
    def passes(self) -> int:
        """The compute of `steps` plain steps."""
        return self.steps * TRAINING


@dataclasses.dataclass(frozen=True)
class SMART(Hardening):
    """A penalty on how much the output changes near the word embeddings (arXiv 1911.03437), without its proximal term.

    The penalty is the symmetric divergence between the outputs at the embeddings and at a point near them, found by
    ascent from normal noise; each ascent follows the gradient divided by its largest entry in the token, and entries
    are clipped. The paper's radius of 1e-5 hardly changes a loss; its code scales the largest entry to 1, after the
    embeddings' LayerNorm. These defaults are between the two.

    Attributes:
        weight: factor of the penalty. steps: ascents. step_size: largest entry of an ascent.
        start: standard deviation of the initial noise. radius: largest entry of a perturbation.
    """

    weight: float = 1.0
    steps: int = 1
    step_size: float = 0.01
    start: float = 0.001
    radius: float = 0.01

    @property
    def passes(self) -> int:
        """A step at the embeddings, a step near them, and the ascents."""
        return 2 * TRAINING + self.steps * (FORWARD + BY_ACTIVATIONS)

    def check(self, where: str) -> None:
        """Raises InputError for a value that cannot be used."""
        _check_ascent(self, where)
        _in_range(self.weight, float("inf"), f"{where}.weight", "a positive number")


@dataclasses.dataclass(frozen=True)
class Attacked(Hardening):
    """Training on rows, a share of which is attacked with the current weights (A2T's scheme, arXiv 2109.00544).

    The steps fall into `rounds` + 1 equal parts. The first reads clean rows. Before each other part, a drawn share of
    the rows that it reads is attacked, and rows on which the attack succeeds are read as it changed them. The choice of
    rows is a function of (seed, item id, round). Labels stay those of the clean rows; only for classification and
    regression.

    Attributes:
        recipe: name of an attack (`list attacks`) that only queries the model.
        budget: maximum number of queries a row.
        share: probability that a row is attacked in a round.
        rounds: number of times that rows are attacked.
    """

    recipe: str = "deepwordbug"
    budget: int = 40
    share: float = 0.2
    rounds: int = 3

    @property
    def queries(self) -> float:
        """The whole budget for every attacked row."""
        return self.share * self.budget * self.rounds / (self.rounds + 1)

    def check(self, where: str) -> None:
        """Raises InputError for a number that cannot be used; the plan checks the recipe."""
        for name in ("budget", "rounds"):
            _at_least_one(getattr(self, name), f"{where}.{name}")
        _in_range(self.share, 1, f"{where}.share", "a share above 0, at most 1")


def _operator(name: str, where: str) -> "Operator":
    from itt_jax import perturb  # imported on first use: the command line's help works without numpy

    if name not in perturb.CATALOG and "+" not in name:
        raise unknown(f"operator in {where}:", name, perturb.CATALOG)
    return perturb.get(name)


def _check_ascent(one: PGD | SMART, where: str) -> None:
    _at_least_one(one.steps, f"{where}.steps")
    for name in ("step_size", "start", "radius"):
        _in_range(getattr(one, name), float("inf"), f"{where}.{name}", "a positive number")


def _at_least_one(value: int, where: str) -> None:
    if value < 1:
        raise InputError(f"{where}: expected at least 1, found {value}")


def _in_range(value: float, most: float, where: str, expected: str) -> None:
    if not 0 < value <= most or value == float("inf"):
        raise InputError(f"{where}: expected {expected}, found {value}")
