"""Heads: what turns hidden states into a task's outputs; "pretrained" pooling is Hugging Face's head of the family.

A head reads from the encoder's parameters what Hugging Face shares with it: the word embeddings (masked and permuted
LM) and the pooler of BERT (classification, regression, choice) and RoBERTa (choice). `Head.shared` gathers them and
`apply_model` does the whole: batch in, logits out.
"""

import dataclasses
import functools
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int, PRNGKeyArray

from itt_jax import errors
from itt_jax.batch import Batch
from itt_jax.models.attention import dropout, subkey
from itt_jax.models.bert import ACTIVATIONS, layer_norm, linear
from itt_jax.models.encoder import Encoder, Params

KINDS = (
    "classification",
    "multilabel",
    "regression",
    "token_classification",
    "question_answering",
    "multiple_choice",
    "embedding",
    "masked_lm",
    "permuted_lm",
)
POOLINGS = ("pretrained", "cls", "mean", "max_mean")
_EXAMPLE_KINDS = ("classification", "multilabel", "regression", "multiple_choice", "embedding")
SCALE = 100.0  # what a dual encoder's cosines are multiplied with at first (XTREME-R's code)


@dataclasses.dataclass(frozen=True)
class Head:
    """A head of one encoder, hashable as the encoder is; build it with `make_head`.

    Attributes:
        outputs: logits per example (classes; 1 for choice and usually for regression) or per token (tags; 2 for
            span, start and end; the vocabulary for LM heads), or the width of a vector (embedding).
        pooling: how an example becomes one vector. "pretrained": Hugging Face's head of the family, at the summary
            position; "cls": the hidden state there; "mean": mean over the example's tokens; "max_mean": maximum
            and mean, concatenated.
        pair_features: (a, b, |a - b|, a * b) of the two fields, pooled apart.
    """

    encoder: Encoder
    kind: Literal[KINDS]
    outputs: int
    pooling: Literal["pretrained", "cls", "mean", "max_mean"] = "pretrained"
    pair_features: bool = False

    @property
    def by_example(self) -> bool:
        """Whether logits are [E, outputs]; otherwise they are [B, T, outputs]."""
        return self.kind in _EXAMPLE_KINDS

    @property
    def reads_pooler(self) -> bool:
        """Whether Hugging Face's head of this kind stands on the family's pooler."""
        poolers = {"bert": _EXAMPLE_KINDS, "roberta": ("multiple_choice", "embedding")}
        return self.pooling == "pretrained" and self.kind in poolers.get(self.encoder.family, ())

    @property
    def has_huggingface_form(self) -> bool:
        """Whether Hugging Face has this head, so that it can be exported."""
        return self.pooling == "pretrained" and not self.pair_features and self.kind != "embedding"

    def shapes(self) -> Params:
        """The head's own parameters: nested dict of jax.ShapeDtypeStruct (float32)."""
        return nnx.to_pure_dict(_split(self)[1])

    def init(self, key: PRNGKeyArray) -> Params:
        """Fresh parameters, as Hugging Face initialises them."""
        return nnx.to_pure_dict(nnx.state(_module(self, nnx.Rngs(key))))

    def shared(self, encoder_params: Params) -> dict[str, Any]:
        """What the head reads of the encoder's parameters: keywords `embedding_table`, `pooler` of the call."""
        if self.kind in ("masked_lm", "permuted_lm"):
            return {"embedding_table": self.encoder.word_embeddings(encoder_params)}
        if self.reads_pooler and self.encoder.config.pooler:
            return {"pooler": encoder_params["pooler"]}
        return {}

    def __call__(
        self,
        params: Params,
        hidden: Float[Array, "B T D"],
        *,
        example_ids: Int[Array, "B T"] | None = None,
        field_ids: Int[Array, "B T"] | None = None,
        summary_rows: Int[Array, " E"] | None = None,
        summary_positions: Int[Array, " E"] | None = None,
        key: PRNGKeyArray | None = None,
        embedding_table: Float[Array, "V D"] | None = None,
        pooler: Params | None = None,
    ) -> Float[Array, "E outputs"] | Float[Array, "B T outputs"]:
        """Logits, float32: [E, outputs] by example (choice: the caller reshapes), else [B, T, outputs].

        Args:
            params: the head's own. hidden: the encoder's last layer (or its two-stream output).
            example_ids: index of each token's example, E for padding; field_ids: 0 for special tokens, then 1, 2 ...
                Both are read by mean and max_mean pooling only.
            summary_rows, summary_positions: where in hidden each example's summary token stands; E slots. Every head
                by example needs them ("mean" too: they give E).
            key: of dropout; None means none.
            embedding_table, pooler: as `shared` gives them.
        """
        module = nnx.merge(_split(self)[0], params)
        if not self.by_example:
            return module(hidden, embedding_table, key).astype(jnp.float32)
        if self.pooling in ("pretrained", "cls"):
            pooled = hidden[summary_rows, summary_positions]
        else:
            pooled = _pool(self, hidden, example_ids, field_ids, summary_rows.shape[0])
        return module(pooled, pooler, key).astype(jnp.float32)


