"""A kind of head, and a head of one encoder: hidden states in, outputs and losses out.

A head reads from the encoder's parameters what Hugging Face shares with it: the word embeddings (language models), or
the pooler.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax import errors, families
from itt_jax.batch import Batch
from itt_jax.models.dropout import subkey
from itt_jax.models.encoder import Encoder, Params

Pooling = Literal["pretrained", "cls", "mean", "max_mean"]


@dataclasses.dataclass(frozen=True, repr=False)
class HeadKind:
    """A kind of head: its module, what the module reads, its loss. One object in one file each.

    Attributes:
        name: the kind's name.
        form: key of `families.HuggingFace.heads`; empty if Hugging Face has no such head.
        problem_type: Hugging Face's name of the loss, if heads of one form have several.
        labels: whether the outputs are classes with names.
        by_example: whether outputs are [E, outputs]; otherwise they are one row per token.
        by_item: whether the outputs of an item's examples compete, so that scores are [items, choices].
        language: whether it is the head of a language model.
        poolings: the allowed ones. pairs: whether it takes pair features.
        version: raised when the same parameters give other outputs or losses, so that stages and cells are made again.
    """

    name: str
    form: str = ""
    problem_type: str | None = None
    labels: bool = False

    by_example: ClassVar[bool] = False
    by_item: ClassVar[bool] = False
    language: ClassVar[bool] = False
    poolings: ClassVar[tuple[str, ...]] = ("pretrained",)
    pairs: ClassVar[bool] = False
    version: ClassVar[int] = 1

    def __repr__(self) -> str:
        return self.name

    def fixed_outputs(self, encoder: Encoder) -> int | None:
        """The number of outputs, if the kind or the encoder fixes it."""
        return None

    def check(self, head: "Head") -> None:
        """Checks that the family has such a head.

        Raises:
            InputError: it has none.
        """

    def build(self, head: "Head", rngs: nnx.Rngs) -> nnx.Module:
        """The module, called as module(result of `read`, result of `shared`, dropout key)."""
        raise NotImplementedError

    def encoder_inputs(self, batch: Batch) -> dict[str, Array]:
        """Fields of `EncoderInputs` that the encoder needs for this head, beyond ids, types and segments."""
        return {}

    def places(self, head: "Head", batch: Batch) -> Int[Array, "B P"] | None:
        """The positions of each row whose hidden states the module reads, as `EncoderInputs.places`; None: all."""
        return None

    def read(self, head: "Head", hidden: Float[Array, "B T D"], batch: Batch) -> Array:
        """The module's input, from all hidden states; those at `places` are its input as they are."""
        return hidden

    def finish(self, head: "Head", outputs: Array, batch: Batch) -> Array:
        """The outputs, from the module's result."""
        return outputs

    def finish_places(self, outputs: Float[Array, "B P K"], batch: Batch) -> Array:
        """The outputs, from the module's result for the hidden states at `places`."""
        return outputs

    def shared(self, head: "Head", encoder_params: Params) -> Any:
        """The encoder's parameters that the module reads."""
        return None

    def reordered(self, params: Params, order: Sequence[int]) -> Params:
        """The head's own parameters with its outputs in another order.

        Args:
            order: [outputs], the present place of each output.
        """
        last, order = params["output"], jnp.asarray(order)
        return params | {"output": {"kernel": last["kernel"][:, order], "bias": last["bias"][order]}}

    def loss(self, head: "Head", params: Params, outputs: Array, batch: Batch, choices: int) -> tuple[Array, Array]:
        """Sum of weighted losses and sum of weights, float32 []; arguments as `Head.loss`."""
        raise NotImplementedError

    def item_losses(
        self, head: "Head", params: Params, outputs: Array, batch: Batch, choices: int
    ) -> Float[Array, " items"]:
        """The loss of each item, 0 in empty slots; arguments as `Head.loss`."""

        def total(weights: Array) -> Array:  # linear in the weights, so its gradient holds the losses
            weighted = batch._replace(by_example=batch.by_example | {"weights": weights})
            return self.loss(head, params, outputs, weighted, choices)[0]

        weights = batch.by_example["weights"]
        return (weights * jax.grad(total)(weights)).reshape(-1, choices).sum(1)

    def divergence(self, outputs: Array, others: Array, batch: Batch, choices: int) -> Array:
        """How much two outputs for one batch differ: float32 [], summed with the weights of the loss.

        Symmetric Kullback-Leibler divergence of predicted distributions, squared difference of scores.

        Raises:
            InputError: the kind has no such measure.
        """
        raise errors.InputError(f"a {self.name} head has no divergence of outputs")


