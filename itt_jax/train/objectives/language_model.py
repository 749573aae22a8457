"""The loss of a language model."""

import dataclasses

import jax

from itt_jax.batch import Batch
from itt_jax.models import Encoder, Head
from itt_jax.train.state import Params


@dataclasses.dataclass(frozen=True)
class LanguageObjective:
    """Cross-entropy of the predicted tokens, for a head of a language model."""

    encoder: Encoder
    head: Head
    dropout: bool

    def __call__(self, params: Params, batch: Batch, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Sum of weighted losses and sum of weights, float32 []; the batch is as `masked_batches` builds it."""
        own = {"encoder": params["encoder"], "head": params["heads"][0]}
        places = self.head.places(batch)
        hidden = self.encoder(
            params["encoder"],
            batch.by_row["input_ids"],
            token_type_ids=batch.by_row["token_type_ids"],
            segment_ids=batch.by_row["segment_ids"],
            key=jax.random.split(key)[0] if self.dropout else None,  # heads of language models have no dropout
            places=places,
            **self.head.kind.encoder_inputs(batch),
        )
        return self.head.loss(own, self.head(own, hidden, batch, at_places=places is not None), batch)