def make_head(
    encoder: Encoder, kind: str, outputs: int, pooling: str = "pretrained", pair_features: bool = False
) -> Head:
    """A head for an encoder; attributes as `Head`. `outputs` of an LM head is the vocabulary, of choice 1, of span 2.

    Raises:
        InputError: a name that is unknown, or a combination that does not exist.
    """
    if kind not in KINDS:
        raise errors.unknown("head", kind, KINDS)
    if pooling not in POOLINGS:
        raise errors.unknown("pooling", pooling, POOLINGS)
    if (kind == "masked_lm" and encoder.family == "xlnet") or (kind == "permuted_lm" and encoder.family != "xlnet"):
        raise errors.InputError(f"head {kind!r}: {encoder.family} has none; xlnet is permuted_lm, the others masked_lm")
    if pooling != "pretrained" and kind not in _EXAMPLE_KINDS:
        raise errors.InputError(f"pooling {pooling!r}: a {kind} head reads every token; expected 'pretrained'")
    if pair_features and pooling not in ("mean", "max_mean"):
        raise errors.InputError(f"pair_features: pooling {pooling!r} reads one vector; expected 'mean' or 'max_mean'")
    if kind == "embedding" and (pair_features or pooling == "max_mean"):
        raise errors.InputError("an embedding head gives vectors of the encoder's width; expected another pooling")
    fixed = {
        "multiple_choice": 1,
        "question_answering": 2,
        "embedding": encoder.width,
        "masked_lm": encoder.config.vocabulary_size,
    }
    fixed["permuted_lm"] = fixed["masked_lm"]
    if outputs != fixed.get(kind, outputs) or outputs < 1:
        raise errors.InputError(f"outputs of a {kind} head: expected {fixed.get(kind, 'at least 1')}, found {outputs}")
    return Head(encoder, kind, outputs, pooling, pair_features)


def apply_model(
    encoder: Encoder,
    head: Head,
    params: Params,
    batch: Batch,
    *,
    key: PRNGKeyArray | None = None,
    **encoder_options: Any,
) -> Float[Array, "E outputs"] | Float[Array, "B T outputs"]:
    """Logits of a whole model, params {"encoder", "head"}, on one batch of packed or padded rows.

    Args:
        batch: as data.packing builds it; labels and weights are not read.
        key: of dropout in encoder and head; None means none.
        encoder_options: further keywords of the encoder (input_embeddings, perm_mask, target_mapping).
    """
    hidden = encoder(
        params["encoder"],
        batch.by_row["input_ids"],
        token_type_ids=batch.by_row["token_type_ids"],
        segment_ids=batch.by_row["segment_ids"],
        key=subkey(key, 0),
        **encoder_options,
    )
    return head(
        params["head"],
        hidden,
        example_ids=batch.by_row["example_ids"],
        field_ids=batch.by_row["field_ids"],
        summary_rows=batch.by_example["summary_rows"],
        summary_positions=batch.by_example["summary_positions"],
        key=subkey(key, 1),
        **head.shared(params["encoder"]),
    )


