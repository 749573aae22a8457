"""Arms: the treatments that a study compares, each a sequence of stages before and including the target stage.

Plain data, which configs read. A new arm is one row here, or an `Arm` in a study's own config:

    Arm(
        "dapt_then_itt",
        "language modelling on domain text, the intermediate task, then the target",
        stages=(Adapt("domain"), FineTune("intermediate"), FineTune("target")),
        baseline="itt",
    )
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from itt_jax.errors import InputError, unknown
from itt_jax.study.hardening import PGD, SMART, Attacked, Augmented, FreeLB, Hardening, WorstOf, code_mixed


@dataclasses.dataclass(frozen=True)
class Description:
    """How an arm describes one of its stages; `itt_jax.study.stages` makes them. One subclass a kind of stage."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of the target that must not be empty."""
        return ()

    @property
    def matched(self) -> tuple["Description", ...]:
        """Stages of another arm that must be known before the stage can be planned."""
        return ()


@dataclasses.dataclass(frozen=True)
class FineTune(Description):
    """Fine-tune the encoder, with a new head, on labelled rows.

    Attributes:
        on: "target" (the target's training task), "intermediate" (the first of its intermediate tasks) or
            "all_intermediate" (all of them at once).
        labels: "own", or "shuffled": permuted, which leaves them without information about the rows.
        languages: "source", or "all" languages in which the task has training rows.
        recipe: whose recipe, and therefore whose number of steps, to use: the target's or the intermediate task's;
            "own" is that of the task trained on. Every intermediate recipe has the steps of the first intermediate
            task.
        hardening: how the training is hardened against changed text, if at all (`itt_jax.study.hardening`).
    """

    on: Literal["target", "intermediate", "all_intermediate"]
    labels: Literal["own", "shuffled"] = "own"
    languages: Literal["source", "all"] = "source"
    recipe: Literal["own", "target", "intermediate"] = "own"
    hardening: Hardening | None = dataclasses.field(default=None, metadata={"later": True})

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of the target that must not be empty."""
        recipe = "target" if self.recipe == "own" and self.on == "target" else self.recipe
        task = ("intermediate",) if self.on != "target" or recipe == "intermediate" else ()
        return task + (("intermediate_recipe",) if recipe in ("own", "intermediate") else ())


@dataclasses.dataclass(frozen=True)
class Adapt(Description):
    """Continue language modelling with the target's `adaptation`.

    Attributes:
        text: "domain", the training texts of `domain_text`, or "general", as many characters from `general_text`.
    """

    text: Literal["domain", "general"]

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of the target that must not be empty."""
        return ("domain_text", "adaptation") + (("general_text",) if self.text == "general" else ())


@dataclasses.dataclass(frozen=True)
class MatchCompute(Description):
    """Fine-tune on the target with as many FLOPs as all stages of another arm take together.

    Attributes:
        stages: the other arm's.
    """

    stages: tuple[Description, ...]

    on: ClassVar[str] = "target"

    @property
    def needs(self) -> tuple[str, ...]:
        """The needs of the other arm."""
        return tuple(field for stage in self.stages for field in stage.needs)

    @property
    def matched(self) -> tuple[Description, ...]:
        """All stages of the other arm."""
        return self.stages


@dataclasses.dataclass(frozen=True)
class Arm:
    """One arm of a study.

    Attributes:
        name: its name in tables.
        summary: one line.
        stages: from the pretrained encoder to the evaluated model; the last one fine-tunes on the target.
        role: a "treatment" has a primary contrast; a "control" isolates one explanation of a treatment's gain; a
            "baseline" is what every other arm is compared with.
        baseline: the arm that the primary contrast compares a treatment with. An arm that is the baseline of any arm is
            compared with all others in the exploratory tables.
        treatment: for a control that matches one treatment's compute, that treatment. The two are compared, in the
            primary contrast where the treatment's baseline is not in the study.
        color, marker, line: how figures draw it, in Matplotlib's names; where empty, the report chooses.
    """

    name: str
    summary: str
    stages: tuple[Description, ...]
    role: Literal["treatment", "control", "baseline"] = "treatment"
    baseline: str = "direct"
    color: str = ""
    marker: str = ""
    line: str = ""
    treatment: str = ""

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of a target that must not be empty."""
        return tuple(dict.fromkeys(field for stage in self.stages for field in stage.needs))


def compute_control(treatment: Arm, name: str, color: str = "", marker: str = "", line: str = "") -> Arm:
    """The control for a treatment's compute: the target stage alone, with the FLOPs of all stages of the treatment."""
    return Arm(
        name,
        f"control: the target stage alone, with the FLOPs of all stages of {treatment.name}",
        (MatchCompute(treatment.stages),),
        role="control",
        color=color,
        marker=marker,
        line=line,
        treatment=treatment.name,
    )


