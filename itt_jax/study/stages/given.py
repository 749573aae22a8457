"""A given checkpoint: nothing to train, the stage that arms start from."""

import dataclasses
from typing import Any

from itt_jax.config import EncoderSpec
from itt_jax.data.contamination import Digests
from itt_jax.data.tokenizing import load_tokenizer
from itt_jax.models import from_pretrained, local_folder
from itt_jax.store import Store
from itt_jax.study.material import Material
from itt_jax.study.stages.stage import Stage, rates, with_rates
from itt_jax.study.stages.workshop import Body, Workshop
from itt_jax.train.checkpoint import load_checkpoint


@dataclasses.dataclass(frozen=True, kw_only=True)
class Given(Stage):
    """A checkpoint directory, ours or Hugging Face's."""

    @property
    def kind(self) -> str:
        """What plans call it."""
        return "given"

    def identity(self, material: Material) -> list[Any]:
        """Weights, tokenizer and the rates that the spec sets."""
        weights = material.checkpoint_digest(self.spec.checkpoint)
        return ["given", weights, material.tokenizer_digest(self.spec), rates(self.spec)]

    def training_tokens(self, material: Material) -> float:
        """None."""
        return 0.0

    def is_done(self, store: Store) -> bool:
        """It is."""
        return True

    def body(self, workshop: Workshop) -> Body:
        """The checkpoint's encoder."""
        return given_body(self.spec)

    def seen(self, store: Store) -> Digests:
        """Nothing that is known here: the checkpoint's own text is checked when the study is planned."""
        return Digests.join([])


def given_body(spec: EncoderSpec) -> Body:
    """The encoder of a checkpoint directory, ours or Hugging Face's."""
    folder = local_folder(spec.checkpoint)
    if (folder / "checkpoint.json").is_file():
        saved = load_checkpoint(folder)
        return Body(with_rates(saved.encoder, spec), saved.params["encoder"], saved.tokenizer)
    encoder, params = from_pretrained(folder)
    tokenizer = load_tokenizer(local_folder(spec.tokenizer) if spec.tokenizer else folder)
    return Body(with_rates(encoder, spec), params, tokenizer)
