"""RoBERTa and XLM-R: BERT, with positions counted from the padding id.

Source: Liu et al. 2019 (arXiv 1907.11692), Conneau et al. 2020 (arXiv 1911.02116); numerics as
`transformers.models.roberta` and `transformers.models.xlm_roberta`.
"""

import jax.numpy as jnp
from jaxtyping import Array, Int

from itt_jax.errors import InputError
from itt_jax.families.roberta import RobertaConfig
from itt_jax.models import bert
from itt_jax.models.attention import segment_starts
from itt_jax.models.inputs import EncoderInputs

word_embeddings = bert.word_embeddings


class Model(bert.Model):
    """The RoBERTa encoder: BERT with its own positions."""

    config: RobertaConfig

    def positions(self, inputs: EncoderInputs) -> Int[Array, "B T"]:
        """Rows of the position table that the tokens read if none are given."""
        return positions(inputs.input_ids, inputs.segment_ids, self.config)


def positions(
    input_ids: Int[Array, "B T"], segment_ids: Int[Array, "B T"] | None, config: RobertaConfig
) -> Int[Array, "B T"]:
    """pad_id + 1, pad_id + 2, ... over the tokens of a row, or of each segment, that are not the padding token.

    The padding token has position pad_id wherever it occurs, as in Hugging Face, and so has the padding of packed rows,
    which may exceed the table (a tokenizer's padding token may be another).

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
        counted = jnp.where(segment_ids > 0, counted, 0)
    return count * counted + config.pad_id
