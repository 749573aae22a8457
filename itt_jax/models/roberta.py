"""RoBERTa (and so XLM-R): BERT's layers, with positions counted from the padding id.

Source: Liu et al. 2019 (arXiv 1907.11692), Conneau et al. 2020 (arXiv 1911.02116); numerics as
`transformers.models.roberta` and `transformers.models.xlm_roberta`.
"""

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax.errors import InputError
from itt_jax.models import bert
from itt_jax.models.attention import segment_starts, subkey, visibility
from itt_jax.models.layers import PLAIN, Execution

PREFIX = "roberta"
KEYS = bert.KEYS
word_embeddings = bert.word_embeddings


@dataclasses.dataclass(frozen=True)
class RobertaConfig(bert.BertConfig):
    """Sizes and rates of a RoBERTa; the defaults are those of Hugging Face's RobertaConfig.

    Attributes:
        position_rows: of the position table; an example may have pad_id + 1 tokens fewer.
        model_type: "roberta" or "xlm-roberta": one encoder, two names.
    """

    vocabulary_size: int = 50265
    pad_id: int = 1
    model_type: str = "roberta"

    family: ClassVar[str] = "roberta"
    model_types: ClassVar[tuple[str, ...]] = ("roberta", "xlm-roberta")

    @property
    def max_positions(self) -> int:
        return self.position_rows - self.pad_id - 1


class Model(nnx.Module):
    """The RoBERTa encoder; arguments as `itt_jax.models.encoder.Encoder.__call__`."""

    def __init__(self, config: RobertaConfig, *, dtype: Any, rngs: nnx.Rngs) -> None:
        self.config = config
        self.embeddings = bert.Embeddings(config, dtype=dtype, rngs=rngs, position_pad=config.pad_id)
        self.layers = nnx.Dict({str(i): bert.Layer(config, dtype=dtype, rngs=rngs) for i in range(config.layers)})
        if config.pooler:
            self.pooler = bert.linear(config, config.width, config.width, dtype, rngs)

    def __call__(
        self,
        input_ids: Int[Array, "B T"],
        attention_mask: Int[Array, "B T"] | None = None,
        token_type_ids: Int[Array, "B T"] | None = None,
        position_ids: Int[Array, "B T"] | None = None,
        segment_ids: Int[Array, "B T"] | None = None,
        *,
        key: PRNGKeyArray | None = None,
        all_layers: bool = False,
        input_embeddings: Float[Array, "B T D"] | None = None,
        execution: Execution = PLAIN,
    ) -> Float[Array, "B T D"] | tuple[Float[Array, "B T D"], ...]:
        if position_ids is None:
            position_ids = positions(input_ids, segment_ids, self.config)
        x = self.embeddings(input_ids, token_type_ids, position_ids, input_embeddings, subkey(key, 0))
        visible = visibility(attention_mask, segment_ids)
        return bert.through_layers(self.layers, x, visible, key, all_layers, execution)


def positions(
    input_ids: Int[Array, "B T"], segment_ids: Int[Array, "B T"] | None, config: RobertaConfig
) -> Int[Array, "B T"]:
    """pad_id + 1, pad_id + 2, ... over the tokens of a row, or of each segment, that are not the padding token.

    The padding token itself has position pad_id, wherever it stands, as in Hugging Face.

    Raises:
        InputError: an unpacked row is longer than the position table allows.
    """
    length = input_ids.shape[1]
    if segment_ids is None and length > config.max_positions:
        raise InputError(f"input of {length} tokens: the encoder's position table allows {config.max_positions}")
    counted = (input_ids != config.pad_id).astype(jnp.int32)
    count = jnp.cumsum(counted, axis=1)
    if segment_ids is not None:
        before = jnp.pad(count[:, :-1], ((0, 0), (1, 0)))
        count = count - jnp.take_along_axis(before, segment_starts(segment_ids), axis=1)
    return count * counted + config.pad_id


Config = RobertaConfig