def embed(
    hidden_layers: tuple[Float[Array, "B T D"], ...],
    mask: Int[Array, "B T"],
    *,
    layer: int = -1,
    pooling: Literal["mean", "cls"] = "mean",
    positions: Int[Array, " B"] | None = None,
) -> Float[Array, "B D"]:
    """One vector a row, for retrieval.

    Args:
        hidden_layers: the encoder's output with all_layers; index 0 is the embeddings, k is layer k.
        mask: 1 for real tokens; mean pooling is over them.
        positions: of the token that "cls" reads; default the first real one (XLNet's stands last: pass it).

    Raises:
        InputError: no such layer or pooling.
    """
    if not -len(hidden_layers) <= layer < len(hidden_layers):
        raise errors.InputError(f"layer {layer}: expected one of 0 (embeddings) to {len(hidden_layers) - 1}")
    hidden = hidden_layers[layer].astype(jnp.float32)
    if pooling == "mean":
        weights = (mask > 0).astype(jnp.float32)
        total = jnp.einsum("BT,BTD->BD", weights, hidden)
        return total / jnp.maximum(weights.sum(1, keepdims=True), 1)
    if pooling == "cls":
        positions = jnp.argmax(mask > 0, axis=1) if positions is None else positions
        return jnp.take_along_axis(hidden, positions[:, None, None], axis=1)[:, 0]
    raise errors.unknown("pooling", pooling, ("mean", "cls"))


def _pool(
    head: Head,
    hidden: Float[Array, "B T D"],
    example_ids: Int[Array, "B T"],
    field_ids: Int[Array, "B T"],
    slots: int,
) -> Float[Array, "E K"]:
    """Mean (and maximum) over an example's tokens, or over those of its two fields with pair features."""

    def pool(groups: Int[Array, "B T"]) -> Float[Array, "E K"]:
        flat, index = hidden.astype(jnp.float32).reshape(-1, hidden.shape[-1]), groups.reshape(-1)
        # Group `slots` collects padding and what is not pooled; it is dropped.
        count = jax.ops.segment_sum(jnp.ones_like(flat[:, :1]), index, slots + 1)[:slots]
        mean = jax.ops.segment_sum(flat, index, slots + 1)[:slots] / jnp.maximum(count, 1)
        if head.pooling == "mean":
            return mean
        most = jax.ops.segment_max(flat, index, slots + 1)[:slots]
        return jnp.concatenate([jnp.where(count > 0, most, 0), mean], axis=-1)

    if not head.pair_features:
        return pool(example_ids)
    a, b = (pool(jnp.where(field_ids == field, example_ids, slots)) for field in (1, 2))
    return jnp.concatenate([a, b, jnp.abs(a - b), a * b], axis=-1)


class _ExampleHead(nnx.Module):
    """[E, K] pooled hidden states to [E, outputs]; float32 whatever the encoder computes in, as scores are ranked."""

    def __init__(self, head: Head, rngs: nnx.Rngs) -> None:
        config, dtype = head.encoder.config, jnp.float32
        family, pretrained = config.family, head.pooling == "pretrained"
        self.activation: str | None = "tanh"
        self.first_rate, self.last_rate = 0.0, _classifier_dropout(config)
        if head.reads_pooler and not config.pooler:
            self.pooler = linear(config, config.width, config.width, dtype, rngs)
        elif pretrained and family == "roberta" and not head.reads_pooler:
            self.dense = linear(config, config.width, config.width, dtype, rngs)
            self.first_rate = self.last_rate
        elif pretrained and family == "xlnet":
            if config.summary_use_proj:
                self.dense = linear(config, config.width, config.width, dtype, rngs)
            self.activation, self.last_rate = config.summary_activation, config.summary_last_dropout
        if family == "roberta" and head.kind == "multiple_choice":
            # Unlike the other classifiers of the family, this one takes the hidden states' rate.
            self.last_rate = config.dropout
        self.reads_pooler, self.summarises = head.reads_pooler, pretrained and family != "bert"
        width = config.width * (2 if head.pooling == "max_mean" else 1) * (4 if head.pair_features else 1)
        self.output = linear(config, width, head.outputs, dtype, rngs)

    def __call__(
        self, x: Float[Array, "E K"], pooler: Params | None, key: PRNGKeyArray | None
    ) -> Float[Array, "E outputs"]:
        x = x.astype(jnp.float32)
        if self.reads_pooler:
            if pooler is None:
                pooler = {"kernel": self.pooler.kernel[...], "bias": self.pooler.bias[...]}
            x = jnp.tanh(x @ pooler["kernel"] + pooler["bias"])
        elif self.summarises:
            x = dropout(x, self.first_rate, subkey(key, 0))
            x = self.dense(x) if hasattr(self, "dense") else x
            x = ACTIVATIONS[self.activation](x) if self.activation else x
        return self.output(dropout(x, self.last_rate, subkey(key, 1)))


