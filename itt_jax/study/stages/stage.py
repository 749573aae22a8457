"""The base of every stage: a named training run from parent parameters to parameters."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Self

from itt_jax.config import EncoderSpec, Recipe, Target, content_id
from itt_jax.data.contamination import Digests
from itt_jax.errors import InputError
from itt_jax.models import Encoder, Head
from itt_jax.store import Store
from itt_jax.study.arms import Arm, Description
from itt_jax.study.material import Material, Selection
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.tasks import Task
from itt_jax.train.checkpoint import load_checkpoint, load_seen, save_checkpoint
from itt_jax.train.processes import shared
from itt_jax.train.result import StageResult
from itt_jax.train.resume import forget_resume

STAGE_VERSION = 2
"""Raised when a stage of the same identity would give different parameters, beyond rounding and draws of dropout."""


class Skipped(Exception):
    """There is no data for an arm; the plan notes the reason and goes on without the arm."""


@dataclasses.dataclass(frozen=True)
class Place:
    """The place of a described stage in the grid of a study.

    Attributes:
        parent: the stage before it. is_last: whether it is the arm's last stage, which is evaluated.
        matched: the stages of its description's `matched`.
    """

    spec: EncoderSpec
    target: Target
    arm: Arm
    seed: int
    parent: "Stage"
    material: Material
    is_last: bool = True
    matched: tuple["Stage", ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class Stage:
    """One training run: the parameters of a parent, rows and a recipe give parameters.

    Attributes:
        id: hash of everything that determines the result; see `identified`.
        spec: the encoder.
        parent: the stage whose encoder it starts from.
        seed: fixes heads, order and dropout.
        description: the class by which arms describe such stages; None for stages that precede every arm.
    """

    spec: EncoderSpec
    parent: "Stage | None" = None
    seed: int = 0
    id: str = ""

    description: ClassVar[type | None] = None
    is_made: ClassVar[bool] = True
    """False if nothing is trained or made: such stages count neither as work nor as done."""

    @classmethod
    def planned(cls, description: Description, place: Place) -> Self:
        """The stage that a description stands for at a place.

        Raises:
            Skipped: there is no data for it.
        """
        raise NotImplementedError

    def identified(self, material: Material) -> Self:
        """The stage with its id, which does not depend on devices, row shapes, paths, or names of encoders and arms."""
        return dataclasses.replace(self, id=content_id([STAGE_VERSION, self.identity(material)]))

    def identity(self, material: Material) -> list[Any]:
        """Everything that determines the result."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """Its name in plans, records and reports."""
        raise NotImplementedError

    def training_tokens(self, material: Material) -> float:
        """Estimated number of tokens to train on."""
        raise NotImplementedError

    @property
    def selections(self) -> dict[str, tuple[Selection, ...]]:
        """The rows or texts of tasks that it reads: "training" and "dev"."""
        return {}

    @property
    def longest(self) -> int:
        """Maximum tokens of a training example; 0 if it trains nothing."""
        return 0

    @property
    def runs(self) -> int:
        """Number of runs, of which the best is kept."""
        return 1

    def flops(self, workshop: Workshop, body: Body) -> float:
        """Model FLOPs of one run, forward and backward, as counted while it trains.

        Args:
            body: the encoder that the arm starts from, whose sizes and tokenizer all its stages share.
        """
        raise NotImplementedError

    @property
    def resumable_runs(self) -> int:
        """Number of runs whose state is saved while the stage trains."""
        return 0

    # --- Making it

    def stack_key(self, material: Material) -> tuple | None:
        """A key that is equal for stages that may train together; None for a stage that trains alone."""
        return None

    @classmethod
    def make_all(cls, stages: Sequence[Self], workshop: Workshop) -> list[dict[str, Any]]:
        """Make stages of one `stack_key` and save their parameters; returns what to record of each."""
        return [stage.make(workshop) for stage in stages]

    def make(self, workshop: Workshop) -> dict[str, Any]:
        """Make the stage and save its parameters; returns what to record."""
        raise NotImplementedError

    def is_lost(self, workshop: Workshop) -> Callable[[], bool]:
        """A function that returns whether another worker has taken the stage over; for the process that claims it."""
        return lambda: workshop.store.is_lost(self.id)

    def own_checks(self, found: Sequence[dict[str, Any]], material: Material) -> list[dict[str, Any]]:
        """Its recorded dev checks on the study's dev rows, under the study's names of tasks.

        Another study may have checked the same stage on other rows: only those that select parameters are in the id.
        """
        return list(found)

    # --- Its parameters

    def is_done(self, store: Store) -> bool:
        """Whether it has been made; its parameters may have been removed since."""
        return store.record(self.id) is not None

    def has_parameters(self, store: Store) -> bool:
        """Whether its parameters are there."""
        return store.has_checkpoint(self.id)

    def body(self, workshop: Workshop) -> Body:
        """The resulting encoder."""
        return self.load(workshop.store)[0]

    def load(self, store: Store) -> tuple[Body, Head | None, dict | None]:
        """Its result: the encoder, and the head with its parameters, if it has one."""
        folder = store.checkpoint(self.id)
        saved = load_checkpoint(folder)
        if saved.tokenizer is None:
            raise InputError(f"{folder}: holds no tokenizer")
        return Body(saved.encoder, saved.params["encoder"], saved.tokenizer), saved.head, saved.params.get("head")

    @property
    def origin(self) -> "Stage":
        """The stage whose encoder it starts from; there must be one."""
        assert self.parent is not None
        return self.parent

    def start(self, workshop: Workshop) -> Body:
        """The encoder that it starts from, in the training dtype."""
        return workshop.body(self.origin.id, lambda: self.origin.body(workshop))

    def seen(self, store: Store) -> Digests:
        """Digests of the text that it and the stages before it were trained on."""
        return load_seen(store.checkpoint(self.id))

    def save(
        self,
        workshop: Workshop,
        body: Body,
        seen: Digests,
        head: Head | None = None,
        head_params: dict | None = None,
        task: Task | None = None,
    ) -> bool:
        """Save its result, with digests of the text that it and its parents were trained on.

        Returns:
            whether it was saved; a stage that another worker has taken over is left to it.
        """
        if shared(self.is_lost(workshop)):
            return False
        if self.parent is not None:
            seen = Digests.join([seen, self.parent.seen(workshop.store)])
        save_checkpoint(
            workshop.store.checkpoint(self.id),
            body.encoder,
            {"encoder": body.params} | ({"head": head_params} if head else {}),
            head=head,
            labels=task.labels if task else None,
            task=task.name if task else None,
            tokenizer=body.tokenizer,
            seen=seen,
        )
        forget_resume(workshop.store.stage(self.id))
        return True


def digests(selections: Sequence[Selection], material: Material) -> list[str]:
    """Digests of the content of training rows."""
    return [material.digest(selection, uncontaminated=True) for selection in selections]


def resumable(recipe: Recipe) -> int:
    """Number of runs of a recipe, one for each learning rate, if long enough for a resumable state; otherwise 0."""
    return len(recipe.learning_rates) if (recipe.steps or 0) > recipe.checkpoint_every else 0


def with_rates(encoder: Encoder, spec: EncoderSpec) -> Encoder:
    """The encoder with the dropout rates that its spec sets."""
    if spec.attention_dropout is None:
        return encoder
    return dataclasses.replace(encoder, config=dataclasses.replace(encoder.config, **rates(spec)))


def rates(spec: EncoderSpec) -> dict[str, Any]:
    """The dropout rates that a spec sets, as part of an identity."""
    return {} if spec.attention_dropout is None else {"attention_dropout": spec.attention_dropout}


def summary(result: StageResult) -> dict[str, Any]:
    """The part of a stage's result that its record keeps."""
    kept = ["steps", "tokens", "packing_efficiency", "flops", "best_step", "diverged", "dev_history", "losses"]
    kept += ["compile_seconds", "stack", *(["interrupted"] if result.interrupted else [])]
    return {name: getattr(result, name) for name in kept}
