"""Quickstart: a whole study on embedded material, without a network.

    python -m itt_jax.main

Three small encoders, pretrained here on parallel text, learn sentiment from 300 legal examples in English: directly,
after intermediate training on general sentiment, or after as many more steps on the legal examples. They are evaluated,
zero-shot in de, fr and ru, in the legal and in the general domain, clean and under four operators at two severities.
results/quickstart holds its results.
"""

from itt_jax.config import Claim, Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target

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


def claim(name: str, sentence: str, **fields) -> Claim:
    """A question of this study: the intermediate task against as many steps on the target task."""
    return Claim(name, sentence, "question", better="itt", worse="matched_steps", **fields)


study = Study(
    name="quickstart",
    description="Does general intermediate training help a small legal target, across languages, domains and noise?",
    encoders=tuple(encoder(family) for family in ("bert", "roberta", "xlnet")),
    arms=("direct", "itt", "matched_steps"),
    targets=(
        Target(
            name="sentiment",
            train="embedded_sentiment_legal",
            evaluate=("embedded_sentiment_legal", "embedded_sentiment_general"),
            train_rows=300,
            intermediate=("embedded_sentiment_general",),
            recipe=FINE_TUNING,
            intermediate_recipe=FINE_TUNING,
        ),
    ),
    perturbations=tuple(Perturbation(name, (0.05, 0.1)) for name in ("swap", "keyboard", "homoglyph", "word_drop")),
    claims=(
        claim(
            "general domain",
            "Intermediate training on general sentiment raises scores in the general domain, which the legal target "
            "never saw.",
            domain="general",
        ),
        claim(
            "legal domain",
            "It raises scores in the legal domain too.",
            domain="legal",
        ),
        claim(
            "legal noise",
            "It makes legal predictions more robust to perturbed text.",
            quantity="robustness",
            domain="legal",
            perturbation="all",
        ),
    ),
    seeds=(0, 1, 2, 3, 4, 5),
    languages=("en", "de", "fr", "ru"),
    evaluation_rows=300,
    max_length=64,
    smallest_effect=0.05,
)
