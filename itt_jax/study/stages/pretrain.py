"""Pretraining: an encoder made here, with its tokenizer."""

import dataclasses
from typing import Any

import jax

from itt_jax.config import EncoderSpec
from itt_jax.data import contamination
from itt_jax.data.parallel import ParallelTexts
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer, train_tokenizer
from itt_jax.data.vocabulary_training import VERSIONS
from itt_jax.families import family as family_of
from itt_jax.models import Encoder, local_folder, make_encoder
from itt_jax.study.material import Material
from itt_jax.study.stages.stage import Stage, rates, resumable, summary, with_rates
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.study.versions import changed_versions, language_model_version
from itt_jax.train import objectives
from itt_jax.train.language import CorpusTexts, language_model

SIZES = ("layers", "width", "heads", "feed_forward", "max_positions")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Pretraining(Stage):
    """Makes an encoder: tokenizer and parameters, with language-model training if the spec has any."""

    @property
    def kind(self) -> str:
        """Its name in plans, records and reports."""
        return "pretraining"

    def identity(self, material: Material) -> list[Any]:
        """Family and sizes, corpora, tokenizer, settings and seed."""
        spec = self.spec
        made = {name: getattr(spec, name) for name in ("family", "vocabulary_size", *SIZES)}
        corpora = [material.corpus_digest(corpus) for corpus in spec.corpus]
        tokenizer = material.tokenizer_digest(spec)
        identity: list[Any] = ["pretraining", made, corpora, tokenizer, rates(spec), spec.pretraining, self.seed]
        if spec.pretraining is not None:
            identity += language_model_version(spec.family)
            identity += changed_versions(objectives.named(spec.pretraining.recipe.objective).version)
        if spec.tokenizer is None:
            versions = changed_versions(VERSIONS[family_of(spec.family).tokenizer])
            identity += [("tokenizer", *own) for own in versions]
        return identity

    @property
    def longest(self) -> int:
        """The maximum length in its recipe."""
        return self.spec.pretraining.recipe.max_length if self.spec.pretraining else 0

    def training_tokens(self, material: Material) -> float:
        """Rows are packed, so all their positions."""
        if self.spec.pretraining is None:
            return 0.0
        recipe = self.spec.pretraining.recipe
        return (recipe.steps or 0) * recipe.batch_size * recipe.max_length

    @property
    def resumable_runs(self) -> int:
        """1 if it is long, otherwise 0."""
        return 0 if self.spec.pretraining is None else resumable(self.spec.pretraining.recipe)

    def make(self, workshop: Workshop) -> dict[str, Any]:
        """Make the encoder."""
        spec = self.spec
        corpus, tokenizer = self.beginning(workshop.material)
        texts = [text for own in corpus.texts.values() for text in own]
        encoder = made_encoder(spec, tokenizer)
        params = encoder.init(jax.random.key(self.seed))
        recorded: dict[str, Any] = {"steps": 0}
        if spec.pretraining is not None:
            result = language_model(
                workshop.trained(encoder),
                corpus,
                tokenizer,
                {"encoder": params},
                spec.pretraining,
                self.seed,
                directory=workshop.store.stage(self.id),
                progress=workshop.progress,
                is_lost=self.is_lost(workshop),
            )
            params, recorded = result.params["encoder"], summary(result)
        sources = tuple(corpus.source for corpus in spec.corpus)
        seen = dataclasses.replace(contamination.digests(texts), sources=sources)
        self.save(workshop, Body(encoder, params, tokenizer), seen)
        return recorded

    def beginning(self, material: Material) -> tuple[CorpusTexts, Tokenizer]:
        """The texts that it is trained on, and its tokenizer, trained on them unless the spec names one."""
        corpus = as_corpus([material.corpus(corpus) for corpus in self.spec.corpus])
        if self.spec.tokenizer is not None:
            return corpus, load_tokenizer(local_folder(self.spec.tokenizer))
        texts = [text for own in corpus.texts.values() for text in own]
        return corpus, train_tokenizer(texts, self.spec.family, self.spec.vocabulary_size)


def made_encoder(spec: EncoderSpec, tokenizer: Tokenizer) -> Encoder:
    """An encoder of the spec's sizes for a tokenizer."""
    sizes = {name: getattr(spec, name) for name in SIZES}
    sizes |= {"vocabulary_size": tokenizer.vocabulary_size, "pad_id": tokenizer.pad_id}
    return with_rates(make_encoder(spec.family, **sizes), spec)


def as_corpus(corpora: list[ParallelTexts]) -> CorpusTexts:
    """Several sources as one corpus; tuples reduced to one language are plain text."""
    texts: dict[str, list[str]] = {}
    tuples: list[dict[str, str]] = []
    for corpus in corpora:
        for language in corpus.languages:
            texts.setdefault(language, []).extend(text for text in corpus.texts[language] if text)
        tuples += corpus.tuples()
    return CorpusTexts(texts, tuples)
