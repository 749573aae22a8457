"""A study of retrieval: a dual encoder is trained, pairs are found in each language, and by a plain encoder too."""

import pytest

from itt_jax.analysis import analyse
from itt_jax.config import Perturbation, Recipe, Study, Target
from itt_jax.data.sources import LocalFiles, LocalLines
from itt_jax.store.results import read_results
from itt_jax.study import run
from itt_jax.tasks import Task
from tests.system.runs import encoder

pytestmark = [pytest.mark.slow, pytest.mark.volume]

RECIPE = Recipe(steps=100, batch_size=12, learning_rates=(3e-3,), max_length=32, dropout=False)
SPLITS = ("train", "dev", "test")


def pairs(name: str) -> Task:
    """Numerals to find for numbers in words."""
    paths = {split: {"number": f"{{language}}-{split}.txt", "roman": f"roman-{split}.txt"} for split in SPLITS}
    fields = {"languages": ("en", "de"), "parallel": True, "candidates": ("number",), "editable": ("number",)}
    return Task(name, "retrieval", ("number", "roman"), (LocalLines(paths),), **fields)


def target(name: str, **fields) -> Target:
    return Target(name, train=name, intermediate=("others",), recipe=RECIPE, intermediate_recipe=RECIPE, **fields)


PARITY = LocalFiles({split: f"{split}.tsv" for split in SPLITS}, "tsv", {"text": 0}, 1, header=False)
STUDY = Study(
    name="numbers",
    encoders=(encoder("task:pairs/train", 120, layers=2),),
    targets=(target("pairs"), target("classes", evaluate=("classes", "pairs"))),
    arms=("direct", "itt", "shuffled_itt"),
    perturbations=(Perturbation("swap", (0.3,)),),
    seeds=(0,),
    languages=("en", "de"),
    max_length=32,
    tasks=(
        pairs("pairs"),
        pairs("others"),
        Task("classes", "classification", ("text",), (PARITY,), labels=("even", "odd")),
    ),
)
ENGLISH = ("one", "two", "three", "four", "five", "six", "seven")
GERMAN = ("eins", "zwei", "drei", "vier", "sieben", "acht", "neun")


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    numbers = [(i, j, k) for i in range(7) for j in range(7) for k in range(2)]
    numbers = [numbers[(i * 37) % 98] for i in range(98)]
    for split, chosen in (("train", numbers[:70]), ("dev", numbers[70:82]), ("test", numbers[82:])):
        sides = {
            "en": [f"{ENGLISH[i]} and {ENGLISH[j]} for {ENGLISH[k]}" for i, j, k in chosen],
            "de": [f"{GERMAN[i]} und {GERMAN[j]} zu {GERMAN[k]}" for i, j, k in chosen],
            "roman": [f"numeral {'IVXLCDM'[i]} with {'IVXLCDM'[j]} at {'IVXLCDM'[k]}" for i, j, k in chosen],
        }
        for side, texts in sides.items():
            (folder / f"{side}-{split}.txt").write_text("\n".join(texts) + "\n")
        lines = [f"{text}\t{('even', 'odd')[i % 2]}" for text, (i, _, _) in zip(sides["en"], chosen, strict=True)]
        (folder / f"{split}.tsv").write_text("\n".join(lines) + "\n")
    results = run(STUDY, folder / "out", quiet=True, data_root=folder)
    assert results.made == results.cells == 3 * (2 * 2 + 2 + 2 * 2)
    return folder / "out"


def test_a_dual_encoder_finds_what_it_was_trained_to(out):
    results = read_results(out)
    home = results.query("target == 'pairs' and language == 'en' and arm == 'direct'").set_index("perturbation")
    assert home.loc["clean", "value"] > 0.6 > home.loc["clean", "chance"]
    assert home.loc["swap", "value"] < home.loc["clean", "value"]
    assert (results.query("task == 'pairs'")["n"] == 16).all()


def test_the_encoder_of_any_target_can_retrieve(out):
    results = read_results(out).query("target == 'classes'")
    assert set(results["task"]) == {"classes", "pairs"}
    assert results.query("task == 'pairs'")["value"].between(0, 1).all()
    assert results.query("task == 'pairs'")["chance"].to_numpy() == pytest.approx(1 / 16)


def test_the_analysis_reads_them(out):
    analysis = analyse(out)
    assert not analysis.cells["differs"].any() and len(analysis.cells) == 30
