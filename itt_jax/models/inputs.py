"""The inputs of every encoder, in one object."""

import dataclasses

from jaxtyping import Array, Float, Int

from itt_jax.errors import InputError


@dataclasses.dataclass(frozen=True)
class EncoderInputs:
    """One batch of rows, as an encoder reads it.

    Attributes:
        input_ids: token ids, int32.
        attention_mask: 1 for real tokens. None: all; with segments, those whose segment is not 0.
        token_type_ids: None: 0 (XLNet leaves its segment term out).
        position_ids: rows of the position table. None: as Hugging Face derives them, restarting at each segment.
        segment_ids: packed rows: 0 is padding, 1, 2 ... the examples of a row. Attention stays inside a segment.
        input_embeddings: used in place of the word embeddings (RoBERTa still derives positions from input_ids).
        perm_mask: XLNet's: 1 where position i must not see position j.
        target_mapping: XLNet's: one-hot rows naming the positions to predict. With it the encoder returns the query
            stream [B, P, D], which does not see the token it predicts. The rows of one example name different positions
            (the queries of two that share one would be summed, as in Hugging Face's); a row of zeros is an empty place.
        places: the positions of each row whose last hidden states are needed. With them the encoder returns only those,
            [B, P, D], and its last layer computes no others.
    """

    input_ids: Int[Array, "B T"]
    attention_mask: Int[Array, "B T"] | None = None
    token_type_ids: Int[Array, "B T"] | None = None
    position_ids: Int[Array, "B T"] | None = None
    segment_ids: Int[Array, "B T"] | None = None
    input_embeddings: Float[Array, "B T D"] | None = None
    perm_mask: Float[Array, "B T T"] | None = None
    target_mapping: Float[Array, "B P T"] | None = None
    places: Int[Array, "B P"] | None = None

    def refuse(self, family: str, *names: str) -> None:
        """Checks that inputs which a family does not read are not given.

        Raises:
            InputError: one of them is given.
        """
        for name in names:
            if getattr(self, name) is not None:
                raise InputError(f"{name}: {family} does not read it")
