"""Do the gains of intermediate training survive a shift of domain? General, medical, legal; crossed with languages.

    python -m itt_jax.main run --config configs/domain_shift.py --data-root DIR
    python -m itt_jax.main run --config configs/domain_shift.py --data-root DIR --set small=True

Six targets. Each is trained on English rows and evaluated in its own domain and, without further training, in another:

- sentiment of tweets, then of drug reviews;
- similarity of general sentences, then of medical questions;
- paraphrases, general, then of medical questions;
- inference, general, then over contracts (ContractNLI, from the hub);
- entities in news and encyclopedia text, then in clinical text in five languages and court decisions in German and
  Portuguese;
- unfair clauses of contracts in English, then in German, Italian and Polish.

The report's table "Gain kept under a shift of domain" answers the question, beside the distance between the domains.

Full form: mBERT and XLM-R (Hugging Face directories or hub ids), five seeds, one GPU or TPU host. Small form: a
one-layer BERT made here, one seed, arms direct and itt, three languages, one operator; about three minutes on two busy
cores. Without ContractNLI, `plan` says so and inference is evaluated only in its own domain.

In the small form every target learns: in English, in its training domain, the score is above chance (by the interval
over items). In the other domains it mostly is not, with or without ITT, so its gains kept predict nothing about other
encoders. Its paraphrases are MSRP's, because PAWS-X's pairs differ by word order, and on 1,200 of its rows even a
linear model on words stays at chance.
"""

import dataclasses

from itt_jax import tasks
from itt_jax.config import Claim, Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, StandIn, Study, Target

# Both by macro F1, so that they can be compared; MSRP's published F1 is high for a constant answer.
NEWS_PARAPHRASE, MEDICAL_PARAPHRASE = (
    dataclasses.replace(tasks.get(name), name=f"{name}_macro", metric="macro_f1")
    for name in ("msrp", "medical_question_pairs")
)

CLAIMS = (
    Claim(
        "gain_survives_shift",
        "ITT keeps more of the score under a shift of domain than as many steps on the target.",
        "question",
        "itt",
        "matched_steps",
        quantity="transfer",
    ),
    Claim(
        "shifted_and_perturbed",
        "So it does on perturbed text.",
        "question",
        "itt",
        "matched_steps",
        quantity="transfer",
        perturbation="all",
    ),
)


def brief(steps: int) -> Recipe:
    """A recipe for small encoders: high learning rates, highest for token embeddings, and no dropout.

    Rows are padded, so that all tasks have one shape and share a compiled program: compiling costs more than training.
    """
    rates = {"learning_rates": (2e-3,), "embedding_learning_rate": 10.0}
    return Recipe(steps=steps, max_length=64, dropout=False, packed=False, **rates)


def study(small: bool = False) -> Study:
    """The study; `small` runs in minutes on two cores."""
    return Study(
        name="domain_shift_small" if small else "domain_shift",
        description="Gains of intermediate training in the training domain and after a shift to medical or legal text.",
        encoders=encoders(small),
        arms=("direct", "itt") if small else ("direct", "itt", "matched_steps"),
        targets=targets(small),
        claims=CLAIMS,
        tasks=(NEWS_PARAPHRASE, MEDICAL_PARAPHRASE) if small else (),
        stand_ins=(StandIn("xnli", "xnli", "dev[0%:70%]", "dev[70%:]"),),
        perturbations=perturbations(small),
        seeds=(0,) if small else (0, 1, 2, 3, 4),
        languages=("en", "de", "pt") if small else ("en", "de", "es", "fr", "it", "pt", "pl"),
        evaluation_rows=300 if small else None,
        max_length=64 if small else 128,
    )