@dataclasses.dataclass(frozen=True)
class Head:
    """A head of one encoder, hashable as the encoder is; build it with `make_head`.

    Attributes:
        outputs: logits per example (classes; 1 for multiple choice and usually for regression) or per token (tags;
            2 for question answering, start and end; the vocabulary for language models), or the width of a vector
            (embedding).
        pooling: how an example becomes one vector. "pretrained": the family's Hugging Face head, at the summary token;
            "cls": the hidden state there; "mean": mean over the example's tokens; "max_mean": maximum and mean,
            concatenated.
        pair_features: (a, b, |a - b|, a * b) of the two fields, pooled separately.
    """

    encoder: Encoder
    kind: HeadKind
    outputs: int
    pooling: Pooling = "pretrained"
    pair_features: bool = False

    @property
    def by_example(self) -> bool:
        """Whether outputs are [E, outputs]; otherwise they are [B, T, outputs]."""
        return self.kind.by_example

    @property
    def has_huggingface_form(self) -> bool:
        """Whether Hugging Face has this head for the family, so that it can be exported."""
        forms = families.family(self.encoder.family).huggingface.heads
        return self.pooling == "pretrained" and not self.pair_features and self.kind.form in forms

    def shapes(self) -> Params:
        """The head's own parameters: nested dict of jax.ShapeDtypeStruct (float32)."""
        return nnx.to_pure_dict(_split(self)[1])

    def init(self, key: PRNGKeyArray) -> Params:
        """Fresh parameters, as Hugging Face initialises them."""
        return nnx.to_pure_dict(nnx.state(self.kind.build(self, nnx.Rngs(key))))

    def places(self, batch: Batch) -> Int[Array, "B P"] | None:
        """The positions of each row whose hidden states are read; None: all, or the encoder computes all anyway."""
        return self.kind.places(self, batch) if self.encoder.reads_places else None

    def __call__(
        self,
        params: Params,
        hidden: Float[Array, "B T D"],
        batch: Batch,
        *,
        key: PRNGKeyArray | None = None,
        at_places: bool = False,
    ) -> Array:
        """Outputs, float32: [E, outputs] by example (multiple choice: the caller reshapes), else [B, T, outputs].

        Args:
            params: {"encoder", "head"}.
            hidden: the encoder's last layer (or its query stream).
            batch: every head by example reads summary_rows, summary_positions, the place of each example's summary
                token in hidden. Mean and max_mean pooling read example_ids, the index of each token's example (E for
                padding), and pair features field_ids, 0 for special tokens, then 1, 2 ... A masked LM reads
                positions [B, P]; without them it scores every token.
            key: dropout key; None means none.
            at_places: whether hidden has only the states at `places`.
        """
        module = nnx.merge(_split(self)[0], params["head"])
        read = hidden if at_places else self.kind.read(self, hidden, batch)
        outputs = module(read, self.kind.shared(self, params["encoder"]), key).astype(jnp.float32)
        return self.kind.finish_places(outputs, batch) if at_places else self.kind.finish(self, outputs, batch)

    def loss(self, params: Params, outputs: Array, batch: Batch, choices: int = 1) -> tuple[Array, Array]:
        """Sum of weighted losses and sum of weights, float32 []; labels are as `data.examples.Examples` has them.

        Args:
            params: {"encoder", "head"}.
            outputs: the head's outputs for this batch.
            batch: by example, labels and weights, 0 for empty slots. Token classification: by row, labels, -1 where
                there is none. Question answering: by row, labels. Language models: by row, targets and weights.
            choices: examples of one item, in consecutive slots.
        """
        return self.kind.loss(self, params, outputs, batch, choices)


def symmetric_divergence(logits: Float[Array, "*E K"], others: Float[Array, "*E K"]) -> Float[Array, "*E"]:
    """KL(p, q) + KL(q, p) of the softmax distributions of two sets of logits."""
    log_p, log_q = jax.nn.log_softmax(logits), jax.nn.log_softmax(others)
    return jnp.sum((jnp.exp(log_p) - jnp.exp(log_q)) * (log_p - log_q), axis=-1)


def apply_model(
    encoder: Encoder,
    head: Head,
    params: Params,
    batch: Batch,
    *,
    key: PRNGKeyArray | None = None,
    input_embeddings: Array | None = None,
) -> Array:
    """Outputs of a whole model, params {"encoder", "head"}, on one batch of packed or padded rows.

    Args:
        batch: as data.packing builds it; labels and weights are not read.
        key: dropout key for encoder and head; None means no dropout.
        input_embeddings: as in `EncoderInputs`.
    """
    places = head.places(batch)
    hidden = encoder(
        params["encoder"],
        batch.by_row["input_ids"],
        token_type_ids=batch.by_row["token_type_ids"],
        segment_ids=batch.by_row["segment_ids"],
        key=subkey(key, 0),
        input_embeddings=input_embeddings,
        places=places,
        **head.kind.encoder_inputs(batch),
    )
    return head(params, hidden, batch, key=subkey(key, 1), at_places=places is not None)


@functools.lru_cache(maxsize=64)
def _split(head: Head) -> tuple[nnx.GraphDef, nnx.State]:
    """The structure of the head, found without allocating a parameter."""
    return nnx.split(nnx.eval_shape(lambda: head.kind.build(head, nnx.Rngs(0))))
