"""Cells: the points of the evaluation grid, and the ids that both studies and `evaluate` give them."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from itt_jax import kinds, metrics, perturb
from itt_jax.config import Perturbation, content_id
from itt_jax.errors import InputError
from itt_jax.evaluate.forms import Place
from itt_jax.evaluate.noises import TOKEN_NOISES, operator_of
from itt_jax.kinds.forms import CLEAN_FORM, FormKey
from itt_jax.perturb.lexicon import lexicon_source
from itt_jax.study.adversaries import Attacked
from itt_jax.study.material import lexicon_digest
from itt_jax.study.versions import changed_versions, kind_versions
from itt_jax.tasks import Task

Skip = Callable[[str], None]
"""Called with a reason when something that was asked for is left out."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One point of the evaluation grid; its fields are columns of the results.

    Attributes:
        cell: its id. stage: id of the stage that is evaluated.
        arm, seed, in_domain: None for a checkpoint that is evaluated alone.
        in_domain: the target stage was trained on the domain of the rows.
        changes_label: the operator may change the gold label.
        attack: `perturbation` is an attack of the study, not an operator.
    """

    cell: str
    stage: str
    model: str
    arm: str | None
    target: str
    task: str
    split: str
    language: str
    domain: str
    perturbation: str
    severity: float
    replicate: int
    seed: int | None
    in_domain: bool | None
    source_language: bool
    changes_label: bool = False
    attack: bool = False

    @property
    def place(self) -> Place:
        """The rows on which it is evaluated."""
        return self.task, self.split, self.language

    @property
    def variant(self) -> FormKey:
        """The form of the rows."""
        return self.perturbation, self.severity, self.replicate

    def row(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Its row of the results."""
        return {**dataclasses.asdict(self), **figures}


@dataclasses.dataclass(frozen=True)
class Evaluated:
    """One model on the rows of one task in one language: the subject of cells.

    Attributes:
        stage: id of the stage (or checkpoint). trained_on: the task of the target stage's rows.
        rows: digest of the evaluated rows' content.
        max_length: maximum tokens of an example. noise_seed: that of the perturbations.
        The others are as in `Cell`.
    """

    stage: str
    model: str
    arm: str
    target: str
    seed: int
    trained_on: Task
    task: Task
    split: str
    language: str
    rows: str
    max_length: int
    noise_seed: int


def cells_of(evaluated: Evaluated, variants: Mapping[FormKey, str | None], skip: Skip) -> Iterator[Cell]:
    """A cell for each variant that applies to the task.

    Args:
        variants: the result of `variants_of`.
    """
    task = evaluated.task
    for variant, lexicon in variants.items():
        if variant[0] in TOKEN_NOISES and not kinds.kind(task.kind).token_noise:
            skip(f"{variant[0]}: not for {task.kind} ({task.name})")
            continue
        changes_label = variant != CLEAN_FORM and operator_of(variant[0]).changes_label
        yield _cell(evaluated, variant, cell_id(evaluated, variant, lexicon), changes_label=changes_label)


def attack_cell(evaluated: Evaluated, attacked: Attacked) -> Cell:
    """The cell of a model under attack."""
    own = dataclasses.replace(evaluated, rows=attacked.digest)
    variant = (attacked.name, 0.0, 0)
    return _cell(own, variant, cell_id(own, variant, None, attacked), attack=True)


def _cell(evaluated: Evaluated, variant: FormKey, name: str, **of_form: bool) -> Cell:
    task = evaluated.task
    return Cell(
        cell=name,
        stage=evaluated.stage,
        model=evaluated.model,
        arm=evaluated.arm,
        target=evaluated.target,
        task=task.name,
        split=evaluated.split,
        language=evaluated.language,
        domain=task.domain,
        perturbation=variant[0],
        severity=variant[1],
        replicate=variant[2],
        seed=evaluated.seed,
        in_domain=task.domain == evaluated.trained_on.domain,
        source_language=evaluated.language == evaluated.trained_on.source_language,
        **of_form,
    )


def cell_id(evaluated: Evaluated, variant: FormKey, lexicon: str | None, attacked: Attacked | None = None) -> str:
    """A hash of everything that determines a cell.

    Arm and target are part of it because two of them may share their last stage but are reported separately.
    """
    task = evaluated.task
    identity = {
        "stage": evaluated.stage,
        "rows": evaluated.rows,
        "max_length": evaluated.max_length,
        "metric": [task.metric, metrics.metric(task.metric).version],
        "variant": variant,
        "arm": evaluated.arm,
        "target": evaluated.target,
    }
    if made_by := changed_versions(*kind_versions(task)):
        identity["made_by"] = made_by
    if attacked is not None:
        identity["attack"] = attacked.identity
    elif variant != CLEAN_FORM:
        identity["noise"] = {
            "seed": evaluated.noise_seed,
            "version": operator_of(variant[0]).output_version,
            "fields": task.editable_fields,
            "lexicon": None if lexicon is None else lexicon_digest(lexicon),
        }
    return content_id(identity)


def variants_of(perturbations: Sequence[Perturbation], language: str, skip: Skip) -> dict[FormKey, str | None]:
    """The clean text and every operator x severity x replicate that fits a language, each with its lexicon or None.

    Raises:
        InputError: a lexicon is malformed.
    """
    found: dict[FormKey, str | None] = {CLEAN_FORM: None}
    for perturbation in perturbations:
        lexicon = perturbation.lexicon_of(language)
        if lexicon is None and language not in operator_of(perturbation.name).languages:
            skip(f"{perturbation.name}: has no table for {language!r}")
            continue
        if lexicon is not None and not lexicon_source(lexicon)[0].exists():
            skip(f"{perturbation.name}: no lexicon {lexicon} for {language!r}")
            continue
        if lexicon is not None:
            perturb.read_lexicon(lexicon)
        for severity in perturbation.severities:
            for replicate in range(perturbation.replicates):
                found[perturbation.name, severity, replicate] = lexicon
    return found


def check_perturbation(perturbation: Perturbation) -> None:
    """Check that an operator is known, and check its lexicon if that is the same for all languages.

    Raises:
        InputError: it is not, or the lexicon is missing, malformed or not read by the operator.
    """
    operator = operator_of(perturbation.name)
    if perturbation.lexicon and not operator.lexicon:
        raise InputError(f"perturbation {perturbation.name!r} reads no lexicon, found {perturbation.lexicon!r}")
    if perturbation.lexicon and "{language}" not in perturbation.lexicon:
        perturb.read_lexicon(perturbation.lexicon)
