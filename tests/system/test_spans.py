"""A study of question answering: a tiny encoder learns, answers survive noise, `evaluate` gives the same cells."""

import json

import pytest

from itt_jax import main
from itt_jax.analysis import analyse
from itt_jax.config import Perturbation, Recipe, Study, Target
from itt_jax.data.sources import LocalSquad
from itt_jax.store import Store
from itt_jax.store.results import read_results
from itt_jax.study import run
from itt_jax.tasks import Task
from tests.system.runs import checkpoint_of, encoder

pytestmark = [pytest.mark.slow, pytest.mark.volume]


def people(name: str) -> Task:
    """Questions on where somebody lived, and since when."""
    paths = {split: f"{{language}}-{split}.json" for split in ("train", "dev", "test")}
    fields = {"metric": "squad_f1", "languages": ("en", "de"), "parallel": True}
    return Task(name, "question_answering", ("question", "context"), (LocalSquad(paths),), **fields)


STUDY = Study(
    name="people",
    encoders=(encoder("task:people/train", 160, layers=2),),
    targets=(
        Target(
            "people",
            train="people",
            intermediate=("others",),
            recipe=Recipe(steps=220, batch_size=32, learning_rates=(1e-2,), max_length=64, dropout=False),
            intermediate_recipe=Recipe(steps=4, batch_size=16, learning_rates=(4e-3,), max_length=64),
        ),
    ),
    arms=("direct", "shuffled_itt"),
    perturbations=(Perturbation("swap", (0.3,)), Perturbation("word_drop", (0.3,))),
    seeds=(0,),
    languages=("en", "de"),
    max_length=64,
    tasks=(people("people"), people("others")),
)
PLACES = ("Rome", "Cairo", "Lima", "Oslo", "Quito", "Paris")
NAMES = ("Ada", "Omar", "Mei", "Jan", "Ines", "Tom")
SENTENCES = {
    "en": ("{other} left the town early.", "{name} lived in {place} since {year}.", "Where?", "Since when?"),
    "de": ("{other} zog bald aus der Stadt.", "{name} wohnte in {place} seit {year}.", "Wo?", "Seit wann?"),
}


def write(path, language: str, first: int, count: int, variety: str) -> None:
    before, sentence, where, when = SENTENCES[language]
    paragraphs = []
    for i in range(first, first + count):
        name, place, year = NAMES[i % 6], PLACES[(i * 5 + i // 6) % 6], str(1800 + i * 7 % 190)
        context = f"{before.format(other=NAMES[(i + 2) % 6])} {sentence.format(name=name, place=place, year=year)}"
        questions = [
            {"id": f"{variety}{i}-{k}", "question": question, "answers": [{"text": answer, "answer_start": at}]}
            for k, (question, answer) in enumerate(((where, place), (when, year)))
            for at in [context.index(answer)]
        ]
        paragraphs.append({"context": context, "qas": questions})
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))


@pytest.fixture(scope="module")
def people_run(tmp_path_factory):
    """The results folder of a whole run."""
    folder = tmp_path_factory.mktemp("people")
    for language in SENTENCES:
        for split, (first, count) in {"train": (0, 40), "dev": (40, 10), "test": (50, 20)}.items():
            write(folder / f"{language}-{split}.json", language, first, count, split)
    results = run(STUDY, folder / "out", quiet=True, data_root=folder)
    assert results.made == results.cells == 2 * 2 * 3
    return folder / "out"


def test_answers_are_learned_and_noise_costs(people_run):
    results = read_results(people_run).query("language == 'en' and arm == 'direct'")
    values = results.set_index("perturbation")["value"]
    assert values["clean"] > 0.8 and values["swap"] <= values["clean"]
    assert (results["n_not_applicable"] == 0).all() and (results["chance"] == 0).all()
    assert (results["metric"] == "squad_f1").all() and (results["n"] == 40).all()


def test_cells_hold_text_and_their_mean_is_the_value(people_run):
    for row in read_results(people_run).itertuples():
        cell = Store(people_run).read_cell(row.cell, ("prediction", "label", "item_value", "exact_match", "f1"))
        assert cell["item_value"].mean() == pytest.approx(row.value)
        assert (cell["exact_match"] <= cell["f1"]).all() and (cell["f1"] == cell["item_value"]).all()
        assert cell["prediction"].map(type).eq(str).all() and cell["label"].map(len).eq(1).all()
        right = cell["prediction"] == cell["label"].map(lambda label: label[0])
        assert (cell["exact_match"][right] == 1).all()


def test_the_analysis_reads_them(people_run):
    analysis = analyse(people_run)
    assert not analysis.cells["differs"].any() and len(analysis.cells) == 12
    assert (analysis.cells["ci_low"] <= analysis.cells["value"]).all() and len(analysis.interactions)


def test_evaluate_reads_a_published_task(people_run, data_root, tmp_path, capsys):
    arguments = ["--checkpoint", str(checkpoint_of(people_run, "direct")), "--task", "xquad", "--rows", "12"]
    arguments += ["--perturbations", "swap:0.2", "--languages", "en", "th", "--data-root", str(data_root)]
    assert main.main(["evaluate", *arguments, "--out", str(tmp_path / "out")]) == 0, capsys.readouterr().err
    results = read_results(tmp_path / "out")
    assert len(results) == 4 and (results["n"] == 12).all() and results["value"].between(0, 1).all()
    assert main.main(["evaluate", *arguments[:3], "xcopa", "--out", str(tmp_path / "other")]) == 2
    assert "its head is question_answering with 2 outputs, expected multiple_choice" in capsys.readouterr().err
