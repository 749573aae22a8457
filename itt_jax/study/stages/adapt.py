"""Adaptation: continued language modelling on domain text, or on as much general text."""

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np

from itt_jax.config import LanguageModel, content_id
from itt_jax.data import contamination
from itt_jax.study.arms import Adapt, Description
from itt_jax.study.material import Material, Selection
from itt_jax.study.stages.dev_check import DevCheck, checked, matching
from itt_jax.study.stages.stage import Place, Stage, digests, resumable, summary
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.study.versions import changed_versions, language_model_version
from itt_jax.tasks.splits import parse
from itt_jax.train import objectives
from itt_jax.train.held_out import held_out_loss
from itt_jax.train.language import CorpusTexts, language_flops, language_model
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True, kw_only=True)
class Adaptation(Stage):
    """Trains the language model of the parent's encoder.

    Attributes:
        training: rows whose texts are trained on.
        as_much_as: rows whose number of characters limits the training texts. Empty: no limit.
        held_out: other rows of the same tasks, on whose texts the stage is checked.
    """

    training: tuple[Selection, ...]
    settings: LanguageModel
    as_much_as: tuple[Selection, ...] = ()
    held_out: tuple[Selection, ...] = ()

    description: ClassVar[type] = Adapt

    @classmethod
    def planned(cls, description: Description, place: Place) -> Self:
        """The training texts of the target's domain or general tasks."""
        assert isinstance(description, Adapt) and place.target.adaptation is not None
        domain, general = (
            tuple(Selection(name, "train", place.material.task(name).source_language) for name in names)
            for names in (place.target.domain_text, place.target.general_text)
        )
        training = domain if description.text == "domain" else general
        return cls(
            spec=place.spec,
            parent=place.parent,
            seed=place.seed,
            training=training,
            held_out=_held_out(training, place),
            as_much_as=() if description.text == "domain" else domain,
            settings=place.target.adaptation,
        )

    @property
    def kind(self) -> str:
        """Its name in plans, records and reports."""
        return "adaptation"

    def identity(self, material: Material) -> list[Any]:
        """Parent, texts, settings and seed."""
        texts = [digests(selections, material) for selections in (self.training, self.as_much_as)]
        versions = language_model_version(self.spec.family)
        versions += changed_versions(objectives.named(self.settings.recipe.objective).version)
        return ["adaptation", self.origin.id, texts, self.settings, self.seed, *versions]

    @property
    def selections(self) -> dict[str, tuple[Selection, ...]]:
        """Rows whose texts are trained on."""
        return {"training": self.training}

    @property
    def longest(self) -> int:
        """The maximum length in its recipe."""
        return self.settings.recipe.max_length

    def training_tokens(self, material: Material) -> float:
        """Rows are packed, so all their positions."""
        recipe = self.settings.recipe
        return (recipe.steps or 0) * recipe.batch_size * recipe.max_length

    def flops(self, workshop: Workshop, body: Body) -> float:
        """Model FLOPs, from the token lengths of the texts and the tokens that are hidden."""
        return language_flops(body.encoder, self.corpus(workshop.material), body.tokenizer, self.settings, self.seed)

    @property
    def resumable_runs(self) -> int:
        """1 if it is long, otherwise 0."""
        return resumable(self.settings.recipe)

    def make(self, workshop: Workshop) -> dict[str, Any]:
        """Train on the texts."""
        body, material = self.start(workshop), workshop.material
        texts = self.texts(material)
        result = language_model(
            body.encoder,
            self.corpus(material),
            body.tokenizer,
            {"encoder": body.params},
            self.settings,
            self.seed,
            directory=workshop.store.stage(self.id),
            progress=workshop.progress,
            is_lost=self.is_lost(workshop),
        )
        sources = tuple(f"{own.task}/{own.split}/{own.language}" for own in self.training)
        seen = dataclasses.replace(contamination.digests(texts), sources=sources)
        self.save(workshop, dataclasses.replace(body, params=result.params["encoder"]), seen)
        return summary(result) | {"dev_checks": [own.as_record() for own in self.checks(workshop, body, result.params)]}

    def checks(self, workshop: Workshop, body: Body, params: Params) -> list[DevCheck]:
        """The loss on held-out text, and that of guessing by frequency; empty without such text."""
        material = workshop.material
        language, texts = self.language(material), [text for own in self.held_out for text in material.texts(own)]
        if not texts:
            return []
        training, text = (CorpusTexts({language: own}, []) for own in (self.texts(material), texts))
        found = held_out_loss(body.encoder, params, training, text, body.tokenizer, self.settings)
        name, digest = self.held_out_rows(material)
        check = checked(name, "loss", found.loss, found.error, found.chance, found.pieces, looks=1, sign=-1)
        return [dataclasses.replace(check, digest=digest)]

    def own_checks(self, found: Sequence[dict[str, Any]], material: Material) -> list[dict[str, Any]]:
        """The check on the study's held-out text."""
        return matching(found, [self.held_out_rows(material)]) if found and self.held_out else []

    def held_out_rows(self, material: Material) -> tuple[str, str]:
        """Names of the tasks whose held-out text the stage is checked on, and a digest of the rows."""
        return ", ".join(own.task for own in self.held_out), content_id(digests(self.held_out, material))

    def texts(self, material: Material) -> list[str]:
        """The texts that it is trained on."""
        texts = [text for selection in self.training for text in material.texts(selection)]
        if not self.as_much_as:
            return texts
        return as_much_text(texts, sum(len(text) for own in self.as_much_as for text in material.texts(own)))

    def corpus(self, material: Material) -> CorpusTexts:
        """The texts as a corpus."""
        return CorpusTexts({self.language(material): self.texts(material)}, [])

    def language(self, material: Material) -> str:
        """The language of the texts."""
        return material.task(self.training[0].task).source_language


def _held_out(training: tuple[Selection, ...], place: Place) -> tuple[Selection, ...]:
    """Dev rows of the tasks whose texts are trained on, if there are any that the study does not evaluate."""
    material, evaluated = place.material, set()
    for target in material.study.running_targets():
        evaluated |= {(name, parse(target.test_split).split) for name in target.evaluate or (target.train,)}
    found = (dataclasses.replace(own, split="dev", limit=place.target.dev_rows) for own in training)
    return tuple(
        own
        for own in found
        if (own.task, own.split) not in evaluated and material.has(own.task, own.split, own.language)
    )


def as_much_text(texts: list[str], characters: int) -> list[str]:
    """The first texts, with `characters` characters in all."""
    ends = np.cumsum([len(text) for text in texts])
    return texts[: int(np.searchsorted(ends, characters)) + 1]
