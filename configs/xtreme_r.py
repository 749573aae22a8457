"""XTREME-R: what does intermediate training do to clean and to perturbed cross-lingual transfer?

    python -m itt_jax.main run --config configs/xtreme_r.py                       hub data, hub checkpoints
    python -m itt_jax.main run --config configs/xtreme_r.py --data-root DIR --set dev_tests=True           local files
    python -m itt_jax.main run --config configs/xtreme_r.py --data-root DIR --set small=True

The benchmark's tasks with its published recipes (arXiv 2104.07412 and its scripts): XNLI and PAWS-X 5 epochs at 2e-5,
length 128; XCOPA 5; UD-POS and PAN-X 10; question answering 3 at 3e-5, length 384; batches of 32 examples. Encoders:
mBERT and XLM-R base. The intermediate tasks are among those that arXiv 2005.13013 found best: inference (MultiNLI, that
is XNLI's training set) before answering, tagging and paraphrases; questions (SQuAD) before inference; Social IQA before
XCOPA, which is the published recipe there, so that its arm without an intermediate task, `direct`, is COPA alone.
Retrieval reads the encoder after question answering (Tatoeba; issue 97 of the benchmark's repository) or after training
as a dual encoder (LAReQA).

Where a training set is not at hand (MultiNLI and SQuAD may be in no local files), a stand-in trains, and the target's
name says so in every table: XNLI's English dev rows, TyDiQA's English rows. Absent: Mewsli-X, whose pool of a million
entity descriptions is made by its own script. PAWS-X is XTREME's, besides.

Full form: one GPU or TPU host per encoder, days on one, hours on several that drain one plan. Small form: a BERT of one
layer made here, one seed, the arms direct and itt, English and German (of XCOPA Italian), one noise, in four to six
minutes on two busy cores. It shows that every kind of task runs. In English, XNLI, UD-POS, PAN-X and the answers come
out above chance (by the interval over items; for answers chance is 0). XCOPA does not: its English test rows have no
labels and 400 training rows teach a small encoder nothing. Nor need LAReQA, whose answers are looked for among 13,000
sentences of eleven languages. PAWS-X is left out: on 1,200 rows not even a linear model on words rises above chance.
"""

from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, StandIn, Study, Target

STAND_INS = (
    StandIn("xnli", "xnli", "dev[0%:70%]", "dev[70%:]"),
    StandIn("squad", "tydiqa"),
    StandIn("squad_sentences", "tydiqa_sentences"),
    StandIn("pawsx", "pawsx", "dev[0%:60%]", "dev[60%:75%]"),
)
# Where test rows are not at hand: dev rows test, and a part of train selects.
DEV_TESTS = {"test_split": "dev", "train_split": "train[0%:90%]", "dev_split": "train[90%:]"}


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
    corpus = (
        Corpus("xnli/dev[0%:70%]"),
        Corpus("stsb_multi_mt/train", tuples=3000),
        Corpus("task:tydiqa", tuples=2000),
    )
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


def brief(steps: int, max_length: int, **fields) -> Recipe:
    """What a small encoder learns with: high rates, tokens' vectors above all, and no dropout."""
    rates = {"learning_rates": (2e-3,), "embedding_learning_rate": 10.0}
    return Recipe(steps=steps, max_length=max_length, dropout=False, **rates, **fields)


def study(small: bool = False, dev_tests: bool = False) -> Study:
    """The study.

    Args:
        small: runs in minutes on two cores, on local files.
        dev_tests: UD-POS, PAN-X, MLQA and PAWS-X are evaluated on dev rows, where test rows are not at hand.
    """
    dev_tests = dev_tests or small
    tagged, mlqa = (DEV_TESTS, "dev") if dev_tests else ({}, "test")

    def recipe(epochs: float, rate: float, length: int) -> Recipe:
        return Recipe(epochs=epochs, learning_rates=(rate,), max_length=length, evaluate_every=1000)

    if small:
        pairs, choices, tags, answers = brief(150, 96), brief(30, 48), brief(300, 64), brief(80, 128)
        sentences = brief(80, 64, batch_size=16)
    else:
        pairs = choices = recipe(5, 2e-5, 128)
        tags, answers, sentences = recipe(10, 2e-5, 128), recipe(3, 3e-5, 384), recipe(3, 2e-5, 352)

    def target(name: str, train: str, own: Recipe, intermediate: str, before: Recipe, **fields) -> Target:
        rows = {"train_rows": 2000, "intermediate_rows": 2000, "dev_rows": 100} if small else {}
        return Target(
            name, train=train, intermediate=(intermediate,), recipe=own, intermediate_recipe=before, **rows, **fields
        )

    paraphrases = target("pawsx", "pawsx", pairs, "xnli", pairs, test_split="dev[75%:]" if dev_tests else "test")
    return Study(
        name="xtreme_r_small" if small else "xtreme_r",
        description="XTREME-R's tasks, after an intermediate task or not, clean and perturbed.",
        encoders=encoders(small),
        arms=("direct", "itt") if small else ("direct", "itt", "matched"),
        targets=(
            target("xnli", "xnli", pairs, "squad", answers),
            target("xcopa", "xcopa", choices, "siqa", choices, languages=("it",) if small else ()),
            target("udpos", "udpos", tags, "xnli", pairs, **tagged),
            target("panx", "panx", tags, "xnli", pairs, **tagged),
            target("answers", "squad", answers, "xnli", pairs, evaluate=("xquad", "tydiqa", "tatoeba")),
            target("mlqa", "squad", answers, "xnli", pairs, evaluate=("mlqa",), test_split=mlqa),
            target("lareqa", "squad_sentences", sentences, "xnli", pairs, evaluate=("lareqa",)),
            *(() if small else (paraphrases,)),
        ),
        stand_ins=STAND_INS,
        perturbations=(Perturbation("swap", (0.1,)),)
        if small
        else (
            *(Perturbation(name, (0.05, 0.1, 0.2)) for name in ("swap", "keyboard", "phonetic", "word_drop")),
            *(Perturbation(name, (0.1,)) for name in ("delete", "homoglyph", "invisible", "bidi")),
            *(Perturbation(name, (0.5,)) for name in ("diacritics", "transliterate", "code_mix", "synonym")),
        ),
        seeds=(0,) if small else (0, 1, 2, 3, 4),
        languages=("en", "de") if small else (),
        evaluation_rows=300 if small else None,
        max_length=128 if small else 384,
    )
