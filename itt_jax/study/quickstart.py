"""Quickstart: a whole study on embedded material, without a network.

    python -m itt_jax.main

Three small encoders, pretrained here on parallel text, learn sentiment from 100 legal examples in English: directly,
after intermediate training on general sentiment, or after its control for steps. They are evaluated, zero-shot in de,
es, fr and ru, in three domains, clean and under four operators at three severities.
"""

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target

PRETRAINING = LanguageModel(
    recipe=Recipe(steps=300, batch_size=64, learning_rates=(1e-3,), max_length=64, keep="last"),
    masking=0.3,
    translation_share=0.8,
    initial_embeddings="parallel",
)
FINE_TUNING = Recipe(steps=200, learning_rates=(1e-3,), embedding_learning_rate=0.05, max_length=64, evaluate_every=50)


def encoder(family: str) -> EncoderSpec:
    """A small encoder of one family."""
    return EncoderSpec(
        name=family,
        family=family,
        corpus=(Corpus("embedded", tuples=20000),),
        pretraining=PRETRAINING,
        vocabulary_size=8000,
        pooling="mean",
        pair_features=True,
    )


def target(kind: str, domain: str) -> Target:
    """Few labelled rows of one domain; the intermediate task is the same question in the general domain."""
    domains = ("general", "medical", "legal")
    return Target(
        name=f"{kind}_{domain}",
        train=f"embedded_{kind}_{domain}",
        evaluate=tuple(f"embedded_{kind}_{name}" for name in domains),
        train_rows=100,
        intermediate=(f"embedded_{kind}_general",),
        recipe=FINE_TUNING,
        intermediate_recipe=FINE_TUNING,
    )


study = Study(
    name="quickstart",
    description="Does general intermediate training help a small legal target, across languages, domains and noise?",
    encoders=tuple(encoder(family) for family in ("bert", "roberta", "xlnet")),
    arms=("direct", "itt", "matched_steps"),
    targets=tuple(
        target(kind, domain) for kind in ("sentiment", "inference", "similarity") for domain in ("medical", "legal")
    ),
    active_targets=("sentiment_legal",),
    perturbations=tuple(
        Perturbation(name, (0.05, 0.1, 0.2)) for name in ("swap", "keyboard", "homoglyph", "word_drop")
    ),
    seeds=(0, 1, 2),
    languages=("en", "de", "es", "fr", "ru"),
    evaluation_rows=120,
    max_length=64,
)
