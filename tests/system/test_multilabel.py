"""Studies of a task with several labels a row, from a user's own file: it is learned, and `evaluate` agrees."""

import json

import numpy as np
import pytest

from itt_jax import tasks
from itt_jax.analysis import analyse
from itt_jax.config import Perturbation, Recipe, Study, Target
from itt_jax.data.sources import LocalFiles
from itt_jax.store.results import read_results
from itt_jax.study import describe, run
from itt_jax.study.evaluation import evaluate_checkpoint
from itt_jax.study.perturbations import parse_perturbations
from itt_jax.study.request import Evaluation
from itt_jax.tasks import Task
from tests.system.runs import assert_same_cells, checkpoint_of, encoder

pytestmark = [pytest.mark.slow, pytest.mark.volume]


def study(folder, metric: str) -> Study:
    """A study of the rows in a folder."""
    paths = {split: f"{folder}/{{language}}-{split}.jsonl" for split in ("train", "dev", "test")}
    source = LocalFiles(paths, "jsonl", {"text": "text"}, "labels")
    fields = {"metric": metric, "languages": ("en", "de"), "parallel": True}
    topics = Task("topics", "multilabel", ("text",), (source,), tuple(WORDS), **fields)
    target = Target(
        "topics",
        train="topics",
        intermediate=("topics",),
        intermediate_rows=40,
        dev_rows=40,
        recipe=Recipe(steps=150, batch_size=32, learning_rates=(1e-2,), max_length=32, dropout=False),
        intermediate_recipe=Recipe(steps=4, batch_size=16, learning_rates=(4e-3,), max_length=32),
    )
    return Study(
        name="several labels",
        encoders=(encoder("task:topics", 300, pooling="max_mean"),),
        targets=(target,),
        arms=("direct", "itt", "shuffled_itt"),
        perturbations=(Perturbation("swap", (0.3,)), Perturbation("token_drop", (0.3,))),
        tasks=(topics,),
        seeds=(0,),
        languages=("en", "de"),
        evaluation_rows=80,
        max_length=32,
    )


WORDS = {
    "trade": {"en": ["tariff", "market"], "de": ["Zoll", "Handel"]},
    "health": {"en": ["doctor", "hospital"], "de": ["Arzt", "Klinik"]},
    "work": {"en": ["wages", "strike"], "de": ["Lohn", "Streik"]},
    "law": {"en": ["court", "judge"], "de": ["Gericht", "Richter"]},
}
FILLERS = {
    "en": ["the", "report", "about", "new", "and", "today"],
    "de": ["der", "Bericht", "zu", "neu", "und", "heute"],
}


def write_rows(folder) -> None:
    """Sentences whose labels are the topics that their words come from, parallel in two languages."""
    random = np.random.default_rng(0)
    for split, count in (("train", 240), ("dev", 60), ("test", 80)):
        lines = {"en": [], "de": []}
        for number in range(count):
            labels = [topic for topic in WORDS if random.random() < 0.35]
            picks = [(topic, int(random.integers(2))) for topic in labels]
            fillers = random.integers(0, 6, 6).tolist()
            for language, own in lines.items():
                words = [WORDS[topic][language][k] for topic, k in picks] + [FILLERS[language][k] for k in fillers]
                own.append(json.dumps({"text": " ".join([split, str(number), *words]), "labels": labels}))
        for language, own in lines.items():
            (folder / f"{language}-{split}.jsonl").write_text("\n".join(own) + "\n")


@pytest.fixture(scope="module", params=["r_precision", "label_macro_f1"])
def labels_run(request, tmp_path_factory):
    """(study, out) of a whole run."""
    folder = tmp_path_factory.mktemp(request.param)
    write_rows(folder)
    chosen = study(folder, request.param)
    results = run(chosen, folder / "out", quiet=True)
    assert results.made == results.cells == 3 * 2 * 3
    return chosen, folder / "out"


def test_a_tiny_encoder_is_above_chance_and_every_table_is_made(labels_run):
    study, out = labels_run
    results = read_results(out)
    home = results.query("language == 'en' and perturbation == 'clean' and arm == 'direct'").iloc[0]
    assert home["value"] > home["chance"] + 0.2, home[["value", "chance"]]
    assert (
        results.query("language == 'en' and perturbation == 'token_drop' and arm == 'direct'")["value"].item()
        < home["value"]
    )
    analysis = analyse(out)
    assert not analysis.cells["differs"].any() and len(analysis.cells) == 18
    assert len(analysis.primary) and len(analysis.interactions)
    assert describe(study, out).as_dict()["cells_done"] == 18


def test_evaluate_gives_the_cells_of_the_study(labels_run, tmp_path, monkeypatch):
    study, out = labels_run
    monkeypatch.setattr(tasks, "get", lambda name, own=(): study.tasks[0])
    noises = parse_perturbations(["swap:0.3", "token_drop:0.3"])
    evaluation = Evaluation(checkpoint_of(out, "direct"), "topics", noises, rows=80, max_length=32)
    evaluate_checkpoint(evaluation, tmp_path / "out")
    columns = ["metric", "value", "chance", "n", "n_changed"]
    assert_same_cells(tmp_path / "out", out, "arm == 'direct'", columns)
