"""The toys, added each to its tuple and nowhere else, and a study through all of them."""

import pathlib
import random

import pytest

from itt_jax import families, kinds, metrics, perturb, tasks
from itt_jax.config import Corpus, EncoderSpec, LanguageModel, Perturbation, Recipe, Study, Target
from itt_jax.data import sources
from itt_jax.models import heads
from itt_jax.study import arms
from itt_jax.tasks import catalog
from itt_jax.train import objectives
from tests.extension.toy_arm import DAPT_THEN_ITT
from tests.extension.toy_family import DEEP_SETS
from tests.extension.toy_head import CUMULATIVE
from tests.extension.toy_kind import Ordinal
from tests.extension.toy_metric import RankError
from tests.extension.toy_objective import SMALL_HEADS
from tests.extension.toy_operator import STUTTER
from tests.extension.toy_source import LocalProverbs

LANGUAGES = ("en", "de")
LABELS = ("poor", "fair", "good")
ROWS = {"train": 48, "dev": 24, "test": 24}
WORDS = {
    "en": (
        "patient doctor river garden winter letter teacher hill dog",
        "The {} was {} near the {}",
        "bad usual fine",
    ),
    "de": ("Arzt Fluss Garten Winter Brief Lehrer Berg Wald Hund", "Der {} war {} wie der {}", "schlecht mittel prima"),
}
STAGES = Recipe(steps=4, batch_size=16, learning_rates=(1e-3,), max_length=32, objective="small_heads")
TEXT = LanguageModel(recipe=Recipe(steps=2, batch_size=16, learning_rates=(1e-3,), max_length=32, keep="last"))


@pytest.fixture(scope="module")
def toys():
    """Adds each toy to its tuple."""
    tuples = (
        (families, "FAMILIES", DEEP_SETS),
        (kinds, "KINDS", Ordinal()),
        (heads, "HEAD_KINDS", CUMULATIVE),
        (objectives, "OBJECTIVES", SMALL_HEADS),
        (metrics, "METRICS", RankError()),
        (arms, "ARMS", DAPT_THEN_ITT),
        (sources, "SOURCES", LocalProverbs),
    )
    with pytest.MonkeyPatch.context() as patch:
        for module, name, toy in tuples:
            patch.setattr(module, name, (*getattr(module, name), toy))
        patch.setitem(perturb.CATALOG, STUTTER.name, STUTTER)
        yield


@pytest.fixture(scope="module")
def proverbs(toys):
    """Two tasks of the toys, which the catalogue then has: "proverbs", and "sayings" to train on before it."""
    found = [
        tasks.Task(
            name,
            "ordinal",
            ("text",),
            (LocalProverbs({split: f"{name}/{split}-{{language}}.txt" for split in ROWS}),),
            LABELS,
            metric="rank_error",
            domain="folklore",
            languages=LANGUAGES,
        )
        for name in ("proverbs", "sayings")
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(catalog, "ONE_TEXT", (*catalog.ONE_TEXT, *found))
        yield found[0]


@pytest.fixture(scope="module")
def data_root(proverbs, tmp_path_factory) -> pathlib.Path:
    """Their files."""
    root = tmp_path_factory.mktemp("data")
    for language, (nouns, pattern, words) in WORDS.items():
        pairs = [(a, b) for a in nouns.split() for b in nouns.split() if a != b]
        texts = [
            (pattern.format(a, word, b), label)
            for a, b in pairs
            for word, label in zip(words.split(), LABELS, strict=True)
        ]
        random.Random(language).shuffle(texts)
        lines = iter(f"{text} [{label}]" for text, label in texts)
        for task in ("proverbs", "sayings"):
            for split, rows in ROWS.items():
                path = root / task / f"{split}-{language}.txt"
                path.parent.mkdir(exist_ok=True)
                path.write_text("\n".join(next(lines) for _ in range(rows)) + "\n", encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def study(proverbs) -> Study:
    """The arm with the arms that it is compared with, in one layer of width 16."""
    return Study(
        name="extension",
        encoders=(
            EncoderSpec(
                "toy",
                "deep_sets",
                layers=1,
                width=16,
                heads=1,
                feed_forward=32,
                vocabulary_size=120,
                corpus=(Corpus("task:proverbs"),),
                pretraining=TEXT,
                pooling="mean",
            ),
        ),
        targets=(
            Target(
                "folklore",
                train="proverbs",
                intermediate=("sayings",),
                recipe=STAGES,
                intermediate_recipe=STAGES,
                domain_text=("proverbs",),
                adaptation=TEXT,
            ),
        ),
        arms=("direct", "itt", "dapt_then_itt"),
        perturbations=(Perturbation("stutter", (0.4, 1.0)),),
        seeds=(0,),
        languages=LANGUAGES,
        max_length=32,
    )


@pytest.fixture(scope="module")
def out(study, data_root, tmp_path_factory) -> pathlib.Path:
    """The results folder of the study."""
    from itt_jax import config
    from itt_jax.study import run

    config.validate(study)
    out = tmp_path_factory.mktemp("out") / "extension"
    results = run(study, out, data_root, quiet=True)
    assert results.made == results.cells == 3 * 2 * 3
    return out
