"""A study and its parts: frozen dataclasses that say everything which determines a result."""

import dataclasses
from typing import Literal

Family = Literal["bert", "roberta", "xlnet"]
ARMS = ("direct", "itt", "multitask_itt", "matched", "shuffled_itt", "dapt", "dapt_control", "translate_train")


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How one stage is trained. Published recipes keep their meaning: a batch counts examples, not rows.

    Attributes:
        updates: number of optimiser updates; if None, `epochs` passes over the training rows decide it.
        batch_size: examples per update.
        accumulate: microbatches per update (the update is the same; memory is smaller).
        learning_rates: the grid; every arm gets the same, chosen on the source language's dev rows.
        embedding_learning_rate: factor on the learning rate for the embedding tables (0 freezes them).
        warmup: share of the updates in which the rate rises linearly; schedule: what follows.
        temperature: of multi-task sampling; task i is drawn in proportion to size_i ** (1 / temperature).
        evaluate_every: updates between dev evaluations; 0 evaluates once, at the end.
        keep: parameters of the best dev evaluation, or the last ones. It never changes the length.
        checkpoint_every: updates between resumable checkpoints.
    """

    updates: int | None = None
    epochs: float = 3.0
    batch_size: int = 32
    accumulate: int = 1
    learning_rates: tuple[float, ...] = (2e-5,)
    embedding_learning_rate: float = 1.0
    warmup: float = 0.1
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-6
    dropout: bool = True
    max_length: int = 128
    packed: bool = True
    temperature: float = 1.0
    evaluate_every: int = 0
    keep: Literal["best", "last"] = "best"
    checkpoint_every: int = 1000


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """A language-model stage: masked (BERT, RoBERTa) or permuted (XLNet), on text and on parallel pairs.

    Attributes:
        masking: share of tokens predicted. whole_words: mask whole words (masked objective only).
        translation_share: share of examples that are a concatenated parallel pair (translation LM).
        initial_embeddings: "parallel" sets the embedding table from co-occurrence within parallel tuples
            (PPMI, randomised SVD) before the first update; only for encoders made here.
        recipe: packed rows of `recipe.max_length` tokens; `learning_rates` has one entry.
    """

    recipe: Recipe = Recipe(updates=600, learning_rates=(1e-3,), max_length=64)
    masking: float = 0.15
    whole_words: bool = False
    translation_share: float = 0.0
    initial_embeddings: Literal["random", "parallel"] = "random"
