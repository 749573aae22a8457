"""Heads: hidden states to a task's outputs. One file per kind, and one line in HEAD_KINDS."""

from itt_jax import errors
from itt_jax.models.encoder import Encoder
from itt_jax.models.heads.classification import CLASSIFICATION
from itt_jax.models.heads.embedding import EMBEDDING
from itt_jax.models.heads.head import Head, HeadKind, Pooling, apply_model
from itt_jax.models.heads.masked_lm import MASKED_LM
from itt_jax.models.heads.multilabel import MULTILABEL
from itt_jax.models.heads.multiple_choice import MULTIPLE_CHOICE
from itt_jax.models.heads.permuted_lm import PERMUTED_LM
from itt_jax.models.heads.pooling import POOLINGS, embed
from itt_jax.models.heads.question_answering import QUESTION_ANSWERING
from itt_jax.models.heads.regression import REGRESSION
from itt_jax.models.heads.token_classification import TOKEN_CLASSIFICATION

__all__ = ["HEAD_KINDS", "POOLINGS", "Head", "HeadKind", "apply_model", "embed", "head_kind", "make_head"]

HEAD_KINDS: tuple[HeadKind, ...] = (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    TOKEN_CLASSIFICATION,
    QUESTION_ANSWERING,
    MULTIPLE_CHOICE,
    EMBEDDING,
    MASKED_LM,
    PERMUTED_LM,
)


def head_kind(name: str) -> HeadKind:
    """The kind of a name.

    Raises:
        InputError: no such kind.
    """
    found = next((kind for kind in HEAD_KINDS if kind.name == name), None)
    if found is None:
        raise errors.unknown("head", name, [kind.name for kind in HEAD_KINDS])
    return found


def make_head(
    encoder: Encoder, kind: str, outputs: int, pooling: Pooling = "pretrained", pair_features: bool = False
) -> Head:
    """A head for an encoder.

    Args:
        kind: name of a kind of head.
        outputs: see `Head`; 1 for multiple choice, 2 for question answering, the vocabulary for language models, the
            encoder's width for an embedding.
        pooling, pair_features: see `Head`.

    Raises:
        InputError: a name that is unknown, or a combination that does not exist.
    """
    found = head_kind(kind)
    if pooling not in POOLINGS:
        raise errors.unknown("pooling", pooling, POOLINGS)
    if found.language and kind != encoder.language_model:
        raise errors.InputError(f"head {kind!r}: {encoder.family} has none; expected {encoder.language_model!r}")
    if pooling not in found.poolings:
        raise errors.InputError(f"pooling {pooling!r}: expected one of {found.poolings} for a {kind} head")
    if pair_features and not (found.pairs and pooling in ("mean", "max_mean")):
        raise errors.InputError(
            f"pair_features: a {kind} head with pooling {pooling!r} reads one vector; expected a classifier with "
            "pooling 'mean' or 'max_mean'"
        )
    fixed = found.fixed_outputs(encoder)
    if outputs < 1 or fixed not in (None, outputs):
        raise errors.InputError(f"outputs of a {kind} head: expected {fixed or 'at least 1'}, found {outputs}")
    head = Head(encoder, found, outputs, pooling, pair_features)
    found.check(head)
    return head
