"""A given checkpoint: a stage that arms start from, with nothing to train."""

import dataclasses
import pathlib
from typing import Any, ClassVar

import jax

from itt_jax.config import EncoderSpec
from itt_jax.data.contamination import Digests
from itt_jax.data.tokenizing import Tokenizer, load_tokenizer
from itt_jax.errors import InputError
from itt_jax.families import EncoderConfig
from itt_jax.models import Encoder, from_pretrained, local_folder, pretrained_encoder
from itt_jax.store import Store
from itt_jax.study.material import Material
from itt_jax.study.stages.stage import Stage, rates, with_rates
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.train.checkpoint import is_ours, load_checkpoint, load_seen, saved_encoder


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(Stage):
    """A checkpoint directory, ours or Hugging Face's."""

    is_made: ClassVar[bool] = False

    @property
    def kind(self) -> str:
        """Its name in plans."""
        return "given"

    def identity(self, material: Material) -> list[Any]:
        """Weights, tokenizer and the rates that the spec sets."""
        weights = material.checkpoint_digest(given_checkpoint(self.spec))
        identity = ["given", weights, material.tokenizer_digest(self.spec), rates(self.spec)]
        return identity + ([] if self.spec.first_layers is None else [("first_layers", self.spec.first_layers)])

    def training_tokens(self, material: Material) -> float:
        """Zero: nothing is trained."""
        return 0.0

    def is_done(self, store: Store) -> bool:
        """Always true: nothing is trained."""
        return True

    def has_parameters(self, store: Store) -> bool:
        """Always true."""
        return True

    def body(self, workshop: Workshop) -> Body:
        """The checkpoint's encoder.

        Raises:
            InputError: its files have changed since the study was planned.
        """
        body = given_body(self.spec)
        workshop.material.check_unchanged(given_checkpoint(self.spec))
        return body

    def seen(self, store: Store) -> Digests:
        """Digests of the text that the checkpoint says it was trained on."""
        return load_seen(local_folder(given_checkpoint(self.spec)))


def given_checkpoint(spec: EncoderSpec) -> str:
    """The checkpoint directory of an encoder, which must have one."""
    assert spec.checkpoint is not None
    return spec.checkpoint


def given_body(spec: EncoderSpec) -> Body:
    """The encoder of a checkpoint directory, ours or Hugging Face's."""
    folder = local_folder(given_checkpoint(spec))
    if is_ours(folder):
        saved = load_checkpoint(folder)
        encoder, params = saved.encoder, saved.params["encoder"]
    else:
        encoder, params = from_pretrained(folder)
        params = jax.device_get(params)
    kept = shallow(encoder, spec)
    return Body(with_rates(kept, spec), _picked(params, kept.shapes()), _tokenizer(spec, folder))


def given_sketch(spec: EncoderSpec) -> tuple[Encoder, Tokenizer]:
    """The encoder of that directory and its tokenizer, without reading parameters."""
    config, tokenizer = given_tables(spec)
    return with_rates(Encoder(config), spec), tokenizer


def given_tables(spec: EncoderSpec) -> tuple[EncoderConfig, Tokenizer]:
    """The config of that encoder, checked against the shapes of its parameters, and its tokenizer."""
    folder = local_folder(given_checkpoint(spec))
    encoder = saved_encoder(folder) if is_ours(folder) else pretrained_encoder(folder)
    return shallow(encoder, spec).config, _tokenizer(spec, folder)


def shallow(encoder: Encoder, spec: EncoderSpec) -> Encoder:
    """The encoder with the first layers that its spec keeps.

    Raises:
        InputError: it has fewer.
    """
    kept, layers = spec.first_layers, encoder.config.layers
    if kept is None:
        return encoder
    if kept > layers:
        raise InputError(
            f"encoder {spec.name!r}: first_layers: expected at most the checkpoint's {layers}, found {kept}"
        )
    return dataclasses.replace(encoder, config=dataclasses.replace(encoder.config, layers=kept))


def _picked(params: dict[str, Any], shapes: dict[str, Any]) -> dict[str, Any]:
    """Those of the parameters that an encoder of these shapes has."""
    return {
        name: _picked(params[name], inner) if isinstance(inner, dict) else params[name]
        for name, inner in shapes.items()
    }


def _tokenizer(spec: EncoderSpec, folder: pathlib.Path) -> Tokenizer:
    if spec.tokenizer:
        return load_tokenizer(local_folder(spec.tokenizer))
    if not is_ours(folder):
        return load_tokenizer(folder)
    if not (folder / "tokenizer").is_dir():
        raise InputError(f"encoder {spec.name!r}: {folder} holds no tokenizer; name one in `tokenizer`")
    return load_tokenizer(folder / "tokenizer")