class _EmbeddingHead(nnx.Module):
    """[E, D] pooled hidden states to vectors of length 1: a dual encoder's, as in XTREME-R's code.

    "scale" is what cosines are multiplied with in training; it is trained along.
    """

    def __init__(self, head: Head, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        self.reads_pooler = head.reads_pooler
        if self.reads_pooler and not config.pooler:
            self.pooler = linear(config, config.width, config.width, jnp.float32, rngs)
        self.scale = nnx.Param(jnp.full((), SCALE, jnp.float32))

    def __call__(self, x: Float[Array, "E D"], pooler: Params | None, key: PRNGKeyArray | None) -> Float[Array, "E D"]:
        x = x.astype(jnp.float32)
        if self.reads_pooler:
            if pooler is None:
                pooler = {"kernel": self.pooler.kernel[...], "bias": self.pooler.bias[...]}
            x = jnp.tanh(x @ pooler["kernel"] + pooler["bias"])
        return x * jax.lax.rsqrt(jnp.maximum(jnp.sum(x * x, axis=-1, keepdims=True), 1e-24))


class _TokenHead(nnx.Module):
    """Tags of each token, or start and end scores of a span; float32 whatever the encoder computes in."""

    def __init__(self, head: Head, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        self.rate = (
            _classifier_dropout(config) if head.kind == "token_classification" and config.family != "xlnet" else 0.0
        )
        self.output = linear(config, config.width, head.outputs, jnp.float32, rngs)

    def __call__(self, x: Float[Array, "B T D"], table: None, key: PRNGKeyArray | None) -> Float[Array, "B T outputs"]:
        return self.output(dropout(x, self.rate, key))


class _LanguageHead(nnx.Module):
    """Scores of every vocabulary entry: the word embeddings as the last matrix, behind BERT's transform or none."""

    def __init__(self, head: Head, rngs: nnx.Rngs) -> None:
        config = head.encoder.config
        if head.kind == "masked_lm":
            self.dense = linear(config, config.width, config.width, head.encoder.dtype, rngs)
            self.norm = layer_norm(config, rngs)
            # RoBERTa's is gelu whatever the layers use.
            self.activation = "gelu" if config.family == "roberta" else config.activation
        self.bias = nnx.Param(jnp.zeros(config.vocabulary_size, jnp.float32))

    def __call__(
        self, x: Float[Array, "B T D"], table: Float[Array, "V D"], key: PRNGKeyArray | None
    ) -> Float[Array, "B T V"]:
        dtype = x.dtype
        if hasattr(self, "dense"):
            x = self.norm(ACTIVATIONS[self.activation](self.dense(x))).astype(dtype)
        scores = jnp.einsum("BTD,VD->BTV", x, table.astype(dtype), preferred_element_type=jnp.float32)
        return scores + self.bias[...]


def _classifier_dropout(config: Any) -> float:
    rate = getattr(config, "classifier_dropout", None)
    return config.dropout if rate is None else rate


def _module(head: Head, rngs: nnx.Rngs) -> nnx.Module:
    if head.by_example:
        return (_EmbeddingHead if head.kind == "embedding" else _ExampleHead)(head, rngs)
    return (_TokenHead if head.kind in ("token_classification", "question_answering") else _LanguageHead)(head, rngs)


@functools.lru_cache(maxsize=64)
def _split(head: Head) -> tuple[nnx.GraphDef, nnx.State]:
    """The structure of the head, found without allocating a parameter."""
    return nnx.split(nnx.eval_shape(lambda: _module(head, nnx.Rngs(0))))