def hardened(
    arm: Arm,
    hardening: Hardening,
    name: str,
    summary: str,
    color: str = "",
    marker: str = "",
    line: str = "",
    on: Sequence[str] = ("target",),
) -> Arm:
    """An arm with hardened fine-tuning, a treatment to compare with that arm.

        ITT_WORST_OF_4 = hardened(ITT, WorstOf(4), "itt+worst_of_4", "itt, on the worst of 4 perturbed forms")

    Args:
        on: the stages to harden, by `FineTune.on`: "target", "intermediate" (all intermediate tasks at once, too) or
            both.

    Raises:
        InputError: the arm does not fine-tune on one of these.
    """
    tuned = [stage.on.removeprefix("all_") if isinstance(stage, FineTune) else "" for stage in arm.stages]
    for own in on:
        if own not in tuned:
            raise InputError(f"hardened: arm {arm.name!r} has no FineTune({own!r}) to harden, found {arm.stages}")
    stages = tuple(
        dataclasses.replace(stage, hardening=hardening) if isinstance(stage, FineTune) and own in on else stage
        for own, stage in zip(tuned, arm.stages, strict=True)
    )
    return Arm(name, summary, stages, baseline=arm.name, color=color, marker=marker, line=line)


TARGET = FineTune("target")
DIRECT = Arm("direct", "the target stage alone", (TARGET,), "baseline", "", "#555555", "o", "-")
ITT = Arm(
    "itt",
    "an intermediate task, then the target",
    (FineTune("intermediate"), TARGET),
    baseline="matched_steps",
    color="#0072B2",
    marker="D",
    line="-",
)

# Augmentation costs what direct does; each of the others takes the compute of several steps, so it has a control.
AUGMENTED = (
    hardened(
        DIRECT,
        Augmented(),
        "augmented",
        "direct, with half of the rows perturbed, drawn anew in each epoch",
        "#0072B2",
        "v",
        "-.",
    ),
    hardened(
        DIRECT,
        code_mixed(),
        "code_mixed",
        "direct, with words of half of the rows translated, drawn anew in each epoch",
        "#009E73",
        "s",
        "-.",
    ),
)
COSTLY = (
    hardened(
        DIRECT,
        WorstOf(4),
        "worst_of_4",
        "direct, on the one of 4 perturbed forms of each row with the largest loss",
        "#D55E00",
        "D",
        "-.",
    ),
    hardened(
        DIRECT,
        PGD(),
        "pgd",
        "direct, at word embeddings moved along the gradient of the loss",
        "#CC79A7",
        "o",
        "-.",
    ),
    hardened(
        DIRECT,
        FreeLB(),
        "freelb",
        "direct, at every point of an ascent from the word embeddings",
        "#E69F00",
        "^",
        "-.",
    ),
    hardened(
        DIRECT,
        SMART(),
        "smart",
        "direct, with a penalty on changes of the output near the word embeddings",
        "#56B4E9",
        "P",
        "-.",
    ),
    hardened(
        DIRECT,
        Attacked(),
        "attacked",
        "direct, with a fifth of the rows attacked by DeepWordBug, three times, with the weights of the moment",
        "#8B6F00",
        "X",
        "-.",
    ),
)

