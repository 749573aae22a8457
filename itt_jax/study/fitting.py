"""Checks, before anything trains, that the tokenizers and lengths of a study fit its encoders' tables."""

from collections.abc import Iterable

from itt_jax import kinds
from itt_jax.config import EncoderSpec, Study
from itt_jax.data.fit import check_length, check_tokenizer
from itt_jax.data.tokenizing import Tokenizer
from itt_jax.errors import InputError
from itt_jax.families import EncoderConfig
from itt_jax.models import make_encoder
from itt_jax.study.material import Material
from itt_jax.study.stages import Stage
from itt_jax.study.stages.given import given_tables
from itt_jax.study.stages.pretrain import SIZES


def check_fits(study: Study, stages: Iterable[Stage], material: Material) -> None:
    """Compare tokens and lengths of a study with the tables of its encoders.

    Raises:
        InputError: a checkpoint of another family; an id beyond the word embeddings, a token type beyond its table, or
            a length beyond the positions; the message names the encoder.
    """
    names = {name for target in study.running_targets() for name in (target.train, *target.evaluate)}
    tasks = [material.task(name) for name in names]
    pairs = any(kinds.kind(task.kind).reads_pairs(task) for task in tasks)
    found: dict[EncoderSpec, EncoderConfig] = {}
    for spec in study.encoders:
        found[spec], tokenizer = _tables(spec)
        if found[spec].family != spec.family:
            raise InputError(
                f"encoder {spec.name!r}: found family {spec.family!r}, expected that of its checkpoint "
                f"{spec.checkpoint}, {found[spec].family!r}"
            )
        if tokenizer is not None:
            check_tokenizer(tokenizer, found[spec], f"encoder {spec.name!r}", fields=2 if pairs else 1)
        check_length(study.max_length, found[spec], f"encoder {spec.name!r}: max_length of the study")
    for stage in stages:
        check_length(stage.longest, found[stage.spec], f"encoder {stage.spec.name!r}: max_length of {stage.kind}")


def _tables(spec: EncoderSpec) -> tuple[EncoderConfig, Tokenizer | None]:
    """The config of a spec's encoder, and its tokenizer; None if the encoder is made to fit the tokenizer."""
    if spec.checkpoint is not None:
        return given_tables(spec)
    sizes = {name: getattr(spec, name) for name in SIZES}
    return make_encoder(spec.family, vocabulary_size=spec.vocabulary_size, **sizes).config, None
