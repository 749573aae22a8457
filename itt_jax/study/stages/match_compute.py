"""Fine-tuning on the target with the compute of another arm: the control for longer training.

The id holds the ids of the other arm's stages, which determine their FLOPs, and so the number of steps. That number is
computed from token lengths before the stage trains. This needs the tokenizer, but nothing of the other arm need be
trained yet.

A run of the control takes the FLOPs of one run of each of the other arm's stages, to half a step; stages that attack
their rows count with the most that their budgets allow. Trying several learning rates is not part of an arm's compute:
every arm tries the same number in its target stage. Nor does it matter how early the kept checkpoint was reached: steps
after it count too. A stage that diverges stops early and takes less.
"""

import dataclasses
from typing import Any, ClassVar, Self

from itt_jax.config import Recipe
from itt_jax.study.arms import Description, FineTune, MatchCompute
from itt_jax.study.material import Material
from itt_jax.study.stages.fine_tune import FineTuning
from itt_jax.study.stages.stage import Place, Stage
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.train.jobs import Job
from itt_jax.train.task_feeds import run_flops, step_flops


@dataclasses.dataclass(frozen=True, kw_only=True)
class MatchedFineTuning(FineTuning):
    """Fine-tunes on the target for the number of steps that takes the FLOPs of other stages.

    Attributes:
        matched: the other arm's stages. `recipe` is the target's, with the number of steps of the target stage alone.
    """

    matched: tuple[Stage, ...]

    description: ClassVar[type] = MatchCompute

    @classmethod
    def planned(cls, description: Description, place: Place) -> Self:
        """The rows and the recipe of the target."""
        plain = FineTuning.planned(FineTune("target"), place)
        own = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)}
        return cls(**own, matched=place.matched)

    def identity(self, material: Material) -> list[Any]:
        """That of the target stage, and the stages whose compute it matches."""
        return ["match_compute", [stage.id for stage in self.matched], super().identity(material)]

    def training_tokens(self, material: Material) -> float:
        """About as many as the other stages, for each learning rate."""
        return self.runs * sum(stage.training_tokens(material) / stage.runs for stage in self.matched)

    def about_steps(self, material: Material) -> float:
        """The approximate number of steps of one run, from mean lengths of texts; `resolved` counts tokens instead."""
        own = super().training_tokens(material) / self.steps
        return self.training_tokens(material) / own

    @property
    def resumable_runs(self) -> int:
        """One for each learning rate; their length is not known yet."""
        return self.runs

    def stack_key(self, material: Material) -> tuple | None:
        """As for other fine-tunings, but these stack only with each other."""
        key = super().stack_key(material)
        return key and ("match_compute", *key)

    def jobs(self, workshop: Workshop) -> list[Job]:
        """A fine-tuning for each learning rate, with the number of steps."""
        recipe = self.resolved(workshop, self.start(workshop))
        return [dataclasses.replace(job, recipe=recipe) for job in super().jobs(workshop)]

    def flops(self, workshop: Workshop, body: Body) -> float:
        """Model FLOPs of one run: those of the other stages, to half a step."""
        tasks = [self.examples(workshop, body, own) for own in self.by_task()]
        return run_flops(body.encoder, tasks, self.resolved(workshop, body), self.seed)

    def resolved(self, workshop: Workshop, body: Body) -> Recipe:
        """The recipe with its number of steps, and with as many dev evaluations as the target stage has.

        Warm-up and schedule are shares of the steps, so they are longer in proportion.
        """
        wanted = sum(stage.flops(workshop, body) for stage in self.matched)
        examples, steps, taken = self.examples(workshop, body, self.training), 0, 0.0
        while taken < wanted:
            own = step_flops(body.encoder, examples, self.recipe, self.seed, steps)
            if steps and taken + own / 2 > wanted:
                break
            steps, taken = steps + 1, taken + own
        every = -(-self.recipe.evaluate_every * steps // self.steps)
        return dataclasses.replace(self.recipe, steps=steps, evaluate_every=every)