# The colours are Okabe and Ito's, which colour-blind readers can tell apart.
ARMS: tuple[Arm, ...] = (
    DIRECT,
    ITT,
    Arm(
        "multitask_itt",
        "all intermediate tasks at once, then the target; as many steps as itt",
        (FineTune("all_intermediate"), TARGET),
        baseline="matched_steps",
        color="#009E73",
        marker="^",
        line="-",
    ),
    Arm(
        "matched_steps",
        "control: both stages of itt, with target rows in place of intermediate rows",
        (FineTune("target", recipe="intermediate"), TARGET),
        role="control",
        color="#E69F00",
        marker="s",
        line="--",
    ),
    compute_control(ITT, "matched_compute", "#000000", "p", "--"),
    Arm(
        "shuffled_itt",
        "control: itt with permuted intermediate labels",
        (FineTune("intermediate", labels="shuffled"), TARGET),
        role="control",
        color="#CC79A7",
        marker="v",
        line=":",
    ),
    Arm(
        "dapt",
        "language modelling on domain text, then the target",
        (Adapt("domain"), TARGET),
        baseline="dapt_control",
        color="#D55E00",
        marker="P",
        line="-",
    ),
    Arm(
        "dapt_control",
        "control of dapt: language modelling on as much general text",
        (Adapt("general"), TARGET),
        role="control",
        color="#56B4E9",
        marker="X",
        line="--",
    ),
    Arm(
        "translate_train",
        "the target stage on training rows of every language that has them; as many steps as direct",
        (FineTune("target", languages="all"),),
        color="#8B6F00",
        marker="*",
        line="-",
    ),
    *AUGMENTED,
    *COSTLY,
    *(compute_control(one, f"{one.name}_compute", one.color, one.marker, ":") for one in COSTLY),
)


def arm(name: str) -> Arm:
    """The arm of the catalogue with that name.

    Raises:
        InputError: there is none.
    """
    for one in ARMS:
        if one.name == name:
            return one
    raise unknown("arm", name, [one.name for one in ARMS])


def known(arms: Sequence[str | Arm]) -> tuple[Arm, ...]:
    """The study's own arms among these, and those of the catalogue."""
    return (*(one for one in arms if isinstance(one, Arm)), *ARMS)


def resolved(arms: Sequence[str | Arm]) -> tuple[Arm, ...]:
    """Arms for names and arms.

    Raises:
        InputError: see `arm`.
    """
    return tuple(arm(one) if isinstance(one, str) else one for one in arms)


def check(arms: Sequence[str | Arm], where: str) -> None:
    """Check the arms of a study.

    Args:
        where: the field that an error names.

    Raises:
        InputError: an unknown name, or an arm of the study's own that does not fit together.
    """
    catalogue = [one.name for one in ARMS]
    for one in arms:
        if isinstance(one, str) and one not in catalogue:
            raise unknown(f"arm in {where}:", one, catalogue)
    known = list(dict.fromkeys([one.name for one in resolved(arms)] + catalogue))
    for one in (own for own in arms if not isinstance(own, str)):
        place = f"{where}.{one.name}"
        if one.name in catalogue and one != arm(one.name):
            raise InputError(f"{place}: the catalogue has another arm of this name; expected a new name")
        if not one.name or set(one.name) & set("/,\\"):
            raise InputError(f"{place}: expected a name without commas and slashes, found {one.name!r}")
        if one.color and not re.fullmatch("#[0-9a-fA-F]{6}", one.color):
            raise InputError(f"{place}.color: expected a colour such as '#0072B2', found {one.color!r}")
        for number, stage in enumerate(one.stages):
            if isinstance(stage, FineTune) and stage.hardening is not None:
                stage.hardening.check(f"{place}.stages[{number}].hardening")
        if not one.stages or getattr(one.stages[-1], "on", None) != "target":
            raise InputError(f"{place}.stages: expected FineTune('target') as the last stage, found {one.stages}")
        twin = next((other.name for other in resolved(arms) if other is not one and other.stages == one.stages), None)
        if twin is not None:
            raise InputError(f"{place}.stages: the same as those of {twin!r}, so there is nothing to compare")
        others = [name for name in known if name != one.name]
        if one.role != "baseline" and one.baseline not in others:
            raise unknown(f"arm in {place}.baseline:", one.baseline, others)
        if one.treatment and one.treatment not in others:
            raise unknown(f"arm in {place}.treatment:", one.treatment, others)


def as_row(one: Arm) -> dict[str, Any]:
    """An arm as a results folder describes it, without its stages, which analysis and report do not need."""
    return {field.name: getattr(one, field.name) for field in dataclasses.fields(one) if field.name != "stages"}


def from_row(row: Mapping[str, Any]) -> Arm:
    """The arm that `as_row` described."""
    return Arm(stages=(), **row)