def targets(small: bool) -> tuple[Target, ...]:
    """The six targets; in the small form they train on few rows for few steps, and paraphrases are MSRP's."""
    if small:
        recipe, tagging = brief(150), dataclasses.replace(brief(300), packed=True)
        before, before_tagging = brief(60), dataclasses.replace(brief(100), packed=True)
    else:
        recipe = Recipe(epochs=5, learning_rates=(1e-5, 2e-5, 3e-5), max_length=128, evaluate_every=200)
        tagging = Recipe(epochs=10, learning_rates=(2e-5,), max_length=128, evaluate_every=500)
        before, before_tagging = recipe, tagging

    def target(name: str, train: str, recipe: Recipe = recipe, before: Recipe = before, **fields) -> Target:
        rows = {"train_rows": 4000, "intermediate_rows": 4000, "dev_rows": 100} if small else {}
        return Target(name, train=train, recipe=recipe, intermediate_recipe=before, **rows, **fields)

    paraphrase = target(
        "paraphrase",
        "pawsx",
        evaluate=("pawsx", "medical_question_pairs"),
        train_split="dev[0%:60%]",
        dev_split="dev[60%:75%]",
        test_split="dev[75%:]",
        intermediate=("msrp",),
    )
    news_paraphrase = target(
        "news_paraphrase",
        NEWS_PARAPHRASE.name,
        evaluate=(NEWS_PARAPHRASE.name, MEDICAL_PARAPHRASE.name),
        intermediate=("pawsx",),
        intermediate_split="dev[0%:75%]",
        intermediate_dev_split="dev[75%:]",
        languages=("en",),
    )
    return (
        target("sentiment", "tweet_sentiment", evaluate=("tweet_sentiment", "druglib_three"), intermediate=("sst2",)),
        target(
            "similarity",
            "stsb_multi_mt",
            evaluate=("stsb_multi_mt", "medical_question_similarity"),
            intermediate=("sick_relatedness",),
        ),
        news_paraphrase if small else paraphrase,
        target("inference", "xnli", evaluate=("xnli", "contract_nli"), intermediate=("snli_counterfactual",)),
        target(
            "entities",
            "panx",
            recipe=tagging,
            before=before_tagging,
            evaluate=("panx", "e3c_panx", "ler_de_panx", "lener_br_panx"),
            intermediate=("udpos",),
            dev_split="train[90%:]",
            train_split="train[0%:90%]",
            test_split="dev",
        ),
        target("clauses", "unfair_tos", intermediate=("subj",)),
    )


def perturbations(small: bool) -> tuple[Perturbation, ...]:
    """The operators on characters and words, or one of them."""
    if small:
        return (Perturbation("swap", (0.1,)),)
    return (
        Perturbation("swap", (0.05, 0.1, 0.2), replicates=2),
        Perturbation("keyboard", (0.05, 0.1, 0.2), replicates=2),
        Perturbation("phonetic", (0.2, 0.5)),
        Perturbation("homoglyph", (0.1,)),
        Perturbation("diacritics", (0.5,)),
        Perturbation("synonym", (0.5,)),
        Perturbation("word_drop", (0.1,)),
    )


def encoders(small: bool) -> tuple[EncoderSpec, ...]:
    """The published checkpoints, or a small encoder made here."""
    if not small:
        return (
            EncoderSpec("mbert", "bert", checkpoint="bert-base-multilingual-cased"),
            EncoderSpec("xlm-r", "roberta", checkpoint="xlm-roberta-base"),
        )
    pretraining = LanguageModel(
        recipe=Recipe(steps=20, batch_size=64, learning_rates=(1e-3,), max_length=64, keep="last"),
        translation_share=0.8,
        initial_embeddings="parallel",
    )
    corpus = (Corpus("stsb_multi_mt/train", tuples=4000), Corpus("task:tweet_sentiment"))
    return (
        EncoderSpec(
            "bert",
            "bert",
            layers=1,
            vocabulary_size=8000,
            corpus=corpus,
            pretraining=pretraining,
            pooling="mean",
            pair_features=True,
        ),
    )
